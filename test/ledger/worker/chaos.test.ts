/**
 * Three ledgers that pay each other under random faults, beside a model in bigint: every payment happens once or not at
 * all, money is conserved, and nothing is on its way at the end.
 */
import { abortAllDurableObjects, evictAllDurableObjects, runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { AccountDO } from "../../../worker/ledger/ledger.ts";
import { heard } from "../../../worker/ledger/told.ts";
import { Dice, expectFaults, insist, maybeFault, operations, seed, Tally, useOwnClock } from "../../worker/chaos.ts";
import { pass } from "../../worker/clock.ts";
import { unique } from "../../worker/helpers.ts";

useOwnClock();
afterEach(() => vi.restoreAllMocks());

const NAMES = ["ann", "ben", "cat"] as const;
const FUNDS = 1_000_000;
/** Calls that are made at the same time. */
const AT_ONCE = 8;
/** The longest hold, and after how many turns of two minutes it has expired. */
const MAX_HOLD_SECONDS = 600;
const LAST_HOLD_TURN = 6;
/** The share of calls between ledgers that fail before or after they were taken. */
const LOST = 0.1;

/** A ledger by its id. A new stub for each call: one that saw a crash stays broken. */
const ledgerAt = (id: string) => env.ACCOUNT.getByName(`dev-eu:account:${id}`);

/** Makes calls between ledgers fail at random: not made at all, or made and their answer lost. */
function loseCalls(dice: Dice, tally: Tally): void {
  const { receive } = AccountDO.prototype;
  vi.spyOn(AccountDO.prototype, "receive").mockImplementation(async function (this: AccountDO, parcel) {
    if (dice.chance(LOST)) {
      tally.add("× call lost");
      throw new Error("the call is lost");
    }
    const taken = await receive.call(this, parcel);
    if (dice.chance(LOST)) {
      tally.add("× answer lost");
      throw new Error("the answer is lost");
    }
    return taken;
  });
}

/** Runs the alarms until nothing is on its way or held. Every call succeeds from now on. */
async function settleAll(ids: readonly string[], tally: Tally): Promise<void> {
  vi.restoreAllMocks();
  for (const level of ["log", "warn", "error"] as const) vi.spyOn(console, level).mockImplementation(() => {});
  for (let turn = 0; ; turn++) {
    pass(120_000);
    for (const id of ids) await insist(tally, () => runDurableObjectAlarm(ledgerAt(id)));
    const audits = await Promise.all(ids.map((id) => insist(tally, async () => ledgerAt(id).audit())));
    if (turn >= LAST_HOLD_TURN && audits.every(({ pending }) => pending === 0)) return;
    if (turn === 100) throw new Error("transfers are on their way for ever");
  }
}

it("three ledgers conserve money and pay exactly once, whatever fails", async () => {
  const dice = new Dice(seed + 3);
  const tally = new Tally();
  const ids = [unique(), unique(), unique()] as const;
  const model = new Map<string, bigint>();
  const move = (id: string, name: string, by: number) =>
    model.set(`${id}/${name}`, (model.get(`${id}/${name}`) ?? 0n) + BigInt(by));
  for (const id of ids) {
    for (const name of NAMES) {
      await ledgerAt(id).deposit(name, FUNDS);
      move(id, name, FUNDS);
    }
  }
  loseCalls(dice, tally);
  /** What to look up at the end: the money of a pending payment is with its payee, or back. */
  const open: { id: string; seq: number; from: string; to: readonly [id: string, name: string]; amount: number }[] = [];
  const held: { id: string; seq: number }[] = [];
  let done = 0;

  const one = async (): Promise<void> => {
    const key = `op-${done++}`;
    const [id, other] = [dice.pick(ids), dice.pick(ids)];
    const [from, to] = [dice.pick(NAMES), dice.pick(NAMES)];
    const amount = dice.chance(0.05) ? FUNDS * 2 : dice.whole(1, 5_000);
    const kind = dice.pick(["send", "send", "send", "transfer", "hold", "settle", "freeze"]);
    if (kind === "freeze") {
      const frozen = dice.chance(0.2);
      await insist(tally, async () => ledgerAt(id).setAccount(from, { frozen }));
      tally.add("freezes");
    } else if (kind === "settle") {
      const hold = held.at(dice.whole(0, Math.max(held.length - 1, 0)));
      if (!hold) return;
      const way = dice.chance(0.5) ? "post" : "void";
      await insist(tally, async () => ledgerAt(hold.id).settle(hold.seq, way, { key }));
      tally.add("posts and voids");
    } else if (kind === "send" && id !== other) {
      const far = { ledger: `eu~${other}`, account: to };
      const once = heard(await insist(tally, async () => ledgerAt(id).send(from, far, amount, { key })));
      if (!("outcome" in once)) throw new Error("a key was used twice");
      if (once.outcome.ok) open.push({ id, seq: once.outcome.transaction.seq, from, to: [other, to], amount });
      tally.add(once.outcome.ok ? "sends" : "refusals");
    } else if (from !== to) {
      const holdSeconds = kind === "hold" ? dice.whole(1, MAX_HOLD_SECONDS) : undefined;
      const once = heard(
        await insist(tally, async () => ledgerAt(id).transfer(from, to, amount, { key, holdSeconds })),
      );
      if (!("outcome" in once)) throw new Error("a key was used twice");
      tally.add(once.outcome.ok ? (holdSeconds === undefined ? "transfers" : "holds") : "refusals");
      if (!once.outcome.ok) return;
      const { seq } = once.outcome.transaction;
      if (holdSeconds === undefined) {
        move(id, from, -amount);
        move(id, to, amount);
      } else {
        held.push({ id, seq });
        open.push({ id, seq, from, to: [id, to], amount });
      }
    }
  };

  while (done < operations) {
    pass(dice.whole(0, 400));
    const id = dice.pick(ids);
    const faults = Array.from({ length: AT_ONCE }, () => maybeFault(dice, tally, () => ledgerAt(id)));
    await Promise.all([...Array.from({ length: AT_ONCE }, one), ...faults]);
  }
  await settleAll(ids, tally);

  const states = new Map<string, number>();
  for (const { id, seq, from, to, amount } of open) {
    const found = await ledgerAt(id).find(seq);
    const state = found?.state ?? "missing";
    states.set(state, (states.get(state) ?? 0) + 1);
    if (state !== "completed" && state !== "posted") continue;
    move(id, from, -amount);
    move(to[0], to[1], amount);
  }
  const violations: string[] = [];
  for (const [account, expected] of model) {
    const [id = "", name = ""] = account.split("/");
    const balance = BigInt(await ledgerAt(id).balance(name));
    if (balance !== expected)
      violations.push(`${name} of ledger ${ids.findIndex((one) => one.startsWith(id))}: ${balance}, not ${expected}`);
  }
  for (const id of ids) {
    const { ok, faults, pending } = await ledgerAt(id).audit();
    if (!ok || pending > 0) violations.push(`${faults.join("; ")}, ${pending} pending`);
  }
  if ([...model.values()].reduce((sum, one) => sum + one) !== BigInt(FUNDS * ids.length * NAMES.length)) {
    violations.push("money is not conserved");
  }
  for (const [state, count] of states) tally.add(`ended ${state}`, count);
  tally.report("ledgers", done, violations.length);
  expect(violations).toEqual([]);
  expect([...states.keys()].filter((state) => state === "pending" || state === "missing")).toEqual([]);
  expectFaults(tally, done);
});

describe("a transfer between two ledgers, cut off", () => {
  const CRASHES = { crash: abortAllDurableObjects, eviction: () => evictAllDurableObjects({ webSockets: "close" }) };
  /** Milliseconds after a moment, so that each of the steps that follow it is met. */
  const TURNS = [1, 2, 3, 4, 6, 9];
  const MOMENTS = ["after the send", "before it is taken", "after it is taken"] as const;
  const cells = MOMENTS.flatMap((moment) =>
    TURNS.flatMap((turns) => Object.keys(CRASHES).map((kind) => [moment, turns, kind] as const)),
  );

  it.each(cells)(
    "%s, %i ms later, by %s: happens once, also both ways and along a chain",
    async (moment, turns, kind) => {
      const tally = new Tally();
      const [a, b, c] = [unique(), unique(), unique()];
      const crash = kind === "crash" ? CRASHES.crash : CRASHES.eviction;
      for (const id of [a, b, c]) await ledgerAt(id).deposit("ann", 100);
      // Looked at in turn: workerd dies of a crash that follows from a promise of the object that crashes.
      let isReached = false;
      const reach = (now: (typeof MOMENTS)[number]) => {
        if (now === moment) isReached = true;
      };
      const { receive } = AccountDO.prototype;
      vi.spyOn(AccountDO.prototype, "receive").mockImplementation(async function (this: AccountDO, parcel) {
        reach("before it is taken");
        const taken = await receive.call(this, parcel);
        reach("after it is taken");
        return taken;
      });
      const send = (from: string, to: string, key: string) =>
        insist(tally, async () => ledgerAt(from).send("ann", { ledger: `eu~${to}`, account: "ann" }, 10, { key }));
      const all = [send(a, b, "1"), send(b, a, "2"), send(b, c, "3"), send(a, b, "4")];
      void Promise.race(all).then(() => reach("after the send"));
      while (!isReached) await scheduler.wait(1);
      // The objects go on meanwhile.
      for (let turn = 0; turn < turns; turn++) await scheduler.wait(1);
      await crash().catch(() => undefined);
      await Promise.all(all);
      await settleAll([a, b, c], tally);
      const balances = await Promise.all([a, b, c].map((id) => ledgerAt(id).balance("ann")));
      expect(balances).toEqual([90, 100, 110]);
      for (const id of [a, b, c]) expect(await ledgerAt(id).audit()).toMatchObject({ ok: true, pending: 0 });
    },
  );
});
