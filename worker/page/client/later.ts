/**
 * What a panel needs only once it is used: its later.ts, which the build makes a module of its own. So a visitor who does
 * not use the panel does not load it.
 */

/** Loads the module of the pattern with this folder. `Module`: its type. */
export async function load<Module>(folder: string): Promise<Module> {
  const at = `/later/${folder}.js`;
  const module: Module = await import(at);
  return module;
}
