/** Versions and deployments: immutable, split by percentage, rolled back, and never past a change of classes. */
import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { Account } from "../../src/account.ts";
import { versionOf, workerOf } from "../../src/queries.ts";
import { Draft } from "../../src/store.ts";
import { account, live, refusal, type TestAccount, temporaryDirectory, versionBody } from "../support.ts";

const COUNTER = { classes: ["Counter"], bound: ["Counter"], exports: live("Counter") };
const TAG = (tag: string) => ({ tag, bindings: [{ type: "plain_text", name: "TAG", text: tag }] });

const tagOf = async (test: TestAccount, at = "/", headers: Record<string, string> = {}) =>
  (await test.ask("app", at, headers)).json().tag;

it("keeps an upload, numbers it, and never shows a secret", async () => {
  const test = await account();
  const first = await test.deploy("app", {
    ...COUNTER,
    bindings: [{ type: "secret_text", name: "TOKEN", text: "hush" }],
    annotations: { "workers/tag": "r1" },
  });
  const second = await test.upload("app", { ...COUNTER, tag: "two" });
  expect([first.number, second.number]).toEqual([1, 2]);

  const shown = await test.sdk.workers.beta.workers.versions.get(first.id, {
    account_id: test.id,
    worker_id: "app",
    include: "modules",
  });
  expect(shown.annotations?.["workers/tag"]).toBe("r1");
  expect(shown.exports).toEqual(live("Counter"));
  expect(shown.modules?.map(({ name }) => name)).toEqual(["index.js"]);
  expect(shown.bindings).toEqual([
    {
      name: "Counter",
      type: "durable_object_namespace",
      class_name: "Counter",
      namespace_id: (await test.namespaces())["app/Counter"],
    },
    { name: "TOKEN", type: "secret_text" },
  ]);
  const list = await test.sdk.workers.beta.workers.versions.list("app", { account_id: test.id });
  expect(list.result.map(({ id }) => id)).toEqual([second.id, first.id]);
  const created = await test.sdk.workers.beta.workers.get("app", { account_id: test.id });
  expect(await test.sdk.workers.beta.workers.get(created.id, { account_id: test.id })).toEqual(created);
});

it("splits requests by percentage: at random, by key, or as the client asks", async () => {
  const test = await account();
  const old = await test.deploy("app", TAG("old"));
  const next = await test.upload("app", TAG("new"));
  expect(await tagOf(test)).toBe("old");
  await test.split("app", { [old.id]: 50, [next.id]: 50 });

  const tags: unknown[] = [];
  for (let i = 0; i < 60; i++) tags.push(await tagOf(test));
  expect(new Set(tags)).toEqual(new Set(["old", "new"]));
  const keyed: unknown[] = [];
  for (let i = 0; i < 40; i++) {
    const headers = { "Cloudflare-Workers-Version-Key": `client ${i}` };
    const [once, twice] = [await tagOf(test, "/", headers), await tagOf(test, "/", headers)];
    expect(twice).toBe(once);
    keyed.push(once);
  }
  expect(new Set(keyed)).toEqual(new Set(["old", "new"]));
  for (const [tag, { id }] of Object.entries({ old, new: next }))
    expect(await tagOf(test, "/", { "Cloudflare-Workers-Version-Overrides": `other="x", app="${id}"` })).toBe(tag);

  await test.split("app", { [next.id]: 100 });
  expect(await tagOf(test, "/", { "Cloudflare-Workers-Version-Overrides": `app="${old.id}"` })).toBe("new");
  expect(await test.call("get", "/workers/scripts/app/deployments")).toMatchObject({
    deployments: [{ versions: [{ percentage: 100 }] }, { versions: [{ percentage: 50 }, { percentage: 50 }] }, {}],
  });
});

it("splits objects too: each has one version, one copy of its data, and the bindings of its version", async () => {
  const test = await account();
  const old = await test.deploy("app", { ...COUNTER, ...TAG("old") });
  const objects = Array.from({ length: 24 }, (_, index) => `object-${index}`);
  for (const object of objects) await test.ask("app", `/Counter/${object}`);
  const next = await test.upload("app", { ...COUNTER, ...TAG("new") });
  await test.split("app", { [old.id]: 50, [next.id]: 50 });

  const before = new Map<string, unknown>();
  for (const object of objects) {
    const { count, tag, env } = (await test.ask("app", `/Counter/${object}`)).json();
    expect([count, env]).toEqual([2, tag]);
    before.set(object, tag);
  }
  expect(new Set(before.values())).toEqual(new Set(["old", "new"]));
  // Whatever version takes the request, the object stays with its own.
  for (const object of objects)
    expect((await test.ask("app", `/Counter/${object}`)).json()).toMatchObject({ count: 3, tag: before.get(object) });

  await test.split("app", { [old.id]: 20, [next.id]: 80 });
  for (const object of objects) {
    const { tag } = (await test.ask("app", `/Counter/${object}`)).json();
    if (before.get(object) === "new") expect(tag).toBe("new");
  }
  await test.split("app", { [next.id]: 100 });
  for (const object of objects)
    expect((await test.ask("app", `/Counter/${object}`)).json()).toMatchObject({ count: 5, tag: "new" });
});

/** Calls objects until both sides of a split have answered. Returns their answers by the tag of the side. */
async function sidesOf(test: TestAccount): Promise<ReadonlyMap<unknown, unknown>> {
  const answers = new Map<unknown, unknown>();
  for (let index = 0; index < 24; index++) {
    const { tag, ...answer } = (await test.ask("app", `/object-${index}`)).json();
    answers.set(tag, answer);
  }
  return answers;
}

/** A program whose objects answer with a value, and with the side that they are on. */
const tellingProgram = (tag: string, value: string, more: string = "") => ({
  exports: live("Teller"),
  code: `import { DurableObject } from "cloudflare:workers";
    ${more}
    export class Teller extends DurableObject { tell() { return { tag: "${tag}", value: ${value} }; } }
    export default { async fetch(request, { Teller }) {
      return Response.json(await Teller.getByName(new URL(request.url).pathname).tell());
    } };`,
  bound: ["Teller"],
});

it("gives the objects of each side of a split only their own version's bindings", async () => {
  const test = await account();
  const keys = "[Object.keys(this.env).sort().join(), this.env.SECRET]";
  const secret = (...names: string[]) => ({
    bindings: names.map((name) => ({ type: "secret_text", name, text: `of ${names.join()}` })),
  });
  const old = await test.deploy("app", { ...tellingProgram("old", keys), ...secret("OLD", "SECRET") });
  const next = await test.upload("app", { ...tellingProgram("new", keys), ...secret("NEW", "SECRET") });
  await test.split("app", { [old.id]: 50, [next.id]: 50 });
  expect(await sidesOf(test)).toEqual(
    new Map([
      ["old", { value: ["OLD,SECRET,Teller", "of OLD,SECRET"] }],
      ["new", { value: ["NEW,SECRET,Teller", "of NEW,SECRET"] }],
    ]),
  );
});

it("splits objects between versions with opposite flags, and with Node's modules on one side only", async () => {
  const test = await account();
  const upload = async (program: ReturnType<typeof tellingProgram>, flags: readonly string[], deploy = false) => {
    await test.ensure("app");
    const { id }: { id: string } = Object(
      await test.call("post", `/workers/workers/app/versions?deploy=${deploy}`, {
        ...versionBody(program),
        compatibility_flags: flags,
      }),
    );
    return id;
  };
  const agent = "typeof navigator";
  const old = await upload(
    tellingProgram("old", "join('a', 'b')", 'import { join } from "node:path";'),
    ["nodejs_compat", "no_global_navigator"],
    true,
  );
  const next = await upload(tellingProgram("new", agent), ["global_navigator"]);
  await test.split("app", { [old]: 50, [next]: 50 });
  expect(await sidesOf(test)).toEqual(
    new Map([
      ["old", { value: "a/b" }],
      ["new", { value: "object" }],
    ]),
  );
});

it("rolls back, but not to before a change of classes, and not over a changed secret without force", async () => {
  const test = await account();
  const before = await test.deploy("app", { tag: "no classes" });
  const first = await test.deploy("app", { ...COUNTER, ...TAG("first") });
  const second = await test.deploy("app", { ...COUNTER, ...TAG("second") });
  await test.split("app", { [first.id]: 100 });
  expect(await tagOf(test)).toBe("first");
  expect(await refusal(test.split("app", { [before.id]: 100 }))).toMatchObject({
    status: 400,
    message: expect.stringContaining("changed the Durable Object classes"),
  });
  expect(await tagOf(test)).toBe("first");

  await test.split("app", { [second.id]: 100 });
  await test.call("put", "/workers/scripts/app/secrets", { name: "TOKEN", text: "hush", type: "secret_text" });
  expect(await refusal(test.split("app", { [second.id]: 100 }))).toMatchObject({ code: 10220 });
  await test.split("app", { [second.id]: 100 }, "?force=true");
  expect(await tagOf(test)).toBe("second");
});

it("deploys the 100 newest versions and what serves, and no older one", async () => {
  const dir = temporaryDirectory();
  const first = await account({ dir });
  const oldest = await first.deploy("app", TAG("oldest"));
  const serving = await first.deploy("app", TAG("serving"));
  await first.close();
  addCopies(dir, serving.id, 100);

  const test = await account({ dir });
  const deployable = async () =>
    (await test.sdk.workers.scripts.versions.list("app", { account_id: test.id, deployable: true, per_page: 200 }))
      .result.items ?? [];
  expect((await deployable()).map(({ number }) => number)).toEqual(
    Array.from({ length: 101 }, (_, index) => 102 - index),
  );
  await test.split("app", { [serving.id]: 100 });
  expect(await refusal(test.split("app", { [oldest.id]: 50, [serving.id]: 50 }))).toMatchObject({
    status: 400,
    code: 10223,
    message: expect.stringContaining("100 newest"),
  });
  const [newest] = await deployable();
  await test.split("app", { [newest?.id ?? ""]: 100 });
  expect(await deployable()).toHaveLength(100);
  expect(await refusal(test.split("app", { [serving.id]: 100 }))).toMatchObject({ code: 10223 });
});

/** Writes copies of a version, as if they were uploaded after it. */
function addCopies(dir: string, id: string, count: number): void {
  const store = Account.lock(dir);
  const draft = new Draft(store);
  const version = versionOf(draft.state, id);
  for (let more = 1; more <= count; more++)
    draft.put("versions", { ...version, id: randomUUID(), number: version.number + more });
  const worker = workerOf(draft.state, version.workerId);
  draft.put("workers", { ...worker, versionCount: worker.versionCount + count });
  store.commit(draft);
  store.close();
}

it("applies the classes of an uploaded version when it is deployed, and only with all traffic", async () => {
  const test = await account();
  const first = await test.deploy("app", COUNTER);
  expect(
    await refusal(
      test.upload("app", { classes: ["Counter", "Room"], bound: ["Room"], exports: live("Counter", "Room") }),
    ),
  ).toMatchObject({
    code: 100406,
  });
  const next = await test.upload("app", {
    classes: ["Counter", "Room"],
    bound: ["Counter"],
    exports: live("Counter", "Room"),
  });
  expect(Object.keys(await test.namespaces())).toEqual(["app/Counter"]);
  expect(await refusal(test.split("app", { [first.id]: 50, [next.id]: 50 }))).toMatchObject({ code: 100405 });
  await test.split("app", { [next.id]: 100 });
  expect(Object.keys(await test.namespaces())).toEqual(["app/Counter", "app/Room"]);
  expect(await refusal(test.split("app", { [first.id]: 100 }))).toMatchObject({ status: 400 });
});

it.each([
  ["no version", {}],
  ["less than everything", { known: 40 }],
  ["an unknown version", { "00000000-0000-0000-0000-000000000000": 100 }],
])("refuses a deployment of %s", async (_, shares) => {
  const test = await account();
  const { id } = await test.deploy("app", TAG("one"));
  const named = Object.fromEntries(Object.entries(shares).map(([key, share]) => [key === "known" ? id : key, share]));
  expect(await refusal(test.split("app", named))).toMatchObject({ message: expect.stringContaining("versions") });
  expect(await tagOf(test)).toBe("one");
});

it("serves a version without objects at its preview address", async () => {
  const test = await account();
  await test.deploy("app", TAG("live"));
  const { id } = await test.upload("app", TAG("preview"));
  expect((await test.ask(`${id.slice(0, 8)}-app`)).json()).toMatchObject({ tag: "preview" });
  expect(await tagOf(test)).toBe("live");
  expect((await test.ask("00000000-app")).status).toBe(404);
  const { id: stateful } = await test.upload("stateful", {});
  await test.deploy("stateful", COUNTER);
  expect((await test.ask(`${stateful.slice(0, 8)}-stateful`)).status).toBe(200);
});

it("makes a deployed version of every secret", async () => {
  const test = await account();
  await test.deploy("app", { fetch: "return Response.json({ tag: env.TOKEN ?? 'none' });" });
  await test.call("put", "/workers/scripts/app/secrets", { name: "TOKEN", text: "one", type: "secret_text" });
  expect(await tagOf(test)).toBe("one");
  await test.call("patch", "/workers/scripts/app/secrets-bulk", {
    secrets: {
      TOKEN: { name: "TOKEN", text: "two", type: "secret_text" },
      OTHER: { name: "OTHER", text: "x", type: "secret_text" },
    },
  });
  expect(await test.call("get", "/workers/scripts/app/secrets")).toEqual([
    { name: "OTHER", type: "secret_text" },
    { name: "TOKEN", type: "secret_text" },
  ]);
  expect(await tagOf(test)).toBe("two");
  await test.call("delete", "/workers/scripts/app/secrets/TOKEN");
  expect(await tagOf(test)).toBe("none");
  expect(await refusal(test.call("delete", "/workers/scripts/app/secrets/TOKEN"))).toMatchObject({ status: 404 });

  await test.upload("app", TAG("not deployed"));
  expect(
    await refusal(test.call("put", "/workers/scripts/app/secrets", { name: "TOKEN", text: "x", type: "secret_text" })),
  ).toMatchObject({ code: 10215 });
});
