/** The types of the page's data, for the server and for client/*.js (in comments). Times are ISO 8601 in UTC. */
import type { HistoryEntry } from "../model.ts";
import type { Cell, Table } from "../runtime/cells.ts";

export type { HistoryEntry, HistoryItem } from "../model.ts";
export type { Cell, Table } from "../runtime/cells.ts";

/** The data of the first view. */
export interface Overview {
  readonly account: {
    readonly id: string;
    readonly apiUrl: string;
    /** The address of a Worker, with `<worker>` for its name. */
    readonly workerUrl: string;
    readonly createdOn: string;
    /** Whether cron triggers fire by themselves. */
    readonly firesCrons: boolean;
  };
  readonly workers: readonly ShownWorker[];
  readonly namespaces: readonly ShownNamespace[];
  readonly kv: readonly { readonly id: string; readonly title: string }[];
  /** `key`: the bucket's name and its jurisdiction. */
  readonly buckets: readonly { readonly key: string; readonly name: string; readonly detail: string }[];
  readonly databases: readonly { readonly id: string; readonly name: string }[];
  readonly routes: readonly { readonly pattern: string; readonly worker: string | null }[];
  readonly domains: readonly { readonly hostname: string; readonly worker: string }[];
  readonly history: Newest<HistoryEntry>;
  readonly calls: Newest<ShownCall>;
}

/** The newest items of a list, and how many there are. */
export interface Newest<Item> {
  readonly items: readonly Item[];
  readonly total: number;
}

export interface ShownWorker {
  readonly name: string;
  /** Null if it is not on the account's subdomain. */
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
  /** Its share of the traffic in percent; null if it has none. */
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
  /** Null if it is not known. */
  readonly name: string | null;
  readonly alarmAt: string | null;
  readonly writtenAt: string | null;
  readonly bytes: number;
}

/** The object with a name, and whether it has stored anything. */
export interface FoundObject {
  readonly id: string;
  readonly name: string;
  readonly exists: boolean;
}

/** One object, or one D1 database: its tables, and a page of the rows of one of them. */
export interface Contents {
  readonly tables: readonly Table[];
  /** Null if there is no table. */
  readonly shown: ShownRows | null;
}

export interface ShownRows extends Page {
  readonly table: string;
  /** The number of the first row, from 1. */
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
  /** The start of the next page; null on the last page. */
  readonly next: string | null;
}

export interface ShownKey {
  readonly name: string;
  readonly expiresAt: string | null;
  /** As JSON; null if there is none. */
  readonly metadata: string | null;
}

export interface KvValue {
  readonly key: string;
  readonly bytes: number;
  /** Null if it is not text. */
  readonly text: string | null;
  /** Whether `text` is only the beginning. */
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
  /** Custom metadata as JSON; null if there is none. */
  readonly metadata: string | null;
}

/** The answer for something that does not exist: a sentence. */
export interface Missing {
  readonly error: string;
}
