/** The rules for who owns a Worker, a KV namespace, a bucket or a domain, and what happens to it. No account. */
import { describe, expect, it } from "vitest";
import { identify } from "../../infra/plan/identity.ts";
import { Known } from "../../infra/plan/known.ts";
import type { WorkerRead } from "../../infra/plan/reads.ts";
import { inPlaceOf } from "../../infra/plan/storage-claims.ts";
import { type PublicSettings, parsePublicSettings } from "../../infra/stack/config.ts";
import { storageBase } from "../../infra/stack/declared.ts";

const ACCOUNT = "0".repeat(32);
const settingsOf = (config: Readonly<Record<string, unknown>> = {}): PublicSettings =>
  parsePublicSettings(
    { project: "durable-stack", stack: "staging" },
    Object.fromEntries(
      Object.entries({
        accountId: ACCOUNT,
        workerName: "visits",
        environmentPrefix: "stg-",
        homeRegion: "eu",
        regions: [{ id: "eu", prefix: "eu", locationHint: "weur" }],
        ...config,
      }).map(([key, value]) => [`durable-stack:${key}`, typeof value === "string" ? value : JSON.stringify(value)]),
    ),
  );

const worker = (id: string, name: string, more: Partial<WorkerRead> = {}): WorkerRead => ({
  id,
  name,
  deployedOn: "2026-11-26",
  tags: [],
  references: { workers: [], durableObjects: [] },
  ...more,
});
const state = (id: string, accountId = ACCOUNT, looksAtAll = false) =>
  Known.of([[`urn:pulumi:s::p::x$cloudflare:index/worker:Worker::worker`, { id, accountId }]], looksAtAll);
const EMPTY = Known.of([]);
const TAG = "durable-stack:staging";

describe("the owner of a Worker", () => {
  const ask = (workers: readonly WorkerRead[], known: Known | undefined) => {
    const { worker: found, renamedFrom, findings } = identify(settingsOf(), workers, known);
    return [found?.id, renamedFrom, ...findings.map(({ code }) => code)];
  };
  const referred = { workers: [{ name: "caller" }], durableObjects: [] };

  it.each([
    ["the one that the state has, under the settings' name", [worker("a", "visits")], state("a"), ["a", undefined]],
    ["the one that the state has, under another name", [worker("a", "old")], state("a"), ["a", "old"]],
    ["none", [worker("b", "other")], EMPTY, [undefined, undefined]],
    ["one that the state lost", [worker("a", "visits")], EMPTY, ["a", undefined]],
    [
      "another's that has the new name",
      [worker("a", "old"), worker("b", "visits")],
      state("a"),
      ["a", undefined, "worker_name_taken"],
    ],
    [
      "another's that has the new name, told by the tag",
      [worker("a", "old", { tags: [TAG] }), worker("b", "visits")],
      undefined,
      ["a", undefined, "worker_name_taken"],
    ],
    [
      "one that others bind to by its name",
      [worker("a", "old", { references: referred })],
      state("a"),
      ["a", undefined, "worker_rename_blocked"],
    ],
    ["one in another account", [], state("a", "1".repeat(32)), [undefined, undefined, "account_changed"]],
    [
      "one in another account, where that one has the name",
      [worker("b", "visits")],
      state("a", "1".repeat(32)),
      [undefined, undefined, "account_changed"],
    ],
    ["one that is gone", [worker("b", "other")], state("a"), [undefined, undefined, "worker_gone"]],
    ["one that is gone, and comes back by itself", [], state("a", ACCOUNT, true), [undefined, undefined]],
    ["one made anew under its name", [worker("b", "visits")], state("a"), [undefined, undefined, "worker_made_anew"]],
    [
      "one that the state lost, under another name",
      [worker("a", "old", { tags: [TAG] })],
      EMPTY,
      ["a", undefined, "worker_under_another_name"],
    ],
    ["one under another name, told by the tag", [worker("a", "old", { tags: [TAG] })], undefined, ["a", "old"]],
  ])("%s", (_, workers, known, expected) => {
    expect(ask(workers, known)).toEqual(expected);
  });

  it.each([
    ["the engine's", state("a"), "`pulumi refresh --stack staging` takes it out of the state, then plan again."],
    ["npm start's", state("a", ACCOUNT, true), "move stack.json out of the account's folder, then plan again."],
  ])("says how one that was made anew comes out of the state: %s", (_, known, way) => {
    expect(identify(settingsOf(), [worker("b", "visits")], known).findings[0]?.fix).toContain(way);
  });
});

describe("storage of an old state", () => {
  const [a, b] = [{ id: "a" }, { id: "b" }];
  it.each([
    ["is gone, and the Worker is bound to another", "b", [b], b],
    ["is there, though the Worker is bound to another", "b", [a, b], undefined],
    ["is what the Worker is bound to", "a", [a], undefined],
    ["is gone, and so is what the Worker is bound to", "b", [], undefined],
    ["cannot be looked for", "b", undefined, undefined],
  ])("%s", (_, bound, all, expected) => {
    expect(inPlaceOf("a", bound, all)).toBe(expected);
  });
});

describe("the prefix of storage names", () => {
  it("is the project and the stack, changed where Cloudflare would refuse them", () => {
    expect(storageBase({ project: "durable-stack", stack: "staging" })).toBe("durable-stack-staging");
    for (const stack of ["Feature_1", "a.b", "s".repeat(90)]) {
      expect(`${storageBase({ project: "durable-stack", stack })}-blobs`).toMatch(/^[a-z0-9][a-z0-9-]{1,60}[a-z0-9]$/);
    }
    expect(storageBase({ project: "durable-stack", stack: "a.b" })).not.toBe(
      storageBase({ project: "durable-stack", stack: "a_b" }),
    );
  });
});
