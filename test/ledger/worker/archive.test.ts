/** Old transactions leave the object for R2, in a hash chain, and are still found. */
import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import * as v from "valibot";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sha256 } from "../../../contract/secrets.ts";
import { entryAfter, GENESIS, headerIn } from "../../../worker/ledger/chain.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { ADMIN, call, unique } from "../../worker/helpers.ts";
import { aLedger, inOrder, refused } from "./support.ts";

beforeEach(() => {
  stopClock();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const ADDED = 3_000;
const Page = v.object({
  transactions: v.array(
    v.object({ id: v.string(), timestamp: v.number(), balances: v.record(v.string(), v.number()) }),
  ),
  cursor: v.nullable(v.string()),
});

/** A ledger with one deposit for alice and 3,000 transfers of 1 to bob and back to carol, a second apart in groups. */
async function full() {
  const ledger = aLedger();
  const begin = Date.now();
  await ledger.deposit("alice", 100_000);
  const add = async (count: number) => {
    for (let done = 0; done < count; done += 100) {
      pass(1_000);
      await Promise.all(Array.from({ length: 100 }, () => ledger.stub.transfer("alice", "bob", 1)));
    }
  };
  await add(ADDED);
  const rows = () =>
    runInDurableObject(env.ACCOUNT.getByName(`dev-eu:account:${ledger.id}`), (_, { storage }) =>
      storage.sql
        .exec<{ seq: number }>("SELECT seq FROM transactions ORDER BY seq")
        .toArray()
        .map(({ seq }) => seq),
    );
  const keys = async () =>
    (await env.BLOBS.list({ prefix: `dev-eu:account:${ledger.id}/` })).objects.map(({ key }) => key);
  const all = async (query = "") => {
    const ids: number[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page: v.InferOutput<typeof Page> = v.parse(
        Page,
        await ledger.get(`transactions?limit=200${query}${cursor && `&cursor=${cursor}`}`),
      );
      ids.push(...page.transactions.map(({ id }) => Number(id)));
      cursor = page.cursor;
    }
    return ids;
  };
  // A new stub each time: one that saw a crash stays broken.
  const seal = () => runDurableObjectAlarm(env.ACCOUNT.getByName(`dev-eu:account:${ledger.id}`));
  return { ...ledger, begin, add, rows, keys, all, seal };
}

/** Holds the next call to the bucket, before it is made or after it is answered: `begun` tells when, `release` lets it go on. */
function holdNext(method: "get" | "put", when: "before" | "after") {
  const bucket = Object.getPrototypeOf(env.BLOBS);
  const { [method]: original } = bucket;
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const hold = () => {
    begin();
    return released;
  };
  vi.spyOn(bucket, method).mockImplementationOnce(async function (this: unknown, ...args: unknown[]) {
    if (when === "before") await hold();
    const answer = await original.apply(this, args);
    if (when === "after") await hold();
    return answer;
  });
  return { begun, release };
}

const down = (from: number, to: number) => Array.from({ length: from - to + 1 }, (_, index) => from - index);

describe("the archive", () => {
  it("takes what is older than the last thousand and more, and everything is still found", async () => {
    const { seal, rows, keys, all, audit, get, id, stub, add, balance } = await full();
    expect(await seal()).toBe(true);
    expect(await rows()).toEqual(down(3_001, 2_001).toReversed());
    expect(await keys()).toHaveLength(2);
    expect(await all()).toEqual(down(3_001, 1));
    expect(await all("&account=alice")).toEqual(down(3_001, 1));
    expect(await all("&account=bob")).toEqual(down(3_001, 2));
    expect(await get("transfers/7")).toMatchObject({ id: "7", from: "alice", to: "bob", state: "completed" });
    expect(await audit()).toMatchObject({ ...inOrder, transactions: 3_001, archived: 2_000, head: /^[0-9a-f]{64}$/ });
    // Nothing more to do, now or after a while.
    await evictDurableObject(stub);
    await seal();
    expect(await keys()).toHaveLength(2);
    await add(1_000);
    await seal();
    expect([(await rows())[0], (await keys()).length]).toEqual([3_001, 3]);
    expect(await all()).toEqual(down(4_001, 1));
    expect(await balance("bob")).toBe(4_000);
    expect((await call(`/account/${id}/transfers/1001/reverse`, { json: {}, headers: ADMIN })).body).toMatchObject({
      of: "1001",
      from: "bob",
    });
  });

  it("is a chain of hashes from the first transaction to the head", async () => {
    const { seal, keys } = await full();
    await seal();
    let [head, previous] = [GENESIS, GENESIS];
    for (const [index, key] of (await keys()).entries()) {
      const text = (await (await env.BLOBS.get(key))?.text()) ?? "";
      const [first = "", ...lines] = text.trimEnd().split("\n");
      expect(headerIn(first)).toMatchObject({ segment: index + 1, first: index * 1_000 + 1, previous, head });
      for (const line of lines) head = (await entryAfter(head, line, sha256)).hash;
      previous = await sha256(text);
    }
    expect(await keys()).toHaveLength(2);
  });

  it("is written before rows are deleted, and a seal that was cut off is made again with the same bytes", async () => {
    const { seal, rows, keys, all, stub, id } = await full();
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const texts = async () => Promise.all((await keys()).map(async (key) => (await env.BLOBS.get(key))?.text()));
    // The object dies right after the first segment is in the bucket.
    await runInDurableObject(stub, (_, { storage }) => {
      vi.spyOn(storage, "transactionSync").mockImplementationOnce(() => {
        throw new Error("cut off");
      });
    });
    await seal().catch(() => undefined);
    await abortAllDurableObjects().catch(() => undefined);
    const before = await texts();
    expect(before).toHaveLength(1);
    // The runtime would run the alarm again; here, the next payment sets it.
    expect((await call(`/account/${id}/transfer`, { json: { from: "alice", to: "bob", amount: 1 } })).status).toBe(200);
    await seal();
    expect((await texts()).slice(0, before.length)).toEqual(before);
    expect((await rows())[0]).toBe(2_001);
    expect(await all()).toEqual(down(3_002, 1));
  });

  it("waits for a bucket that fails, while the ledger goes on", async () => {
    const { seal, rows, keys, all, transfer, audit } = await full();
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const put = vi.spyOn(Object.getPrototypeOf(env.BLOBS), "put").mockRejectedValue(new Error("down"));
    await seal();
    expect([(await rows()).length, await keys()]).toEqual([3_001, []]);
    for (let turn = 0; turn < 5; turn++) expect((await transfer("alice", "bob", 1)).status).toBe(200);
    expect(put.mock.calls.length).toBeLessThan(3);
    expect(await audit()).toMatchObject({ ...inOrder, archived: 0 });
    put.mockRestore();
    pass(61_000);
    await seal();
    expect(await keys()).toHaveLength(2);
    expect(await all()).toEqual(down(3_006, 1));
  });

  it("that was changed in its bucket is refused, not believed", async () => {
    const { seal, keys, id, stub } = await full();
    await seal();
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const [key = ""] = await keys();
    const text = (await (await env.BLOBS.get(key))?.text()) ?? "";
    await env.BLOBS.put(key, text.replace('"amount":1,', '"amount":2,'));
    await evictDurableObject(stub);
    expect((await call(`/account/${id}/transfers/7`)).status).toBe(500);
    expect((await call(`/account/${id}/transfers/1500`)).status).toBe(200);
  });

  it("goes with its ledger", async () => {
    const { seal, keys, post, id, all, deposit } = await full();
    await seal();
    await post("withdraw", { account: "alice", amount: 97_000 }, ADMIN);
    await post("withdraw", { account: "bob", amount: 3_000 }, ADMIN);
    expect((await call(`/account/${id}`, { method: "DELETE", headers: ADMIN })).status).toBe(200);
    expect([await keys(), await all()]).toEqual([[], []]);
    await deposit("alice", 1);
    expect(await all()).toEqual([1]);
  });

  it("that the bucket does not delete is the bucket's fault, and goes with the next call", async () => {
    const { id, deposit, post } = aLedger();
    await deposit("alice", 1);
    await post("withdraw", { account: "alice", amount: 1 }, ADMIN);
    const key = `dev-eu:account:${id}/ledger/000000001.ndjson`;
    await env.BLOBS.put(key, "a segment");
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const away = vi.spyOn(Object.getPrototypeOf(env.BLOBS), "delete").mockRejectedValue(new Error("down"));
    const remove = () => call(`/account/${id}`, { method: "DELETE", headers: ADMIN });
    expect(await remove()).toMatchObject(refused(503));
    away.mockRestore();
    expect((await remove()).status).toBe(200);
    expect(await env.BLOBS.head(key)).toBeNull();
  });

  it("leaves no file if its ledger is deleted while a segment is on its way to the bucket", async () => {
    const { seal, keys, post, id } = await full();
    await post("withdraw", { account: "alice", amount: 97_000 }, ADMIN);
    await post("withdraw", { account: "bob", amount: 3_000 }, ADMIN);
    const { begun, release } = holdNext("put", "before");
    const failed = vi.spyOn(console, "error");
    const sealed = seal();
    await begun;
    expect((await call(`/account/${id}`, { method: "DELETE", headers: ADMIN })).status).toBe(200);
    release();
    await sealed;
    expect(await keys()).toEqual([]);
    expect(failed).not.toHaveBeenCalled();
  });
});

describe("a ledger that is deleted while somebody reads it", () => {
  it("gives its transactions to nobody, also if they were on their way from the bucket", async () => {
    const { seal, post, id } = await full();
    await seal();
    await post("withdraw", { account: "alice", amount: 97_000 }, ADMIN);
    await post("withdraw", { account: "bob", amount: 3_000 }, ADMIN);
    const { begun, release } = holdNext("get", "after");
    const found = call(`/account/${id}/transfers/7`);
    await begun;
    expect((await call(`/account/${id}`, { method: "DELETE", headers: ADMIN })).status).toBe(200);
    release();
    expect((await found).status).toBe(404);
  });

  it("leaves nothing to reverse or to settle to the ledger that has its place", async () => {
    const { stub, deposit, post, balance } = aLedger();
    await deposit("alice", 100);
    await post("withdraw", { account: "alice", amount: 100 }, ADMIN);
    const { told, left } = await runInDurableObject(stub, async (ledger) => {
      // Several callers at once, so that the next changes wait a moment for others.
      await Promise.all(["bob", "carol", "dave"].map((name) => ledger.setAccount(name, {})));
      const waiting = [ledger.reverse(2), ledger.settle(2, "void")];
      await Promise.resolve();
      const left = await ledger.remove();
      return { told: await Promise.all(waiting), left };
    });
    expect(left).toEqual([]);
    expect(told).toEqual(Array(2).fill(expect.stringContaining("There is no transaction 2")));
    expect(await balance("alice")).toBe(0);
  });

  it("leaves no hash to the ledger that has its place", async () => {
    const { stub, deposit, post, audit } = aLedger();
    for (let times = 0; times < 3; times++) await deposit("alice", 1);
    await post("withdraw", { account: "alice", amount: 3 }, ADMIN);
    await runInDurableObject(stub, async (ledger) => {
      const head = ledger.audit().catch(() => undefined);
      await ledger.remove();
      await head;
    });
    for (let times = 0; times < 6; times++) await deposit("alice", 2);
    const before = await audit();
    await evictDurableObject(stub);
    expect(await audit()).toEqual(before);
  });
});

describe("a time", () => {
  it("gives the balance then, from rows or the archive", async () => {
    const { seal, get, begin } = await full();
    const at = async (name: string, time: number | string) =>
      Object(await get(`balances/${name}?at=${encodeURIComponent(time)}`)).balance;
    const check = async () => {
      // A hundred transfers each second; a time is answered with all up to and with it.
      for (const second of [0, 1, 9, 10, 11, 25, 30]) {
        expect(await at("bob", begin + second * 1_000)).toBe(second * 100);
        expect(await at("alice", begin + second * 1_000 + 500)).toBe(100_000 - second * 100);
      }
      expect([await at("bob", begin - 1), await at("carol", begin + 9_000), await at("bob", begin + 1e9)]).toEqual([
        0, 0, 3_000,
      ]);
      expect(await at("bob", new Date(begin + 10_000).toISOString())).toBe(1_000);
    };
    await check();
    await seal();
    await check();
  });

  it("finds an account that has not moved for long, or moves all the time", async () => {
    const ledger = aLedger();
    await ledger.deposit("quiet", 5);
    await ledger.deposit("alice", 10_000);
    const then = Date.now();
    for (let done = 0; done < 30; done++) {
      pass(1_000);
      await Promise.all(Array.from({ length: 100 }, () => ledger.stub.transfer("alice", "bob", 1)));
    }
    await ledger.stub.transfer("quiet", "bob", 2);
    await runDurableObjectAlarm(ledger.stub);
    expect(await ledger.get(`balances/quiet?at=${then}`)).toEqual({ account: "quiet", balance: 5 });
    expect(await ledger.get(`balances/quiet?at=${Date.now()}`)).toEqual({ account: "quiet", balance: 3 });
  });

  it("bounds the list of transactions", async () => {
    const { seal, all, begin } = await full();
    const range = (from: number, to: number) => `&since=${begin + from * 1_000}&until=${begin + to * 1_000}`;
    const check = async () => {
      expect(await all(range(9, 11))).toEqual(down(1_101, 802));
      expect(await all(`${range(9, 11)}&account=bob`)).toEqual(down(1_101, 802));
      expect(await all(range(40, 50))).toEqual([]);
      expect(await all(`&since=${begin + 30_000}`)).toEqual(down(3_001, 2_902));
    };
    await check();
    await seal();
    await check();
  });

  it.each(["at=yesterday", "at=2026-13-45T00:00:00Z", "at=-5"])("is refused as %s", async (query) => {
    expect(await call(`/account/${unique()}/balances/alice?${query}`)).toMatchObject(refused(400));
  });
});

describe("the audit", () => {
  it("looks at the rows alone, and finds what was changed there", async () => {
    const { seal, audit, stub } = await full();
    await seal();
    await runInDurableObject(stub, (_, { storage }) =>
      storage.sql.exec("UPDATE transactions SET amount = 2 WHERE seq = 2500"),
    );
    expect(await audit()).toMatchObject({
      ok: false,
      faults: [expect.stringContaining("transaction 2500"), expect.anything()],
    });
  });
});
