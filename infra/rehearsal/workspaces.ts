/**
 * The workspaces of another commit. Its program is to run with its own: what they take and return may have changed since.
 * Packages from npm are those of this checkout.
 */
import { existsSync, globSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { ROOT } from "../release/root.ts";

const Patterns = v.array(v.string());
/** npm takes both. */
const Project = v.object({ workspaces: v.optional(v.union([Patterns, v.object({ packages: Patterns })]), []) });
const Workspace = v.object({ name: v.optional(v.string()) });

/** Links the workspaces in `root` into its `node_modules`, as npm does. What is no workspace is found in folders above. */
export function linkWorkspaces(root: string): void {
  const { workspaces } = v.parse(Project, readJson(join(root, "package.json")));
  const patterns = "packages" in workspaces ? workspaces.packages : workspaces;
  const files = patterns.map((pattern) => `${pattern}/package.json`);
  const { left = [], taken = [] } = Object.groupBy(files, (file) => (file.startsWith("!") ? "left" : "taken"));
  const found = globSync(taken, { cwd: root, exclude: left.map((file) => file.slice(1)) });
  for (const file of found) {
    const folder = dirname(file);
    const { name } = v.parse(Workspace, readJson(join(root, file)));
    if (name !== undefined) link(join(root, folder), join(root, "node_modules", name));
    // Versions that only this workspace has.
    linkEach(join(ROOT, folder, "node_modules"), join(root, folder, "node_modules"));
  }
}

/** Links the packages of a `node_modules` into another one, if it is there. */
function linkEach(from: string, to: string): void {
  if (!existsSync(from)) return;
  for (const name of readdirSync(from)) {
    if (name.startsWith("@")) linkEach(join(from, name), join(to, name));
    else link(join(from, name), join(to, name));
  }
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path, "junction");
}

const readJson = (file: string): unknown => JSON.parse(readFileSync(file, "utf8"));
