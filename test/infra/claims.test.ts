/** The rules for who owns a Worker, a KV namespace, a bucket or a domain, and what happens to it. No account. */
import { describe, expect, it } from "vitest";
import { Reads, type WorkerRead } from "../../infra/plan/account/reads.ts";
import { ownWorkerOf } from "../../infra/plan/claims/own-worker.ts";
import { inPlaceOf, readsPart } from "../../infra/plan/claims/storage.ts";
import { refreshing } from "../../infra/plan/state/advice.ts";
import { Known } from "../../infra/plan/state/known.ts";
import { Api } from "../../infra/provider/api.ts";
import { type PublicSettings, parsePublicSettings } from "../../infra/stack/config.ts";
import { storageBase } from "../../infra/stack/declared.ts";
import { LOCAL } from "../../infra/stack/project.ts";
import { preview } from "./preview.ts";

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
    const { worker: found, renamedFrom, findings } = ownWorkerOf(settingsOf(), workers, known);
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
    expect(ownWorkerOf(settingsOf(), [worker("b", "visits")], known).findings[0]?.fix).toContain(way);
  });
});

describe("what is gone from the account", () => {
  const local = { ...settingsOf(), stack: LOCAL };
  const fix = (settings: PublicSettings, looksAtAll: boolean, ...workers: readonly WorkerRead[]) =>
    ownWorkerOf(settings, workers, state("a", ACCOUNT, looksAtAll)).findings[0]?.fix;
  const anew = worker("b", "visits");

  it("is taken out of the state by the CLI; a local account has its states in its own folder", () => {
    expect(fix(settingsOf(), false)).toContain(
      "`pulumi refresh --stack staging` takes it out of the state, and the next",
    );
    expect(fix(local, false)).toContain('move the folder "pulumi" out of the account\'s folder, and the next');
    expect(fix(local, false, anew)).toContain('move the folder "pulumi" out of the account\'s folder, then plan again');
    expect(fix(local, true, anew)).toContain("move stack.json out of the account's folder, then plan again");
  });

  it("is made anew by an update that looks for it, by its own line", () => {
    expect(refreshing(settingsOf(), undefined)).toBe("`npm run up -- --stack staging --refresh`");
    expect(refreshing(local, undefined)).toBe("`npm run up -- --stack local --refresh`");
    expect(refreshing(local, Known.of([], true))).toBe("the next `npm start`");
  });
});

it("storage that may be the stack's is taken over by a line in its file, which needs no Pulumi CLI", async () => {
  const settings = { ...settingsOf(), stack: LOCAL };
  const title = `${storageBase(settings)}-reads`;
  const fetch = async (request: Request | string | URL) =>
    Response.json({
      success: true,
      result: String(request instanceof Request ? request.url : request).includes("/keys")
        ? [{ name: "filled" }]
        : [{ id: "k", title }],
    });
  const api = new Api({ baseUrl: "http://api.test/client/v4", token: "t" }, { fetch });
  const none = async () => ({ results: [] });
  const sources = {
    getWorkers: none,
    getWorkersDeployments: none,
    getWorkerVersion: none,
    getWorkerVersions: none,
  };
  const { live, ownWorker } = preview();
  const reads = new Reads("a", sources, api);
  const { finding } = await readsPart({
    reads: { certain: reads, besides: reads },
    settings,
    ownWorker,
    live,
    known: EMPTY,
    storage: [],
    adopts: false,
    workerIsOurs: true,
  });
  expect(finding).toMatchObject({
    code: "name_not_ours",
    fix: expect.stringContaining("set adopt: true in Pulumi.local.yaml for one `up`"),
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
