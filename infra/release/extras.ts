/**
 * What wrangler.jsonc says besides the code and the Worker's own classes: bindings and settings, under wrangler's own
 * names. The build reads them from the file and keeps them in the manifest; infra/stack/extras.ts makes the provider's
 * inputs of them.
 */
import * as v from "valibot";
import { OF_THE_PROGRAM } from "./wrangler-keys.ts";

const text = v.pipe(v.string("must be text"), v.nonEmpty("must not be empty"));
const share = v.pipe(v.number("must be a number"), v.minValue(0, "must be 0 to 1"), v.maxValue(1, "must be 0 to 1"));
const count = v.pipe(v.number("must be a number"), v.integer("must be whole"), v.minValue(1, "must be at least 1"));
const list = <Item extends v.GenericSchema>(item: Item) => v.optional(v.array(item, "must be a list"), []);

const Reporting = {
  enabled: v.optional(v.boolean()),
  head_sampling_rate: v.optional(share),
  persist: v.optional(v.boolean()),
  destinations: v.optional(v.array(text)),
};

/** The keys as they are in the file; none has to be there. */
const Entries = {
  vars: v.optional(v.record(v.string(), v.unknown()), {}),
  services: list(v.object({ binding: text, service: text, entrypoint: v.optional(text) })),
  kv_namespaces: list(v.object({ binding: text })),
  r2_buckets: list(v.object({ binding: text })),
  d1_databases: list(v.object({ binding: text })),
  queues: v.optional(v.object({ producers: list(v.object({ binding: text, queue: text })) })),
  ratelimits: list(
    v.strictObject({
      name: text,
      namespace_id: text,
      simple: v.strictObject({ limit: count, period: v.picklist([10, 60], "must be 10 or 60 seconds") }),
    }),
  ),
  placement: v.optional(
    v.strictObject({
      mode: v.optional(v.picklist(["off", "smart", "targeted"], "must be off, smart or targeted")),
      region: v.optional(text),
      host: v.optional(text),
      hostname: v.optional(text),
    }),
  ),
  limits: v.optional(v.strictObject({ cpu_ms: v.optional(count), subrequests: v.optional(count) })),
  triggers: v.optional(
    v.strictObject({ crons: list(v.pipe(text, v.regex(/^\S+(\s+\S+){4}$/, "must have five fields, like 0 * * * *"))) }),
  ),
  tail_consumers: list(v.strictObject({ service: text })),
  logpush: v.optional(v.boolean()),
  observability: v.optional(
    v.strictObject({
      enabled: v.optional(v.boolean()),
      head_sampling_rate: v.optional(share),
      issues: v.optional(v.strictObject({ enabled: v.optional(v.boolean()) })),
      logs: v.optional(v.strictObject({ ...Reporting, invocation_logs: v.optional(v.boolean()) })),
      traces: v.optional(v.strictObject(Reporting)),
    }),
  ),
};

/** Of wrangler.jsonc: for the reader of the file. */
export const EXTRA_KEYS = Entries;
const OfFile = v.object(Entries);
type OfFile = v.InferOutput<typeof OfFile>;

/** A binding to a class of another Worker. */
const OtherObject = v.object({ binding: v.string(), className: v.string(), scriptName: v.string() });

/** The same as a manifest keeps it: what says nothing is left out. */
export const Extras = v.object({ ...Entries, objects: v.optional(v.array(OtherObject), []) });
export type Extras = v.InferOutput<typeof Extras>;
type Kept = v.InferInput<typeof Extras>;

/** The extras of a release that has none. */
export const NO_EXTRAS: Extras = v.parse(Extras, {});

/**
 * What a release takes along of a file, and `objects`, its bindings to classes of other Workers; undefined where that is
 * nothing. What the program gives to every stack is not in it.
 */
export function extrasOf(file: OfFile, objects: NonNullable<Kept["objects"]>): Kept | undefined {
  const ofProgram = (kind: string, name: string) => OF_THE_PROGRAM[kind]?.includes(name) === true;
  const others = (kind: "kv_namespaces" | "r2_buckets") =>
    file[kind].filter(({ binding }) => !ofProgram(kind, binding));
  const kv = others("kv_namespaces");
  const r2 = others("r2_buckets");
  const vars = Object.entries(file.vars).filter(([name]) => !ofProgram("vars", name));
  const { enabled, ...more } = file.observability ?? {};
  const kept: Kept = {
    ...(vars.length > 0 && { vars: Object.fromEntries(vars) }),
    ...(objects.length > 0 && { objects }),
    ...(kv.length > 0 && { kv_namespaces: kv }),
    ...(r2.length > 0 && { r2_buckets: r2 }),
    ...(file.d1_databases.length > 0 && { d1_databases: file.d1_databases }),
    ...(file.services.length > 0 && { services: file.services }),
    ...(file.queues?.producers.length && { queues: file.queues }),
    ...(file.ratelimits.length > 0 && { ratelimits: file.ratelimits }),
    ...(file.placement && file.placement.mode !== "off" && { placement: file.placement }),
    ...(file.limits && { limits: file.limits }),
    ...(file.triggers?.crons.length && { triggers: file.triggers }),
    ...(file.tail_consumers.length > 0 && { tail_consumers: file.tail_consumers }),
    ...(file.logpush !== undefined && { logpush: file.logpush }),
    // Alone, `enabled: true` is what every stack has.
    ...(file.observability && !(enabled && Object.keys(more).length === 0) && { observability: file.observability }),
  };
  return Object.keys(kept).length > 0 ? kept : undefined;
}
