/**
 * A hot counter on several objects. A stack's setting `counter.shards` says on how many. Each change goes to one of them:
 * by its idempotency key, so that a repeated call finds its answer, and else at random. A read is the sum.
 *
 * What is different from a counter on one object is in docs/scale.md. All parts that there ever were are read, also with
 * another number of shards, or none.
 */
import type { Context } from "hono";
import type { App } from "../http/context.ts";
import { formatId, objectFor, parseId, placeOf } from "../objects/names.ts";
import { retry } from "../objects/retry.ts";
import { type Stack, stackOf } from "../stack.ts";
import { type Counted, type CounterDO, isRefused, type Terms } from "./counter.ts";
import { partOf, partsOfKey, sumOf, WIDTHS_FOR_MS, type Width, widest } from "./parts.ts";
import { counter } from "./pattern.ts";

type Stub = DurableObjectStub<CounterDO>;
/** A change of one part. */
export type Change = (part: Stub, terms: Terms) => Promise<Counted>;

type WidthsById = Map<string, { readonly widths: readonly Width[]; readonly until: number }>;

/** The stack's wide counters: how many parts, by id with region. */
const wideCounters = new WeakMap<Stack["settings"], ReadonlyMap<string, number>>();
/** What this isolate knows of the widths of counters, by id with region. */
const knownWidths = new WeakMap<Stack["settings"], WidthsById>();

/** How many shards the stack gives this counter; 1 if it says nothing. */
export function shardsOf(c: Context<App>, id: string): number {
  const stack = stackOf(c.env);
  let wide = wideCounters.get(stack.settings);
  if (!wide) {
    const places = Object.entries(stack.settings.counter.shards).flatMap(([written, shards]): [string, number][] => {
      const parsed = parseId(stack.regions, written);
      if ("place" in parsed) return [[formatId(parsed.place), shards]];
      console.warn(
        JSON.stringify({ class: "counter", event: "shards-of-no-counter", id: written, fault: parsed.fault }),
      );
      return [];
    });
    wide = new Map(places);
    wideCounters.set(stack.settings, wide);
  }
  return wide.size === 0 ? 1 : (wide.get(formatId(placeOf(c, id))) ?? 1);
}

/** The count: the sum of all parts that there ever were. */
export async function readAll(c: Context<App>, id: string): Promise<number> {
  const expected = shardsOf(c, id);
  const read = async (number: number) => (await retry(() => partAt(c, id, number).part())).count;
  const [home, ...others] = await Promise.all([
    retry(async () => await partAt(c, id, 0).home()),
    ...upTo(expected).slice(1).map(read),
  ]);
  if (typeof home === "number") return sumOf([home, ...others]);
  const more = upTo(widest(home.widths)).slice(expected);
  return sumOf([home.count, ...others, ...(await Promise.all(more.map(read)))]);
}

/** Makes a change at one part of a counter that is on several objects. */
export async function changeOne(
  c: Context<App>,
  id: string,
  change: Change,
  key: string | undefined,
): Promise<Counted> {
  const shards = shardsOf(c, id);
  const widths = await widthsOf(c, id, shards);
  const terms: Terms = { key, routed: true };
  if (key === undefined) return change(partAt(c, id, Math.floor(Math.random() * shards)), terms);
  for (let now = Date.now(); ; ) {
    const { part, until, others } = partsOfKey(key, widths, now);
    for (const number of others) {
      const before = await change(partAt(c, id, number), { ...terms, only: "replay" });
      if (!isRefused(before, "new")) return before;
    }
    const counted = await change(partAt(c, id, part), { ...terms, until });
    // It was on its way while its key moved.
    if (until === undefined || !isRefused(counted, "wide")) return counted;
    now = until;
  }
}

/** Whether a key came before with another payload, at one of the parts where a change of one part goes. */
export async function isTaken(c: Context<App>, id: string, change: Change, key: string): Promise<boolean> {
  const { part, others } = partsOfKey(key, await widthsOf(c, id, shardsOf(c, id)), Date.now());
  const replay = { key, routed: true, only: "replay" } as const;
  const answers = await Promise.all([part, ...others].map((number) => change(partAt(c, id, number), replay)));
  return answers.some((answer) => isRefused(answer, "key-conflict"));
}

/**
 * Makes a change at all parts, and returns the home's answer. The home comes last, so that a call that fails can be
 * made again.
 */
export async function changeAll<T>(c: Context<App>, id: string, change: (part: Stub) => Promise<T>): Promise<T> {
  const { widths } = await retry(() => partAt(c, id, 0).part());
  const others = upTo(Math.max(widest(widths), shardsOf(c, id))).slice(1);
  await Promise.all(others.map((number) => retry(() => change(partAt(c, id, number)))));
  const answer = await retry(() => change(partAt(c, id, 0)));
  widthsKnownTo(c).delete(formatId(placeOf(c, id)));
  return answer;
}

/** The counter's widths, as they are or were a minute ago; makes it as wide as the stack says. */
async function widthsOf(c: Context<App>, id: string, shards: number): Promise<readonly Width[]> {
  const known = widthsKnownTo(c);
  const at = formatId(placeOf(c, id));
  const before = known.get(at);
  if (before && before.until > Date.now()) return before.widths;
  const widths = await retry(() => partAt(c, id, 0).widen(shards));
  // Only counters that the stack names, or that were wide once, come here: there are few.
  known.set(at, { widths, until: Date.now() + WIDTHS_FOR_MS });
  return widths;
}

function widthsKnownTo(c: Context<App>): WidthsById {
  const { settings } = stackOf(c.env);
  const widths = knownWidths.get(settings) ?? new Map();
  knownWidths.set(settings, widths);
  return widths;
}

function partAt(c: Context<App>, id: string, number: number): Stub {
  if (number === 0) return objectFor(c, counter, id);
  const place = placeOf(c, id);
  c.set("object", { pattern: counter.name, region: place.region.id });
  return partOf(c.env, place, number);
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);
