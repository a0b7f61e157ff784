/** The real program on the real Pulumi engine, with the local account: sequences of operations, and their requests. */
import { randomBytes } from "node:crypto";
import { cpus, loadavg } from "node:os";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Kept, keep } from "../kept.ts";
import { makeReleases, type Releases } from "../releases.ts";
import { Site } from "./site.ts";

let releases: Releases;
beforeAll(async () => {
  releases = await makeReleases();
});
afterAll(() => releases?.remove());

/** The steps, with the version's name (which has its release's digest) shortened to `worker <name>`. */
const steps = (answer: { readonly steps: readonly string[] }, names: Readonly<Record<string, string>>) =>
  answer.steps.map((step) =>
    step.replace(/worker ([0-9a-f]{12})-[0-9a-f]{8}$/, (_, digest: string) => `worker ${names[digest] ?? digest}`),
  );
const short = (digest: string) => digest.slice(0, 12);

describe("a stack from its first update to its end", () => {
  let site: Site;
  let names: Record<string, string>;
  let kept: Kept;
  beforeAll(async () => {
    site = await Site.open({ config: { release: releases.built.setting } });
    names = { [short(releases.built.digest)]: "one" };
  });
  afterAll(() => site?.close());

  const created = [
    "create R2Bucket blobs",
    "create Worker worker",
    "create WorkerVersion worker one",
    "create WorkersDeployment worker",
    "create WorkersKvNamespace reads",
  ];
  const unchanged = created.map((step) => step.replace("create", "same"));

  it("a preview lists what the first update will create, and sends nothing", async () => {
    const preview = await site.stack.preview();
    expect(steps(preview, names), preview.text).toEqual(created);
    expect(site.proxy.takeWrites()).toEqual([]);
  });

  it("the first update creates it, and the Worker answers with its release", async () => {
    const up = await site.stack.up();
    expect(steps(up, names), up.text).toEqual(created);
    expect(site.stack.outputs).toMatchObject({ digest: releases.built.digest, version: { number: 1 } });
    expect(await site.ask("GET", "/health")).toMatchObject({ digest: releases.built.digest });
    site.proxy.takeWrites();
  });

  it("a second update changes nothing and sends nothing", async () => {
    const up = await site.stack.up();
    expect(steps(up, names), up.text).toEqual(unchanged);
    expect(site.proxy.takeWrites()).toEqual([]);
  });

  it("a preview without a change says so, and how long it took", async () => {
    const began = performance.now();
    const preview = await site.stack.preview();
    const ms = Math.round(performance.now() - began);
    expect(steps(preview, names), preview.text).toEqual(unchanged);
    console.info(`preview without a change: ${ms} ms; load ${loadavg()[0]?.toFixed(1)} on ${cpus().length} processors`);
  });

  it("an update after a refresh changes nothing and sends nothing", async () => {
    const refresh = await site.stack.refresh();
    expect(refresh.ok, refresh.text).toBe(true);
    const up = await site.stack.up();
    expect(steps(up, names), up.text).toEqual(unchanged);
    expect(site.proxy.takeWrites()).toEqual([]);
  });

  const release = [
    "create WorkerVersion worker two",
    "create-replacement WorkersDeployment worker",
    "delete WorkerVersion worker one",
    "delete-replaced WorkersDeployment worker",
    "replace WorkersDeployment worker",
    "same R2Bucket blobs",
    "same Worker worker",
    "same WorkersKvNamespace reads",
  ];

  it("a preview of other code lists the new version and the deployment, and sends nothing", async () => {
    const two = releases.variant("two");
    names[short(two.digest)] = "two";
    site.set({ release: two.setting });
    const preview = await site.stack.preview();
    expect(steps(preview, names), preview.text).toEqual(release);
    expect(site.proxy.takeWrites()).toEqual([]);
  });

  it("other code is a new version and a new deployment; the data and the old version stay", async () => {
    kept = await keep(site.where);
    const up = await site.stack.up();
    expect(steps(up, names), up.text).toEqual(release);
    expect(await site.ask("GET", "/health")).toMatchObject({ digest: releases.variant("two").digest });
    await kept.stays();
    expect(await site.versions()).toBe(2);
  });

  it("a protected stack is not destroyed, and keeps answering", async () => {
    site.set({ protect: true, access: "rules", demoLogin: false });
    expect((await site.stack.up()).ok).toBe(true);
    // With rules a caller has another identity than on an open stack, and so other idempotency keys.
    kept = await keep(site.where, "kept-by-rules");
    site.proxy.takeWrites();
    const destroy = await site.stack.destroy();
    expect(destroy.ok).toBe(false);
    expect(destroy.text).toMatch(/protect/);
    expect(site.proxy.takeWrites()).toEqual([]);
    await kept.stays();
  });

  it("without protection it is destroyed, but not while the bucket has data", async () => {
    site.set({ protect: false });
    expect((await site.stack.up()).ok).toBe(true);
    const { apiUrl, accountId, token } = site.account;
    const buckets = `${apiUrl}/accounts/${accountId}/r2/buckets`;
    const headers = { authorization: `Bearer ${token}` };
    const listed = await fetch(buckets, { headers });
    const [, name] = /"name":"([^"]+-blobs)"/.exec(await listed.text()) ?? [];
    const object = `${buckets}/${name}/objects/kept`;
    expect((await fetch(object, { method: "PUT", headers, body: "kept" })).status).toBe(200);
    const refused = await site.stack.destroy();
    expect(refused.ok, refused.text).toBe(false);
    expect(refused.text).toMatch(/not empty/);
    await kept.stays();
    expect((await fetch(object, { method: "DELETE", headers })).status).toBe(200);
    const destroy = await site.stack.destroy();
    expect(destroy.ok, destroy.text).toBe(true);
    const response = await fetch(`http://127.0.0.1:${site.account.port}/health`);
    expect(response.status).toBe(404);
  });
});

describe("an update that fails in the middle", () => {
  let site: Site;
  beforeAll(async () => {
    site = await Site.open({ config: { release: releases.built.setting } });
  });
  afterAll(() => site?.close());

  it("on an empty account says what was refused, and the next update completes it", async () => {
    site.proxy.intervene = ({ method, path }) =>
      method === "POST" && path.includes("/versions") ? "refuse" : undefined;
    const failed = await site.stack.up();
    expect(failed.ok).toBe(false);
    expect(failed.text).toContain("/versions was answered 500: 10013 spoilt by the test");
    site.proxy.intervene = undefined;
    const up = await site.stack.up();
    expect(up.ok, up.text).toBe(true);
    expect(await site.ask("GET", "/health")).toMatchObject({ digest: releases.built.digest });
  });

  it("leaves the deployed release serving, and the next update deploys the new one", async () => {
    const three = releases.variant("three");
    site.set({ release: three.setting });
    site.proxy.intervene = ({ method, path }) =>
      method === "POST" && path.includes("/deployments") ? "refuse" : undefined;
    expect((await site.stack.up()).ok).toBe(false);
    expect(await site.ask("GET", "/health")).toMatchObject({ digest: releases.built.digest });
    site.proxy.intervene = undefined;
    const up = await site.stack.up();
    expect(up.ok, up.text).toBe(true);
    expect(await site.ask("GET", "/health")).toMatchObject({ digest: three.digest });
    expect(await site.versions()).toBe(2);
  });

  it("another admin token is another version of the same release", async () => {
    site.stack.secrets = { ...site.stack.secrets, adminToken: randomBytes(24).toString("hex") };
    const up = await site.stack.up();
    expect(up.ok, up.text).toBe(true);
    expect(up.steps.filter((step) => !step.startsWith("same"))).toHaveLength(6);
    expect(await site.versions()).toBe(3);
  });

  it("killed after each request, leaves the old or the new release serving, and the next update ends it", {
    tags: ["nightly"],
  }, async () => {
    const four = releases.variant("four");
    site.set({ release: four.setting });
    for (const request of ["/versions", "/deployments"]) {
      site.proxy.intervene = ({ method, path }) => {
        if (method !== "POST" || !path.includes(request)) return undefined;
        site.stack.kill();
        return "lose";
      };
      expect((await site.stack.up()).ok).toBe(false);
      site.proxy.intervene = undefined;
      await site.proxy.idle();
      const { digest } = await site.ask("GET", "/health");
      expect([releases.variant("three").digest, four.digest]).toContain(digest);
      expect((await site.stack.cancel()).ok).toBe(true);
    }
    const up = await site.stack.up();
    expect(up.ok, up.text).toBe(true);
    expect(await site.ask("GET", "/health")).toMatchObject({ digest: four.digest });
    expect((await site.stack.up()).steps.filter((step) => !step.startsWith("same"))).toEqual([]);
  });
});
