/** What is on its way to other ledgers, as the object that sends it keeps it in memory. */
import { runInDurableObject } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import { Books } from "../../../worker/ledger/books.ts";
import { Draft } from "../../../worker/ledger/draft.ts";
import { Outbox } from "../../../worker/ledger/outbox.ts";
import { ledger } from "../../../worker/ledger/pattern.ts";
import { peerAccount, type Transaction } from "../../../worker/ledger/rules.ts";
import { Schema } from "../../../worker/objects/schema.ts";
import { aLedger } from "./support.ts";

const transfer = (seq: number, to: string): Transaction => ({
  ...{ seq, kind: "send", payer: "alice", payee: peerAccount(to), target: "bob", amount: 1, at: seq },
  ...{ payerBalance: 0, payeeBalance: 0, payerPrevious: 0, payeePrevious: 0 },
});

it("forgets a ledger that has everything, and calls it again when there is more", async () => {
  const { stub } = aLedger();
  await runInDurableObject(stub, async (_, { storage }) => {
    const books = new Books(storage.sql, new Schema(storage, ledger));
    const call = vi.fn(async () => [{ ok: true } as const]);
    const outbox = new Outbox({
      ...{ stored: () => [], currency: () => undefined, self: () => "eu~here", call, waitUntil: () => undefined },
      change: async (decide) => decide(new Draft(storage.sql, books, { empty: true, now: Date.now() })),
    });
    const deliver = async (seq: number, to: string) => {
      await outbox.flush();
      outbox.booked([transfer(seq, to)]);
      outbox.durable();
      await outbox.flush();
    };
    for (let seq = 1; seq <= 20; seq++) await deliver(seq, `eu~${seq}`);
    // A ledger that is looked at is asked for its time.
    const now = vi.spyOn(Date, "now");
    const flushed = outbox.flush();
    const looks = now.mock.calls.length;
    now.mockRestore();
    await flushed;
    expect(looks).toBe(0);
    await deliver(21, "eu~7");
    expect(call).toHaveBeenCalledTimes(21);
    expect(call).toHaveBeenLastCalledWith(
      "eu~7",
      expect.objectContaining({ sends: [expect.objectContaining({ seq: 21 })] }),
    );
    expect([outbox.size, outbox.oldest]).toEqual([0, Number.POSITIVE_INFINITY]);
  });
});
