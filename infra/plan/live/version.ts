/** The versions of a Worker and its traffic: as they are compared, and how one is read. Pure. */
import { type LiveClass, type LiveClasses, storageOf } from "@durable-stack/class-lifecycle";
import * as v from "valibot";
import type { Told } from "../../../contract/bindings.ts";
import { RecordedRelease, type Schemas } from "../../../contract/release.ts";
import type { BindingRead, NamespaceRead, VersionRead } from "../account/reads.ts";
import type { RegionTable } from "../rules/regions.ts";

/** A binding of a version; the text of a secret is never among its properties. */
export interface Binding {
  readonly name: string;
  readonly [property: string]: unknown;
}

/** A version as it is compared. */
export interface KnownVersion {
  readonly versionId: string;
  readonly number: number;
  readonly tag: string | undefined;
  /** The digest of its release; undefined: no release of ours made it. */
  readonly digest: string | undefined;
  /** What made it, as Cloudflare says: `api`, `wrangler`, `dash`, `secret`… */
  readonly source: string | undefined;
  readonly bindings: readonly Binding[];
}

/** A version that serves now, and its share of the traffic in per cent. */
export interface Serving {
  readonly versionId: string;
  readonly percentage: number;
  readonly number: number;
  /** The tag that the program gave the version; undefined: something else made it. */
  readonly tag: string | undefined;
}

/** The deployment that is in force. */
export interface KnownDeployment {
  readonly id: string;
  readonly message: string | undefined;
  readonly source: string | undefined;
}

export interface Observed {
  readonly serving: readonly Serving[];
  /** All versions, the newest first. */
  readonly versions: readonly KnownVersion[];
  readonly deployment: KnownDeployment | undefined;
}

/** A version that serves. */
export interface ServingVersion extends Serving {
  /** Digest of its release; undefined: none of ours. */
  readonly digest: string | undefined;
}

/** A version, whether it serves or not. */
export interface LiveVersion extends KnownVersion {
  /** The last step of its release's history; undefined: none of ours. */
  readonly step: string | undefined;
  /** The commit that its release was built from, and when that was made; undefined: it is not recorded. */
  readonly commit: string | undefined;
  readonly committed: string | undefined;
  /** The SQL schemas of its classes; undefined: they are not recorded. */
  readonly schemas: Schemas | undefined;
  /** The mark of the secrets that it was made with; undefined: it is not recorded. */
  readonly secrets: string | undefined;
  readonly createdOn: string | undefined;
  readonly bindings: readonly BindingRead[];
}

/** The part of the binding REGIONS that names of objects are made of: as little as any version of ours has. */
const Regions = v.object({
  environmentPrefix: v.string(),
  home: v.string(),
  regions: v.array(v.object({ id: v.string(), prefix: v.string(), jurisdiction: v.optional(v.string()) })),
});

/** A version, with what its bindings say of its release. */
export function liveVersion({ id, number, createdOn, source, annotations, bindings }: VersionRead): LiveVersion {
  const record = recordOf(bindings);
  const tag = annotations?.workersTag;
  const { digest, migration: step, commit, committed, schemas, secrets } = record ?? {};
  return { versionId: id, number, tag, digest, step, commit, committed, schemas, secrets, createdOn, source, bindings };
}

/** The same with its share of the traffic, in per cent. */
export const servingVersion = (
  { versionId, number, tag, digest }: LiveVersion,
  percentage: number,
): ServingVersion => ({
  versionId,
  percentage,
  number,
  tag,
  digest,
});

/** The stack that a version was made for, as its SETTINGS binding says; undefined: it does not. */
export const environmentOf = (bindings: readonly BindingRead[]): string | undefined =>
  jsonOf(bindings, "SETTINGS", v.object({ environment: v.string() }))?.environment;

/** What the version's release recorded, or undefined when none of ours made it. */
export const recordOf = (bindings: readonly BindingRead[]) => jsonOf(bindings, "RELEASE", RecordedRelease);

/** The region table of a version; undefined where it has none. */
export const regionTableOf = ({ bindings }: { readonly bindings: readonly BindingRead[] }): RegionTable | undefined =>
  jsonOf(bindings, "REGIONS", Regions);

/** The same as a list; empty: it has none. */
export const regionsOf = (version: { readonly bindings: readonly BindingRead[] }) => regionTableOf(version) ?? [];

/** The value of a `json` binding; undefined where there is none, or another value than `schema` wants. */
function jsonOf<Output>(
  bindings: readonly BindingRead[],
  name: keyof Told,
  schema: v.GenericSchema<unknown, Output>,
): Output | undefined {
  const binding = bindings.find((candidate) => candidate.name === name);
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), binding?.json);
  return parsed.success ? parsed.output : undefined;
}

/** The classes that have a namespace, and those that wait for their objects, which have none yet. */
export const classesIn = (namespaces: readonly NamespaceRead[], exports: VersionRead["exports"]): LiveClasses =>
  new Map([
    ...[...classesOf(exports)].filter(([, { fromWorker }]) => fromWorker !== undefined),
    ...namespaces.flatMap(({ class: name, useSqlite }): [string, LiveClass][] =>
      name === undefined ? [] : [[name, { storage: useSqlite ? "sqlite" : "legacy-kv" }]],
    ),
  ]);

/** The classes that a version declares. */
export function classesOf(exports: VersionRead["exports"]): LiveClasses {
  return new Map(
    Object.entries(exports)
      .filter(([, entry]) => entry.type === "durable-object")
      .map(([name, entry]): [string, LiveClass] => [
        name,
        { storage: storageOf(entry.storage), ...(entry.transferFrom && { fromWorker: entry.transferFrom }) },
      ]),
  );
}
