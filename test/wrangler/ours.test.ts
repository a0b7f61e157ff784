/** `wrangler deploy` of this project's own wrangler.jsonc, twice, from a copy elsewhere: all patterns answer. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunningAccount } from "@durable-stack/local-account";
import { afterAll, beforeAll, expect, it } from "vitest";
import { smoke } from "../../infra/smoke/smoke.ts";
import { startChecked } from "../../packages/local-account/test/support.ts";
import { patterns } from "../../worker/patterns.ts";
import { expectAdmin } from "../admin-token.ts";
import { keep } from "../kept.ts";
import { ProjectCopy } from "../project-copy.ts";
import { wrangler } from "./wrangler.ts";

const ADMIN_TOKEN = "the-token-of-this-test";

let dir: string;
let project: ProjectCopy;
let account: RunningAccount;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "wrangler-ours-"));
  project = new ProjectCopy();
  account = await startChecked({ dir: join(dir, "account"), port: 0, apiPort: 0 });
});
afterAll(async () => {
  await account?.close();
  project?.remove();
  rmSync(dir, { recursive: true, force: true });
});

const where = () => ({ port: account.port, adminToken: ADMIN_TOKEN });
const url = () => `http://127.0.0.1:${account.port}`;
const run = (...args: string[]) => wrangler(account, project.root, args);

it("creates the classes and answers, and a second deploy changes no class and keeps the data", async () => {
  const first = await run("deploy");
  const [, created = ""] = /Created: (.*)/.exec(first.text) ?? [];
  // In the order of wrangler.jsonc, which says nothing.
  expect(created.split(", ").sort()).toEqual(patterns.map((facts): string => facts.class).sort());
  expect(first.code).toBe(0);
  // wrangler.jsonc sets no open access, and without a token nobody is the admin: nothing is open by mistake.
  await expectAdmin(where(), false);
  const secret = await wrangler(account, project.root, ["secret", "put", "ADMIN_TOKEN"], ADMIN_TOKEN);
  expect(secret).toMatchObject({ code: 0 });
  await expectAdmin(where(), true);
  const kept = await keep(where());

  const second = await run("deploy");
  expect(second.text).not.toContain("Created:");
  expect(second.code).toBe(0);
  await kept.stays();

  const checks = await smoke(new URL(url()), { adminToken: ADMIN_TOKEN });
  expect(checks.filter(({ ok }) => !ok)).toEqual([]);
});

it("lists its deployments and versions", async () => {
  const deployments = await run("deployments", "list", "--json");
  const listed: unknown = JSON.parse(deployments.text.slice(deployments.text.indexOf("[")));
  expect(listed).toHaveLength(3);
  expect((await run("versions", "list")).text.match(/Version ID:/g)).toHaveLength(3);
});
