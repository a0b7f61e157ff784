/** HTTP routes of the counter, mounted under /counter. */
import type { Context } from "hono";
import * as v from "valibot";
import { addressOf } from "../http/address.ts";
import { chargeForNew, isKnown } from "../http/charge.ts";
import type { App } from "../http/context.ts";
import { Hono } from "../http/hono.ts";
import { idempotencyKey, keyConflict, makeChange, REPLAYED_HEADER } from "../http/idempotency.ts";
import { may } from "../http/may.ts";
import { describe } from "../http/openapi.ts";
import { upgrade } from "../http/upgrade.ts";
import { body, query } from "../http/validation.ts";
import { nameOf, objectFor, placeOf } from "../objects/names.ts";
import { retry } from "../objects/retry.ts";
import { type Copy, readCopy } from "./copy.ts";
import { MAX_COUNT } from "./count.ts";
import { type Counted, isRefused } from "./counter.ts";
import { counter } from "./pattern.ts";
import { type Change, changeAll, changeOne, isTaken, readAll, shardsOf } from "./shards.ts";
import { watchRequest } from "./watchers.ts";

const MAX_STEP = 1_000_000;
const Step = v.strictObject({
  by: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_STEP)), 1),
});
const Which = v.object({ id: v.optional(v.string(), "global") });
const Reading = v.object({ ...Which.entries, consistency: v.optional(v.picklist(["strong", "eventual"]), "strong") });

const Count = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_COUNT));
const Answer = v.object({
  count: Count,
  /** Only in eventual reads: when this count was the newest, and how many seconds ago that was. */
  asOf: v.optional(v.pipe(v.string(), v.isoTimestamp())),
  age: v.optional(v.pipe(v.number(), v.minValue(0))),
});
type Answer = v.InferOutput<typeof Answer>;
const ResetAnswer = v.object({ count: v.literal(0), reset: v.literal(true) });

const reading = describe(
  "The count: the newest, or with consistency=eventual a cheap copy that may be some seconds old",
  {
    200: Answer,
  },
);

export const routes = new Hono()
  .post(
    "/increment",
    describe("Adds to a counter", { 200: Answer }),
    may(counter, "change"),
    query(Which),
    idempotencyKey,
    body(Step),
    async (c) => c.json({ count: await change(c, c.req.valid("query").id, add(c.req.valid("json").by)) }),
  )
  .post(
    "/decrement",
    describe("Subtracts from a counter, down to 0", { 200: Answer }),
    may(counter, "change"),
    query(Which),
    idempotencyKey,
    body(Step),
    async (c) => c.json({ count: await change(c, c.req.valid("query").id, add(-c.req.valid("json").by)) }),
  )
  .post(
    "/reset",
    describe("Sets a counter back to 0", { 200: ResetAnswer }),
    may(counter, "reset"),
    query(Which),
    idempotencyKey,
    body(v.strictObject({})),
    async (c) => c.json({ count: await change(c, c.req.valid("query").id, reset, resetAll), reset: true }),
  )
  .delete(
    "/",
    describe("Deletes a counter", { 200: v.object({ ok: v.literal(true) }) }),
    may(counter, "delete"),
    query(v.object({ id: v.string() })),
    async (c) => {
      await changeAll(c, c.req.valid("query").id, (part) => part.remove());
      return c.json({ ok: true });
    },
  )
  .get("/", reading, may(counter, "read"), query(Reading), async (c) => c.json(await read(c, c.req.valid("query"))))
  .get("/value", reading, may(counter, "read"), query(Reading), async (c) =>
    c.json(await read(c, c.req.valid("query"))),
  )
  .get(
    "/live",
    describe(
      "A WebSocket that gets {count} at once and on every change, at most ten times a second; send ping every 25 seconds",
      {
        101: "Switching protocols",
      },
    ),
    may(counter, "read"),
    query(Which),
    upgrade,
    (c) => counterOf(c, c.req.valid("query").id).fetch(watchRequest(addressOf(c))),
  );

const counterOf = (c: Context<App>, id: string) => objectFor(c, counter, id);

async function read(c: Context<App>, { id, consistency }: v.InferOutput<typeof Reading>): Promise<Answer> {
  if (consistency === "strong") return { count: await readAll(c, id) };
  const { count, asOf } = await nearCopy(c, id);
  return { count, asOf: new Date(asOf).toISOString(), age: Math.max(0, Date.now() - asOf) / 1000 };
}

/**
 * A count that may be some seconds old. READS is one namespace for all regions of the stack, and in no jurisdiction, so a
 * count that is in one is read from its object.
 */
async function nearCopy(c: Context<App>, id: string): Promise<Copy> {
  if (placeOf(c, id).region.jurisdiction !== undefined) {
    return { asOf: Date.now(), count: await readAll(c, id) };
  }
  return (await readCopy(c.env.READS, nameOf(c, counter, id))) ?? (await retry(() => counterOf(c, id).share()));
}

const add =
  (by: number): Change =>
  (counter, terms) =>
    counter.add(by, terms);
const reset: Change = (counter, terms) => counter.reset(terms);

/** Makes a change at the counter's object, or by `wide` if it is, or was, on several. */
async function change(c: Context<App>, id: string, make: Change, wide = changeOne): Promise<number> {
  const narrow = shardsOf(c, id) === 1 ? await changeNarrow(c, id, make) : IS_WIDE;
  const isWide = isRefused(narrow, "wide");
  const counted = isWide ? await makeChange(c, (key) => wide(c, id, make, key)) : narrow;
  if (typeof counted === "number") return counted;
  if ("refused" in counted) throw keyConflict();
  c.header(REPLAYED_HEADER, "true");
  return counted.replayed;
}

const IS_WIDE: Counted = { refused: "wide" };

/** A change of a counter on one object. "wide" if there is, or was, more than one. */
async function changeNarrow(c: Context<App>, id: string, make: Change): Promise<Counted> {
  const known = await isKnown(c);
  const ask = (create: boolean) => makeChange(c, (key) => make(counterOf(c, id), { key, known, create }));
  const counted = await ask(false);
  if (!isRefused(counted, "missing")) return counted;
  await chargeForNew(c);
  return ask(true);
}

/** Sets all parts to 0. A part that a key has reset already is not reset again. */
async function resetAll(c: Context<App>, id: string, make: Change, key: string | undefined): Promise<Counted> {
  if (key !== undefined) {
    // Before any part is reset: a key of an increment is at one part only, and the others would not refuse it.
    if (await isTaken(c, id, make, key)) throw keyConflict();
    // The home is reset last. If it knows the key, all was reset, and parts that there are only since stay as they are.
    const before = await make(counterOf(c, id), { key, routed: true, only: "replay" });
    if (!isRefused(before, "new")) return before;
  }
  return changeAll(c, id, async (part) => {
    const answer = await make(part, { key, routed: true });
    // An increment with this key came since. The call has failed, also if other parts are reset.
    if (isRefused(answer, "key-conflict")) throw keyConflict();
    return answer;
  });
}
