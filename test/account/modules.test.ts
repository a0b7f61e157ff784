/** A Worker with text and data modules, built and applied as by `npm start`: one changed byte is a new release. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunningAccount } from "@durable-stack/local-account";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startChecked } from "../../packages/local-account/test/support.ts";
import { ProjectCopy } from "../project-copy.ts";
import { buildAndApply } from "./deploy.ts";

let dir: string;
let account: RunningAccount;
let project: ProjectCopy;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "modules-"));
  account = await startChecked({ dir, port: 0, apiPort: 0 });
  project = new ProjectCopy();
  const write = (name: string, contents: string | Uint8Array) => writeFileSync(join(project.root, name), contents);
  write("worker/empty.wasm", Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0]));
  write("worker/query.sql", "SELECT 1");
  write(
    "worker/modules.ts",
    `export * from "./index.ts";
    import { join } from "path";
    import sql from "./query.sql"; import wasm from "./empty.wasm";
    export default { fetch: () => Response.json([sql, wasm instanceof WebAssembly.Module, join("a", "b")]) };`,
  );
  const config = readFileSync(join(project.root, "wrangler.jsonc"), "utf8");
  write("wrangler.jsonc", config.replace('"main": "worker/index.ts"', '"main": "worker/modules.ts"'));
});
afterAll(async () => {
  await account?.close();
  project?.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** Builds and applies. Returns the steps that changed something. */
async function deploy(): Promise<readonly string[]> {
  const steps = await buildAndApply(project, dir, account);
  return steps.map(({ type }) => type.split(":").at(-1) ?? type);
}
const ask = async (): Promise<unknown> => (await fetch(`http://127.0.0.1:${account.port}/`)).json();

it("answers with its modules; the same again is no change, another query is a new version", async () => {
  await deploy();
  expect(await ask()).toEqual(["SELECT 1", true, "a/b"]);
  expect(await deploy()).toEqual([]);
  writeFileSync(join(project.root, "worker/query.sql"), "SELECT 2");
  expect(await deploy()).toContain("WorkerVersion");
  expect(await ask()).toEqual(["SELECT 2", true, "a/b"]);
});

it("is not built with a key that no release uses", async () => {
  const file = join(project.root, "wrangler.jsonc");
  const config = readFileSync(file, "utf8");
  writeFileSync(file, config.replace('"main":', '"browser": { "binding": "BROWSER" }, "main":'));
  const { code, text } = await project.run("node infra/commands/build.ts");
  writeFileSync(file, config);
  expect(code).toBe(1);
  expect(text).toMatch(/browser: add the binding/);
  expect(text).not.toContain("    at ");
});
