/** Gradual rollouts, pins and secrets of a stack on the real engine. */
import { history } from "@durable-stack/class-lifecycle";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Checkout, Checkouts } from "../checkouts.ts";
import { Site } from "./site.ts";

const checkouts = new Checkouts();
afterAll(() => checkouts.remove());

const { migrations } = history()
  .step("0001-create", (classes) => classes.create("A"))
  .step("0002-rename", (classes) => classes.rename("A", "B"));
/** A release with the first `steps` of the history. */
const release = (name: string, steps = 1): Checkout => checkouts.make(name, migrations.slice(0, steps));

const changes = (steps: readonly string[]) => steps.filter((step) => !step.startsWith("same"));
const DEPLOYMENT_ONLY = [
  "create-replacement WorkersDeployment worker",
  "delete-replaced WorkersDeployment worker",
  "replace WorkersDeployment worker",
];

describe("a rollout", () => {
  const two = release("two");
  let site: Site;
  beforeAll(async () => {
    site = await Site.open();
    const up = await site.deploy(release("one"));
    expect(up.ok, up.text).toBe(true);
    expect(await site.call("A")).toMatchObject({ count: 1 });
  });
  afterAll(() => site?.close());

  /** Sets the share of the release, and updates. */
  async function to(rollout: number, checkout: Checkout) {
    site.set({ rollout });
    site.proxy.takeWrites();
    return site.deploy(checkout);
  }

  it("begins beside the stable version", async () => {
    const up = await to(10, two);
    expect(up.ok, up.text).toBe(true);
    expect(await site.shares()).toEqual({ 2: 10, 1: 90 });
  });

  it("half-way, an update changes nothing, also after a refresh", async () => {
    site.proxy.takeWrites();
    expect(changes((await site.stack.up()).steps)).toEqual([]);
    expect((await site.stack.refresh()).ok).toBe(true);
    const up = await site.stack.up();
    expect(changes(up.steps), up.text).toEqual([]);
    expect(site.proxy.takeWrites()).toEqual([]);
  });

  it("half-way, another release is refused, and so is one that changes classes", async () => {
    const other = await to(10, release("other"));
    expect(other.ok).toBe(false);
    expect(other.text).toMatch(/\[rollout_unfinished\] .*another rollout has not ended: .* 10 %, .* 90 %/);
    const renaming = await to(50, release("renaming", 2));
    expect(renaming.ok).toBe(false);
    expect(renaming.text).toMatch(/\[lifecycle_needs_full_rollout\] rollout 50[\s\S]*\[rollout_unfinished\]/);
    expect((await to(100, release("renaming-whole", 2))).ok).toBe(false);
    expect(site.proxy.takeWrites()).toEqual([]);
    expect(await site.shares()).toEqual({ 2: 10, 1: 90 });
  });

  it("goes on and ends by changing only the deployment", async () => {
    for (const [rollout, shares] of [
      [50, { 2: 50, 1: 50 }],
      [100, { 2: 100 }],
    ] as const) {
      const up = await to(rollout, two);
      expect(up.ok, up.text).toBe(true);
      expect(changes(up.steps)).toEqual(DEPLOYMENT_ONLY);
      expect(site.proxy.takeWrites()).toEqual([
        expect.stringMatching(new RegExp(`^POST .*/${site.workerName}/deployments`)),
      ]);
      expect(await site.shares()).toEqual(shares);
    }
    expect(await site.call("A")).toMatchObject({ count: 2, tag: "two" });
  });

  it("abandoned at any share, leaves all traffic with the previous version, also if a secret has changed", async () => {
    const three = release("three");
    site.stack.secrets = { ...site.stack.secrets, adminToken: "another-token-that-is-long-enough" };
    for (const share of [10, 90]) expect((await to(share, three)).ok).toBe(true);
    expect(await site.shares()).toEqual({ 3: 90, 2: 10 });
    const up = await to(0, three);
    expect(up.ok, up.text).toBe(true);
    expect(changes(up.steps)).toEqual(DEPLOYMENT_ONLY);
    expect(await site.shares()).toEqual({ 2: 100 });
    expect(changes((await site.stack.up()).steps)).toEqual([]);
    expect(await site.call("A")).toMatchObject({ count: 3, tag: "two" });
  });

  it("after an abandoned one, the next release goes out as its own setting says", async () => {
    const up = await to(100, release("four", 2));
    expect(up.ok, up.text).toBe(true);
    expect(await site.shares()).toEqual({ 4: 100 });
    expect(await site.call("B")).toMatchObject({ count: 4, tag: "four" });
    expect((await site.stack.refresh()).ok).toBe(true);
    expect(changes((await site.stack.up()).steps), "after a rename").toEqual([]);
  });
});

describe("a stack that is pinned to a version", () => {
  const one = release("pin-one");
  const two = release("pin-two");
  const renamed = release("pin-renamed", 2);
  let site: Site;
  beforeAll(async () => {
    site = await Site.open();
    for (const checkout of [one, two]) expect((await site.deploy(checkout)).ok).toBe(true);
    expect(await site.call("A")).toMatchObject({ count: 1, tag: "pin-two" });
  });
  afterAll(() => site?.close());

  it("goes back by changing only the deployment, and an update does not undo it, also after a refresh", async () => {
    site.set({ pin: 1 });
    const up = await site.stack.up();
    expect(up.ok, up.text).toBe(true);
    expect(changes(up.steps)).toEqual(DEPLOYMENT_ONLY);
    expect(up.text).toMatch(/\[stack_pinned\] pin 1: .*--unpin/);
    expect(site.stack.outputs).toMatchObject({ digest: one.digest });
    expect(await site.call("A")).toMatchObject({ count: 2, tag: "pin-one" });
    site.proxy.takeWrites();
    expect(changes((await site.stack.up()).steps)).toEqual([]);
    expect((await site.stack.refresh()).ok).toBe(true);
    expect(changes((await site.stack.up()).steps)).toEqual([]);
    expect(site.proxy.takeWrites()).toEqual([]);
  });

  it("takes a new release without traffic, and refuses one that changes classes", async () => {
    expect((await site.deploy(release("pin-three"))).ok).toBe(true);
    expect(await site.versions()).toBe(3);
    const held = await site.deploy(renamed);
    expect(held.ok, held.text).toBe(true);
    expect(held.text).toMatch(/\[release_not_uploaded\] .*changes classes/);
    expect(await site.versions()).toBe(3);
    expect(await site.classes()).toEqual(["A"]);
    expect(await site.shares()).toEqual({ 1: 100 });
  });

  it("unpinned, goes on with the release, and then refuses versions below the floor", async () => {
    site.set({ pin: 0 });
    const up = await site.deploy(renamed);
    expect(up.ok, up.text).toBe(true);
    expect(await site.call("B")).toMatchObject({ count: 3, tag: "pin-renamed" });
    site.set({ pin: 2 });
    site.proxy.takeWrites();
    const refused = await site.stack.up();
    expect(refused.ok).toBe(false);
    expect(refused.text).toMatch(/Nothing was sent[\s\S]*\[pin_below_rollback_floor\] pin 2: .*before version 4/);
    expect(site.proxy.takeWrites()).toEqual([]);
    site.set({ pin: 0 });
  });

  it("traffic that something else has moved is named after a refresh, and moved back", async () => {
    expect((await site.deploy(release("pin-five", 2))).ok).toBe(true);
    const all = await site.shares();
    expect(all).toEqual({ 5: 100 });
    await site.moveTo(4);
    expect(await site.shares()).toEqual({ 4: 100 });
    expect((await site.stack.refresh()).ok).toBe(true);
    const preview = await site.stack.preview();
    expect(preview.text).toMatch(/\[deployment_not_ours\] deployment \S+: api made it/);
    const up = await site.stack.up();
    expect(changes(up.steps), up.text).toEqual(DEPLOYMENT_ONLY);
    expect(await site.shares()).toEqual(all);
    expect(changes((await site.stack.up()).steps)).toEqual([]);
  });
});

describe("a secret that changes while a release gets no traffic", () => {
  let site: Site;
  beforeAll(async () => {
    site = await Site.open();
  });
  afterAll(() => site?.close());

  /** Gives the stack another admin token, and updates it. */
  async function rotate(name: string): Promise<readonly string[]> {
    site.stack.secrets = { ...site.stack.secrets, adminToken: `${name}-token-that-is-long-enough` };
    const up = await site.stack.up();
    expect(up.ok, up.text).toBe(true);
    return changes(up.steps);
  }

  it("moves nothing, though the version was made with all traffic, and goes out with the release", async () => {
    // With its classes, and so with all traffic at once.
    expect((await site.deploy(release("first"))).ok).toBe(true);
    await rotate("second");
    expect(await site.shares()).toEqual({ 2: 100 });

    site.set({ pin: 1 });
    expect(await rotate("third")).toEqual(DEPLOYMENT_ONLY);
    expect(await rotate("fourth")).toEqual([]);
    expect((await site.stack.refresh()).ok).toBe(true);
    expect(changes((await site.stack.up()).steps)).toEqual([]);
    expect(await site.shares()).toEqual({ 1: 100 });

    site.set({ pin: 0 });
    expect((await site.stack.up()).ok).toBe(true);
    expect(await site.shares()).toEqual({ 3: 100 });
    site.set({ rollout: 0 });
    await rotate("fifth");
    expect(await site.shares()).toEqual({ 3: 100 });
    site.set({ rollout: 100 });
    expect((await site.stack.up()).ok).toBe(true);
    expect(await site.shares()).toEqual({ 4: 100 });
    expect(changes((await site.stack.up()).steps)).toEqual([]);
  });
});

describe("the secrets of a stack", () => {
  let site: Site;
  beforeAll(async () => {
    site = await Site.open();
  });
  afterAll(() => site?.close());

  it("are encrypted in its files, and never printed, refused by value or answered", async () => {
    const { stack, proxy, account } = site;
    stack.root = release("secretive").root;
    await stack.preview();
    proxy.intervene = ({ method, path }) => (method === "POST" && path.includes("/versions") ? "refuse" : undefined);
    const failed = await stack.up();
    expect(failed.ok).toBe(false);
    proxy.intervene = undefined;
    for (const run of [stack.up, stack.refresh, stack.preview, stack.up]) {
      const answer = await run();
      expect(answer.ok, answer.text).toBe(true);
    }
    const { direct, workerName } = site;
    const answers = await Promise.all([
      direct.call("get", `/workers/workers/${workerName}/versions`),
      direct.call("get", `/workers/scripts/${workerName}/settings`),
      direct.call("get", `/workers/scripts/${workerName}/secrets`),
      fetch(new URL("/", account.apiUrl)).then((response) => response.text()),
    ]);
    const places = {
      state: stack.state,
      file: stack.file,
      printed: stack.printed + failed.text,
      answers: JSON.stringify(answers),
    };
    expect(places.state).toContain("WorkerVersion");
    expect(places.printed).toContain("WorkerVersion");
    expect(places.answers).toContain("ADMIN_TOKEN");
    for (const [place, text] of Object.entries(places)) {
      for (const secret of [site.adminToken, account.token]) {
        // The account's own token may be in answers: it is not a secret of the stack.
        if (place === "answers" && secret === account.token) continue;
        expect(text.includes(secret), `a secret in ${place}`).toBe(false);
      }
    }
  });
});
