/**
 * A first update that is interrupted at each of its writes, and a lost state. On the real engine, the next update takes
 * over the existing resources with their data.
 */
import { history } from "@durable-stack/class-lifecycle";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectName } from "../../infra/stack/project.ts";
import { live } from "../../packages/local-account/test/support.ts";
import { Checkouts } from "../checkouts.ts";
import type { Intervention } from "../proxy.ts";
import { Site } from "./site.ts";

const NAME = projectName();

const checkouts = new Checkouts();
afterAll(() => checkouts.remove());

const { migrations } = history().step("0001-create", (classes) => classes.create("Visits"));
const changes = (steps: readonly string[]) => steps.filter((step) => !step.startsWith("same"));

/** The writes of a first update, and the step by which the next update takes over their result. */
const WRITES = new Map([
  ["/storage/kv/namespaces", "import WorkersKvNamespace reads"],
  ["/r2/buckets", "import R2Bucket blobs"],
  ["/workers/workers", "import Worker worker"],
  ["/versions", undefined],
  ["/deployments", undefined],
]);

it.each<[string, Intervention, boolean]>([
  ["the answer is lost", "lose", false],
  ["the write is refused", "refuse", false],
  ["the engine is killed", "lose", true],
])(
  "a first update that is interrupted at each of its writes is completed by the next update: %s",
  // A dozen updates, one after the other.
  { timeout: 600_000, tags: ["nightly"] },
  async (_, fate, kills) => {
    const site = await Site.open({ config: { protect: false } });
    try {
      const checkout = checkouts.make(`interrupted-${fate}-${kills}`, migrations);
      const met: string[] = [];
      let takes: string | undefined;
      for (;;) {
        let spoilt: string | undefined;
        site.proxy.intervene = ({ method, path }) => {
          const write = [...WRITES.keys()].find((name) => path.split("?")[0]?.endsWith(name));
          if (method !== "POST" || write === undefined) return undefined;
          // Concurrent writes are refused, so that each write has its own turn.
          if (spoilt !== undefined) return "refuse";
          if (met.includes(write)) return undefined;
          spoilt = write;
          if (kills) site.stack.kill();
          return fate;
        };
        const up = await site.deploy(checkout);
        site.proxy.intervene = undefined;
        await site.proxy.idle();
        if (takes !== undefined && fate === "lose") {
          expect(up.steps).toContain(takes);
          expect(up.text).toMatch(/takes over .*, found in the account/);
        }
        if (spoilt === undefined) {
          expect(up.ok, up.text).toBe(true);
          break;
        }
        expect(up.ok, spoilt).toBe(false);
        met.push(spoilt);
        takes = WRITES.get(spoilt);
        if (kills) expect((await site.stack.cancel()).ok).toBe(true);
      }
      expect(met.toSorted()).toEqual([...WRITES.keys()].toSorted());
      expect(await site.call("Visits")).toMatchObject({ count: 1 });
      site.proxy.takeWrites();
      expect(changes((await site.stack.up()).steps)).toEqual([]);
      expect(site.proxy.takeWrites()).toEqual([]);
    } finally {
      await site.close();
    }
  },
);

it("a change of classes whose deployment fails is in force, says so, and is completed by the next update", async () => {
  const site = await Site.open({ config: { protect: false } });
  const next = history()
    .step("0001-create", (classes) => classes.create("Visits"))
    .step("0002-more", (classes) => classes.create("Trips"));
  try {
    expect((await site.deploy(checkouts.make("classes-1", migrations))).ok).toBe(true);
    const changed = checkouts.make("classes-2", next.migrations);
    site.proxy.intervene = ({ method, path }) =>
      method === "POST" && path.endsWith("/deployments") ? "refuse" : undefined;
    const failed = await site.deploy(changed);
    site.proxy.intervene = undefined;
    expect(failed.ok).toBe(false);
    expect(failed.text).toMatch(
      /change of classes has taken effect: release [0-9a-f]{12} has all traffic, at step 0002-more.*run the same command again/,
    );
    expect(await site.call("Trips")).toMatchObject({ count: 1 });
    // Another release beside it, so that the plan is not what serves.
    site.stack.root = checkouts.make("classes-3", next.migrations).root;
    const preview = await site.stack.preview();
    expect(preview.ok, preview.text).toBe(true);
    expect(preview.text).not.toMatch(/deployment_not_ours|has taken effect/);
    const up = await site.deploy(changed);
    expect(up.ok, up.text).toBe(true);
    expect(changes(up.steps)).toContain("create-replacement WorkersDeployment worker");
    expect(changes((await site.stack.up()).steps)).toEqual([]);
  } finally {
    await site.close();
  }
});

describe("a state that is lost", () => {
  let site: Site;
  let again: Site;
  beforeAll(async () => {
    site = await Site.open({ config: { protect: false } });
    const up = await site.deploy(checkouts.make("before", migrations));
    expect(up.ok, up.text).toBe(true);
    expect(await site.call("Visits")).toMatchObject({ count: 1 });
  });
  afterAll(async () => {
    await site?.close();
  });

  it("is rebuilt by the next update, and the data in objects, KV and R2 is still there", async () => {
    const { direct, stack } = site;
    const [kv] = await direct
      .call("get", "/storage/kv/namespaces")
      .then((found) => (Array.isArray(found) ? found : []));
    await direct.sdk.kv.namespaces.values.update("kept", { account_id: direct.id, namespace_id: kv.id, value: "yes" });
    await fetch(`${direct.running.apiUrl}/accounts/${direct.id}/r2/buckets/${NAME}-local-blobs/objects/kept`, {
      method: "PUT",
      headers: { authorization: `Bearer ${direct.running.token}` },
      body: "yes",
    });
    stack.forget();
    site.proxy.takeWrites();
    const preview = await stack.preview();
    expect(preview.text).toMatch(/in sync, at 0001-create/);
    expect(preview.text).toContain(`takes over Worker ${NAME}, found in the account: it has this stack's tag`);
    expect(preview.text).toMatch(
      new RegExp(`takes over KV namespace ${NAME}-local-reads.*versions of this stack are bound`),
    );
    expect(preview.text).toContain(`takes over bucket ${NAME}-local-blobs`);
    const up = await stack.up();
    expect(up.ok, up.text).toBe(true);
    expect(changes(up.steps).map((step) => step.replace(/ [0-9a-f]{12}-.*/, ""))).toEqual([
      "create WorkerVersion worker",
      "create WorkersDeployment worker",
      "import R2Bucket blobs",
      "import Worker worker",
      "import WorkersKvNamespace reads",
    ]);
    expect(await site.call("Visits")).toMatchObject({ count: 2 });
    const value = await direct.sdk.kv.namespaces.values.get("kept", { account_id: direct.id, namespace_id: kv.id });
    expect(await value.text()).toBe("yes");
    expect(await direct.call("get", `/r2/buckets/${NAME}-local-blobs/objects`)).toMatchObject([{ key: "kept" }]);
    site.proxy.takeWrites();
    expect(changes((await stack.up()).steps)).toEqual([]);
    expect(site.proxy.takeWrites()).toEqual([]);
  });

  it("a Worker that is renamed, there and back, keeps its objects", async () => {
    for (const [name, count] of [
      ["trips", 3],
      [NAME, 4],
    ] as const) {
      site.set({ workerName: name });
      const up = await site.stack.up();
      expect(up.ok, up.text).toBe(true);
      expect(up.text).toMatch(new RegExp(`~ Worker .* is called ${name}, with its versions and all its objects`));
      expect(changes(up.steps)).toEqual([
        "create-replacement WorkersDeployment worker",
        "delete-replaced WorkersDeployment worker",
        "replace WorkersDeployment worker",
        "update Worker worker",
      ]);
      const answer = await site.direct.ask(name, "/Visits/one");
      expect(answer.json()).toMatchObject({ count });
      expect(changes((await site.stack.up()).steps)).toEqual([]);
    }
  });

  it("a name that another Worker has is refused, also by an adoption, and nothing is sent", async () => {
    await site.direct.deploy("theirs", { classes: ["Visits"], bound: ["Visits"], exports: live("Visits") });
    for (const adopt of [false, true]) {
      site.set({ workerName: "theirs", adopt });
      site.proxy.takeWrites();
      const up = await site.stack.up();
      expect(up.ok).toBe(false);
      expect(up.text).toMatch(
        new RegExp(String.raw`Nothing was sent[\s\S]*\[worker_name_taken\] theirs: .*called ${NAME}`),
      );
      expect(site.proxy.takeWrites()).toEqual([]);
    }
    site.set({ workerName: NAME, adopt: false });
    expect(changes((await site.stack.up()).steps)).toEqual([]);
    expect(await site.call("Visits")).toMatchObject({ count: 5 });
  });

  it("does not take over another stack's Worker", async () => {
    again = await Site.open({ name: "staging", beside: site, config: { protect: false, workerName: NAME } });
    try {
      site.proxy.takeWrites();
      const up = await again.deploy(checkouts.make("other", migrations));
      expect(up.ok).toBe(false);
      expect(up.text).toMatch(new RegExp(String.raw`\[worker_of_another_stack\] ${NAME}: .*\(${NAME}:local\)`));
      expect(site.proxy.takeWrites()).toEqual([]);
    } finally {
      await again.close();
    }
  });
});

it("a Worker that somebody deleted is told of, and made anew once a refresh has taken it out of the state", async () => {
  const site = await Site.open({ name: "staging", config: { protect: false } });
  try {
    expect(await site.deploy(checkouts.make("deleted", migrations))).toMatchObject({ ok: true });
    expect(await site.call("Visits")).toMatchObject({ count: 1 });
    await site.direct.call("delete", `/workers/scripts/${site.workerName}`);
    site.proxy.takeWrites();
    const up = await site.stack.up();
    expect(up).toMatchObject({
      ok: false,
      text: expect.stringMatching(/\[worker_gone\].*pulumi refresh --stack staging/),
    });
    expect(site.proxy.takeWrites()).toEqual([]);
    expect((await site.stack.refresh()).ok).toBe(true);
    expect(await site.stack.up()).toMatchObject({ ok: true });
    expect(await site.call("Visits")).toMatchObject({ count: 1 });
  } finally {
    await site.close();
  }
});
