/**
 * Loads the Worker into Node. It is bundled as a release is, so that whatever the build takes can be loaded: TypeScript of
 * every kind, JSX, aliases, and files that are modules. What only the Workers runtime has gets a stand-in: until a request
 * comes, a Worker needs nothing of it but classes to extend.
 */
import { builtinModules, createRequire, registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { messageOf } from "../common/errors.ts";
import { UserError } from "../common/user-error.ts";
import { type Bundle, type BundleConfig, bundlerOf } from "../release/bundle.ts";
import type { SideModule } from "../release/module-rules.ts";

const ENTRY = "infra/access/entry.mjs";
/** Made by a build, which a check does without; nothing of it matters here. */
const ASSETS = "/assets.gen.js";
/** A date and a flag with which modules of Node stay imports, and nothing of Node is replaced: this is Node. */
const NODES_OWN = { compatibility_date: "2024-01-01", compatibility_flags: ["nodejs_compat"] };

/**
 * What the Worker in `root` exports, and `guardedRoutes`.
 * @throws BuildError where it does not build; UserError where it cannot be loaded.
 */
export async function loadWorker(root: string, config: BundleConfig): Promise<unknown> {
  const bundle = await bundled(root, config);
  const source = Buffer.from(bundle.main).toString("utf8");
  // No such file is written; imports of packages are looked for from there.
  const main = pathToFileURL(join(root, "dist/access.mjs")).href;
  const sides = new Map(bundle.modules.map((module) => [`./${module.name}`, module]));
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      if (specifier === main) return { url: main, format: "module", shortCircuit: true };
      if (context.parentURL !== main) return next(specifier, context);
      const side = sides.get(specifier);
      const stand = side ? sideSource(side) : standIn(specifier, source);
      return stand === undefined ? next(specifier, context) : { url: moduleOf(stand), shortCircuit: true };
    },
    load: (url, context, next) =>
      url === main ? { format: "module", source, shortCircuit: true } : next(url, context),
  });
  // Packages in CommonJS ask for modules of Node by it.
  Object.assign(globalThis, { require: createRequire(main) });
  try {
    return await import(main);
  } catch (error) {
    throw new UserError(
      `The Worker cannot be loaded to find its routes: ${messageOf(error)}\nWhat it runs before the first request has to work in Node too: move the rest into a function.`,
      { cause: error },
    );
  } finally {
    hooks.deregister();
    Reflect.deleteProperty(globalThis, "require");
  }
}

async function bundled(root: string, config: BundleConfig): Promise<Bundle> {
  const external = [...builtinModules, `*${ASSETS}`];
  const bundler = await bundlerOf(root, { ...config, ...NODES_OWN, main: ENTRY, minify: false, external });
  try {
    return await bundler.bundle();
  } finally {
    await bundler.dispose();
  }
}

const moduleOf = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;

/** A file that is a module, as the Workers runtime gives it. */
function sideSource({ contentType, contents }: SideModule): string {
  const bytes = `Uint8Array.from(Buffer.from(${JSON.stringify(Buffer.from(contents).toString("base64"))}, "base64"))`;
  if (contentType === "text/plain") return `export default ${JSON.stringify(Buffer.from(contents).toString("utf8"))};`;
  if (contentType === "application/wasm") return `export default new WebAssembly.Module(${bytes});`;
  return `export default ${bytes}.buffer;`;
}

/** What a Worker may extend. */
const CLASSES = ["DurableObject", "RpcTarget", "WorkerEntrypoint", "WorkflowEntrypoint"];

/** The source of a module that is only in the Workers runtime, or made by a build; undefined for every other. */
function standIn(specifier: string, source: string): string | undefined {
  if (specifier.endsWith(ASSETS)) return "export const title = ''; export const page = {}, later = {};";
  if (!specifier.startsWith("cloudflare:")) return undefined;
  // Whatever it is to be: a class to extend, or a function to call.
  const names = new Set([...CLASSES, "default", ...namesFrom(specifier, source)]);
  for (const data of DATA) names.delete(data);
  const functions = [...names].map((name) => `stand as ${name}`).join(", ");
  return `function stand() {}\nconst ${DATA.map((name) => `${name} = {}`).join(", ")};\nexport { ${functions}, ${DATA.join(", ")} };`;
}

const DATA = ["env", "exports"];

/** The names that a bundle imports from a module. */
function namesFrom(specifier: string, source: string): readonly string[] {
  const lists = source.matchAll(/\b(?:import|export)\s*(?:[\w$]+\s*,\s*)?\{([^{}]*)\}\s*from\s*"([^"]+)"/g);
  return [...lists]
    .filter(([, , from]) => from === specifier)
    .flatMap(([, list = ""]) => list.split(",").map((item) => item.trim().split(/\s+as\s+/)[0] ?? ""))
    .filter((name) => /^[\w$]+$/.test(name));
}
