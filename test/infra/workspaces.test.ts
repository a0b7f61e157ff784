/** The workspaces of another commit are linked as npm links them. */
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { linkWorkspaces } from "../../infra/rehearsal/workspaces.ts";

/** A project with these files of JSON. */
function project(files: Readonly<Record<string, unknown>>): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "workspaces-")));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const [name, value] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), JSON.stringify(value));
  }
  return root;
}

const packages = {
  "packages/a/package.json": { name: "@here/a" },
  "packages/b/package.json": { name: "b" },
  "packages/nameless/package.json": {},
  "packages/none/tsconfig.json": {},
};

it.each([
  ["a list", ["packages/*"]],
  ["a list with one that is left out", ["packages/*", "!packages/b"]],
  ["an object", { packages: ["packages/*"] }],
])("written as %s", (_, workspaces) => {
  const root = project({ "package.json": { workspaces }, ...packages });
  linkWorkspaces(root);
  const modules = join(root, "node_modules");
  expect(realpathSync(join(modules, "@here/a"))).toBe(join(root, "packages/a"));
  const takesB = !JSON.stringify(workspaces).includes("!");
  expect(existsSync(join(modules, "b"))).toBe(takesB);
});

it("a project without workspaces gets no folder", () => {
  const root = project({ "package.json": {} });
  linkWorkspaces(root);
  expect(existsSync(join(root, "node_modules"))).toBe(false);
});
