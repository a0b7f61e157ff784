/** What the server tells the page: types alone, read by both (client/*.js by their comments). Times are ISO 8601 in UTC. */
import type { HistoryEntry } from "../model.ts";
import type { Cell, Table } from "../runtime/cells.ts";

export type { HistoryEntry, HistoryItem } from "../model.ts";
export type { Cell, Table } from "../runtime/cells.ts";

/** The first view: all that there is. */
export interface Overview {
  readonly account: {
    readonly id: string;
    readonly apiUrl: string;
    /** Address of a Worker, with `<worker>` for its name. */
    readonly workerUrl: string;
    readonly createdOn: string;
  };
  readonly workers: readonly ShownWorker[];
  readonly namespaces: readonly ShownNamespace[];
  readonly kv: readonly { readonly id: string; readonly title: string }[];
  /** `key` names a bucket of a jurisdiction, too. */
  readonly buckets: readonly { readonly key: string; readonly name: string; readonly detail: string }[];
  readonly databases: readonly { readonly id: string; readonly name: string }[];
  readonly routes: readonly { readonly pattern: string; readonly worker: string | null }[];
  readonly domains: readonly { readonly hostname: string; readonly worker: string }[];
  readonly history: Newest<HistoryEntry>;
  readonly calls: Newest<ShownCall>;
}

/** The newest of a list, and how many there are. */
export interface Newest<Item> {
  readonly items: readonly Item[];
  readonly total: number;
}

export interface ShownWorker {
  readonly name: string;
  /** Null where it is not on the account's subdomain. */
  readonly url: string | null;
  readonly crons: readonly string[];
  readonly versions: Newest<ShownVersion>;
}

export interface ShownVersion {
  readonly id: string;
  readonly number: number;
  readonly createdOn: string;
  readonly tag: string | null;
  readonly message: string | null;
  /** How many static files it has. */
  readonly files: number | null;
  /** Its share of the traffic in percent; null where it has none. */
  readonly traffic: number | null;
}

export interface ShownNamespace {
  readonly id: string;
  readonly worker: string;
  readonly className: string;
  readonly storage: string;
  readonly objects: number;
}

export interface ShownCall {
  readonly at: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly milliseconds: number;
}

/** A page of a numbered list. */
export interface Page {
  /** From 1. */
  readonly page: number;
  readonly pages: number;
  readonly total: number;
}

export interface ObjectList extends Page {
  readonly namespace: ShownNamespace;
  readonly order: "written" | "id";
  readonly objects: readonly ShownObject[];
}

export interface ShownObject {
  readonly id: string;
  /** Null where nothing says what it is. */
  readonly name: string | null;
  readonly alarmAt: string | null;
  readonly writtenAt: string | null;
  readonly bytes: number;
}

/** Which object a name means, and whether it has stored anything. */
export interface FoundObject {
  readonly id: string;
  readonly name: string;
  readonly exists: boolean;
}

/** One object, or one D1 database: its tables, and a page of the rows of one of them. */
export interface Contents {
  readonly tables: readonly Table[];
  /** Null where there is no table. */
  readonly shown: ShownRows | null;
}

export interface ShownRows extends Page {
  readonly table: string;
  /** Number of the first row, from 1. */
  readonly first: number;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

export interface ObjectContents extends Contents {
  readonly namespace: ShownNamespace;
  readonly object: ShownObject;
}

export interface DatabaseContents extends Contents {
  readonly id: string;
  readonly name: string;
}

export interface KvKeys {
  readonly id: string;
  readonly title: string;
  readonly keys: readonly ShownKey[];
  /** Where the next page begins; null on the last one. */
  readonly next: string | null;
}

export interface ShownKey {
  readonly name: string;
  readonly expiresAt: string | null;
  /** As JSON; null where it has none. */
  readonly metadata: string | null;
}

export interface KvValue {
  readonly key: string;
  readonly bytes: number;
  /** Null where it is not text. */
  readonly text: string | null;
  /** Whether `text` is its beginning only. */
  readonly isCut: boolean;
}

export interface BucketObjects {
  readonly key: string;
  readonly name: string;
  readonly objects: readonly ShownBucketObject[];
  readonly next: string | null;
}

export interface ShownBucketObject {
  readonly key: string;
  readonly bytes: number;
  readonly contentType: string | null;
  readonly uploadedAt: string;
  readonly etag: string;
  /** Custom metadata as JSON; null where it has none. */
  readonly metadata: string | null;
}

/** In place of an answer: what is not there, in a sentence. */
export interface Missing {
  readonly error: string;
}
