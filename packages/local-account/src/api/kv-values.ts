/** `/accounts/:account/storage/kv/namespaces/:namespace/…`: keys, values and metadata. */
import { type Context, Hono } from "hono";
import * as v from "valibot";
import { ApiError, invalid, noSuchNamespace } from "../errors.ts";
import type { KvNamespace } from "../model.ts";
import { parse } from "../parse.ts";
import type { KvAccess } from "../runtime/storage.ts";
import { body, json, param } from "./body.ts";
import type { Api } from "./context.ts";
import { countIn, ok } from "./envelope.ts";
import { formOf, isForm, jsonOf } from "./form.ts";
import { checked, checkedPair, checkKey, MOST_KEY_BYTES } from "./kv-batch.ts";

const seconds = v.pipe(v.number(), v.integer());

const Pair = v.object({
  key: v.pipe(v.string(), v.nonEmpty()),
  value: v.string(),
  base64: v.optional(v.boolean()),
  expiration: v.optional(seconds),
  expiration_ttl: v.optional(seconds),
  metadata: v.optional(v.unknown()),
});

const Keys = v.array(v.string());

const MOST_KEYS_OF_GET = 100;

const BulkGet = v.looseObject({
  keys: v.pipe(
    v.array(v.pipe(v.string(), v.nonEmpty())),
    v.maxLength(MOST_KEYS_OF_GET, `must be at most ${MOST_KEYS_OF_GET} keys`),
  ),
  type: v.nullish(v.picklist(["text", "json"]), "text"),
  withMetadata: v.nullish(v.boolean(), false),
});

type ValueType = v.InferOutput<typeof BulkGet>["type"];

export const kvValues = ({ account }: Api) => {
  const namespace = (c: Context): KvNamespace => {
    const id = param(c, "namespace");
    const found = account.state.kvNamespaces.get(id);
    if (found === undefined) throw noSuchNamespace(id);
    return found;
  };
  const inNamespace = async <T>(c: Context, work: (kv: KvAccess) => Promise<T>): Promise<T> => {
    const { id } = namespace(c);
    await account.reachStorage();
    return account.runtime.calls.kv(id, work);
  };
  const removeAll = async (c: Context) => {
    const keys = parse(Keys, await json(c));
    await account.runtime.calls.deleteKeys(namespace(c).id, keys);
    return ok(c, { successful_key_count: keys.length, unsuccessful_keys: [] });
  };
  return new Hono()
    .get("/keys", async (c) => {
      const limit = countIn(c, "limit", 1_000);
      const prefix = c.req.query("prefix") ?? "";
      if (Buffer.byteLength(prefix) > MOST_KEY_BYTES)
        throw invalid(`prefix: '${prefix}' must have up to ${MOST_KEY_BYTES} bytes, as a key has.`);
      const cursor = c.req.query("cursor");
      const page = await inNamespace(c, (kv) =>
        kv.list({ limit, ...(prefix && { prefix }), ...(cursor && { cursor }) }),
      );
      const keys = page.keys.map(({ name, expiration, metadata }) => ({
        name,
        ...(expiration !== undefined && { expiration }),
        ...(metadata == null ? {} : { metadata }),
      }));
      return ok(c, keys, { count: keys.length, cursor: page.list_complete ? "" : (page.cursor ?? "") });
    })
    .get("/values/:key{[\\s\\S]+}", async (c) => {
      const key = checkKey(param(c, "key"));
      const [value, expiration] = await inNamespace(c, (kv) =>
        Promise.all([kv.get(key, "arrayBuffer"), expirationOf(kv, key)]),
      );
      if (value === null) throw new ApiError(404, 10009, "get: 'key not found'");
      return c.body(value, 200, {
        "content-type": "application/octet-stream",
        ...(expiration !== undefined && { expiration: String(expiration) }),
      });
    })
    .put("/values/:key{[\\s\\S]+}", async (c) => {
      const { value, metadata } = await sentValue(c);
      const key = param(c, "key");
      const sent = { expiration: number(c, "expiration"), expiration_ttl: number(c, "expiration_ttl"), metadata };
      const pair = checkedPair({ key, bytes: value.byteLength, ...sent }, Date.now());
      const { id } = namespace(c);
      await account.reachStorage();
      // Not by a binding: it would check the expiration again, a moment later.
      await account.runtime.calls.putPairs(id, [
        { key, value: Buffer.from(value).toString("base64"), base64: true, ...pair },
      ]);
      return ok(c, {});
    })
    .delete("/values/:key{[\\s\\S]+}", async (c) => {
      await inNamespace(c, (kv) => kv.delete(checkKey(param(c, "key"))));
      return ok(c, {});
    })
    .get("/metadata/:key{[\\s\\S]+}", async (c) => {
      const { value, metadata } = await inNamespace(c, (kv) => kv.getWithMetadata(checkKey(param(c, "key"))));
      if (value === null) throw new ApiError(404, 10009, "get: 'key not found'");
      return ok(c, metadata);
    })
    .put("/bulk", async (c) => {
      const { id } = namespace(c);
      const pairs = checked(parse(v.array(Pair), await json(c)), Date.now());
      await account.reachStorage();
      await account.runtime.calls.putPairs(id, pairs);
      return ok(c, { successful_key_count: pairs.length, unsuccessful_keys: [] });
    })
    .delete("/bulk", removeAll)
    .post("/bulk/delete", removeAll)
    .post("/bulk/get", async (c) => {
      const { keys, type, withMetadata } = await body(c, BulkGet);
      for (const key of keys) checkKey(key);
      const read = withMetadata ? readWithMetadata : readValue;
      const values = await inNamespace(c, (kv) =>
        Promise.all(keys.map(async (key) => [key, await read(kv, key, type)] as const)),
      );
      return ok(c, { values: Object.fromEntries(values) });
    });
};

/** The value of a key; null if there is none. */
async function readValue(kv: KvAccess, key: string, type: ValueType): Promise<unknown> {
  const value = await kv.get(key, "arrayBuffer");
  return value === null ? null : decoded(key, new TextDecoder().decode(value), type);
}

/** The value of a key, with its metadata and the time when it expires; null if there is none. */
async function readWithMetadata(kv: KvAccess, key: string, type: ValueType): Promise<unknown> {
  const { value, metadata } = await kv.getWithMetadata(key);
  if (value === null) return null;
  const expiration = await expirationOf(kv, key);
  return { value: decoded(key, value, type), metadata, ...(expiration !== undefined && { expiration }) };
}

/** When a key expires, in seconds since the epoch; undefined if it never does. */
async function expirationOf(kv: KvAccess, key: string): Promise<number | undefined> {
  // Of the keys that begin with it, a key itself is the first.
  const [listed] = (await kv.list({ prefix: key, limit: 1 })).keys;
  return listed?.name === key ? listed.expiration : undefined;
}

/** @throws ApiError 10021 if a value that is read as JSON is none. */
function decoded(key: string, value: string, type: ValueType): unknown {
  if (type !== "json") return value;
  try {
    return JSON.parse(value);
  } catch {
    throw invalid(`key '${key}': its value is not JSON. Read it with the type text.`);
  }
}

/** The value of a PUT: the body, or the part `value` of a form, which may have `metadata` too. */
async function sentValue(c: Context): Promise<{ readonly value: ArrayBuffer; readonly metadata: unknown }> {
  if (!isForm(c)) return { value: await c.req.arrayBuffer(), metadata: undefined };
  const part = await formOf(c);
  const [value, metadata] = await Promise.all([part("value"), part("metadata")]);
  if (value === undefined) throw invalid("there is no part named 'value'.");
  return {
    value: new Uint8Array(value).buffer,
    metadata: metadata === undefined ? undefined : jsonOf(metadata, "metadata"),
  };
}

function number(c: Context, name: string): number | undefined {
  const value = c.req.query(name);
  if (value === undefined || value === "") return undefined;
  if (!/^\d+$/.test(value)) throw invalid(`${name}: '${value}' must be a whole number of seconds.`);
  return Number(value);
}
