/** The filters of a tail, as `wrangler tail` sends them: which events it gets. Pure. */
import * as v from "valibot";
import { parse } from "./parse.ts";

const texts = v.array(v.string());

/** Each filter has one of these members. An event must pass all filters. */
const Filter = v.strictObject({
  sampling_rate: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
  outcome: v.optional(texts),
  method: v.optional(texts),
  header: v.optional(v.object({ key: v.string(), query: v.optional(v.string()) })),
  client_ip: v.optional(texts),
  query: v.optional(v.string()),
  scriptVersion: v.optional(v.string()),
});

const Sent = v.looseObject({ filters: v.optional(v.array(Filter), []) });

export type TailFilter = v.InferOutput<typeof Filter>;

/** The filters in the body of a call that makes a tail. @throws ApiError 10021 for one that is not known. */
export function parseFilters(body: unknown): TailFilter[] {
  const known = Object.keys(Filter.entries).join(", ");
  const { filters } = parse(Sent, body ?? {}, (mistake) => `${mistake}. The local account has the filters ${known}.`);
  return filters;
}

/** The parts of an event (internal.js, `traceOf`) that filters look at. */
const Event = v.object({
  outcome: v.optional(v.string()),
  scriptVersion: v.optional(v.object({ id: v.string() })),
  logs: v.optional(v.array(v.object({ message: v.unknown() })), []),
  event: v.optional(
    v.object({
      request: v.optional(v.object({ method: v.string(), headers: v.record(v.string(), v.string()) })),
    }),
    {},
  ),
});

/** Whether the event passes all filters. `random`: a number from 0 to 1. */
export function passes(filters: readonly TailFilter[], event: unknown, random: () => number): boolean {
  const { outcome, scriptVersion, logs, event: what } = v.parse(Event, event);
  const { request } = what;
  const header = (key: string) => request?.headers[key.toLowerCase()];
  return filters.every(
    (filter) =>
      (filter.sampling_rate === undefined || random() < filter.sampling_rate) &&
      (filter.outcome === undefined || filter.outcome.includes(outcome ?? "unknown")) &&
      (filter.method === undefined || filter.method.some((method) => method.toUpperCase() === request?.method)) &&
      (filter.header === undefined || header(filter.header.key)?.includes(filter.header.query ?? "") === true) &&
      (filter.client_ip === undefined || filter.client_ip.some((ip) => isClient(ip, header("cf-connecting-ip")))) &&
      (filter.query === undefined || JSON.stringify(logs.map(({ message }) => message)).includes(filter.query)) &&
      (filter.scriptVersion === undefined || filter.scriptVersion === scriptVersion?.id),
  );
}

/** `self` is whoever tails, and that is somebody on this machine. */
const isClient = (wanted: string, ip: string | undefined) =>
  wanted === ip || (wanted === "self" && (ip === "127.0.0.1" || ip === "::1"));
