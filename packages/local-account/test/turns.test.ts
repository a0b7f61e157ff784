/** Changes that are sent while others wait for their turn: each is checked against what is there when it has its own. */
import * as v from "valibot";
import { expect, it, onTestFinished, vi } from "vitest";
import { Account } from "../src/account.ts";
import { api } from "../src/api/app.ts";
import { Calls } from "../src/calls.ts";
import { Faults } from "../src/faults.ts";
import { Invocations } from "../src/invocations.ts";
import { BucketTurns } from "../src/runtime/bucket-turns.ts";
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
  const app = api({ account, dir, addressOf, invocations: new Invocations(), calls: new Calls() }, new Faults());
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
      await vi.waitFor(() =>
        expect(waiting.reduce((all, { mock }) => all + mock.calls.length, 0)).toBe(answers.length),
      );
    }
    vi.restoreAllMocks();
    letGo();
    await first;
    return (await Promise.all(answers)).map(({ status }) => status);
  };
  const make = async (...call: Call) => v.parse(Made, (await send(...call)).result).id;
  return { send, make, together };
}

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
