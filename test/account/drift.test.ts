/** `npm run drift` on a local account that `npm start` has deployed two versions to, one test after the other. */
import { readFileSync, writeFileSync } from "node:fs";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { adminTokenOf } from "../../infra/apply/admin-token.ts";
import { projectName } from "../../infra/stack/project.ts";
import { changeSetting } from "../../infra/stack/settings-file.ts";
import { codeOf } from "../../packages/local-account/test/support.ts";
import { type Kept, keep } from "../kept.ts";
import type { TestRelease } from "../releases.ts";
import { LocalStack, WORKER } from "./local-stack.ts";

const stack = new LocalStack("drift");
const { dir, settings } = stack;
let kept: Kept;

beforeAll(async () => {
  await stack.start();
  await deploy(stack.releases.variant("one"));
  kept = await keep({ port: stack.account.running.port, adminToken: adminTokenOf(dir) });
  await deploy(stack.releases.variant("two"));
});
afterAll(() => stack.close());

const run = (name: string, ...args: string[]) => stack.run(name, ...args);
const deploy = (release?: TestRelease) => stack.deploy(release);
const shares = () => stack.shares();

describe("drift", () => {
  /** Deploys a version that is not ours, with these classes. */
  const foreign = (classes: readonly string[], exports: object, bindings: readonly object[] = []) =>
    stack.account.call("post", `/workers/workers/${WORKER}/versions?deploy=true`, {
      main_module: "index.js",
      compatibility_date: "2026-11-01",
      modules: [
        {
          name: "index.js",
          content_type: "application/javascript+module",
          content_base64: Buffer.from(codeOf({ classes, tag: "foreign" })).toString("base64"),
        },
      ],
      bindings,
      exports,
    });

  it("is not found after an update, nor after the next", async () => {
    expect(await run("drift")).toMatchObject({ code: 0, stdout: "local: no drift\n" });
    expect(await run("drift", "--json")).toMatchObject({ code: 0, stdout: '{"stack":"local","drift":[]}\n' });
  });

  it("of the traffic is named, also by the next update, which undoes it", async () => {
    await stack.account.split(WORKER, { [await stack.idOf(1)]: 30, [await stack.idOf(2)]: 70 });
    const { code, stdout } = await run("drift");
    expect(code).toBe(2);
    expect(stdout).toMatch(/^\[deployment_not_ours\] deployment \S+: api made it, not this program: .*version 1 30 %/);
    const { said } = await deploy();
    expect(said).toContain("[deployment_not_ours]");
    expect(await shares()).toEqual({ 2: 100 });
    expect((await run("drift")).code).toBe(0);
  });

  it("by a rollback in the dashboard is named and undone", async () => {
    await stack.account.split(WORKER, { [await stack.idOf(1)]: 100 });
    expect((await run("drift")).stdout).toContain("[deployment_not_ours]");
    await deploy();
    expect(await shares()).toEqual({ 2: 100 });
  });

  it("by a pin that another checkout has set is told as one, with what keeps it and what ends it", async () => {
    changeSetting(settings, "pin", 1);
    await deploy();
    changeSetting(settings, "pin", undefined);
    const { code, stdout } = await run("drift");
    expect(code).toBe(2);
    expect(stdout).toMatch(
      /^\[traffic_not_as_set\] traffic: version 1 .*is pinned to version 1, and these settings have no pin.*`npm run rollback -- .*--to 1`.*`npm run rollback -- .*--unpin`\.\n$/,
    );
    await deploy();
    expect((await run("drift")).code).toBe(0);
  });

  it("is not that an update left workers.dev on beside a new host name, only that somebody turned it on", async () => {
    const [zone] = (await stack.account.sdk.zones.list({ name: "example.com" })).result;
    changeSetting(settings, "zoneId", zone?.id);
    changeSetting(settings, "hostname", "api.example.com");
    await deploy();
    const noted = await run("drift");
    expect(noted).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^local: no drift\nNote: \S+ still answers on workers\.dev, too: .* --stack local\n$/,
      ),
    });
    expect((await run("drift", "--json")).stdout).toMatch(
      /^\{"stack":"local","drift":\[\],"notes":\["Note: .*"\]\}\n$/,
    );
    await deploy();
    expect(await run("drift")).toMatchObject({ code: 0, stdout: "local: no drift\n" });
    await stack.account.sdk.workers.scripts.subdomain.create(WORKER, { account_id: stack.account.id, enabled: true });
    expect(await run("drift")).toMatchObject({ code: 2, stdout: expect.stringContaining("[resource_changed] Worker") });
    changeSetting(settings, "hostname", undefined);
    changeSetting(settings, "zoneId", undefined);
    await deploy();
    expect((await run("drift")).code).toBe(0);
  });

  it("by a foreign version, a changed address and deleted storage is named, each by its name", async () => {
    const classes = Object.keys(await stack.account.namespaces()).map((name) => name.split("/")[1] ?? "");
    const exports = Object.fromEntries(classes.map((name) => [name, { type: "durable-object", storage: "sqlite" }]));
    await foreign(classes, exports, [{ type: "plain_text", name: "HELLO", text: "there" }]);
    await stack.account.sdk.workers.scripts.subdomain.create(WORKER, { account_id: stack.account.id, enabled: false });
    for await (const { id } of stack.account.sdk.kv.namespaces.list({ account_id: stack.account.id })) {
      await stack.account.sdk.kv.namespaces.delete(id, { account_id: stack.account.id });
    }
    await stack.account.call("delete", `/r2/buckets/${WORKER}-local-blobs`);
    await stack.account.sdk.workers.domains.update({
      account_id: stack.account.id,
      hostname: "other.example.com",
      service: WORKER,
      zone_name: "example.com",
    });
    const { code, stdout } = await run("drift", "--json");
    expect(code).toBe(2);
    const { drift } = v.parse(
      v.object({ drift: v.array(v.object({ code: v.string(), subject: v.string(), message: v.string() })) }),
      JSON.parse(stdout),
    );
    expect(drift.map(({ code: what, subject }) => `${what} ${subject}`).sort()).toEqual([
      `resource_changed Worker ${WORKER}`,
      `resource_missing KV namespace ${projectName()}-local-reads`,
      `resource_missing bucket ${projectName()}-local-blobs`,
      "resource_unknown custom domain other.example.com",
      expect.stringMatching(/^serving_version_not_ours version \d+/),
    ]);
    const served = drift.find(({ code: what }) => what === "serving_version_not_ours");
    expect(served?.message).toMatch(/100 % of the traffic.*\+HELLO, .*-READS/);
  });

  it("is undone by the next update, which names it first", async () => {
    const { said } = await deploy();
    expect(said).toContain("[serving_version_not_ours]");
    await kept.stays();
    const { stdout } = await run("drift");
    expect(stdout).toMatch(/^\[resource_unknown\] custom domain other.example.com.*\n$/);
  });

  it("of the classes is named, also of a stack that is pinned", async () => {
    const [gone = "", ...others] = Object.keys(await stack.account.namespaces()).map(
      (name) => name.split("/")[1] ?? "",
    );
    const stays = others.map((name) => [name, { type: "durable-object", storage: "sqlite" }] as const);
    await foreign(others, {
      ...Object.fromEntries(stays),
      [gone]: { type: "durable-object", state: "deleted" },
    });
    expect((await run("drift")).stdout).toContain(`[state_diverged] ${gone}`);
    changeSetting(settings, "pin", 2);
    expect(await run("drift")).toMatchObject({ code: 2, stdout: expect.stringContaining(`[state_diverged] ${gone}`) });
    changeSetting(settings, "pin", undefined);
  });

  it("cannot be found out with a release of another history than the checkout's, pinned or not: exit code 1", async () => {
    const text = readFileSync(settings, "utf8");
    stack.choose(stack.releases.later("another-history"));
    for (const pin of [undefined, 2]) {
      changeSetting(settings, "pin", pin);
      expect(await run("drift", "--json")).toEqual({
        code: 1,
        stdout: "",
        stderr: expect.stringMatching(
          /^Whether local has drifted is not known:\n\[release_step_mismatch\] .*Fix: check out [^\n]*release[^\n]*\n$/,
        ),
      });
    }
    writeFileSync(settings, text);
  });

  it("cannot be found out if no account runs, or no release is built: exit code 1", async () => {
    const text = readFileSync(settings, "utf8");
    writeFileSync(settings, stringify({ config: { release: "no/such/release" } }));
    expect(await run("drift")).toMatchObject({ code: 1, stderr: expect.stringContaining("no release in") });
    writeFileSync(settings, text);
    await stack.account.close();
    expect(await run("drift")).toMatchObject({ code: 1, stderr: expect.stringContaining("no local account runs") });
  });
});
