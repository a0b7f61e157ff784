/**
 * Types for KV namespaces, buckets and Workers as Miniflare returns them: proxies of the bindings of Workers. Their
 * published types need a package that is not installed, so the parts in use are declared here.
 */

export interface KvAccess {
  get(key: string, type: "arrayBuffer"): Promise<ArrayBuffer | null>;
  getWithMetadata(key: string): Promise<{ readonly value: string | null; readonly metadata: unknown }>;
  put(key: string, value: ArrayBuffer | string, options?: KvPutOptions): Promise<void>;
  delete(key: string): Promise<void>;
  list(options: {
    readonly prefix?: string;
    readonly limit?: number;
    readonly cursor?: string;
  }): Promise<{ readonly keys: readonly KvKey[]; readonly list_complete: boolean; readonly cursor?: string }>;
}

export interface KvPutOptions {
  readonly expiration?: number;
  readonly expirationTtl?: number;
  readonly metadata?: unknown;
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

export interface HttpMetadata {
  readonly contentType?: string;
  readonly contentDisposition?: string;
  readonly contentEncoding?: string;
  readonly contentLanguage?: string;
  readonly cacheControl?: string;
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

const has = (value: unknown, ...methods: readonly string[]): boolean =>
  ((typeof value === "object" && value !== null) || typeof value === "function") &&
  methods.every((method) => typeof Reflect.get(value, method) === "function");

/** Checks that this is the proxy of a KV namespace. @throws Error if it is not. */
export function kvAccess(proxy: unknown): KvAccess {
  const isKv = (value: unknown): value is KvAccess => has(value, "get", "put", "delete", "list");
  if (!isKv(proxy)) throw new TypeError("Miniflare did not return a KV namespace");
  return proxy;
}

/** Checks that this is the proxy of a bucket. @throws Error if it is not. */
export function bucketAccess(proxy: unknown): BucketAccess {
  const isBucket = (value: unknown): value is BucketAccess => has(value, "get", "head", "put", "delete", "list");
  if (!isBucket(proxy)) throw new TypeError("Miniflare did not return a bucket");
  return proxy;
}

interface Scheduler {
  scheduled(options: { readonly cron: string }): Promise<{ readonly outcome: string }>;
}

/** Checks that this is the proxy of a Worker. @throws Error if it is not. */
export function scheduler(proxy: unknown): Scheduler {
  const isScheduler = (value: unknown): value is Scheduler => has(value, "scheduled");
  if (!isScheduler(proxy)) throw new TypeError("Miniflare did not return a Worker");
  return proxy;
}
