/** Histories of classes on the real engine: stacks at different steps, a killed engine, two engines at once. */
import { history, type Migration } from "@durable-stack/class-lifecycle";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Checkout, Checkouts } from "../checkouts.ts";
import type { Intervention, Seen } from "../proxy.ts";
import { Site } from "./site.ts";

const checkouts = new Checkouts();
afterAll(() => checkouts.remove());

/** A checkout whose history is the first `steps` of `migrations`. */
const upTo = (name: string, migrations: readonly Migration[], steps: number): Checkout =>
  checkouts.make(`${name}-${steps}`, migrations.slice(0, steps));

const changes = (steps: readonly string[]) => steps.filter((step) => !step.startsWith("same"));

/** Two dozen updates: on two busy cores they take longer than any other test. */
const LONG = { timeout: 600_000, tags: ["nightly"] };

describe("three stacks of one account, each at its own step of a history", () => {
  const { migrations } = history()
    .step("0001-create", (classes) => classes.create("A").create("Old"))
    .step("0002-rename", (classes) => classes.rename("A", "B"))
    .step("0003-rename-again", (classes) => classes.rename("B", "C").create("D"))
    .step("0004-remove", (classes) => classes.remove("Old").rename("D", "E"));
  const [first, second, third, last] = [1, 2, 3, 4].map((steps) => upTo("three", migrations, steps));
  if (!first || !second || !third || !last) throw new Error("there are four");
  let local: Site;
  let staging: Site;
  let production: Site;
  beforeAll(async () => {
    const config = { protect: false };
    local = await Site.open({ config });
    staging = await Site.open({ name: "staging", beside: local, config });
    production = await Site.open({ name: "production", beside: local, config: { ...config, soakMinutes: 0 } });
  });
  afterAll(async () => {
    for (const site of [production, staging, local]) await site?.close();
  });

  it("begin at the first step, each with its own namespaces and data", async () => {
    for (const [i, site] of [local, staging, production].entries()) {
      const up = await site.deploy(first);
      expect(up.ok, up.text).toBe(true);
      for (let n = 1; n <= i + 1; n++) expect(await site.call("A")).toMatchObject({ count: n, tag: "three-1" });
      await site.call("Old");
    }
  });

  it("go on at their own pace, and keep their data", async () => {
    for (const checkout of [second, third]) expect((await local.deploy(checkout)).ok).toBe(true);
    expect((await staging.deploy(second)).ok).toBe(true);
    expect(await local.classes()).toEqual(["C", "D", "Old"]);
    expect(await staging.classes()).toEqual(["B", "Old"]);
    expect(await production.classes()).toEqual(["A", "Old"]);
    expect(await local.call("C")).toMatchObject({ count: 2, tag: "three-3" });
    expect(await local.call("D")).toMatchObject({ count: 1 });
    expect(await staging.call("B")).toMatchObject({ count: 3, tag: "three-2" });
    expect(await production.call("A")).toMatchObject({ count: 4, tag: "three-1" });
  });

  it("a stack deletes only classes that it names, and takes only releases that the stack before it serves", async () => {
    local.proxy.takeWrites();
    const refused = await staging.deploy(last);
    expect(refused.ok).toBe(false);
    expect(refused.text).toMatch(/Nothing was sent[\s\S]*\[destroy_not_allowed\] Old: .*allowDestroy: \[Old\]/);
    production.set({ allowDestroy: ["Old"] });
    const early = await production.deploy(last);
    expect(early.ok).toBe(false);
    expect(early.text).toMatch(/\[not_promoted\] .*staging serves [0-9a-f]{12}/);
    expect(local.proxy.takeWrites()).toEqual([]);
  });

  it("arrive at the same classes with one release each, from any step", async () => {
    for (const [site, from, count] of [
      [local, "0003-rename-again", 3],
      [staging, "0002-rename", 4],
      [production, "0001-create", 5],
    ] as const) {
      site.set({ allowDestroy: ["Old"] });
      const up = await site.deploy(last);
      expect(up.ok, up.text).toBe(true);
      expect(up.text).toContain(`${from} -> 0004-remove`);
      expect(site.stack.outputs).toMatchObject({ migration: "0004-remove", digest: last.digest });
      expect(await site.classes()).toEqual(["C", "E"]);
      expect(await site.call("C")).toMatchObject({ count, tag: "three-4" });
    }
    expect(await local.call("E"), "D's object, under its new name").toMatchObject({ count: 2 });
    expect(await production.call("E")).toMatchObject({ count: 1 });
  });

  it("then change nothing, also after a refresh", async () => {
    local.proxy.takeWrites();
    for (const site of [local, staging, production]) {
      const refresh = await site.stack.refresh();
      expect(refresh.ok, refresh.text).toBe(true);
      const up = await site.stack.up();
      expect(up.ok, up.text).toBe(true);
      expect(changes(up.steps)).toEqual([]);
    }
    expect(local.proxy.takeWrites()).toEqual([]);
  });

  it("an older checkout is refused if a newer step is live", async () => {
    const refused = await staging.deploy(second);
    expect(refused.ok).toBe(false);
    expect(refused.text).toContain("[state_ahead] 0004-remove");
    expect(await staging.call("C")).toMatchObject({ count: 5, tag: "three-4" });
  });
});

describe("an engine that is killed during a rename", () => {
  // C0 becomes C1, C1 becomes C2, and so on: one rename for each kill.
  const renames = 6;
  const migrations: readonly Migration[] = [
    { name: "0000-create", changes: [{ op: "create", className: "C0", storage: "sqlite" }] },
    ...Array.from({ length: renames }, (_, i): Migration => {
      const change = { op: "rename", from: `C${i}`, to: `C${i + 1}` } as const;
      return { name: `000${i + 1}-rename`, changes: [change] };
    }),
  ];
  let site: Site;
  beforeAll(async () => {
    site = await Site.open();
  });
  afterAll(() => site?.close());

  /** Kills the engine at its `n`th write. `fate`: what becomes of the write. `killed`: whether it came to that. */
  function killAt(n: number, fate: Intervention) {
    let writes = 0;
    let killed: string | undefined;
    site.proxy.intervene = ({ method, path }: Seen) => {
      if (method === "GET" || ++writes !== n) return undefined;
      killed = `${method} ${path.replace(/\/[0-9a-f]{32}/g, "")}`;
      site.stack.kill();
      return fate;
    };
    return () => killed;
  }

  it(
    "at any request, leaves the class with the old or the new name, with its data; the next update completes it",
    LONG,
    async () => {
      expect((await site.deploy(upTo("killed", migrations, 1))).ok).toBe(true);
      let count = 0;
      expect(await site.call("C0")).toMatchObject({ count: ++count });
      const seen: string[] = [];
      let renamed = 0;
      for (let n = 1; ; n++) {
        const before = renamed;
        for (const fate of ["refuse", "lose"] as const) {
          const [from, to] = [`C${renamed}`, `C${renamed + 1}`];
          const killed = killAt(n, fate);
          const up = await site.deploy(upTo("killed", migrations, ++renamed + 1));
          site.proxy.intervene = undefined;
          await site.proxy.idle();
          const at = killed();
          if (at === undefined) {
            expect(up.ok, up.text).toBe(true);
            break;
          }
          expect(up.ok).toBe(false);
          const [alive = "", ...more] = await site.classes();
          expect(more).toEqual([]);
          expect([from, to]).toContain(alive);
          seen.push(`${fate} ${at}: ${alive === from ? "old" : "new"}`);
          expect(await site.call(alive)).toMatchObject({ count: ++count, class: alive });

          expect((await site.stack.cancel()).ok).toBe(true);
          const again = await site.stack.up();
          expect(again.ok, again.text).toBe(true);
          expect(await site.classes()).toEqual([to]);
          expect(await site.call(to)).toMatchObject({ count: ++count, class: to });
        }
        if (renamed === before + 1) break;
      }
      site.proxy.takeWrites();
      expect(changes((await site.stack.up()).steps)).toEqual([]);
      expect(site.proxy.takeWrites()).toEqual([]);
      expect(seen).toEqual([
        "refuse POST /accounts/workers/workers/versions?deploy=true: old",
        "lose POST /accounts/workers/workers/versions?deploy=true: new",
        `refuse POST /accounts/workers/scripts/${site.workerName}/deployments: new`,
        `lose POST /accounts/workers/scripts/${site.workerName}/deployments: new`,
      ]);
    },
  );
});

describe("engines at once", () => {
  const { migrations } = history()
    .step("0001-create", (classes) => classes.create("A"))
    .step("0002-rename", (classes) => classes.rename("A", "B"));
  const [before, after] = [1, 2].map((steps) => upTo("once", migrations, steps));
  if (!before || !after) throw new Error("there are two");
  let local: Site;
  let staging: Site;
  beforeAll(async () => {
    local = await Site.open();
    staging = await Site.open({ name: "staging", beside: local });
  });
  afterAll(async () => {
    await staging?.close();
    await local?.close();
  });

  it("two stacks deploy to one account without a trace of each other", async () => {
    const both = [local, staging];
    for (const checkout of [before, after]) {
      const ups = await Promise.all(both.map((site) => site.deploy(checkout)));
      for (const up of ups) expect(up.ok, up.text).toBe(true);
      for (const [i, site] of both.entries()) {
        const className = checkout === before ? "A" : "B";
        expect(await site.classes()).toEqual([className]);
        expect(await site.call(className)).toMatchObject({ count: checkout === before ? 1 : 2 });
        expect(await site.versions(), `versions of stack ${i}`).toBe(checkout === before ? 1 : 2);
      }
    }
    for (const site of both) expect(changes((await site.stack.up()).steps)).toEqual([]);
  });

  it("of two on one stack the second is refused, naming the lock's owner, and the first completes", async () => {
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    local.proxy.intervene = async ({ method }) => {
      if (method === "GET") return undefined;
      reach();
      await released;
      return undefined;
    };
    local.set({ corsOrigins: ["https://app.example.com"] });
    const first = local.stack.up();
    await reached;
    const second = await local.stack.up();
    expect(second.ok).toBe(false);
    expect(second.text).toMatch(/the stack is currently locked by 1 lock/);
    expect(changes(second.steps)).toEqual([]);
    release();
    const up = await first;
    local.proxy.intervene = undefined;
    expect(up.ok, up.text).toBe(true);
    expect(await local.versions()).toBe(3);
    expect(await local.call("B")).toMatchObject({ count: 3 });
    expect(changes((await local.stack.up()).steps)).toEqual([]);
  });
});
