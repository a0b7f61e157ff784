/** What an auditor tried against the ledger, and must not happen again. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AccountDO } from "../../../worker/ledger/ledger.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { ADMIN, call, fetchApp, unique } from "../../worker/helpers.ts";
import { aLedger, inOrder, refused } from "./support.ts";

beforeEach(() => {
  stopClock();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const MAX = Number.MAX_SAFE_INTEGER;
const put = (id: string, what: string, json: unknown) =>
  call(`/account/${id}${what}`, { method: "PUT", json, headers: ADMIN });
const freeze = (id: string, name: string, frozen = true) => put(id, `/accounts/${name}`, { frozen });
const remove = (id: string) => call(`/account/${id}`, { method: "DELETE", headers: ADMIN });

/** Holds the ledger's first transfer to another before it is known to be durable: `reached` resolves when it is held. */
async function held(stub: DurableObjectStub) {
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  await runInDurableObject(stub, (_, { storage }) => {
    const sync = storage.sync.bind(storage);
    const isSending = () => storage.sql.exec("SELECT 1 FROM transactions WHERE kind = 'send'").toArray().length > 0;
    vi.spyOn(storage, "sync").mockImplementation(async () => {
      await sync();
      if (!isSending()) return;
      reach();
      await released;
    });
  });
  return { reached, release };
}

/** Two ledgers. In the first, alice has 100. */
async function two() {
  const [here, there] = [aLedger(), aLedger()];
  await here.deposit("alice", 100);
  const send = (amount: number, from = "alice") => here.post("transfer", { from, to: `${there.id}/bob`, amount });
  const settled = (id: number) =>
    expect.poll(() => here.get(`transfers/${id}`)).not.toMatchObject({ state: "pending" });
  return { here, there, send, settled };
}

describe("money", () => {
  it("that another ledger refuses comes back once, even if somebody looks while it is being written", async () => {
    const { here, there, send, settled } = await two();
    await freeze(there.id, "bob");
    const { reached, release } = await held(here.stub);
    const sending = send(100);
    await reached;
    const audits = await Promise.all(Array.from({ length: 5 }, () => here.audit()));
    expect(audits[0]).toMatchObject({ ok: true, pending: 1 });
    release();
    await sending;
    await settled(2);
    expect(await here.balance("alice")).toBe(100);
    expect(await here.get("transactions")).toMatchObject({ transactions: [{ kind: "refund" }, { kind: "send" }, {}] });
  });

  it("on its way keeps a ledger from being deleted, even while it is being written", async () => {
    const { here, there, send } = await two();
    await send(100);
    await expect.poll(() => there.balance("bob")).toBe(100);
    const { reached, release } = await held(there.stub);
    const back = there.post("transfer", { from: "bob", to: `${here.id}/alice`, amount: 100 });
    await reached;
    const deleted = await remove(there.id);
    release();
    expect((await back).status).toBe(200);
    expect(deleted).toMatchObject(refused(409, { error: expect.stringContaining("transfers on their way") }));
    await expect.poll(() => here.balance("alice")).toBe(100);
  });

  it("that came without a currency never gets one", async () => {
    const { there, send, settled } = await two();
    await send(100);
    await settled(2);
    expect(await put(there.id, "", { currency: "EUR", minorUnits: 2 })).toMatchObject(refused(409));
  });

  it("is not paid to another ledger that only looks like an account's name", async () => {
    const { id, stub, post, deposit, transfer, balance } = aLedger();
    expect(await post("deposit", { account: "org/alice", amount: 5 }, ADMIN)).toMatchObject(
      refused(400, { error: expect.stringContaining("no / in it") }),
    );
    await deposit("bob", 10);
    // An older release let an account have such a name.
    await stub.deposit("org/alice", 5);
    expect(await transfer("bob", "org/alice", 1)).toMatchObject(
      refused(400, { error: expect.stringContaining("org/alice of its own") }),
    );
    expect(await transfer("bob", `${id}/org/alice`, 1)).toMatchObject(refused(400, { errors: [{ field: "to" }] }));
    expect((await transfer("org/alice", "bob", 5)).status).toBe(200);
    expect(await balance("bob")).toBe(15);
  });

  it.each([
    ["xx/bob ", "the account must begin"],
    ["/bob", "the ledger is missing"],
    ["x".repeat(129), "at most 128 characters"],
  ])("to %j is refused with what is wrong", async (to, fault) => {
    const { transfer } = aLedger();
    expect(await transfer("alice", to, 1)).toMatchObject(refused(400, { error: expect.stringContaining(fault) }));
  });
});

describe("an account that is full", () => {
  it("cannot take back what it has put aside, which stops nobody else", async () => {
    const { stub, post, deposit, balance, get } = aLedger();
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    await post("deposit", { account: "alice", amount: MAX, outside: "a" }, ADMIN);
    await post("transfer", { from: "alice", to: "bob", amount: 100, holdSeconds: 60 });
    await post("deposit", { account: "alice", amount: 100, outside: "b" }, ADMIN);
    await deposit("carl", 10);
    await post("transfer", { from: "carl", to: "bob", amount: 7, holdSeconds: 60 });
    expect(await post("transfers/2/void", {}, ADMIN)).toMatchObject(refused(400, { type: "urn:problem:ledger-full" }));
    pass(61_000);
    await runDurableObjectAlarm(stub);
    expect([await get("transfers/2"), await get("transfers/5")]).toMatchObject([
      { state: "pending" },
      { state: "expired" },
    ]);
    expect(await balance("carl")).toBe(10);
    await post("withdraw", { account: "alice", amount: 100, outside: "b" }, ADMIN);
    pass(3_700_000);
    await runDurableObjectAlarm(stub);
    expect(await get("transfers/2")).toMatchObject({ state: "expired" });
    expect(await balance("alice")).toBe(MAX);
  });

  it("gets its refund once it has room, and others arrive meanwhile", async () => {
    const { here, there, settled } = await two();
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
    await freeze(there.id, "bob");
    // It is refused, and meanwhile alice is filled up.
    const { receive } = AccountDO.prototype;
    vi.spyOn(AccountDO.prototype, "receive").mockImplementationOnce(async function (this: AccountDO, parcel) {
      await here.post("deposit", { account: "alice", amount: MAX - 1, outside: "a" }, ADMIN);
      return receive.call(this, parcel);
    });
    await here.post("transfer", { from: "alice", to: `${there.id}/bob`, amount: 99 });
    await expect.poll(() => logged.mock.calls.join("\n")).toContain("cannot take them back");
    await here.deposit("carl", 5);
    await here.post("transfer", { from: "carl", to: `${there.id}/dora`, amount: 5 });
    pass(60_000);
    await runDurableObjectAlarm(here.stub);
    await settled(5);
    expect(await there.balance("dora")).toBe(5);
    expect(await here.get("transfers/2")).toMatchObject({ state: "pending" });
    await here.post("withdraw", { account: "alice", amount: 1_000, outside: "a" }, ADMIN);
    pass(3_600_000);
    await runDurableObjectAlarm(here.stub);
    expect(await here.get("transfers/2")).toMatchObject({ state: "refused" });
    expect(await here.audit()).toMatchObject({ ...inOrder, pending: 0 });
  });
});

describe("the archive", () => {
  /** A ledger with two segments in the archive. */
  async function archived(id: string = unique()) {
    const ledger = aLedger(encodeURIComponent(id));
    const stub = env.ACCOUNT.getByName(`dev-eu:account:${id}`);
    await stub.deposit("alice", 10_000);
    for (let done = 0; done < 3_000; done += 100) {
      await Promise.all(Array.from({ length: 100 }, () => stub.transfer("alice", "bob", 1)));
    }
    await runDurableObjectAlarm(stub);
    const keys = async () =>
      (await env.BLOBS.list({ prefix: `dev-eu:account:${id.replaceAll("/", "%2F")}/` })).objects.map(({ key }) => key);
    return { ...ledger, stub, keys };
  }

  it("of a ledger is not deleted with another whose name it begins with", async () => {
    const name = unique();
    const { keys } = await archived(`${name}/ledger`);
    expect(await keys()).toHaveLength(2);
    expect((await remove(name)).status).toBe(200);
    expect(await keys()).toHaveLength(2);
  });

  it("that was changed names its segment, and the rest can still be exported", async () => {
    const { id, keys } = await archived();
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const [key = ""] = await keys();
    await env.BLOBS.put(key, "nothing");
    expect(await call(`/account/${id}/transfers/7`)).toMatchObject(
      refused(500, {
        type: "urn:problem:damaged",
        detail: expect.stringContaining("Segment 1 of the ledger's archive was changed"),
      }),
    );
    let text = "";
    for (let cursor: string | null = ""; cursor !== null; ) {
      const part = await fetchApp(`/account/${id}/export?cursor=${cursor}`, { headers: ADMIN });
      text += await part.text();
      cursor = part.headers.get("Ledger-Next");
    }
    expect(text).toContain('"damaged":{"segment":1,"first":1,"last":1000');
    expect(text).toContain('{"seq":3001,');
    expect(text).toContain('"end":{"transactions":3001');
  });

  it("has in every audit the hash of the newest transaction, which stays the same when it is sealed", async () => {
    const { audit, transfer, stub } = await archived();
    const before = await audit();
    expect(before).toMatchObject({ transactions: 3_001, archived: 2_000, head: expect.stringMatching(/^(?!0{64})/) });
    await transfer("alice", "bob", 1);
    expect(Object(await audit()).head).not.toBe(Object(before).head);
    const text = await runInDurableObject(
      stub,
      async (ledger) => (await ledger.exported(`2000:${"0".repeat(64)}:0`))?.text ?? "",
    );
    expect(text).toContain(Object(before).head);
  });
});

it("a ledger that does not answer is left alone for longer each time, also by new transfers", async () => {
  const { here, send } = await two();
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const receive = vi.spyOn(AccountDO.prototype, "receive").mockRejectedValue(new Error("down"));
  await send(1);
  await expect.poll(() => receive).toHaveBeenCalledTimes(1);
  for (let second = 0; second < 120; second += 10) {
    pass(10_000);
    await send(1);
    await runDurableObjectAlarm(here.stub);
  }
  expect(receive.mock.calls.length).toBeLessThan(8);
});

it("says nothing of a payee's account to those who cannot pay", async () => {
  const { id, transfer } = aLedger();
  await freeze(id, "bob");
  expect(await transfer("alice", "bob", 1)).toMatchObject(refused(400, { error: "Insufficient balance: 0 < 1" }));
  const json = { from: "alice", to: "carl", amount: 1, reference: "order-77" };
  expect(await call(`/account/${id}/transfer`, { json })).toMatchObject(
    refused(400, { error: "Insufficient balance: 0 < 1" }),
  );
});
