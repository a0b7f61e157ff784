/** The real engine takes over a Worker with data that wrangler deployed: imports its history, keeps its objects. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { historyOfClasses } from "@durable-stack/class-lifecycle";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Reads } from "../../infra/plan/account/reads.ts";
import { listWorkers, readLive } from "../../infra/plan/live/worker.ts";
import { Api } from "../../infra/provider/api.ts";
import { codeOf } from "../../packages/local-account/test/support.ts";
import { Checkouts } from "../checkouts.ts";
import { wrangler } from "../wrangler/wrangler.ts";
import { Site } from "./site.ts";

const checkouts = new Checkouts();
afterAll(() => checkouts.remove());

/** Deploys a Worker with two classes by wrangler, with `migrations` that include a rename. */
async function deployByWrangler(site: Site, dir: string): Promise<void> {
  const migrations = [
    { tag: "v1", new_sqlite_classes: ["Room"], new_classes: ["Members"] },
    { tag: "v2", renamed_classes: [{ from: "Room", to: "Hall" }] },
  ];
  for (const steps of [1, 2]) {
    const classes = [steps === 1 ? "Room" : "Hall", "Members"];
    const config = {
      name: site.workerName,
      main: "index.js",
      compatibility_date: "2026-11-01",
      durable_objects: { bindings: classes.map((name) => ({ name, class_name: name })) },
      vars: { GREETING: "hello" },
      migrations: migrations.slice(0, steps),
    };
    writeFileSync(join(dir, "wrangler.json"), JSON.stringify(config));
    writeFileSync(join(dir, "index.js"), codeOf({ classes, tag: `wrangler-${steps}` }));
    const deployed = await wrangler(site.account, dir, ["deploy"]);
    expect(deployed.code, deployed.text).toBe(0);
  }
}

describe("a Worker that wrangler deployed", () => {
  let site: Site;
  let dir: string;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "adopt-"));
    site = await Site.open({ config: { protect: false } });
    await deployByWrangler(site, dir);
    await site.direct.deploy("watcher", { code: "export default { tail() {} };" });
    const settings = { tail_consumers: [{ service: "watcher" }], logpush: true };
    await site.direct.call("patch", `/workers/scripts/${site.workerName}/script-settings`, settings);
  });
  afterAll(async () => {
    await site?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** The history that `migrations import --worker` makes. */
  const imported = async () => {
    const { apiUrl, accountId, token } = site.account;
    const reads = Reads.through(new Api({ baseUrl: apiUrl, token }), accountId);
    const { classes } = await readLive(await listWorkers(reads), site.workerName);
    return historyOfClasses(classes ?? new Map());
  };

  it("is left alone by a stack without `adopt`", async () => {
    expect(await site.call("Hall")).toMatchObject({ count: 1, tag: "wrangler-2" });
    expect(await site.call("Members")).toMatchObject({ count: 1 });
    site.proxy.takeWrites();
    const up = await site.deploy(checkouts.make("unasked", await imported()));
    expect(up.ok).toBe(false);
    expect(up.text).toMatch(/\[state_unmanaged\].*Hall, Members \(legacy-kv\).*docs\/adopt.md/);
    expect(site.proxy.takeWrites()).toEqual([]);
  });

  it("is left alone by a stack whose history does not match its classes", async () => {
    site.set({ adopt: true });
    const other = checkouts.make("other", historyOfClasses(new Map([["Stranger", { storage: "sqlite" }]])));
    const up = await site.deploy(other);
    expect(up.text).toMatch(/\[adopt_unmatched\].*Hall, Members \(legacy-kv\).*ends with Stranger/);
    expect(site.proxy.takeWrites()).toEqual([]);
  });

  it("is not taken over until the stack allows by name what the release would remove", async () => {
    const up = await site.deploy(checkouts.make("forgetful", await imported()));
    expect(up.text).toMatch(/\[adopt_drops\] GREETING: the live Worker has a variable under this name/);
    expect(up.text).toMatch(/\[adopt_drops\] tail consumer watcher: [\s\S]*\[adopt_drops\] logpush: /);
    expect(site.proxy.takeWrites()).toEqual([]);
    site.set({ allowDrop: ["GREETING", "tail consumer watcher", "logpush"] });
  });

  it("is imported, gets its first release, and keeps its objects", async () => {
    const checkout = checkouts.make("one", await imported());
    site.stack.root = checkout.root;
    const preview = await site.stack.preview();
    expect(preview.text).toContain(`${site.workerName}: in sync, at 0001-import, taken over from what deployed it`);
    expect(preview.steps).toContain("import Worker worker");
    expect(preview.text).toMatch(/\[adopt_handlers\] scheduled: .*worker\/index\.ts/);
    const up = await site.deploy(checkout);
    expect(up.ok, up.text).toBe(true);
    expect(up.steps).toContain("import Worker worker");
    expect(await site.call("Hall")).toMatchObject({ count: 2, tag: "one" });
    expect(await site.call("Members")).toMatchObject({ count: 2, tag: "one" });
    expect(await site.classes()).toEqual(["Hall", "Members"]);
    expect(site.stack.outputs).toMatchObject({ rollbackFloor: 3, migration: "0001-import" });
  });

  it("is then like any other stack: gets its settings, then no change, and its classes migrate", async () => {
    site.set({ adopt: false });
    const settings = await site.stack.up();
    expect(settings.text).not.toContain("adopt_handlers");
    expect(settings.steps.filter((step) => !step.startsWith("same"))).toEqual(["update Worker worker"]);
    const dropped = await site.direct.call("get", `/workers/scripts/${site.workerName}/script-settings`);
    expect(dropped).toMatchObject({ tail_consumers: [], logpush: false });
    expect((await site.stack.up()).steps.filter((step) => !step.startsWith("same"))).toEqual([]);
    expect(await site.call("Hall")).toMatchObject({ count: 3 });

    const rename = { name: "0002-rename", changes: [{ op: "rename" as const, from: "Hall", to: "Lobby" }] };
    const up = await site.deploy(checkouts.make("two", [...(await imported()), rename]));
    expect(up.ok, up.text).toBe(true);
    expect(up.text).toContain("~ Hall -> Lobby, with its 1 object");
    expect(await site.call("Lobby")).toMatchObject({ count: 4, tag: "two" });
  });

  it("gets its release back when something else has deployed over it", async () => {
    const entry = (storage: string) => ({ type: "durable-object", storage });
    const config = {
      name: site.workerName,
      main: "index.js",
      compatibility_date: "2026-11-01",
      durable_objects: { bindings: ["Lobby", "Members"].map((name) => ({ name, class_name: name })) },
      exports: { Lobby: entry("sqlite"), Members: entry("legacy-kv") },
    };
    writeFileSync(join(dir, "wrangler.json"), JSON.stringify(config));
    writeFileSync(join(dir, "index.js"), codeOf({ classes: ["Lobby", "Members"], tag: "over it" }));
    const over = await wrangler(site.account, dir, ["deploy"]);
    expect(over.code, over.text).toBe(0);
    expect(await site.call("Lobby")).toMatchObject({ count: 5, tag: "over it" });
    const up = await site.stack.up();
    expect(up.ok, up.text).toBe(true);
    expect(up.text).toMatch(/\[serving_version_not_ours\].*wrangler made it/);
    expect(up.steps.filter((step) => / Worker worker$/.test(step))).toEqual(["same Worker worker"]);
    expect(await site.call("Lobby")).toMatchObject({ count: 6, tag: "two" });
  });
});

it("takes over a custom domain and routes that lead to the Worker, and none of another's", async () => {
  const dir = mkdtempSync(join(tmpdir(), "adopt-"));
  const site = await Site.open({ config: { protect: false, adopt: true, allowDrop: ["GREETING"] } });
  const { direct, proxy, workerName } = site;
  try {
    await deployByWrangler(site, dir);
    await direct.deploy("other", { code: "export default { fetch: () => new Response() };" });
    const [zone] = (await direct.sdk.zones.list({ name: "example.com" })).result;
    const zoneId = zone?.id ?? "";
    const [hostname, pattern] = ["api.example.com", "example.com/a/*"];
    const leadTo = async (service: string) => {
      await direct.call("put", "/workers/domains", { hostname, service, zone_id: zoneId });
    };
    const { apiUrl, accountId, token } = site.account;
    const reads = Reads.through(new Api({ baseUrl: apiUrl, token }), accountId);
    const there = async () => ({ domains: await reads.domains(), routes: await reads.routes(zoneId) });
    site.set({ zoneId, hostname, routes: [pattern] });
    const { classes } = await readLive(await listWorkers(reads), workerName);
    const checkout = checkouts.make("addressed", historyOfClasses(classes ?? new Map()));

    await leadTo("other");
    proxy.takeWrites();
    const taken = await site.deploy(checkout);
    expect([taken.ok, proxy.takeWrites()], taken.text).toEqual([false, []]);
    expect(taken.text).toMatch(/\[address_taken\] hostname api\.example\.com: it leads to the Worker other/);

    await leadTo(workerName);
    await direct.sdk.workers.routes.create({ zone_id: zoneId, pattern, script: workerName });
    const before = await there();
    expect(before).toMatchObject({ domains: [{ service: workerName }], routes: [{ script: workerName }] });
    proxy.takeWrites();
    const up = await site.deploy(checkout);
    expect(up.ok, up.text).toBe(true);
    expect(up.text).toMatch(/takes over custom domain api\.example\.com[\s\S]*takes over route example\.com\/a\/\*/);
    expect(up.steps).toEqual(
      expect.arrayContaining(["import WorkersCustomDomain domain", `import WorkersRoute route ${pattern}`]),
    );
    expect(proxy.takeWrites().filter((write) => /^DELETE|\/domains|\/routes/.test(write))).toEqual([]);
    expect(await there()).toEqual(before);
  } finally {
    await site.close();
    rmSync(dir, { recursive: true, force: true });
  }
});

it("an adoption that was killed is completed by the next one", { tags: ["nightly"] }, async () => {
  const dir = mkdtempSync(join(tmpdir(), "adopt-"));
  const site = await Site.open({ config: { protect: false, adopt: true, allowDrop: ["GREETING"] } });
  try {
    await deployByWrangler(site, dir);
    await site.call("Hall");
    const checkout = checkouts.make(
      "killed",
      historyOfClasses(
        new Map([
          ["Hall", { storage: "sqlite" }],
          ["Members", { storage: "legacy-kv" }],
        ]),
      ),
    );
    for (const request of ["/versions", "/deployments"]) {
      site.proxy.intervene = ({ method, path }) => {
        if (method !== "POST" || !path.includes(request)) return undefined;
        site.stack.kill();
        return "lose";
      };
      const killed = await site.deploy(checkout);
      expect(killed.ok, request).toBe(false);
      site.proxy.intervene = undefined;
      await site.proxy.idle();
      expect(await site.classes()).toEqual(["Hall", "Members"]);
      const cancelled = await site.stack.cancel();
      expect(cancelled.ok, `${request}\n${killed.text}\n${cancelled.text}`).toBe(true);
    }
    const up = await site.deploy(checkout);
    expect(up.ok, up.text).toBe(true);
    expect(await site.call("Hall")).toMatchObject({ count: 2, tag: "killed" });
  } finally {
    await site.close();
    rmSync(dir, { recursive: true, force: true });
  }
});
