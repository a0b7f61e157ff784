/** Packages that nothing needs once patterns are gone. Pure: nothing is read but through `read`. */
import * as v from "valibot";

const Names = v.record(v.string(), v.string());
const Package = v.object({
  dependencies: v.optional(Names, {}),
  devDependencies: v.optional(Names, {}),
  scripts: v.optional(Names, {}),
});

/** What belongs to one of these patterns: its two folders, and its guide. */
export const belongsTo = (folders: readonly string[], path: string): boolean =>
  folders.some((folder) => new RegExp(`^(worker|test)/${folder}/|^docs/${folder}\\.md$`).test(path));

/**
 * The packages of package.json that files of these patterns import and no other file names, in the order of the
 * alphabet. `paths`: every file of the project.
 */
export function packagesOnlyOf(
  folders: readonly string[],
  paths: readonly string[],
  read: (path: string) => string | undefined,
): readonly string[] {
  if (folders.length === 0) return [];
  const { dependencies, devDependencies, scripts } = v.parse(Package, JSON.parse(read("package.json") ?? "{}"));
  const texts = (own: boolean) =>
    paths
      .filter((path) => /\.(ts|js|mjs|jsonc|html)$/.test(path) && belongsTo(folders, path) === own)
      .map((path) => read(path) ?? "");
  const [going, staying] = [texts(true), [...texts(false), ...Object.values(scripts)]];
  return Object.keys({ ...dependencies, ...devDependencies })
    .filter((name) => going.some((text) => names(text, name)) && !staying.some((text) => names(text, name)))
    .sort();
}

/** Whether a text has a package's name in quotes, alone or with a path behind it. */
const names = (text: string, name: string) =>
  ['"', "'"].some((q) => [q, "/"].some((end) => text.includes(q + name + end)));

/**
 * What to tell a person of them; nothing if there are none. `isReleased`: whether a release has the patterns: the rehearsal
 * builds that with the packages that are installed here.
 */
export function uninstalling(packages: readonly string[], isReleased: boolean): readonly string[] {
  if (packages.length === 0) return [];
  return [
    isReleased
      ? "Nothing else uses these packages. The last release does, and the rehearsal builds it with what is installed here: uninstall them after the next tag."
      : "Nothing else uses these packages:",
    `  npm uninstall ${packages.join(" ")}`,
  ];
}
