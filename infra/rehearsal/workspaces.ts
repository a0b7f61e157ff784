/**
 * The workspaces of another commit. Its program is to run with its own: what they take and return may have changed since.
 * Packages from npm are those of this checkout.
 */
import { globSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import * as v from "valibot";

const Project = v.object({ workspaces: v.optional(v.array(v.string()), []) });
const Workspace = v.object({ name: v.string() });

/** Links the workspaces in `root` into its `node_modules`, as npm does. What is no workspace is found in folders above. */
export function linkWorkspaces(root: string): void {
  const { workspaces } = v.parse(Project, readJson(join(root, "package.json")));
  for (const file of globSync(
    workspaces.map((pattern) => `${pattern}/package.json`),
    { cwd: root },
  )) {
    const { name } = v.parse(Workspace, readJson(join(root, file)));
    const link = join(root, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, dirname(file)), link, "junction");
  }
}

const readJson = (file: string): unknown => JSON.parse(readFileSync(file, "utf8"));
