/** Money between two ledgers: it arrives once, or comes back, whatever fails in between. */
import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AccountDO } from "../../../worker/ledger/ledger.ts";
import { patterns } from "../../../worker/patterns.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { ADMIN, call } from "../../worker/helpers.ts";
import { countRows } from "../../worker/rows.ts";
import { aLedger, inOrder, refused } from "./support.ts";

const folders: readonly string[] = patterns.map(({ folder }) => folder);

beforeEach(() => {
  stopClock();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Runs a ledger's alarm, so late that it calls even ledgers that did not answer for long. */
async function lateAlarm(stub: DurableObjectStub): Promise<void> {
  pass(3_600_000);
  await runDurableObjectAlarm(stub);
}

/** Two ledgers. In the first, alice has 100. */
async function two() {
  const [here, there] = [aLedger(), aLedger()];
  await here.deposit("alice", 100);
  const send = (amount: number, account = "bob", more: object = {}, headers: Record<string, string> = {}) =>
    here.post("transfer", { from: "alice", to: `${there.id}/${account}`, amount, ...more }, headers);
  const back = (amount: number) => there.post("transfer", { from: "bob", to: `${here.id}/alice`, amount });
  const state = async (id: string | number) => here.get(`transfers/${id}`);
  const arrived = (id: string | number) => expect.poll(() => state(id)).not.toMatchObject({ state: "pending" });
  const balances = async () => [await here.balance("alice"), await there.balance("bob")];
  const inBalance = async () => {
    for (const one of [here, there]) expect(await one.audit()).toMatchObject(inOrder);
  };
  return { here, there, send, back, state, arrived, balances, inBalance };
}

describe("a transfer to another ledger", () => {
  it("leaves the payer at once and arrives soon after; both ledgers say so", async () => {
    const { here, there, send, arrived, state, balances, inBalance } = await two();
    expect(await send(30, "bob", { memo: "rent" })).toMatchObject({
      status: 200,
      body: { success: true, id: "2", kind: "send", from: "alice", to: `eu~${there.id}/bob`, state: "pending" },
    });
    await arrived(2);
    expect(await state(2)).toMatchObject({ state: "completed", settledBy: "1", settledAt: expect.any(Number) });
    expect(await balances()).toEqual([70, 30]);
    expect(await there.get("transactions")).toMatchObject({
      transactions: [{ kind: "receive", from: `eu~${here.id}/alice`, to: "bob", amount: 30, of: "2", memo: "rent" }],
    });
    await inBalance();
  });

  it("reaches another region", async () => {
    const { here } = await two();
    const far = aLedger();
    const to = `us~${far.id}/bob`;
    await here.post("transfer", { from: "alice", to, amount: 5 });
    const balance = async () => (await call(`/account/us~${far.id}/balances/bob`)).body;
    await expect.poll(balance).toMatchObject({ balance: 5 });
    expect(await here.post("transfer", { from: "alice", to: `mars~${far.id}/bob`, amount: 5 })).toMatchObject(
      refused(400, { error: expect.stringContaining('no region "mars"') }),
    );
  });

  it("to the ledger itself is an ordinary transfer", async () => {
    const { here } = await two();
    const json = { from: "alice", to: `${here.id}/bob`, amount: 5 };
    expect((await here.post("transfer", json)).body).toMatchObject({ from: "alice", to: "bob", balances: { bob: 5 } });
    expect(await here.post("transfer", { ...json, to: `eu~${here.id}/alice` })).toMatchObject(refused(400));
  });

  it.each(["/bob", "x/", "x/@outside", "a:b/bob", "mars~x/bob"])("to %j is refused", async (to) => {
    const { here } = await two();
    expect(await here.post("transfer", { from: "alice", to, amount: 5 })).toMatchObject(refused(400));
    expect(await here.balance("alice")).toBe(100);
  });

  it("cannot be held, and needs the money", async () => {
    const { send } = await two();
    expect(await send(5, "bob", { holdSeconds: 5 })).toMatchObject(
      refused(400, { error: expect.stringContaining("held") }),
    );
    expect(await send(101)).toMatchObject(refused(400, { error: "Insufficient balance: 100 < 101" }));
  });

  it("happens once for its key", async () => {
    const { send, arrived, balances } = await two();
    const first = await send(30, "bob", {}, { "Idempotency-Key": "k" });
    await arrived(2);
    expect((await send(30, "bob", {}, { "Idempotency-Key": "k" })).body).toEqual(first.body);
    expect((await send(31, "bob", {}, { "Idempotency-Key": "k" })).status).toBe(409);
    expect(await balances()).toEqual([70, 30]);
  });

  it("comes back if the other ledger refuses it, and says why", async () => {
    const { here, there, send, arrived, state, balances, inBalance } = await two();
    await call(`/account/${there.id}/accounts/bob`, { method: "PUT", json: { frozen: true }, headers: ADMIN });
    await send(30);
    await arrived(2);
    expect(await state(2)).toMatchObject({ state: "refused", settledBy: "3" });
    expect(await here.get("transactions?limit=1")).toMatchObject({
      transactions: [
        { kind: "refund", of: "2", from: `eu~${there.id}/bob`, to: "alice", memo: "The account bob is frozen" },
      ],
    });
    expect(await balances()).toEqual([100, 0]);
    await inBalance();
  });

  it("comes back if the ledgers have different currencies", async () => {
    const { there, send, arrived, state } = await two();
    await call(`/account/${there.id}`, { method: "PUT", json: { currency: "EUR", minorUnits: 2 }, headers: ADMIN });
    await send(30);
    await arrived(2);
    expect(await state(2)).toMatchObject({ state: "refused" });
  });

  it("that is refused takes nothing from the other ledger: it can still be given its currency", async () => {
    const { here, there, send, arrived, state } = await two();
    await call(`/account/${there.id}/accounts/bob`, { method: "PUT", json: { frozen: true }, headers: ADMIN });
    await send(30);
    await arrived(2);
    expect(await state(2)).toMatchObject({ state: "refused" });
    const euro = { method: "PUT", json: { currency: "EUR", minorUnits: 2 }, headers: ADMIN };
    expect((await call(`/account/${there.id}`, euro)).status).toBe(200);
    // The payer's ledger has sent money, and has had it back: what its transactions say was without a currency.
    expect(await call(`/account/${here.id}`, euro)).toMatchObject(refused(409));
  });

  it("that arrived had no currency, and so the other ledger stays without one", async () => {
    const { there, send, arrived } = await two();
    await send(30);
    await arrived(2);
    const euro = { method: "PUT", json: { currency: "EUR", minorUnits: 2 }, headers: ADMIN };
    expect(await call(`/account/${there.id}`, euro)).toMatchObject(refused(409));
  });

  it("of many at once needs few calls, and all arrive in order", async () => {
    const { here, there, send, arrived, balances, inBalance } = await two();
    const receive = vi.spyOn(AccountDO.prototype, "receive");
    await here.deposit("alice", 900);
    await Promise.all(Array.from({ length: 100 }, () => send(10)));
    await arrived(102);
    expect(receive.mock.calls.length).toBeLessThan(50);
    expect(await balances()).toEqual([0, 1_000]);
    expect(await there.get("transactions?limit=1")).toMatchObject({ transactions: [{ of: "102" }] });
    await inBalance();
  });

  it("writes at most nine rows in both ledgers together", async () => {
    const { here, there, send, arrived } = await two();
    await send(1, "bob", {}, { "Idempotency-Key": "first" });
    await arrived(2);
    const rows = [await countRows(here.stub), await countRows(there.stub)];
    await send(1, "bob", {}, { "Idempotency-Key": "second" });
    await arrived(3);
    expect(rows.reduce((sum, count) => sum + count(), 0)).toBeLessThanOrEqual(9);
  });
});

describe.runIf(folders.includes("rate-limit"))("the first transfer to a ledger", () => {
  const settings = {
    rateLimits: { default: { capacity: 1_000, periodSeconds: 60 }, create: { capacity: 2, periodSeconds: 60 } },
  };

  it("costs more, because it makes one: a caller who makes too many must wait, and can still pay the others", async () => {
    const here = aLedger();
    await call(`/account/${here.id}`, { method: "PUT", json: { currency: "EUR", minorUnits: 2 }, headers: ADMIN });
    await here.deposit("alice", 100);
    const others = [aLedger(), aLedger(), aLedger()];
    const send = ({ id }: { id: string }, amount: number, headers = {}) => {
      const json = { from: "alice", to: `${id}/bob`, amount };
      const from = { "CF-Connecting-IP": "203.0.113.88", ...headers };
      return call(`/account/${here.id}/transfer`, { json, headers: from, settings });
    };
    const [first, , last] = others;
    if (!first || !last) throw new Error("There are three ledgers");
    const once = { "Idempotency-Key": "k" };
    // What is refused here makes nothing.
    for (let times = 0; times < 3; times++) expect(await send(last, 101)).toMatchObject(refused(400));
    for (let times = 0; times < 2; times++) expect((await send(first, 1, once)).status).toBe(200);
    const statuses = [];
    for (const other of [...others, ...others]) statuses.push((await send(other, 1)).status);
    expect(statuses).toEqual([200, 200, 429, 200, 200, 429]);
    // Without a currency, they all refuse.
    await expect.poll(() => here.balance("alice")).toBe(100);
    const tables = await runInDurableObject(last.stub, (_, { storage }) =>
      storage.sql.exec("SELECT name FROM sqlite_master").toArray(),
    );
    expect(tables).toEqual([]);
    expect((await send(last, 1, ADMIN)).status).toBe(200);
  });
});

describe("when something fails", () => {
  it("a lost answer does not pay twice", async () => {
    const { send, here, state, balances, inBalance } = await two();
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const { receive } = AccountDO.prototype;
    vi.spyOn(AccountDO.prototype, "receive").mockImplementationOnce(async function (this: AccountDO, parcel) {
      await receive.call(this, parcel);
      throw new Error("the answer is lost");
    });
    await send(30);
    await expect.poll(() => balances()).toEqual([70, 30]);
    expect(await state(2)).toMatchObject({ state: "pending" });
    await lateAlarm(here.stub);
    expect(await state(2)).toMatchObject({ state: "completed" });
    expect(await balances()).toEqual([70, 30]);
    await inBalance();
  });

  it("a lost refusal gives the money back once", async () => {
    const { there, send, here, state, balances, inBalance } = await two();
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    await call(`/account/${there.id}/accounts/bob`, { method: "PUT", json: { frozen: true }, headers: ADMIN });
    const { receive } = AccountDO.prototype;
    vi.spyOn(AccountDO.prototype, "receive").mockImplementationOnce(async function (this: AccountDO, parcel) {
      await receive.call(this, parcel);
      throw new Error("the answer is lost");
    });
    await send(30);
    // By now it would be taken, but it was refused.
    await call(`/account/${there.id}/accounts/bob`, { method: "PUT", json: { frozen: false }, headers: ADMIN });
    await evictDurableObject(there.stub);
    await lateAlarm(here.stub);
    expect(await state(2)).toMatchObject({ state: "refused" });
    expect(await balances()).toEqual([100, 0]);
    await send(5);
    await expect.poll(() => balances()).toEqual([95, 5]);
    // Nothing of it is kept once the answer has arrived.
    const kept = await runInDurableObject(there.stub, (_, { storage }) =>
      storage.sql.exec("SELECT * FROM refused").toArray(),
    );
    expect(kept).toEqual([]);
    await inBalance();
  });

  it("a crash of both in any moment loses nothing and doubles nothing", async () => {
    const { here, there, send, back, balances, inBalance } = await two();
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    for (let turn = 0; turn < 20; turn++) {
      const going = Promise.allSettled([send(2), send(1), ...(turn > 3 ? [back(1)] : [])]);
      await scheduler.wait(turn / 4);
      await abortAllDurableObjects();
      await going;
    }
    const pending = async () => {
      for (const { stub } of [here, there]) await lateAlarm(stub);
      const open = await Promise.all(
        [here, there].map(({ stub }) =>
          runInDurableObject(stub, (_, { storage }) =>
            storage.sql.exec("SELECT seq FROM transactions WHERE kind = 'send' AND settled_at IS NULL").toArray(),
          ),
        ),
      );
      return open.flat();
    };
    await expect.poll(() => pending()).toEqual([]);
    expect((await balances()).reduce((sum, one) => sum + one)).toBe(100);
    await inBalance();
  });

  it("a ledger that never answers does not stop the ledger that waits for it", async () => {
    const { here, send, state } = await two();
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const { setTimeout: wait } = globalThis;
    // The patience of twenty seconds, in no time.
    vi.spyOn(globalThis, "setTimeout").mockImplementation((act, ms) => wait(act, Math.min(ms ?? 0, 5)));
    vi.spyOn(AccountDO.prototype, "receive").mockImplementation(() => new Promise(() => undefined));
    await send(30);
    await expect.poll(() => logged.mock.calls.join("\n")).toContain("no answer within 20000 ms");
    expect(await state(2)).toMatchObject({ state: "pending" });
    expect((await here.transfer("alice", "carol", 1)).status).toBe(200);
    vi.restoreAllMocks();
    await lateAlarm(here.stub);
    expect(await state(2)).toMatchObject({ state: "completed" });
  });

  it("a ledger that does not answer is tried again by the alarm, ever more seldom", async () => {
    const { here, send, state } = await two();
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
    vi.spyOn(Math, "random").mockReturnValue(1);
    const receive = vi.spyOn(AccountDO.prototype, "receive").mockRejectedValue(new Error("down"));
    await send(30);
    await expect.poll(() => logged.mock.calls.join("\n")).toContain("after 1 tries");
    const alarm = () => runInDurableObject(here.stub, async (_, { storage }) => (await storage.getAlarm()) ?? 0);
    const waits: number[] = [];
    for (let turn = 0; turn < 4; turn++) {
      const due = await alarm();
      waits.push(due - Date.now());
      vi.setSystemTime(due);
      await runDurableObjectAlarm(here.stub);
    }
    expect(waits.slice(1)).toEqual([20_000, 40_000, 80_000]);
    receive.mockRestore();
    await lateAlarm(here.stub);
    expect(await state(2)).toMatchObject({ state: "completed" });
  });
});

describe("a ledger that was deleted", () => {
  it("goes on with its numbers, so that nothing is taken from it or by it twice", async () => {
    const { here, there, send, back, arrived, balances, inBalance } = await two();
    await send(30);
    await arrived(2);
    await back(30);
    await expect.poll(() => balances()).toEqual([100, 0]);
    const remove = (id: string) => call(`/account/${id}`, { method: "DELETE", headers: ADMIN });
    expect(await remove(here.id)).toMatchObject(refused(409));
    await here.post("withdraw", { account: "alice", amount: 100 }, ADMIN);
    for (const { id } of [here, there]) expect((await remove(id)).status).toBe(200);
    expect(await here.get("transactions")).toEqual({ transactions: [], cursor: null });
    await inBalance();
    await here.deposit("alice", 10);
    await send(4);
    await expect.poll(() => balances()).toEqual([6, 4]);
    await inBalance();
  });

  it("can be given its currency again, and exchanges money in it", async () => {
    const { here, there, send, back, arrived, balances } = await two();
    const euro = { json: { currency: "EUR", minorUnits: 2 }, headers: ADMIN };
    await send(30);
    await arrived(2);
    await back(30);
    await expect.poll(() => balances()).toEqual([100, 0]);
    await here.post("withdraw", { account: "alice", amount: 100 }, ADMIN);
    for (const { id } of [here, there]) {
      expect((await call(`/account/${id}`, { method: "DELETE", headers: ADMIN })).status).toBe(200);
      expect((await call(`/account/${id}`, { method: "PUT", ...euro })).status).toBe(200);
    }
    await here.deposit("alice", 10);
    await send(4);
    await expect.poll(() => balances()).toEqual([6, 4]);
  });
});
