/** The measures of ledgers. */
import * as v from "valibot";
import { post } from "../bench/http/routes.ts";
import type { PatternBench, Visited } from "../bench/measure.ts";

/** Transactions of the ledgers whose audits are compared. */
const SMALL = 5_000;
const LARGE = 1_000_000;
/** An audit of the large one may take at most so many times as long. */
const MAX_RATIO = 2;

const Audited = v.object({ transactions: v.number(), archived: v.number(), ms: v.number(), ok: v.boolean() });

const what = { title: "transfers/s, log at 1,000", subject: "transfer" };

export const bench: PatternBench = {
  measures: [
    { ...what, concurrency: 1, timesNaive: 3 },
    { ...what, concurrency: 32, timesNaive: 17, shareOfFloor: 0.57 },
    // In the place of the article's way: a debit in one of its objects, then a credit in the other.
    { title: "transfers/s between two ledgers, arrived", subject: "send", concurrency: 32, timesNaive: 5 },
    // In the place of the article's way: a `batch` of D1, which is one transaction.
    { title: "transfers/s, beside D1's batch", subject: "transfer-d1", concurrency: 32, timesNaive: 5 },
  ],
  classes: { NAIVE_ACCOUNT: "NaiveAccount" },
  databases: ["BANK"],
  routes: [
    {
      title: "POST /account/:ledger/transfer",
      method: "POST",
      path: "/account/bench/transfer",
      json: { from: "a", to: "b", amount: 1 },
      prepare: async (url) => {
        await post(url, "/account/bench/deposit", { account: "a", amount: 1e12 });
        return {};
      },
    },
  ],
  visit: { subject: "audit", run: (url) => auditAt(url, [SMALL, LARGE]) },
};

/** Audits one ledger at several sizes. */
async function auditAt(url: string, sizes: readonly number[]): Promise<Visited> {
  const audits: v.InferOutput<typeof Audited>[] = [];
  for (const size of sizes) {
    const answer = await fetch(`${url}?transactions=${size}`);
    audits.push(v.parse(Audited, await answer.json()));
  }
  const [small, large] = [audits[0], audits.at(-1)];
  const isWrong = audits.some(({ ok }) => !ok) || Math.max(large?.ms ?? 0, 1) > MAX_RATIO * Math.max(small?.ms ?? 0, 1);
  const line = audits.map(
    ({ transactions, archived, ms }) =>
      `${transactions.toLocaleString("en")} transactions, ${archived.toLocaleString("en")} of them in the archive: ${ms} ms`,
  );
  return {
    line: `An audit with ${line.join("; with ")}.`,
    figures: { audits },
    ...(isWrong && { wrong: "the audit takes longer for a larger ledger, or does not add up" }),
  };
}
