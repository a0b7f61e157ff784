/** Real wrangler with another project: classes are created, renamed with their data, deleted, and refused. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunningAccount } from "@durable-stack/local-account";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startChecked } from "../../packages/local-account/test/support.ts";
import { wrangler } from "./wrangler.ts";

let dir: string;
let account: RunningAccount;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "wrangler-classes-"));
  account = await startChecked({ dir: join(dir, "account"), port: 0, apiPort: 0 });
});
afterAll(async () => {
  await account?.close();
  rmSync(dir, { recursive: true, force: true });
});

const live = { type: "durable-object", storage: "sqlite" };

/** Writes a project whose Worker counts visits in the class `bound`, and deploys it. */
function deploy(classes: readonly string[], bound: string, exports: Record<string, unknown>) {
  const config = {
    name: "visits",
    main: "index.js",
    compatibility_date: "2026-11-01",
    durable_objects: { bindings: [{ name: "VISITS", class_name: bound }] },
    exports,
  };
  const code = classes.map(
    (name) => `export class ${name} extends DurableObject {
      async visit() { const count = ((await this.ctx.storage.get("count")) ?? 0) + 1; await this.ctx.storage.put("count", count); return count; }
    }`,
  );
  writeFileSync(join(dir, "wrangler.json"), JSON.stringify(config));
  writeFileSync(
    join(dir, "index.js"),
    `import { DurableObject } from "cloudflare:workers";
    ${code.join("\n")}
    export default { fetch: async (_, env) => Response.json(await env.VISITS.getByName("one").visit()) };`,
  );
  return wrangler(account, dir, ["deploy"]);
}
const visit = async () => (await fetch(`http://127.0.0.1:${account.port}/`)).json();

it("follows a project through the lifecycle of its classes", async () => {
  const created = await deploy(["First", "Other"], "First", { First: live, Other: live });
  expect(created).toMatchObject({ code: 0, text: expect.stringContaining("Created: First, Other") });
  expect([await visit(), await visit()]).toEqual([1, 2]);

  const renamed = await deploy(["Second", "Other"], "Second", {
    First: { type: "durable-object", state: "renamed", renamed_to: "Second" },
    Second: live,
    Other: live,
  });
  expect(renamed).toMatchObject({ code: 0 });
  expect(await visit()).toBe(3);

  const refused = await deploy(["Second", "Other"], "Second", {
    Second: live,
    Other: { type: "durable-object", state: "deleted" },
  });
  expect(refused.code).not.toBe(0);
  expect(refused.text).toContain("tombstone_delete_class_still_in_code");
  expect(await visit()).toBe(4);

  const orphaned = await deploy(["Second"], "Second", { Second: live });
  expect(orphaned.code).not.toBe(0);
  expect(orphaned.text).toContain("orphaned_provisioned_namespace");

  const deleted = await deploy(["Second"], "Second", {
    Second: live,
    Other: { type: "durable-object", state: "deleted" },
  });
  expect(deleted).toMatchObject({ code: 0, text: expect.stringContaining("Deleted: Other") });
  expect(await visit()).toBe(5);
});
