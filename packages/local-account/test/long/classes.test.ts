/** Durable Object classes over deployments: their data follows a rename and a transfer, and a deletion deletes it. */
import { existsSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { account, codeOf, live, refusal, temporaryDirectory } from "../support.ts";

const DELETED = { type: "durable-object", state: "deleted" };
const renamedTo = (to: string) => ({ type: "durable-object", state: "renamed", renamed_to: to });

/** A Worker whose classes are all exported, bound and live. */
const having = (...classes: string[]) => ({ classes, bound: classes, exports: live(...classes) });

it("creates, renames with data, and deletes with all data", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  expect((await test.deploy("app", having("A"))).report?.created).toEqual(["A"]);
  for (let i = 0; i < 3; i++) await test.ask("app", "/A/x");
  const { "app/A": id } = await test.namespaces();

  const { report } = await test.deploy("app", { ...having("B"), exports: { A: renamedTo("B"), ...live("B") } });
  expect(report?.renamed).toEqual([{ from: "A", to: "B" }]);
  expect(await test.namespaces()).toEqual({ "app/B": id });
  expect((await test.ask("app", "/B/x")).json()).toMatchObject({ count: 4, class: "B" });

  const again = await test.deploy("app", { ...having("B"), exports: { A: renamedTo("B"), ...live("B") } });
  expect(again.report).toMatchObject({
    renamed: [],
    info: [{ class: "A", scenario: "stale_tombstone" }],
    removable_entries: ["A"],
  });

  const data = path.join(dir, "data/do", id ?? "");
  expect(existsSync(data)).toBe(true);
  const gone = await test.deploy("app", { tag: "no classes", exports: { B: DELETED } });
  expect(gone.report?.deleted).toEqual(["B"]);
  expect(await test.namespaces()).toEqual({});
  expect(existsSync(data)).toBe(false);

  await test.deploy("app", having("B"));
  expect((await test.ask("app", "/B/x")).json()).toMatchObject({ count: 1 });
});

it("renames without downtime in three deployments", async () => {
  const test = await account();
  await test.deploy("app", having("Old"));
  await test.ask("app", "/Old/x");
  await test.deploy("app", { classes: ["Old", "New"], bound: ["Old"], exports: live("Old") });
  expect((await test.ask("app", "/Old/x")).json()).toMatchObject({ count: 2, class: "Old" });
  const { report } = await test.deploy("app", {
    classes: ["Old", "New"],
    bound: ["New"],
    exports: { Old: renamedTo("New"), ...live("New") },
  });
  expect(report?.info.map(({ scenario }) => scenario)).toEqual(["tombstone_class_still_in_code"]);
  await test.deploy("app", having("New"));
  expect((await test.ask("app", "/New/x")).json()).toMatchObject({ count: 3, class: "New" });
});

it("transfers a class with its data in four deployments", async () => {
  const test = await account();
  await test.deploy("source", having("Room"));
  await test.ask("source", "/Room/x");
  const expecting = {
    Room: { type: "durable-object", state: "expecting-transfer", storage: "sqlite", transfer_from: "source" },
  };
  const waiting = await test.deploy("target", { classes: ["Room"], exports: expecting });
  expect(waiting.report?.transfer_pending).toEqual([{ class: "Room", from: "source" }]);
  expect((await test.ask("source", "/Room/x")).json()).toMatchObject({ count: 2 });

  const transferred = { Room: { type: "durable-object", state: "transferred", transferred_to: "target" } };
  const committed = await test.deploy("source", { tag: "moved", exports: transferred });
  expect(committed.report?.transferred).toEqual([{ class: "Room", to: "target", phase: "committed" }]);
  const received = await test.deploy("target", { ...having("Room"), tag: "new home" });
  expect(received.report?.created).toEqual([]);
  expect((await test.ask("target", "/Room/x")).json()).toMatchObject({ count: 3, tag: "new home" });
  expect(Object.keys(await test.namespaces())).toEqual(["target/Room"]);

  const again = await test.deploy("source", { exports: transferred });
  expect(again.report?.removable_entries).toEqual(["Room"]);
});

it("keeps other Workers' bindings to a renamed class, and refuses to delete a class that they bind to", async () => {
  const test = await account();
  await test.deploy("owner", having("A"));
  await test.deploy("guest", { bound: [{ class: "A", worker: "owner" }] });
  await test.ask("guest", "/A/x");

  const { report } = await test.deploy("owner", { ...having("B"), exports: { A: renamedTo("B"), ...live("B") } });
  expect(report?.removable_entries).toEqual([]);
  expect((await test.ask("guest", "/A/x")).json()).toMatchObject({ count: 2, class: "B" });
  const again = await test.deploy("owner", { ...having("B"), exports: { A: renamedTo("B"), ...live("B") } });
  expect(again.report?.info).toMatchObject([{ scenario: "stale_tombstone", referencing_scripts: ["guest"] }]);
  expect(again.report?.removable_entries).toEqual([]);

  expect(await refusal(test.deploy("owner", { exports: { B: DELETED } }))).toMatchObject({
    code: 100402,
    scenarios: ["B: tombstone_delete_blocked_by_external_bindings"],
  });
  expect(await refusal(test.call("delete", "/workers/scripts/owner"))).toMatchObject({
    message: expect.stringContaining("guest"),
  });
  const worker = await test.sdk.workers.beta.workers.get("owner", { account_id: test.id });
  expect(worker.references.durable_objects).toMatchObject([{ worker_name: "guest", namespace_name: "owner_B" }]);

  await test.deploy("guest", { tag: "let go" });
  expect((await test.deploy("owner", { exports: { B: DELETED } })).report?.deleted).toEqual(["B"]);
});

it("changes nothing when it refuses, and reports all mistakes", async () => {
  const test = await account();
  await test.deploy("app", { ...having("A", "B"), tag: "before" });
  await test.ask("app", "/A/x");
  const before = [await test.namespaces(), await test.call("get", "/workers/scripts/app/deployments")];
  const refused = await refusal(
    test.deploy("app", {
      classes: ["A"],
      bound: ["A"],
      exports: { A: DELETED, C: { type: "durable-object", storage: "sqlite" } },
      tag: "after",
    }),
  );
  expect(refused).toMatchObject({
    status: 400,
    code: 100402,
    scenarios: [
      "A: tombstone_delete_class_still_in_code",
      "C: config_references_nonexistent_class",
      "B: orphaned_provisioned_namespace",
    ],
  });
  expect([await test.namespaces(), await test.call("get", "/workers/scripts/app/deployments")]).toEqual(before);
  expect((await test.ask("app", "/A/x")).json()).toMatchObject({ count: 2, tag: "before" });
});

describe("legacy migrations", () => {
  it("create, rename and delete by tag, and can be replaced by `exports` without losing data", async () => {
    const test = await account();
    await test.deploy("app", {
      classes: ["A"],
      bound: ["A"],
      migrations: { new_tag: "v1", new_sqlite_classes: ["A"] },
    });
    await test.ask("app", "/A/x");
    expect(
      await refusal(test.deploy("app", { classes: ["A"], migrations: { old_tag: "v0", new_tag: "v2" } })),
    ).toMatchObject({
      status: 412,
      code: 10079,
    });
    expect(await refusal(test.deploy("app", { tag: "class is gone" }))).toMatchObject({ code: 10064 });
    await test.deploy("app", {
      classes: ["B"],
      bound: ["B"],
      migrations: { old_tag: "v1", new_tag: "v2", steps: [{ renamed_classes: [{ from: "A", to: "B" }] }] },
    });
    expect((await test.ask("app", "/B/x")).json()).toMatchObject({ count: 2 });
    expect(await test.call("get", "/workers/services/app")).toMatchObject({
      default_environment: { script: { migration_tag: "v2" } },
    });

    const adopted = await test.deploy("app", having("B"));
    expect(adopted.report).toMatchObject({ created: [], info: [] });
    expect((await test.ask("app", "/B/x")).json()).toMatchObject({ count: 3 });
    expect(
      await refusal(test.deploy("app", { classes: ["B"], migrations: { old_tag: "v2", new_tag: "v3" } })),
    ).toMatchObject({
      code: 10021,
      message: expect.stringContaining("exports"),
    });
    expect(await refusal(test.deploy("app", { tag: "neither" }))).toMatchObject({
      scenarios: ["B: orphaned_provisioned_namespace"],
    });
  });

  it("refuse a split with a version, older or newest, that lacks a class with objects (10064)", async () => {
    const test = await account();
    const before = await test.deploy("app", { tag: "before any class" });
    const has = await test.deploy("app", {
      classes: ["A"],
      bound: ["A"],
      migrations: { new_tag: "v1", new_sqlite_classes: ["A"] },
    });
    const lacks = await test.upload("app", { tag: "no class" });
    const hasAgain = await test.upload("app", { classes: ["A"], bound: ["A"] });
    for (const other of [has, hasAgain])
      expect(await refusal(test.split("app", { [other.id]: 50, [lacks.id]: 50 }))).toMatchObject({
        code: 10064,
        message: expect.stringContaining("'A'"),
      });
    expect(await refusal(test.split("app", { [has.id]: 50, [before.id]: 50 }))).toMatchObject({ status: 400 });
    await test.split("app", { [has.id]: 50, [hasAgain.id]: 50 });
    expect((await test.ask("app", "/A/x")).json()).toMatchObject({ count: 1 });
  });

  it("are refused with a version that is not deployed at once, as wrangler uploads one (10211)", async () => {
    const test = await account();
    await test.deploy("app", { tag: "before any class" });
    const body = new FormData();
    const migrations = { new_tag: "v1", new_sqlite_classes: ["A"] };
    body.append("metadata", JSON.stringify({ main_module: "index.js", migrations }));
    const code = codeOf({ classes: ["A"] });
    body.append("index.js", new File([code], "index.js", { type: "application/javascript+module" }));
    const versions = `/accounts/${test.id}/workers/scripts/app/versions`;
    expect(await refusal(test.sdk.post(versions, { body }))).toMatchObject({
      status: 400,
      code: 10211,
      message: expect.stringContaining("must be fully applied via a non-versioned deployment"),
    });
    expect(await test.namespaces()).toEqual({});
  });

  it("refuse a split with a version whose migration is not applied (10211), and are applied at 100 %", async () => {
    const test = await account();
    const before = await test.deploy("app", { tag: "before any class" });
    const migrations = { new_tag: "v1", new_sqlite_classes: ["A"] };
    const next = await test.upload("app", { classes: ["A"], migrations });
    expect(await refusal(test.split("app", { [before.id]: 50, [next.id]: 50 }))).toMatchObject({
      status: 400,
      code: 10211,
      message: expect.stringContaining(next.id),
    });
    expect(await test.namespaces()).toEqual({});
    await test.split("app", { [next.id]: 100 });
    expect(Object.keys(await test.namespaces())).toEqual(["app/A"]);
  });

  it("refuse a binding to a class that is not provisioned (10061), and `migrations` beside `exports`", async () => {
    const test = await account();
    expect(await refusal(test.deploy("app", { classes: ["A"], bound: ["A"] }))).toMatchObject({ code: 10061 });
    expect(
      await refusal(test.deploy("app", { ...having("A"), migrations: { new_tag: "v1", new_sqlite_classes: ["A"] } })),
    ).toMatchObject({ code: 10021, message: expect.stringContaining("exclude each other") });
    expect(await refusal(test.deploy("app", { bound: [{ class: "A", worker: "nobody" }] }))).toMatchObject({
      code: 10061,
    });
  });
});

it("lists namespaces and their objects", async () => {
  const test = await account();
  await test.deploy("app", having("A"));
  for (const object of ["x", "y", "z"]) await test.ask("app", `/A/${object}`);
  const id = (await test.namespaces())["app/A"] ?? "";
  const found: string[] = [];
  for await (const object of test.sdk.durableObjects.namespaces.objects.list(id, { account_id: test.id, limit: 10 }))
    found.push(object.id ?? "");
  expect(found).toHaveLength(3);
  expect(new Set(found.map((object) => object.length))).toEqual(new Set([64]));
});

it("shows which objects have data", async () => {
  const test = await account();
  const code = `if (url.pathname === "/Kept/empty") await env.Kept.getByName("empty").fetch(request);
    return Response.json(url.pathname === "/Kept/full" ? await env.Kept.getByName("full").add() : {});`;
  await test.deploy("app", { classes: ["Kept"], bound: ["Kept"], exports: live("Kept"), fetch: code });
  await test.ask("app", "/Kept/full");
  await test.ask("app", "/Kept/empty");
  const { "app/Kept": id = "" } = await test.namespaces();
  const objects: unknown = await test.call("get", `/workers/durable_objects/namespaces/${id}/objects`);
  expect(objects).toContainEqual({ id: expect.stringMatching(/^[0-9a-f]{64}$/), hasStoredData: true });
});
