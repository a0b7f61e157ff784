/** The ledger over HTTP: money is conserved, nothing happens twice, and the books add up. */

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import * as v from "valibot";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Auditor } from "../../../worker/ledger/audit.ts";
import type { AccountDO } from "../../../worker/ledger/ledger.ts";
import { NEW_ACCOUNT, OUTSIDE } from "../../../worker/ledger/rules.ts";
import { heard } from "../../../worker/ledger/told.ts";
import { fc } from "../../properties.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { ADMIN, type Answer, call, keyWith, unique } from "../../worker/helpers.ts";
import { hasSessions, logIn } from "../../worker/log-in.ts";
import { countRows, fewestRows } from "../../worker/rows.ts";
import { ask } from "../../worker/tries.ts";
import { cost } from "../cost.ts";
import { aLedger, inOrder, isMade, refused } from "./support.ts";

const TransactionsPage = v.object({
  transactions: v.array(
    v.object({
      id: v.string(),
      from: v.string(),
      to: v.string(),
      amount: v.number(),
      balances: v.record(v.string(), v.number()),
      timestamp: v.number(),
    }),
  ),
  cursor: v.nullable(v.string()),
});

const HOUR = 60 * 60 * 1_000;

afterEach(() => vi.useRealTimers());

/** How many idempotency keys a ledger remembers. */
const keysOf = (stub: DurableObjectStub<AccountDO>) =>
  runInDurableObject(
    stub,
    (_, { storage }) => storage.sql.exec<{ count: number }>("SELECT count(*) AS count FROM replays").one().count,
  );

describe("a transfer", () => {
  it("moves money and returns both balances", async () => {
    const { transfer, deposit, balance, audit } = aLedger();
    expect(await deposit("alice", 10)).toMatchObject({
      status: 200,
      body: { success: true, from: OUTSIDE, to: "alice", amount: 10, balances: { alice: 10 } },
    });
    expect((await transfer("alice", "bob", 3)).body).toEqual({
      success: true,
      from: "alice",
      to: "bob",
      amount: 3,
      id: "2",
      balances: { alice: 7, bob: 3 },
    });
    expect([await balance("alice"), await balance("bob"), await balance("nobody")]).toEqual([7, 3, 0]);
    expect(await audit()).toMatchObject({ ...inOrder, accounts: 2, transactions: 2 });
  });

  it("is refused, and changes nothing, if there is too little money", async () => {
    const { transfer, deposit, balance, get } = aLedger();
    await deposit("alice", 3);
    expect(await transfer("alice", "bob", 5)).toMatchObject(
      refused(400, { error: "Insufficient balance: 3 < 5", type: "urn:problem:insufficient-balance" }),
    );
    expect(await transfer("nobody", "alice", 1)).toMatchObject(refused(400, { error: "Insufficient balance: 0 < 1" }));
    expect([await balance("alice"), await balance("bob")]).toEqual([3, 0]);
    expect(await get("balances")).toEqual({ balances: [{ account: "alice", balance: 3 }], cursor: null });
  });

  it.each([0, -5, 1.5, "10", null, true, [5], 2 ** 53, 1e308, undefined])(
    "is refused when the amount is %j",
    async (amount) => {
      const { transfer, deposit, balance } = aLedger();
      await deposit("alice", 100);
      expect(await transfer("alice", "bob", amount)).toMatchObject(refused(400, { errors: [{ field: "amount" }] }));
      expect(await balance("alice")).toBe(100);
    },
  );

  it.each(["NaN", "Infinity", "-0", "1e999", "0.1e1000"])(
    "is refused when the amount is written %s",
    async (amount) => {
      const { id, deposit, balance } = aLedger();
      await deposit("alice", 100);
      const json = `{"from":"alice","to":"bob","amount":${amount}}`;
      expect(await call(`/account/${id}/transfer`, { json })).toMatchObject(refused(400));
      expect(await balance("alice")).toBe(100);
    },
  );

  it.each(["", OUTSIDE, "a b ", "a\u200bb", "__proto__", "x".repeat(129), "a\n", 7, null])(
    "is refused when an account is called %j",
    async (name) => {
      const { post } = aLedger();
      expect(await post("transfer", { from: name, to: "bob", amount: 1 })).toMatchObject(
        refused(400, { errors: [{ field: "from" }] }),
      );
    },
  );

  it("is refused to the same account", async () => {
    const { transfer, deposit } = aLedger();
    await deposit("alice", 5);
    expect(await transfer("alice", "alice", 1)).toMatchObject(refused(400, { errors: [{ field: "to" }] }));
    expect(await transfer("caf\u00e9", "cafe\u0301", 1)).toMatchObject(refused(400, { errors: [{ field: "to" }] }));
  });

  it("without a ledger is one in the ledger main", async () => {
    const name = `a${unique()}`;
    await call("/account/main/deposit", { json: { account: name, amount: 5 }, headers: ADMIN });
    expect(await call("/account/transfer", { json: { from: name, to: `${name}2`, amount: 2 } })).toMatchObject({
      status: 200,
      body: { success: true },
    });
    expect((await call(`/account/main/balances/${name}`)).body).toEqual({ account: name, balance: 3 });
  });

  it.runIf(hasSessions)("shows a user their own balance and not the other's", async () => {
    const { id, deposit } = aLedger();
    const [ann, ben] = [await logIn("ann"), await logIn("ben")];
    await deposit("ann", 10);
    await deposit("ben", 100);
    const json = { from: "ann", to: "ben", amount: 3 };
    expect(await ask(`/account/${id}/transfer`, { json, headers: ann })).toMatchObject({
      status: 200,
      body: { balances: { ann: 7 } },
    });
    const entries = (name: string, headers: Record<string, string>) =>
      ask(`/account/${id}/transactions?account=${name}`, { headers });
    const shown = async (name: string, headers: Record<string, string>) =>
      v.parse(TransactionsPage, (await entries(name, headers)).body).transactions.map(({ balances }) => balances);
    expect(await shown("ann", ann)).toEqual([{ ann: 7 }, { ann: 10 }]);
    expect(await shown("ben", ben)).toEqual([{ ben: 103 }, { ben: 100 }]);
    expect((await entries("ben", ann)).status).toBe(403);
  });

  it("does not reach the same ledger of another region", async () => {
    const { id } = aLedger();
    await call(`/account/us~${id}/deposit`, { json: { account: "alice", amount: 5 }, headers: ADMIN });
    expect((await call(`/account/${id}/balances/alice`)).body).toEqual({ account: "alice", balance: 0 });
    expect((await call(`/account/us~${id}/balances/alice`)).body).toEqual({ account: "alice", balance: 5 });
    expect(await call(`/account/mars~${id}/transfer`, { json: { from: "a", to: "b", amount: 1 } })).toMatchObject(
      refused(400),
    );
  });

  it("happens wholly or not at all: a failure halfway leaves no trace", async () => {
    const { stub, transfer, deposit, balance, audit, get } = aLedger();
    await deposit("alice", 10);
    const before = await get("transactions");
    await runInDurableObject(stub, (_, { storage }) =>
      storage.sql.exec("CREATE TRIGGER full BEFORE UPDATE ON accounts BEGIN SELECT raise(ABORT, 'disk full'); END"),
    );
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
    expect((await transfer("alice", "bob", 1, { "Idempotency-Key": "k" })).status).toBe(503);
    logged.mockRestore();
    await runInDurableObject(stub, (_, { storage }) => storage.sql.exec("DROP TRIGGER full"));
    expect([await balance("alice"), await get("transactions")]).toEqual([10, before]);
    expect(await audit()).toMatchObject(inOrder);
    expect((await transfer("alice", "bob", 1, { "Idempotency-Key": "k" })).status).toBe(200);
  });

  it("cannot make a balance negative, even if the code skips the rules", async () => {
    const { stub, deposit } = aLedger();
    await deposit("alice", 10);
    await runInDurableObject(stub, (_, { storage }) => {
      const overdraw = () => storage.sql.exec("UPDATE accounts SET balance = -1 WHERE name = 'alice'");
      expect(overdraw).toThrow(/CHECK constraint/);
    });
  });

  it("of all the money, called many times at once, happens once", async () => {
    const { transfer, deposit, balance, audit } = aLedger();
    await deposit("alice", 10);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => transfer("alice", `bob${index}`, 10)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await balance("alice")).toBe(0);
    expect(await audit()).toMatchObject(inOrder);
  });

  it("that cannot be written does not stop others of its group", async () => {
    const { stub, deposit, balance, audit } = aLedger();
    await deposit("alice", 100);
    await runInDurableObject(stub, (_, { storage }) =>
      storage.sql.exec(
        "CREATE TRIGGER cursed BEFORE INSERT ON transactions WHEN new.payee = 'bob7' BEGIN SELECT raise(ABORT, 'no'); END",
      ),
    );
    const paid = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => stub.transfer("alice", `bob${index}`, 1)),
    );
    expect(paid.flatMap(({ status }, index) => (status === "rejected" ? [index] : []))).toEqual([7]);
    expect([await balance("alice"), await balance("bob7"), await balance("bob8")]).toEqual([81, 0, 1]);
    expect(await audit()).toMatchObject({ ...inOrder, transactions: 20 });
  });

  it("in a group is decided after the ones before it, in the order in which they came", async () => {
    const { stub, deposit, audit } = aLedger();
    await deposit("alice", 10);
    const told = await Promise.all([
      stub.transfer("alice", "bob", 10),
      stub.transfer("bob", "carol", 4),
      stub.transfer("alice", "dave", 1),
      stub.transfer("carol", "dave", 4),
    ]);
    expect(told.map(heard)).toMatchObject([
      { outcome: { ok: true, transaction: { seq: 2, payerBalance: 0, payeeBalance: 10 } } },
      { outcome: { ok: true, transaction: { seq: 3, payerBalance: 6, payeeBalance: 4 } } },
      { outcome: { ok: false, fault: { detail: "Insufficient balance: 0 < 1" } } },
      { outcome: { ok: true, transaction: { seq: 4, payerBalance: 0, payeeBalance: 4 } } },
    ]);
    expect(await audit()).toMatchObject({ ...inOrder, transactions: 4 });
  });

  it("is shown to a service that may find transfers, without the balances that it may not read", async () => {
    const { id, deposit, transfer } = aLedger();
    await deposit("alice", 10);
    await transfer("alice", "bob", 4);
    const found = await ask(`/account/${id}/transfers/2`, { headers: await keyWith("ledger.find") });
    expect(found).toMatchObject({ status: 200, body: { id: "2", from: "alice", to: "bob", balances: {} } });
  });

  it("stores nothing if an empty ledger refuses it", async () => {
    const { stub, transfer, balance, audit, get } = aLedger();
    expect(await transfer("alice", "bob", 1)).toMatchObject(refused(400));
    expect([await balance("alice"), await get("transactions"), await get("balances")]).toEqual([
      0,
      { transactions: [], cursor: null },
      { balances: [], cursor: null },
    ]);
    expect(await audit()).toMatchObject({ ...inOrder, accounts: 0, transactions: 0 });
    const tables = await runInDurableObject(stub, (_, { storage }) =>
      storage.sql.exec("SELECT name FROM sqlite_master").toArray(),
    );
    expect(tables).toEqual([]);
  });
});

describe("a service's key", () => {
  it.each([
    ["ledger.read", { "balances/alice": 200, transactions: 200, balances: 403 }],
    ["ledger.list", { "balances/alice": 403, transactions: 403, balances: 200 }],
  ])("that grants %s reads no more than that of a ledger", async (grant, statuses) => {
    const { id, deposit } = aLedger();
    await deposit("alice", 10);
    const headers = await keyWith(grant);
    for (const [what, status] of Object.entries(statuses)) {
      expect(await ask(`/account/${id}/${what}`, { headers }), what).toMatchObject({ status });
    }
  });
});

describe("deposits and withdrawals", () => {
  it("need the admin token", async () => {
    const { post, balance } = aLedger();
    expect(await post("deposit", { account: "alice", amount: 5 })).toMatchObject(refused(401));
    expect(await post("withdraw", { account: "alice", amount: 5 }, { Authorization: "Bearer x" })).toMatchObject(
      refused(401),
    );
    expect(await balance("alice")).toBe(0);
  });

  it("add and remove money, down to nothing", async () => {
    const { post, deposit, balance, audit } = aLedger();
    await deposit("alice", 5);
    expect(await post("withdraw", { account: "alice", amount: 6 }, ADMIN)).toMatchObject(
      refused(400, { error: "Insufficient balance: 5 < 6" }),
    );
    expect(await post("withdraw", { account: "alice", amount: 5 }, ADMIN)).toMatchObject({
      body: { success: true, from: "alice", to: OUTSIDE, balances: { alice: 0 } },
    });
    expect(await balance("alice")).toBe(0);
    expect(await audit()).toMatchObject(inOrder);
  });

  it("never let the money of a ledger exceed 2^53 - 1", async () => {
    const { deposit, transfer, balance, audit } = aLedger();
    expect((await deposit("alice", Number.MAX_SAFE_INTEGER - 1)).status).toBe(200);
    expect((await deposit("bob", 1)).status).toBe(200);
    expect(await deposit("carol", 1)).toMatchObject(refused(400, { type: "urn:problem:ledger-full" }));
    expect((await transfer("alice", "bob", Number.MAX_SAFE_INTEGER - 1)).status).toBe(200);
    expect(await balance("bob")).toBe(Number.MAX_SAFE_INTEGER);
    expect(await audit()).toMatchObject(inOrder);
  });
});

describe("idempotency keys", () => {
  it("make a transfer happen once, also across an eviction", async () => {
    const { stub, transfer, deposit, balance } = aLedger();
    await deposit("alice", 10);
    const headers = { "Idempotency-Key": "one" };
    const first = await transfer("alice", "bob", 4, headers);
    await transfer("bob", "alice", 1);
    await evictDurableObject(stub);
    const second = await transfer("alice", "bob", 4, headers);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get("Idempotent-Replayed")).toBe("true");
    expect([await balance("alice"), await balance("bob")]).toEqual([7, 3]);
  });

  it("make a transfer happen once when the same call comes many times at once, and conflict with another", async () => {
    const { stub, deposit, balance } = aLedger();
    await deposit("alice", 10);
    const paid = await Promise.all([
      ...Array.from({ length: 10 }, () => stub.transfer("alice", "bob", 2, { key: "k" })),
      stub.transfer("alice", "bob", 3, { key: "k" }),
    ]);
    expect(paid.map(heard).map((once) => ("replayed" in once ? once.replayed : "conflict"))).toEqual([
      false,
      ...Array.from({ length: 9 }, () => true),
      "conflict",
    ]);
    expect(await balance("bob")).toBe(2);
  });

  it("keep no refusal: a payment that lacked money succeeds once the money is there", async () => {
    const { transfer, deposit, balance } = aLedger();
    const headers = { "Idempotency-Key": "two" };
    expect(await transfer("alice", "bob", 4, headers)).toMatchObject(refused(400));
    await deposit("alice", 10);
    const paid = await transfer("alice", "bob", 4, headers);
    expect(paid).toMatchObject({ status: 200 });
    expect(paid.headers.has("Idempotent-Replayed")).toBe(false);
    expect((await transfer("alice", "bob", 4, headers)).body).toEqual(paid.body);
    expect(await balance("alice")).toBe(6);
  });

  it.each([
    ["transfer", { from: "alice", to: "bob", amount: 5 }],
    ["transfer", { from: "alice", to: "carol", amount: 4 }],
    ["deposit", { account: "bob", amount: 4 }],
  ])("conflict with another payload: %s %j", async (what, json) => {
    const { post, transfer, deposit, balance } = aLedger();
    const headers = { "Idempotency-Key": "three" };
    await deposit("alice", 10);
    if (what === "transfer") {
      await transfer("alice", "bob", 4, headers);
      expect(await post(what, json, headers)).toMatchObject(refused(409));
    } else {
      // Keys are kept per caller, so the admin has to use the key first.
      await post("withdraw", { account: "alice", amount: 4 }, { ...ADMIN, ...headers });
      expect(await post(what, json, { ...ADMIN, ...headers })).toMatchObject(refused(409));
    }
    expect(await balance("alice")).toBe(6);
  });

  it("are forgotten after 24 hours", async () => {
    stopClock();
    const { transfer, deposit, balance } = aLedger();
    await deposit("alice", 10);
    const headers = { "Idempotency-Key": "four" };
    await transfer("alice", "bob", 4, headers);
    pass(24 * 60 * 60 * 1000);
    await transfer("alice", "bob", 4, headers);
    expect(await balance("alice")).toBe(2);
  });
});

describe("what does not last", () => {
  const stored = (stub: DurableObjectStub) =>
    runInDurableObject(stub, async (_, { storage }) => ({
      tables: storage.sql.exec("SELECT name FROM sqlite_master").toArray().length,
      alarm: await storage.getAlarm(),
    }));

  it("are idempotency keys: an alarm sweeps those of yesterday, also after the object slept", async () => {
    stopClock();
    const { stub, transfer, deposit, balance } = aLedger();
    const keys = () =>
      runInDurableObject(stub, (_, { storage }) => storage.sql.exec("SELECT key FROM replays").toArray().length);
    await deposit("alice", 10);
    for (const key of ["a", "b", "c"]) await transfer("alice", "bob", 1, { "Idempotency-Key": key });
    expect(await keys()).toBe(3);
    await evictDurableObject(stub);
    await runDurableObjectAlarm(stub);
    expect(await keys()).toBe(3);
    pass(30 * 60 * 60 * 1_000);
    await evictDurableObject(stub);
    await runDurableObjectAlarm(stub);
    expect(await keys()).toBe(0);
    expect(await stored(stub)).toMatchObject({ alarm: null });
    expect(await balance("bob")).toBe(3);
  });

  it("is a ledger that was only read: a refusal and a read store nothing", async () => {
    const { stub, transfer, balance, get, audit } = aLedger();
    expect((await transfer("alice", "bob", 4, { "Idempotency-Key": "k" })).status).toBe(400);
    await balance("alice");
    await get("transactions");
    await audit();
    expect(await stored(stub)).toEqual({ tables: 0, alarm: null });
  });

  it("is an empty ledger that the admin deletes; one with money is refused", async () => {
    const { id, stub, transfer, deposit, post, get, balance } = aLedger();
    const remove = () => call(`/account/${id}`, { method: "DELETE", headers: ADMIN });
    await deposit("alice", 10);
    await transfer("alice", "bob", 4, { "Idempotency-Key": "k" });
    expect(await remove()).toMatchObject(refused(409, { detail: expect.stringContaining("bob, alice, @outside") }));
    expect(await balance("bob")).toBe(4);
    await post("withdraw", { account: "alice", amount: 6 }, ADMIN);
    await post("withdraw", { account: "bob", amount: 4 }, ADMIN);
    for (let times = 0; times < 2; times++) expect(await remove()).toMatchObject({ status: 200, body: { ok: true } });
    expect(await stored(stub)).toEqual({ tables: 0, alarm: null });
    expect(await get("transactions")).toEqual({ transactions: [], cursor: null });
    await deposit("alice", 10);
    // The key was deleted with the ledger, and transactions are numbered from 1 again.
    const again = await transfer("alice", "bob", 4, { "Idempotency-Key": "k" });
    expect(again).toMatchObject({ status: 200, body: { id: "2" } });
  });
});

describe("rows written", () => {
  it("are three for a transfer, four with a key, none for a refusal or a read, one a day for the sweep", async () => {
    const { stub, transfer, deposit, get, audit } = aLedger();
    await deposit("alice", 10);
    await transfer("alice", "bob", 1, { "Idempotency-Key": "the-first-of-the-day" });
    const rows = await countRows(stub);
    await transfer("alice", "bob", 1);
    expect(rows()).toBe(3);
    await transfer("alice", "bob", 1, { "Idempotency-Key": "k" });
    expect(rows()).toBe(7);
    await transfer("alice", "bob", 1, { "Idempotency-Key": "k" });
    await transfer("alice", "bob", 100);
    await get("balances");
    await get("transactions?account=alice");
    await audit();
    expect(rows()).toBe(7);
  });

  it("are six for a transfer with a key in the long run: its key and its row are deleted, too", async () => {
    stopClock();
    const { stub, deposit, audit } = aLedger();
    await deposit("alice", 10_000);
    const pay = (key: string) => stub.transfer("alice", "bob", 1, { key });
    // In groups, because they are only here to be deleted.
    for (let i = 0; i < 10; i++) {
      await Promise.all(Array.from({ length: 100 }, (_, j) => pay(`yesterday-${i}-${j}`)));
    }
    pass(31 * HOUR);
    const rows = await countRows(stub);
    for (let i = 0; i < 1_000; i++) expect(isMade(await pay(`today-${i}`))).toBe(true);
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(await audit()).toMatchObject({ ...inOrder, transactions: 2_001, archived: 1_000 });
    expect(await keysOf(stub)).toBe(1_000);
    expect(rows() / 1_000).toBeGreaterThanOrEqual(6);
    expect(rows() / 1_000).toBeLessThanOrEqual(cost.operations.transfer.ours);
  });

  it("are one more with a reference, which stays when its transaction is in the archive", async () => {
    const { stub, deposit } = aLedger();
    await deposit("alice", 10);
    const rows = await countRows(stub);
    await stub.transfer("alice", "bob", 1, { reference: "order-1" });
    expect(rows()).toBe(4);
  });

  it("are fewer if many pay at once between the same accounts", async () => {
    const { stub, deposit } = aLedger();
    await deposit("alice", 1_000);
    const rows = await countRows(stub);
    const fewest = await fewestRows(rows, () =>
      Promise.all(Array.from({ length: 32 }, () => stub.transfer("alice", "bob", 1))),
    );
    expect(fewest / 32).toBeLessThan(1.5);
    expect(await stub.balance("bob")).toBe(320);
  });
});

describe("the lists", () => {
  /** Every item of a list, read page by page. */
  async function pages(path: string, limit: number): Promise<string[]> {
    const ids: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const answer: Answer = await call(`${path}${path.includes("?") ? "&" : "?"}limit=${limit}${cursor}`);
      const page = v.parse(TransactionsPage, answer.body);
      expect(page.transactions.length).toBeLessThanOrEqual(limit);
      ids.push(...page.transactions.map(({ id }) => id));
      cursor = page.cursor && `&cursor=${page.cursor}`;
    }
    return ids;
  }

  it("give every transaction once, newest first, whatever the size of a page", async () => {
    const { id, transfer, deposit } = aLedger();
    await deposit("alice", 10);
    for (let turn = 0; turn < 3; turn++) {
      await transfer("alice", "bob", 1);
      await transfer("bob", "carol", 1);
    }
    for (const limit of [1, 2, 3, 7, 200]) {
      expect(await pages(`/account/${id}/transactions`, limit)).toEqual(["7", "6", "5", "4", "3", "2", "1"]);
      expect(await pages(`/account/${id}/transactions?account=alice`, limit)).toEqual(["6", "4", "2", "1"]);
      expect(await pages(`/account/${id}/transactions?account=carol`, limit)).toEqual(["7", "5", "3"]);
      expect(await pages(`/account/${id}/transactions?account=nobody`, limit)).toEqual([]);
    }
  });

  it("show running balances, in order even if the clock goes back", async () => {
    stopClock();
    const { deposit, transfer, get } = aLedger();
    await deposit("alice", 10);
    vi.setSystemTime(Date.now() - 60_000);
    await transfer("alice", "bob", 4);
    const { transactions } = v.parse(TransactionsPage, await get("transactions?account=alice"));
    expect(transactions.map(({ balances }) => balances)).toEqual([{ alice: 6, bob: 4 }, { alice: 10 }]);
  });

  it("give all balances by name, page by page", async () => {
    const { deposit, get } = aLedger();
    for (const name of ["carol", "alice", "Bob", "ünal"]) await deposit(name, 1);
    expect(await get("balances?limit=3")).toEqual({
      balances: ["Bob", "alice", "carol"].map((account) => ({ account, balance: 1 })),
      cursor: "carol",
    });
    expect(await get("balances?limit=3&cursor=carol")).toEqual({
      balances: [{ account: "ünal", balance: 1 }],
      cursor: null,
    });
  });

  it.each([
    "transactions?limit=0",
    "transactions?limit=201",
    "transactions?limit=x",
    "transactions?account=@outside",
    "balances/@outside",
  ])("refuse %s", async (what) => {
    const { id } = aLedger();
    expect((await call(`/account/${id}/${what}`)).status).toBe(400);
  });

  it("refuse a cursor that is not of the list, and say what a cursor is", async () => {
    const { id, deposit } = aLedger();
    const of = ["transactions", "balances", "transactions?account=alice", "export"];
    const refusals = async (cursors: readonly string[], lists = of) => {
      for (const list of lists) {
        for (const cursor of cursors) {
          const path = `/account/${id}/${list}${list.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(cursor)}`;
          expect(await ask(path, { headers: ADMIN }), path).toMatchObject(
            refused(400, { detail: expect.stringMatching(/^cursor: must be .*the (page|part) before/) }),
          );
        }
      }
    };
    const junk = ["x", "-1", "0", "1", "1.5", "\0", "@outside", "99999999999999999", `9:${"a".repeat(64)}:9`];
    await refusals(junk);
    await deposit("alice", 1);
    await deposit("bob", 1);
    await refusals(junk.filter((cursor) => cursor !== "1"));
    await refusals(["1"], ["balances", "export"]);
    await refusals([""], ["transactions", "balances"]);
    await refusals(["2", "3"], ["transactions?account=alice"]);
    await refusals(["3"], ["transactions"]);
  });
});

describe("the audit", () => {
  it.each([
    ["UPDATE accounts SET balance = balance + 1 WHERE name = 'bob'", /account bob: has 4/],
    ["UPDATE transactions SET amount = 2 WHERE seq = 2", /transaction 2: alice has 7/],
    ["UPDATE transactions SET payee_balance = 4 WHERE seq = 2", /transaction 2: bob has 4/],
    ["DELETE FROM transactions WHERE seq = 2", /transaction 2 is missing/],
    ["DELETE FROM transactions WHERE seq = 4", /account bob: ends at transaction 4, not 3/],
    ["DELETE FROM accounts WHERE name = 'bob'", /account bob: is missing, but has entries/],
    ["UPDATE transactions SET payer_previous = 0 WHERE seq = 3", /transaction 3: bob follows 0, not 2/],
  ])("finds tampering: %s", async (tamper, fault) => {
    const { stub, deposit, transfer, audit } = aLedger();
    await deposit("alice", 10);
    await transfer("alice", "bob", 3);
    await transfer("bob", "alice", 1);
    await transfer("alice", "bob", 1);
    expect(await audit()).toMatchObject(inOrder);
    await runInDurableObject(stub, (_, { storage }) => storage.sql.exec(tamper));
    const { ok, faults } = v.parse(v.object({ ok: v.boolean(), faults: v.array(v.string()) }), await audit());
    expect(ok).toBe(false);
    expect(faults.join("\n")).toMatch(fault);
  });

  it("holds after any sequence of payments, evictions and repetitions, and a model agrees", async () => {
    const names = fc.constantFrom("alice", "bob", "carol");
    const amounts = fc.integer({ min: 1, max: 20 });
    const payments = fc.oneof(
      fc.record({ kind: fc.constant("transfer" as const), from: names, to: names, amount: amounts }),
      fc.record({ kind: fc.constant("deposit" as const), account: names, amount: amounts }),
      fc.record({ kind: fc.constant("withdraw" as const), account: names, amount: amounts }),
      fc.record({ kind: fc.constant("evict" as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(payments, { maxLength: 25 }), async (sequence) => {
        const stub = env.ACCOUNT.getByName(unique());
        const model = new Map<string, number>();
        const add = (name: string, by: number) => model.set(name, (model.get(name) ?? 0) + by);
        for (const [index, step] of sequence.entries()) {
          if (step.kind === "evict") {
            await stub.audit(); // only a running object can be evicted
            await evictDurableObject(stub);
          } else if (step.kind === "deposit") {
            for (let times = 0; times < 2; times++)
              await stub.deposit(step.account, step.amount, { key: `key${index}` });
            add(step.account, step.amount);
          } else {
            const from = step.kind === "transfer" ? step.from : step.account;
            const to = step.kind === "transfer" ? step.to : OUTSIDE;
            if (from === to) continue;
            const may = (model.get(from) ?? 0) >= step.amount;
            const paid = await (step.kind === "transfer"
              ? stub.transfer(from, to, step.amount)
              : stub.withdraw(from, step.amount));
            expect(isMade(paid)).toBe(may);
            if (may) add(from, -step.amount);
            if (may && to !== OUTSIDE) add(to, step.amount);
          }
        }
        for (const [name, balance] of model) expect(await stub.balance(name)).toBe(balance);
        expect(await stub.audit()).toMatchObject(inOrder);
      }),
      { numRuns: 30 },
    );
  });

  it("names at most twenty faults", () => {
    const orphans = Array.from({ length: 50 }, (_, index) => ({
      ...NEW_ACCOUNT,
      name: `a${index}`,
      balance: 1,
      last: 9,
    }));
    expect(new Auditor().end(orphans).faults).toHaveLength(20);
  });
});
