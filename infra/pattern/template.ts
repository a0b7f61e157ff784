/** The files that a pattern begins as. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { ROOT } from "../release/root.ts";

const FOLDER = join(ROOT, "infra/pattern/template");

/** What stands in infra/pattern/template/, by the paths that it has in a project. */
export function ownTemplate(): Record<string, string> {
  const entries = ["worker", "test"].flatMap((part) =>
    readdirSync(join(FOLDER, part), { recursive: true, withFileTypes: true }),
  );
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  return Object.fromEntries(
    files.map((file) => [relative(FOLDER, file).split(sep).join("/"), readFileSync(file, "utf8")]),
  );
}
