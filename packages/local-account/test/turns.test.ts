/** Changes that are sent while others wait for their turn: each is checked against what is there when it has its own. */
import * as v from "valibot";
import { expect, it, onTestFinished, vi } from "vitest";
import { Account } from "../src/account.ts";
import { api } from "../src/api/app.ts";
import { ApiCalls } from "../src/api-calls.ts";
import { expireHourly } from "../src/bucket-expiry.ts";
import { fire } from "../src/clockwork.ts";
import { Faults } from "../src/faults.ts";
import { Invocations } from "../src/invocations.ts";
import { BucketTurns } from "../src/runtime/bucket-turns.ts";
import { workerds } from "./processes.ts";
import { temporaryDirectory, versionBody } from "./support.ts";

type Call = readonly [method: string, at: string, body?: unknown, headers?: Readonly<Record<string, string>>];

const Envelope = v.object({ result: v.unknown() });
const Made = v.object({ id: v.string() });

/** An account without a server, and its API. */
async function withApi() {
  const dir = temporaryDirectory();
  const account = await Account.open({ dir, plan: "paid", hasCpuLimit: false });
  onTestFinished(() => account.close());
  const addressOf = (worker: string) => `http://${worker}.local.localhost/`;
  const app = api({ account, dir, addressOf, invocations: new Invocations(), calls: new ApiCalls() }, new Faults());
  const { accountId, token } = account.identity;
  const send = async (...[method, at, body, headers]: Call) => {
    const answer = await app.request(
      at.startsWith("/zones") ? `/client/v4${at}` : `/client/v4/accounts/${accountId}${at}`,
      {
        method,
        headers: { host: "localhost", authorization: `Bearer ${token}`, ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      },
    );
    return { status: answer.status, ...v.parse(Envelope, await answer.json()) };
  };
  /** Sends the calls, the next when the one before it waits for its turn, and gives none a turn until all wait. */
  const together = async (...calls: readonly Call[]) => {
    const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
    const first = account.turn(() => held);
    const waiting = [vi.spyOn(account, "change"), vi.spyOn(account, "turn"), vi.spyOn(account, "reachStorage")];
    const answers = [];
    for (const call of calls) {
      answers.push(send(...call));
      await expect.poll(() => waiting.reduce((all, { mock }) => all + mock.calls.length, 0)).toBe(answers.length);
    }
    vi.restoreAllMocks();
    letGo();
    await first;
    return (await Promise.all(answers)).map(({ status }) => status);
  };
  const make = async (...call: Call) => v.parse(Made, (await send(...call)).result).id;
  /** Sends a call whose turn in the runtime comes when `work` is done. */
  const after = async (work: () => Promise<unknown>, ...call: Call) => {
    meanwhile(account, work);
    return (await send(...call)).status;
  };
  return { account, send, make, together, after };
}

/** Does `work` when somebody next waits for workerd. */
function meanwhile({ runtime }: Account, work: () => Promise<unknown>): void {
  vi.spyOn(runtime.gate, "open").mockImplementationOnce(async () => void (await work()));
  onTestFinished(() => void vi.restoreAllMocks());
}

it.runIf(process.platform === "linux")("leaves no workerd when it closes while an upload is looked at", async () => {
  const { account, send } = await withApi();
  await send("POST", "/workers/workers", { name: "app" });
  // Until its limit of a second, which the end comes well before.
  const code = "for (;;); export default {};";
  const fetched = vi.spyOn(globalThis, "fetch");
  onTestFinished(() => void vi.restoreAllMocks());
  const upload = send("POST", "/workers/workers/app/versions?deploy=true", versionBody({ code }));
  const next = send("POST", "/workers/workers/app/versions?deploy=true", versionBody({ code }));
  // The modules have been sent, and are started.
  await expect.poll(() => fetched.mock.calls.map(([, init]) => init?.method), { interval: 1 }).toContain("POST");
  await account.close();
  expect(workerds()).toEqual([]);
  expect([(await upload).status, (await next).status]).toEqual([503, 503]);
  expect(workerds()).toEqual([]);
  expect((await send("POST", "/workers/workers", { name: "other" })).status).toBe(503);
});

it("makes the change that has begun when it closes, and none that waits", async () => {
  const { account, send, make } = await withApi();
  const id = await make("POST", "/storage/kv/namespaces", { title: "one" });
  const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
  const first = account.turn(({ change }) => held.then(() => change((draft) => draft.delete("kvNamespaces", id))));
  const asked = vi.spyOn(account, "change");
  onTestFinished(() => void vi.restoreAllMocks());
  const second = send("POST", "/storage/kv/namespaces", { title: "two" });
  await expect.poll(() => asked).toHaveBeenCalled();
  const closed = account.close();
  letGo();
  await Promise.all([first, closed]);
  expect((await second).status).toBe(503);
  expect([...account.state.kvNamespaces.values()]).toEqual([]);
});

it("does not know the outcome of a call that runs when it closes, and takes that for no bug", async () => {
  const { account, send } = await withApi();
  await send("POST", "/workers/workers", { name: "app" });
  const code = "export default { scheduled: () => scheduler.wait(60_000) };";
  await send("POST", "/workers/workers/app/versions?deploy=true", versionBody({ code }));
  const [worker] = account.state.workers.values();
  if (worker === undefined) throw new Error("there is no Worker");
  const sent = vi.spyOn(account.runtime.gate, "track");
  onTestFinished(() => void vi.restoreAllMocks());
  const outcome = fire(account, worker, "* * * * *", Date.now()).catch((error: unknown) => error);
  await expect.poll(() => sent).toHaveBeenCalled();
  await account.close();
  expect(await outcome).toMatchObject({ name: "ApiError", status: 503 });
});

it("tells of no objects that do not expire because it closes", async () => {
  const { account, send } = await withApi();
  await send("POST", "/r2/buckets", { name: "files" });
  const condition = { type: "Age", maxAge: 60 };
  const rule = { id: "old", enabled: true, conditions: { prefix: "" }, deleteObjectsTransition: { condition } };
  expect((await send("PUT", "/r2/buckets/files/lifecycle", { rules: [rule] })).status).toBe(200);
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  onTestFinished(() => void vi.useRealTimers());
  const problems: unknown[] = [];
  const expiry = expireHourly(account, (problem) => problems.push(problem));
  const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
  const first = account.turn(() => held);
  const asked = vi.spyOn(account, "reachStorage");
  onTestFinished(() => void vi.restoreAllMocks());
  vi.advanceTimersByTime(3_600_000);
  await expect.poll(() => asked).toHaveBeenCalledOnce();
  expiry.stop();
  const closed = account.close();
  letGo();
  await Promise.all([first, closed]);
  await expect.poll(() => asked.mock.settledResults).toMatchObject([{ type: "rejected", value: { status: 503 } }]);
  expect(problems).toEqual([]);
});

it("fires a cron trigger if a deployment gives its version another service while it waits", async () => {
  const { account, send, make } = await withApi();
  await send("POST", "/workers/workers", { name: "app" });
  const versions = "/workers/workers/app/versions";
  const one = await make("POST", `${versions}?deploy=true`, versionBody({ tag: "one" }));
  const two = await make("POST", versions, versionBody({ tag: "two" }));
  const [worker] = account.state.workers.values();
  if (worker === undefined) throw new Error("there is no Worker");
  for (const [first, second] of [
    [50, 50],
    [100, 0],
  ]) {
    const shares = [
      { version_id: one, percentage: first },
      { version_id: two, percentage: second },
    ].filter(({ percentage }) => percentage !== 0);
    const deploy = () => send("POST", "/workers/scripts/app/deployments", { strategy: "percentage", versions: shares });
    meanwhile(account, deploy);
    expect(await fire(account, worker, "* * * * *", Date.now())).toBe("ok");
  }
});

it("says of storage that was deleted while a call waited that it is not there", async () => {
  const { send, make, after } = await withApi();
  const kv = `/storage/kv/namespaces/${await make("POST", "/storage/kv/namespaces", { title: "kv" })}`;
  await send("PUT", `${kv}/bulk`, [{ key: "a", value: "1" }]);
  expect(await after(() => send("DELETE", kv), "GET", `${kv}/keys`)).toBe(404);
  const { uuid } = v.parse(v.object({ uuid: v.string() }), (await send("POST", "/d1/database", { name: "d1" })).result);
  const d1 = `/d1/database/${uuid}`;
  await send("POST", `${d1}/query`, { sql: "SELECT 1" });
  expect(await after(() => send("DELETE", d1), "POST", `${d1}/query`, { sql: "SELECT 1" })).toBe(404);
  const { result } = await send("POST", "/queues", { queue_name: "mails" });
  const queue = `/queues/${v.parse(v.object({ queue_id: v.string() }), result).queue_id}`;
  expect(await after(() => send("DELETE", queue), "POST", `${queue}/messages`, { body: "a" })).toBe(404);
});

it("sends nothing to a workerd that another change ends, for which it did not wait", async () => {
  const { account, send, make } = await withApi();
  const at = `/storage/kv/namespaces/${await make("POST", "/storage/kv/namespaces", { title: "kv" })}`;
  const put = () => send("PUT", `${at}/bulk`, [{ key: "a", value: "1" }]);
  await put();
  const { gate } = account.runtime;
  const seen: boolean[] = [];
  const real = globalThis.fetch;
  vi.spyOn(globalThis, "fetch").mockImplementation((...request) => {
    seen.push(gate.isOpen);
    return real(...request);
  });
  const opened = vi.spyOn(gate, "open");
  onTestFinished(() => void vi.restoreAllMocks());
  const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
  const first = gate.closed(() => held, 0);
  const answer = put();
  await expect.poll(() => opened).toHaveBeenCalled();
  const second = gate.closed(async () => {}, 0);
  letGo();
  await Promise.all([first, second]);
  expect((await answer).status).toBe(200);
  expect(seen).toEqual([true]);
});

it("deletes no version that a deployment before it has put in force", async () => {
  const { send, make, together } = await withApi();
  await send("POST", "/workers/workers", { name: "app" });
  await send("POST", "/workers/workers/app/versions?deploy=true", versionBody({ tag: "one" }));
  const id = await make("POST", "/workers/workers/app/versions", versionBody({ tag: "two" }));
  const shares = { strategy: "percentage", versions: [{ version_id: id, percentage: 100 }] };
  const version = `/workers/workers/app/versions/${id}`;
  expect(await together(["POST", "/workers/scripts/app/deployments", shares], ["DELETE", version])).toEqual([200, 400]);
  expect((await send("GET", version)).status).toBe(200);
});

it("keeps the rules of a bucket whose storage class changes at the same time", async () => {
  const { send, together } = await withApi();
  await send("POST", "/r2/buckets", { name: "files" });
  const rules = [{ allowed: { origins: ["https://a.example"], methods: ["GET"] } }];
  const colder = { "cf-r2-storage-class": "InfrequentAccess" };
  const calls: Call[] = [
    ["PUT", "/r2/buckets/files/cors", { rules }],
    ["PATCH", "/r2/buckets/files", {}, colder],
  ];
  expect(await together(...calls)).toEqual([200, 200]);
  expect((await send("GET", "/r2/buckets/files/cors")).result).toEqual({ rules });
});

it("brings nothing back that was deleted before", async () => {
  const { send, make, together } = await withApi();
  const origin = { scheme: "postgres", host: "db.example", database: "d", user: "u", password: "p" };
  const zone = `/zones/${await make("POST", "/zones", { name: "example.com" })}/workers/routes`;
  for (const [method, at, body, change] of [
    ["PUT", "/storage/kv/namespaces", { title: "kept" }, { title: "renamed" }],
    ["PATCH", "/hyperdrive/configs", { name: "db", origin }, { name: "renamed" }],
    ["PUT", "/hyperdrive/configs", { name: "db", origin }, { name: "renamed", origin }],
    ["PUT", zone, { pattern: "example.com/*" }, { pattern: "example.com/a/*" }],
  ] as const) {
    const one = `${at}/${await make("POST", at, body)}`;
    expect(await together(["DELETE", one], [method, one, change], ["DELETE", one])).toEqual([200, 404, 404]);
    expect((await send("GET", at)).result).toEqual([]);
  }
});

it("deletes no bucket with an object in it, and puts none into a bucket that was deleted", async () => {
  const { send, together } = await withApi();
  const bucket = ["/r2/buckets", { name: "files" }] as const;
  const [whole, object] = ["/r2/buckets/files", "/r2/buckets/files/objects/a"];
  await send("POST", ...bucket);
  // The bucket is in the runtime.
  expect((await send("GET", "/r2/buckets/files/objects")).result).toEqual([]);
  expect(await together(["DELETE", whole], ["PUT", object, "contents"])).toEqual([200, 404]);
  await send("POST", ...bucket);
  expect((await send("GET", "/r2/buckets/files/objects")).result).toEqual([]);
  expect((await send("PUT", object, "contents")).status).toBe(200);
  expect((await send("DELETE", whole)).status).toBe(409);
});

it("does not delete a bucket that somebody uses, and lets nobody use one that is being deleted", async () => {
  const turns = new BucketTurns();
  const end = await turns.begin("files");
  await expect(turns.alone("files", async () => "deleted")).rejects.toThrow("an object is being written");
  const deleted = turns.alone("files", async () => "deleted");
  const order: string[] = [];
  const later = turns.begin("files").then(() => order.push("used"));
  void deleted.then(() => order.push("deleted"));
  end();
  await Promise.all([deleted, later]);
  expect(order).toEqual(["deleted", "used"]);
});
