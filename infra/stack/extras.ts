/**
 * The bindings and settings of wrangler.jsonc as the provider takes them, for one stack: pure. What differs from stack
 * to stack comes from its config: `vars` over those of the file, and `bind`, what a binding leads to there.
 */

import type * as pulumi from "@pulumi/pulumi";
import { blobsBinding, jurisdictionsOf, type Region } from "../../contract/regions.ts";
import type * as cloudflare from "../cloudflare.ts";
import { type Extras, NO_EXTRAS } from "../release/extras.ts";
import type { Manifest } from "../release/manifest.ts";
import type { PublicSettings } from "./config.ts";

type Binding = cloudflare.types.input.WorkerVersionBinding;
type Own = Pick<PublicSettings, "vars" | "bind"> & { readonly regions: readonly Pick<Region, "jurisdiction">[] };
type WithExtras = Pick<Manifest, "extras">;

/** What a stack has of its own for a binding. */
export const STORAGE_KINDS = ["kv", "r2", "d1"] as const;
export type StorageKind = (typeof STORAGE_KINDS)[number];
export interface StorageOfStack {
  readonly kind: StorageKind;
  readonly binding: string;
  /** Of a bucket whose data must stay somewhere. */
  readonly jurisdiction?: string | undefined;
}

const of = ({ extras = NO_EXTRAS }: WithExtras): Extras => extras;

/** The variables of a stack: those of the release, with the stack's values. */
const varsOf = (release: WithExtras, { vars }: Own) => ({ ...of(release).vars, ...vars });

/** What wrangler.jsonc asks for, and a bucket for each jurisdiction of the stack's regions. */
const storageBindings = (release: WithExtras, { regions }: Pick<Own, "regions">): readonly StorageOfStack[] => {
  const { kv_namespaces, r2_buckets, d1_databases } = of(release);
  return [
    ...kv_namespaces.map(({ binding }) => ({ kind: "kv" as const, binding })),
    ...r2_buckets.map(({ binding }) => ({ kind: "r2" as const, binding })),
    ...d1_databases.map(({ binding }) => ({ kind: "d1" as const, binding })),
    ...jurisdictionsOf(regions).map((jurisdiction) => ({
      kind: "r2" as const,
      binding: blobsBinding(jurisdiction),
      jurisdiction,
    })),
  ];
};

/** KV namespaces, buckets and databases that are made for the stack: those that `bind` leads nowhere else. */
export const storageOf = (release: WithExtras, own: Pick<Own, "bind" | "regions">): readonly StorageOfStack[] =>
  storageBindings(release, own).filter(({ binding }) => own.bind[binding] === undefined);

/** A binding to a KV namespace or a database by its id, or to a bucket by its name. */
export const storageBinding = (
  { kind, binding: name, jurisdiction }: StorageOfStack,
  to: pulumi.Input<string>,
): Binding => {
  if (kind === "kv") return { type: "kv_namespace", name, namespaceId: to };
  if (kind === "d1") return { type: "d1", name, id: to };
  return { type: "r2_bucket", name, bucketName: to, ...(jurisdiction !== undefined && { jurisdiction }) };
};

/** Bindings that need no resource of the stack's own. */
export function extraBindings(release: WithExtras, settings: Own): readonly Binding[] {
  const { services, queues, ratelimits, objects } = of(release);
  const target = (binding: string, named: string) => settings.bind[binding] ?? named;
  return [
    ...Object.entries(varsOf(release, settings)).map(([name, value]) => variable(name, value)),
    ...storageBindings(release, settings).flatMap((one) => {
      const to = settings.bind[one.binding];
      return to === undefined ? [] : [storageBinding(one, to)];
    }),
    ...services.map(({ binding: name, service, entrypoint }) => ({
      type: "service",
      name,
      service: target(name, service),
      ...(entrypoint !== undefined && { entrypoint }),
    })),
    ...objects.map(({ binding: name, className, scriptName }) => ({
      type: "durable_object_namespace",
      name,
      className,
      scriptName: target(name, scriptName),
    })),
    ...(queues?.producers ?? []).map(({ binding: name, queue }) => ({
      type: "queue",
      name,
      queueName: target(name, queue),
    })),
    ...ratelimits.map(({ name, namespace_id: namespaceId, simple }) => ({
      type: "ratelimit",
      name,
      namespaceId,
      simple,
    })),
  ];
}

/** As wrangler has it: text is text, and every other value is JSON. */
const variable = (name: string, value: unknown): Binding =>
  typeof value === "string"
    ? { type: "plain_text", name, text: value }
    : { type: "json", name, json: JSON.stringify(value) };

/** Settings of a version besides its bindings. */
export function versionSettings(release: WithExtras) {
  const { limits, placement } = of(release);
  return {
    ...(limits && { limits: { cpuMs: limits.cpu_ms, subrequests: limits.subrequests } }),
    ...(placement && { placement }),
  };
}

/** Settings of the Worker, which no version carries. */
export function workerExtras(release: WithExtras) {
  const { observability, logpush } = of(release);
  const tailConsumers = tailConsumersOf(release).map((name) => ({ name }));
  return {
    observability: observability ? inCamelCase(observability) : { enabled: true },
    ...(logpush !== undefined && { logpush }),
    ...(tailConsumers.length > 0 && { tailConsumers }),
  };
}

function inCamelCase({ head_sampling_rate, logs, traces, ...rest }: NonNullable<Extras["observability"]>) {
  return {
    ...rest,
    ...(head_sampling_rate !== undefined && { headSamplingRate: head_sampling_rate }),
    ...(logs && { logs: { ...reporting(logs), invocationLogs: logs.invocation_logs } }),
    ...(traces && { traces: reporting(traces) }),
  };
}

const reporting = ({
  enabled,
  head_sampling_rate: headSamplingRate,
  persist,
  destinations,
}: NonNullable<NonNullable<Extras["observability"]>["traces"]>) => ({
  enabled,
  headSamplingRate,
  persist,
  destinations,
});

/** Workers that are told of the Worker's requests. */
export const tailConsumersOf = (release: WithExtras): readonly string[] =>
  of(release).tail_consumers.map(({ service }) => service);

/** Whether the Worker's logs are pushed; undefined: wrangler.jsonc does not say. */
export const logpushOf = (release: WithExtras): boolean | undefined => of(release).logpush;

/** When the Worker's `scheduled` is called. */
export const cronsOf = (release: WithExtras): readonly string[] => of(release).triggers?.crons ?? [];

/** What of all this is part of a version: another one of it is another version. Undefined: nothing. */
export function versionPart(release: WithExtras, { vars, bind }: Pick<Own, "vars" | "bind">): unknown {
  const { triggers: _, tail_consumers: __, logpush: ___, observability: ____, ...part } = release.extras ?? {};
  const none = [part, vars, bind].every((one) => Object.keys(one).length === 0);
  return none ? undefined : { ...part, overVars: vars, bind };
}

/** Names of bindings that `bind` may lead elsewhere. */
export function bindable(release: WithExtras, own: Pick<Own, "regions">): readonly string[] {
  const { services, objects, queues } = of(release);
  return [...storageBindings(release, own), ...services, ...objects, ...(queues?.producers ?? [])].map(
    ({ binding }) => binding,
  );
}

/** Jurisdictions of objects in which the provider makes no bucket (6.22.1, r2Bucket.jurisdiction). */
const WITHOUT_BUCKETS: readonly unknown[] = ["fedramp-high"];

/** Whether a bucket in this jurisdiction is made by hand, and `bind` leads to it. */
export const isMadeByHand = (jurisdiction: unknown): boolean => WITHOUT_BUCKETS.includes(jurisdiction);
