/** `/accounts/:account/r2/buckets/:bucket/objects`. */
import { type Context, Hono } from "hono";
import { bucketKey } from "../bindings.ts";
import { ApiError } from "../errors.ts";
import type { BucketAccess, BucketObject, HttpMetadata } from "../runtime/storage.ts";
import { param } from "./body.ts";
import type { Api } from "./context.ts";
import { countIn, ok } from "./envelope.ts";
import { checkStorageClass, jurisdiction } from "./r2.ts";

/** R2's limit for a key, in bytes. */
const MOST_KEY_BYTES = 1_024;

/** @throws ApiError 10020 (R2's InvalidObjectName) for a key that no object can have. */
function keyOf(c: Context): string {
  const key = param(c, "key");
  if (Buffer.byteLength(key) <= MOST_KEY_BYTES) return key;
  throw new ApiError(400, 10020, `The specified object name is not valid: it has more than ${MOST_KEY_BYTES} bytes.`);
}

const noSuchKey = () => new ApiError(404, 10007, "The specified key does not exist.");

export const r2Objects = ({ account }: Api) => {
  const inBucket = async <T>(c: Context, work: (bucket: BucketAccess) => Promise<T>): Promise<T> => {
    const id = bucketKey(param(c, "bucket"), jurisdiction(c));
    if (!account.state.buckets.has(id)) throw new ApiError(404, 10006, "The specified bucket does not exist.");
    await account.reachStorage();
    return account.runtime.calls.bucket(id, work);
  };
  return new Hono()
    .get("/", async (c) => {
      const query = (name: string) => c.req.query(name) || undefined;
      const limit = countIn(c, "per_page", 20);
      const [prefix, cursor, delimiter] = [query("prefix"), query("cursor"), query("delimiter")];
      const page = await inBucket(c, (bucket) =>
        bucket.list({
          limit,
          ...(prefix !== undefined && { prefix }),
          ...(cursor !== undefined && { cursor }),
          ...(delimiter !== undefined && { delimiter }),
        }),
      );
      return c.json({
        success: true,
        errors: [],
        messages: [],
        result: page.objects.map(shown),
        result_info: {
          is_truncated: page.truncated,
          cursor: page.cursor ?? "",
          per_page: limit,
          delimited: page.delimitedPrefixes,
        },
      });
    })
    .get("/:key{[\\s\\S]+}", async (c) => {
      const found = await inBucket(c, async (bucket) => {
        const object = await bucket.get(keyOf(c));
        return object === null ? null : { object, contents: await object.arrayBuffer() };
      });
      if (found === null) throw noSuchKey();
      const { object, contents } = found;
      return c.body(contents, 200, {
        ...httpHeaders(object.httpMetadata ?? {}),
        etag: object.httpEtag,
        "last-modified": new Date(object.uploaded).toUTCString(),
      });
    })
    .put("/:key{[\\s\\S]+}", async (c) => {
      refuseStorageClass(c);
      const httpMetadata = sentMetadata(c);
      const contents = await c.req.arrayBuffer();
      const object = await inBucket(c, (bucket) => bucket.put(keyOf(c), contents, { httpMetadata }));
      return ok(c, uploaded(object));
    })
    .delete("/:key{[\\s\\S]+}", async (c) => {
      const key = keyOf(c);
      await inBucket(c, (bucket) => bucket.delete(key));
      return ok(c, { key });
    });
};

/** Objects have the standard class here. @throws ApiError if another one is sent. */
function refuseStorageClass(c: Context): void {
  const sent = c.req.header("cf-r2-storage-class") ?? STANDARD;
  checkStorageClass(sent);
  if (sent !== STANDARD)
    throw new ApiError(
      501,
      10021,
      `cf-r2-storage-class: the local account keeps no storage class of objects, so '${sent}' would be lost. Leave it out.`,
    );
}

const STANDARD = "Standard";

/** The texts of an object's metadata, by the headers in which they come and go. */
const METADATA = {
  contentType: "content-type",
  contentDisposition: "content-disposition",
  contentEncoding: "content-encoding",
  contentLanguage: "content-language",
  cacheControl: "cache-control",
} as const satisfies Record<Exclude<keyof HttpMetadata, "cacheExpiry">, string>;

/** The header with the time from when on an object may not be cached. */
const EXPIRES = "expires";

function sentMetadata(c: Context): HttpMetadata {
  const texts = Object.entries(METADATA).flatMap(([field, header]) => {
    const value = c.req.header(header);
    return value === undefined ? [] : [[field, value]];
  });
  const cacheExpiry = sentExpiry(c);
  return { ...Object.fromEntries(texts), ...(cacheExpiry !== undefined && { cacheExpiry }) };
}

/** @throws ApiError 10029 (R2's InvalidArgument) for what is no time. */
function sentExpiry(c: Context): Date | undefined {
  const text = c.req.header(EXPIRES);
  if (text === undefined) return undefined;
  const time = new Date(text);
  if (!Number.isNaN(time.getTime())) return time;
  throw new ApiError(400, 10029, `${EXPIRES}: '${text}' is no time. Write it as ${new Date().toUTCString()}.`);
}

function httpHeaders({ cacheExpiry, ...texts }: HttpMetadata): Record<string, string> {
  const headers = {
    "content-type": texts.contentType ?? "application/octet-stream",
    "content-disposition": texts.contentDisposition,
    "content-encoding": texts.contentEncoding,
    "content-language": texts.contentLanguage,
    "cache-control": texts.cacheControl,
    [EXPIRES]: cacheExpiry?.toUTCString(),
  };
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, carried(value)]])),
  );
}

/** A text as HTTP carries it, which has no lines and no characters over U+00FF: those go as the bytes of UTF-8. */
function carried(text: string): string {
  const line = Array.from(text, (character) => (character < " " || character === "\x7f" ? " " : character)).join("");
  return /[\u0100-\u{10ffff}]/u.test(line) ? Buffer.from(line).toString("latin1") : line;
}

// Miniflare says "" for the default class.
const shown = ({ key, size, etag, uploaded, httpMetadata, customMetadata, storageClass }: BucketObject) => ({
  key,
  size,
  etag,
  last_modified: new Date(uploaded).toISOString(),
  http_metadata: httpMetadata ?? {},
  custom_metadata: customMetadata ?? {},
  storage_class: storageClass || STANDARD,
});

/** As at Cloudflare, the size is a text here, and a number in a list. */
const uploaded = ({ key, size, etag, uploaded: at, storageClass, version }: BucketObject) => ({
  key,
  size: String(size),
  etag,
  uploaded: new Date(at).toISOString(),
  storage_class: storageClass || STANDARD,
  version,
});
