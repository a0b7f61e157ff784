/** What people ask of a ledger: holds, reversals, references, frozen accounts, overdrafts, currencies. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { schema } from "../../../worker/ledger/schema.ts";
import { sqlOf } from "../../../worker/objects/steps.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { ADMIN, call, unique } from "../../worker/helpers.ts";
import { aLedger, inOrder, isMade, refused } from "./support.ts";

beforeEach(() => {
  stopClock();
});
afterEach(() => vi.useRealTimers());
const later = (seconds: number) => pass(seconds * 1_000);

/** A ledger in which alice has 100, and calls of the admin. */
async function funded() {
  const ledger = aLedger();
  await ledger.deposit("alice", 100);
  const admin = (what: string, json: unknown = {}, headers: Record<string, string> = {}) =>
    ledger.post(what, json, { ...ADMIN, ...headers });
  const put = (what: string, json: unknown) =>
    call(`/account/${ledger.id}${what}`, { method: "PUT", json, headers: ADMIN });
  const hold = (amount: number, holdSeconds = 60) =>
    ledger.post("transfer", { from: "alice", to: "bob", amount, holdSeconds });
  const balances = async () => [await ledger.balance("alice"), await ledger.balance("bob")];
  return { ...ledger, admin, put, hold, balances };
}

describe("money that is held", () => {
  it("leaves the payer at once, and reaches the payee when it is posted", async () => {
    const { hold, admin, get, balances, audit } = await funded();
    expect(await hold(30)).toMatchObject({
      status: 200,
      body: {
        success: true,
        id: "2",
        kind: "hold",
        from: "alice",
        to: "bob",
        state: "pending",
        balances: { alice: 70 },
      },
    });
    expect(await balances()).toEqual([70, 0]);
    expect(await get("transfers/2")).toMatchObject({ state: "pending", expires: Date.now() + 60_000 });
    later(5);
    expect(await admin("transfers/2/post")).toMatchObject({
      body: { id: "3", kind: "post", of: "2", from: "alice", to: "bob", balances: { bob: 30 } },
    });
    expect(await balances()).toEqual([70, 30]);
    expect(await get("transfers/2")).toMatchObject({ state: "posted", settledBy: "3", settledAt: Date.now() });
    expect(await audit()).toMatchObject({ ...inOrder, accounts: 2, transactions: 3 });
  });

  it("goes back when it is voided, and is settled only once", async () => {
    const { hold, admin, get, balances } = await funded();
    await hold(30);
    const headers = { "Idempotency-Key": "void-it" };
    const first = await admin("transfers/2/void", {}, headers);
    expect(first).toMatchObject({ status: 200, body: { kind: "void", of: "2" } });
    expect((await admin("transfers/2/void", {}, headers)).body).toEqual(first.body);
    for (const again of ["void", "post"]) {
      expect(await admin(`transfers/2/${again}`)).toMatchObject(
        refused(409, { error: "Transaction 2 was settled by transaction 3" }),
      );
    }
    expect(await get("transfers/2")).toMatchObject({ state: "voided" });
    expect(await balances()).toEqual([100, 0]);
  });

  it("goes back by itself when its time is over, also if the object slept", async () => {
    const { hold, stub, get, balances, audit } = await funded();
    await hold(30, 60);
    await hold(20, 600);
    await evictDurableObject(stub);
    later(59);
    await runDurableObjectAlarm(stub);
    expect(await balances()).toEqual([50, 0]);
    later(2);
    await runDurableObjectAlarm(stub);
    expect(await balances()).toEqual([80, 0]);
    expect([await get("transfers/2"), await get("transfers/3")]).toMatchObject([
      { state: "expired", settledBy: "4" },
      { state: "pending" },
    ]);
    expect(await runInDurableObject(stub, (_, { storage }) => storage.getAlarm())).toBe(Date.now() + 539_000);
    expect(await audit()).toMatchObject(inOrder);
  });

  it("cannot be posted after its time, even if the alarm is late", async () => {
    const { hold, admin } = await funded();
    await hold(30, 60);
    later(61);
    expect(await admin("transfers/2/post")).toMatchObject(refused(409, { error: expect.stringContaining("expired") }));
  });

  it("that is posted by many at once moves once", async () => {
    const { hold, stub, balances } = await funded();
    await hold(30);
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, index) => stub.settle(2, index % 2 ? "post" : "void")),
    );
    expect(all.filter(isMade)).toHaveLength(1);
    expect((await balances()).reduce((sum, one) => sum + one)).toBe(100);
  });

  it.each([
    ["transfers/9/post", 404, "There is no transaction 9"],
    ["transfers/1/void", 400, "Transaction 1 holds no money"],
    ["transfers/0/void", 400, "id"],
  ])("%s is refused where nothing is held", async (what, status, text) => {
    const { admin } = await funded();
    expect(await admin(what)).toMatchObject(refused(status, { error: expect.stringContaining(text) }));
  });

  it.each([0, -1, 1.5, "60", 31 * 86_400 + 1])("is not held for %j seconds", async (holdSeconds) => {
    const { post } = await funded();
    expect(await post("transfer", { from: "alice", to: "bob", amount: 1, holdSeconds })).toMatchObject(
      refused(400, { errors: [{ field: "holdSeconds" }] }),
    );
  });
});

describe("a reversal", () => {
  it("pays a payment back, once", async () => {
    const { transfer, admin, get, balances } = await funded();
    await transfer("alice", "bob", 30);
    expect(await admin("transfers/2/reverse", { memo: "wrong person" })).toMatchObject({
      body: { id: "3", kind: "reversal", of: "2", from: "bob", to: "alice", memo: "wrong person" },
    });
    expect(await admin("transfers/2/reverse")).toMatchObject(
      refused(409, { error: "Transaction 2 was reversed by transaction 3" }),
    );
    expect(await admin("transfers/3/reverse")).toMatchObject(refused(400));
    expect(await get("transfers/2")).toMatchObject({ state: "reversed", settledBy: "3" });
    expect(await balances()).toEqual([100, 0]);
  });

  it("of what was posted goes back to the payer of the hold", async () => {
    const { hold, admin, balances } = await funded();
    await hold(30);
    await admin("transfers/2/post");
    expect(await admin("transfers/2/reverse")).toMatchObject(refused(400));
    expect(await admin("transfers/3/reverse")).toMatchObject({ body: { from: "bob", to: "alice" } });
    expect(await balances()).toEqual([100, 0]);
  });

  it("is refused if the payee has spent the money", async () => {
    const { transfer, admin, balances } = await funded();
    await transfer("alice", "bob", 30);
    await transfer("bob", "carol", 30);
    expect(await admin("transfers/2/reverse")).toMatchObject(refused(400, { error: "Insufficient balance: 0 < 30" }));
    expect(await balances()).toEqual([70, 0]);
  });
});

describe("a reference", () => {
  it("finds its transaction, and no other can have it", async () => {
    const { post, get, admin } = await funded();
    const json = { from: "alice", to: "bob", amount: 5, reference: "order-7", memo: "Thanks ☕" };
    expect((await post("transfer", json)).body).toMatchObject({ reference: "order-7", memo: "Thanks ☕" });
    expect(await post("transfer", json)).toMatchObject(
      refused(409, { error: "Another transaction of this ledger has the reference order-7" }),
    );
    expect(await admin("deposit", { account: "bob", amount: 1, reference: "order-7" })).toMatchObject(refused(409));
    expect(await get("transfers?reference=order-7")).toMatchObject({ id: "2", state: "completed", memo: "Thanks ☕" });
    expect(await get("transfers?reference=order-8")).toMatchObject({ status: 404 });
  });

  it.each([
    { reference: "" },
    { reference: "a b" },
    { reference: "x".repeat(256) },
    { memo: "" },
    { memo: "a\u0000b" },
    { memo: "\ud800" },
    { memo: "x".repeat(501) },
  ])("or a memo such as %j is refused", async (notes) => {
    const { post } = await funded();
    expect(await post("transfer", { from: "alice", to: "bob", amount: 1, ...notes })).toMatchObject(refused(400));
  });

  it("of many at once is given once", async () => {
    const { stub } = await funded();
    const all = await Promise.all(
      Array.from({ length: 10 }, () => stub.transfer("alice", "bob", 1, { reference: "once" })),
    );
    expect(all.filter(isMade)).toHaveLength(1);
  });
});

describe("an account", () => {
  it("that is frozen neither pays nor is paid, until it is freed", async () => {
    const { put, transfer, deposit, get, hold, admin, balances } = await funded();
    await hold(10);
    expect((await put("/accounts/bob", { frozen: true })).body).toEqual({ account: "bob", balance: 0, frozen: true });
    const frozen = refused(409, { error: "The account bob is frozen" });
    expect(await transfer("alice", "bob", 1)).toMatchObject(frozen);
    expect(await deposit("bob", 1)).toMatchObject(frozen);
    expect(await admin("transfers/2/post")).toMatchObject(frozen);
    expect(await get("balances/bob")).toEqual({ account: "bob", balance: 0, frozen: true });
    await put("/accounts/bob", { frozen: false });
    expect((await admin("transfers/2/post")).status).toBe(200);
    await put("/accounts/alice", { frozen: true });
    expect(await transfer("alice", "bob", 1)).toMatchObject(refused(409));
    expect(await balances()).toEqual([90, 10]);
  });

  it("that is frozen gets back what it had put aside", async () => {
    const { put, hold, admin, balances } = await funded();
    await hold(10);
    await put("/accounts/alice", { frozen: true });
    expect((await admin("transfers/2/void")).status).toBe(200);
    expect(await balances()).toEqual([100, 0]);
  });

  it("goes below zero as far as its overdraft, and no further", async () => {
    const { put, transfer, get, audit, stub } = await funded();
    await put("/accounts/alice", { overdraft: 50 });
    await evictDurableObject(stub);
    expect((await transfer("alice", "bob", 150)).body).toMatchObject({ balances: { alice: -50, bob: 150 } });
    expect(await transfer("alice", "bob", 1)).toMatchObject(refused(400, { error: "Insufficient balance: 0 < 1" }));
    expect(await get("balances/alice")).toEqual({ account: "alice", balance: -50, overdraft: 50 });
    expect(await put("/accounts/alice", { overdraft: 49 })).toMatchObject(
      refused(400, { error: expect.stringContaining("owes 50") }),
    );
    expect(await audit()).toMatchObject(inOrder);
    await runInDurableObject(stub, (_, { storage }) => {
      const deeper = () => storage.sql.exec("UPDATE accounts SET balance = -51 WHERE name = 'alice'");
      expect(deeper).toThrow(/CHECK constraint/);
    });
  });

  it("outside has a name where a deposit says so", async () => {
    const { admin, get, balances, audit } = await funded();
    await admin("deposit", { account: "bob", amount: 7, outside: "bank" });
    await admin("withdraw", { account: "bob", amount: 2, outside: "bank" });
    expect(await get("transactions")).toMatchObject({
      transactions: [{ from: "bob", to: "@outside:bank" }, { from: "@outside:bank", to: "bob" }, { from: "@outside" }],
    });
    expect(await balances()).toEqual([100, 5]);
    expect(await audit()).toMatchObject({ ...inOrder, accounts: 2 });
  });
});

describe("a currency", () => {
  it("is set once, and stays", async () => {
    const { id, put, stub } = await funded();
    const shown = async () => (await call(`/account/${id}`)).body;
    expect(await shown()).toEqual({ ledger: id });
    const euro = { currency: "EUR", minorUnits: 2 };
    for (let times = 0; times < 2; times++) expect((await put("", euro)).status).toBe(200);
    await evictDurableObject(stub);
    expect(await shown()).toEqual({ ledger: id, ...euro });
    expect(await put("", { currency: "USD", minorUnits: 2 })).toMatchObject(refused(409));
    expect(await put("", { currency: "euro", minorUnits: 2 })).toMatchObject(refused(400));
  });
});

describe("time", () => {
  it("never goes back in a ledger, even if the clock does", async () => {
    const { transfer, get } = await funded();
    const before = Date.now();
    later(-60);
    await transfer("alice", "bob", 1);
    expect(await get("transactions?limit=1")).toMatchObject({ transactions: [{ timestamp: before }] });
  });
});

describe("a ledger of an older release", () => {
  /** A ledger as a release with the first `version` steps left it. */
  async function older(version: number) {
    const id = unique();
    const stub = env.ACCOUNT.getByName(`dev-eu:account:${id}`);
    await runInDurableObject(stub, (_, { storage }) => {
      for (const step of schema.slice(0, version)) storage.sql.exec(sqlOf(step));
      storage.sql.exec(`
        CREATE TABLE schema_version (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL);
        INSERT INTO schema_version VALUES (1, ${version});
        INSERT INTO accounts (name, balance, last) VALUES ('@outside', -10, 1), ('alice', 7, 2), ('bob', 3, 2);
        INSERT INTO transactions
          (seq, payer, payee, amount, payer_balance, payee_balance, payer_previous, payee_previous, at)
          VALUES (1, '@outside', 'alice', 10, -10, 10, 0, 0, 5), (2, 'alice', 'bob', 3, 7, 3, 1, 0, 6);
      `);
    });
    return { ...aLedger(id), evict: () => evictDurableObject(stub) };
  }

  it.each(schema.map((_, index) => index + 1))(
    "at version %i keeps its money and can do all that is new",
    async (version) => {
      const { evict, balance, audit, post, get } = await older(version);
      await evict();
      expect([await balance("alice"), await balance("bob")]).toEqual([7, 3]);
      expect(await audit()).toMatchObject({ ...inOrder, accounts: 2, transactions: 2 });
      const held = { from: "alice", to: "bob", amount: 2, holdSeconds: 60, reference: "new" };
      expect((await post("transfer", held)).status).toBe(200);
      expect(await get("transfers/2")).toMatchObject({ from: "alice", to: "bob", state: "completed" });
      expect(await audit()).toMatchObject({ ...inOrder, transactions: 3 });
    },
  );

  it("that cannot be brought up to date still answers reads, and refuses to move money", async () => {
    const { stub, evict, balance, audit, get, transfer } = await older(2);
    // The step wants to make a table of this name.
    await runInDurableObject(stub, (_, { storage }) => storage.sql.exec("CREATE TABLE holds (x TEXT)"));
    await evict();
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
    expect([await balance("alice"), await balance("bob")]).toEqual([7, 3]);
    expect(await get("transactions?account=alice")).toMatchObject({ transactions: [{ id: "2" }, { id: "1" }] });
    expect(await get("transfers/2")).toMatchObject({ state: "completed" });
    expect(await audit()).toMatchObject({ ...inOrder, transactions: 2 });
    expect((await transfer("alice", "bob", 1)).status).toBe(503);
    expect(logged.mock.calls.join("\n")).toContain("from version 2 to 3");
    logged.mockRestore();
    // The next release has mended it.
    await runInDurableObject(stub, (_, { storage }) => storage.sql.exec("DROP TABLE holds"));
    await evict();
    expect((await transfer("alice", "bob", 1)).status).toBe(200);
  });

  it("that cannot be brought up to date keeps its alarm, so that a hold expires once a release has mended it", async () => {
    const { stub, hold, balances } = await funded();
    await hold(30);
    // The version says that the last steps are missing; they fail, because their tables are there.
    const stepBack = (steps: number) =>
      runInDurableObject(stub, (_, { storage }) =>
        storage.sql.exec("UPDATE schema_version SET version = version - ?", steps),
      );
    await stepBack(1);
    await evictDurableObject(stub);
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
    later(61);
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(await balances()).toEqual([70, 0]);
    expect(logged.mock.calls.join("\n")).toContain("cannot be brought");
    logged.mockRestore();
    await stepBack(-1);
    await evictDurableObject(stub);
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(await balances()).toEqual([100, 0]);
  });
});
