/** The files that a pattern begins as. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

/** What stands in infra/pattern/template/, by the paths that it has in a project. */
export function templateIn(root: string): Record<string, string> {
  const folder = join(root, "infra/pattern/template");
  const entries = ["worker", "test"].flatMap((part) =>
    readdirSync(join(folder, part), { recursive: true, withFileTypes: true }),
  );
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  return Object.fromEntries(
    files.map((file) => [relative(folder, file).split(sep).join("/"), readFileSync(file, "utf8")]),
  );
}
