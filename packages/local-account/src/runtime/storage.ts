/**
 * KV namespaces and buckets for the REST API, through the account's own Worker (workers/internal.js). Not through
 * Miniflare's proxies: they wait for workerd without letting go of this thread, so if it is stuck nobody could end it.
 */
import * as v from "valibot";

/** Calls a method of a binding of the internal Worker. */
export type CallBinding = (call: BindingCall) => Promise<BindingAnswer>;

export interface BindingCall {
  /** The name of the binding. */
  readonly on: string;
  readonly method: string;
  /** As JSON. The body, if there is one, is the second argument. */
  readonly args: readonly unknown[];
  readonly body?: ArrayBuffer | string;
}

export interface BindingAnswer {
  /** What the method returned, as JSON; undefined for nothing. */
  readonly result: unknown;
  /** The value, if it returned one that is not JSON. */
  readonly body: () => Promise<ArrayBuffer>;
}

export interface KvAccess {
  get(key: string, type: "arrayBuffer"): Promise<ArrayBuffer | null>;
  getWithMetadata(key: string): Promise<{ readonly value: string | null; readonly metadata: unknown }>;
  delete(key: string): Promise<void>;
  list(options: {
    readonly prefix?: string;
    readonly limit?: number;
    readonly cursor?: string;
  }): Promise<{ readonly keys: readonly KvKey[]; readonly list_complete: boolean; readonly cursor?: string }>;
}

interface KvKey {
  readonly name: string;
  readonly expiration?: number;
  readonly metadata?: unknown;
}

/** A pair of a batch (workers/kv.js). */
export interface KvPair {
  readonly key: string;
  readonly value: string;
  /** Whether the value is base64 of its bytes. */
  readonly base64: boolean;
  /** Milliseconds since the epoch. */
  readonly expiration: number | undefined;
  /** JSON. */
  readonly metadata: string | undefined;
}

export interface BucketAccess {
  get(key: string): Promise<(BucketObject & { arrayBuffer(): Promise<ArrayBuffer> }) | null>;
  head(key: string): Promise<BucketObject | null>;
  put(key: string, value: ArrayBuffer, options?: { readonly httpMetadata?: HttpMetadata }): Promise<BucketObject>;
  delete(key: string): Promise<void>;
  list(options: {
    readonly prefix?: string;
    readonly limit?: number;
    readonly cursor?: string;
    readonly delimiter?: string;
    readonly include?: ("httpMetadata" | "customMetadata")[];
  }): Promise<{
    readonly objects: readonly BucketObject[];
    readonly truncated: boolean;
    readonly cursor?: string;
    readonly delimitedPrefixes: readonly string[];
  }>;
}

/** All objects of a bucket, page by page. */
export async function* objectsOf(bucket: BucketAccess): AsyncGenerator<BucketObject> {
  let cursor: string | undefined;
  do {
    const page = await bucket.list({ limit: 1_000, ...(cursor !== undefined && { cursor }) });
    yield* page.objects;
    cursor = page.truncated ? page.cursor : undefined;
  } while (cursor !== undefined);
}

export interface HttpMetadata {
  readonly contentType?: string;
  readonly contentDisposition?: string;
  readonly contentEncoding?: string;
  readonly contentLanguage?: string;
  readonly cacheControl?: string;
  readonly cacheExpiry?: Date;
}

export interface BucketObject {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly version: string;
  readonly httpEtag: string;
  readonly uploaded: Date;
  readonly httpMetadata?: HttpMetadata;
  readonly customMetadata?: Record<string, string>;
  readonly storageClass?: string;
}

const Key = v.object({
  name: v.string(),
  expiration: v.exactOptional(v.number()),
  metadata: v.exactOptional(v.unknown()),
});
const Keys = v.object({ keys: v.array(Key), list_complete: v.boolean(), cursor: v.exactOptional(v.string()) });
const WithMetadata = v.object({ value: v.nullable(v.string()), metadata: v.unknown() });

/** The KV namespace behind a binding. */
export function kvAccess(on: string, call: CallBinding): KvAccess {
  return {
    get: async (key, type) => {
      const { result, body } = await call({ on, method: "get", args: [key, type] });
      return result === null ? null : body();
    },
    getWithMetadata: async (key) =>
      v.parse(WithMetadata, (await call({ on, method: "getWithMetadata", args: [key] })).result),
    delete: async (key) => {
      await call({ on, method: "delete", args: [key] });
    },
    list: async (options) => v.parse(Keys, (await call({ on, method: "list", args: [options] })).result),
  };
}

const Time = v.pipe(
  v.string(),
  v.transform((text) => new Date(text)),
);

const Stored = v.object({
  key: v.string(),
  size: v.number(),
  etag: v.string(),
  version: v.string(),
  httpEtag: v.string(),
  uploaded: Time,
  httpMetadata: v.exactOptional(
    v.object({
      contentType: v.exactOptional(v.string()),
      contentDisposition: v.exactOptional(v.string()),
      contentEncoding: v.exactOptional(v.string()),
      contentLanguage: v.exactOptional(v.string()),
      cacheControl: v.exactOptional(v.string()),
      cacheExpiry: v.exactOptional(Time),
    }),
  ),
  customMetadata: v.exactOptional(v.record(v.string(), v.string())),
  storageClass: v.exactOptional(v.string()),
});
const Listed = v.object({
  objects: v.array(Stored),
  truncated: v.boolean(),
  cursor: v.exactOptional(v.string()),
  delimitedPrefixes: v.array(v.string()),
});

/** The bucket behind a binding. */
export function bucketAccess(on: string, call: CallBinding): BucketAccess {
  const ask = async (method: string, ...args: readonly unknown[]) => (await call({ on, method, args })).result;
  return {
    get: async (key) => {
      const { result, body } = await call({ on, method: "get", args: [key] });
      return result === null ? null : { ...v.parse(Stored, result), arrayBuffer: body };
    },
    head: async (key) => v.parse(v.nullable(Stored), await ask("head", key)),
    put: async (key, value, options) =>
      v.parse(Stored, (await call({ on, method: "put", args: [key, options], body: value })).result),
    delete: async (key) => {
      await ask("delete", key);
    },
    list: async (options) => v.parse(Listed, await ask("list", options)),
  };
}
