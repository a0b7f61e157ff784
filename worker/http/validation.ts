/**
 * Checks what callers send. One valibot schema per input gives its type, its check and its description.
 *
 * A body is read up to a limit, so that no caller can fill the Worker's memory. All invalid fields are named at once.
 */
import type { MiddlewareHandler } from "hono";
import * as v from "valibot";
import { joined } from "../objects/bytes.ts";
import type { App } from "./context.ts";
import { jsonSchema, numberIn } from "./json-schema.ts";
import { documented, type Parameter, type Schema } from "./openapi.ts";
import { Refusal, refusal } from "./problem.ts";

/** The most bytes of a JSON body. */
const MAX_BODY_BYTES = 16_384;

type Validated<Target extends string, S extends Schema> = {
  in: { [T in Target]: v.InferInput<S> };
  out: { [T in Target]: v.InferOutput<S> };
};

/** Checks the JSON body, for `c.req.valid("json")`. No body counts as `{}`. Refuses with 413, 415 or 400. */
export function body<S extends v.BaseSchema<unknown, object, v.BaseIssue<unknown>>>(
  schema: S,
): MiddlewareHandler<App, string, Validated<"json", S>> {
  return documented(
    async (c, next) => {
      c.req.addValidatedData("json", check(schema, await readJson(c.req.raw)));
      await next();
    },
    () => ({
      requestBody: { required: !v.is(schema, {}), content: { "application/json": { schema: jsonSchema(schema) } } },
    }),
  );
}

/** Describes the body of a route that reads its bytes itself: of one of these types. */
export const binary = (...types: readonly string[]): MiddlewareHandler<App> =>
  documented(
    (_, next) => next(),
    () => {
      const schema = { type: "string", format: "binary" };
      return { requestBody: { required: true, content: Object.fromEntries(types.map((type) => [type, { schema }])) } };
    },
  );

/** The bytes of a body. Refuses another type (415), and more than `maxBytes` (413). */
export async function readBytes(request: Request, type: string, maxBytes: number): Promise<Uint8Array> {
  refuseCompressed(request.headers);
  if (typeOf(request) !== type) {
    throw refusal("unsupported-media-type", `The body must be sent with Content-Type: ${type}`);
  }
  return readWhole(request, maxBytes);
}

/** Refuses (415) a compressed body: nobody here would decompress it. */
export function refuseCompressed(headers: Headers): void {
  const coding = headers.get("Content-Encoding")?.trim().toLowerCase() ?? "";
  if (coding === "" || coding === "identity") return;
  throw refusal("unsupported-media-type", `Content-Encoding: ${coding} is not taken; send the body uncompressed`, {
    headers: { "Accept-Encoding": "identity" },
  });
}

/** Checks the query, for `c.req.valid("query")`: strings, each at most once. Ignores unknown parameters. */
export function query<const E extends v.ObjectEntries>(
  schema: v.ObjectSchema<E, undefined>,
): MiddlewareHandler<App, string, Validated<"query", v.ObjectSchema<E, undefined>>> {
  return documented(
    async (c, next) => {
      const given = Object.entries(c.req.queries());
      const twice = given.filter(([name, values]) => Object.hasOwn(schema.entries, name) && values.length > 1);
      if (twice.length > 0) throw invalid(twice.map(([field]) => ({ field, message: "given more than once" })));
      c.req.addValidatedData("query", check(schema, Object.fromEntries(given.map(([name, [value]]) => [name, value]))));
      await next();
    },
    () => ({ parameters: parameters("query", schema.entries) }),
  );
}

/** Checks the parameters in the path, for `c.req.valid("param")`. */
export function params<const E extends v.ObjectEntries>(
  schema: v.ObjectSchema<E, undefined>,
): MiddlewareHandler<App, string, Validated<"param", v.ObjectSchema<E, undefined>>> {
  return documented(
    async (c, next) => {
      c.req.addValidatedData("param", check(schema, c.req.param()));
      await next();
    },
    () => ({ parameters: parameters("path", schema.entries) }),
  );
}

/** A whole number in a query, from `min` to `max`. `what`: what it must be, for who sent none. */
export function wholeNumber(min: number, max: number, what = "must be a whole number") {
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,16}$/, what),
    v.transform(numberIn),
    v.minValue(min, `must be at least ${min}`),
    v.maxValue(max, `must be at most ${max}`),
  );
}

function parameters(place: "path" | "query", entries: v.ObjectEntries): Parameter[] {
  return Object.entries(entries).map(([name, entry]) => ({
    name,
    in: place,
    required: entry.type !== "optional",
    schema: jsonSchema(entry),
  }));
}

function check<S extends Schema>(schema: S, value: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  throw invalid(result.issues.map((issue) => ({ field: v.getDotPath(issue) ?? "body", message: faultOf(issue) })));
}

function faultOf({ kind, expected, received, message }: v.BaseIssue<unknown>): string {
  if (kind === "schema" && expected === "never") return "there is no such field";
  if (kind === "schema" && received === "undefined") return "is missing";
  return message;
}

function invalid(errors: { field: string; message: string }[]) {
  const detail = errors.map(({ field, message }) => `${field}: ${message}`).join("; ");
  return refusal("invalid-input", detail, { fields: { errors } });
}

async function readJson(request: Request): Promise<unknown> {
  const bytes = await readWhole(request, MAX_BODY_BYTES);
  if (bytes.byteLength === 0) return {};
  refuseCompressed(request.headers);
  if (typeOf(request) !== "application/json") {
    throw refusal("unsupported-media-type", "The body must be sent with Content-Type: application/json");
  }
  const value = parseJson(bytes);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid([{ field: "body", message: "must be a JSON object" }]);
  }
  return value;
}

const typeOf = ({ headers }: Request): string => headers.get("Content-Type")?.split(";")[0]?.trim().toLowerCase() ?? "";

function parseJson(bytes: Uint8Array): unknown {
  const [text, value] = textAndValue(bytes);
  // The search costs time, so only if the text may have the name, written out or with escapes.
  if (/__proto__|\\u00[567]/i.test(text)) {
    const path = pathOfProto(value);
    if (path) throw invalid([{ field: path, message: "no field may have this name" }]);
  }
  return value;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

function textAndValue(bytes: Uint8Array): [string, unknown] {
  try {
    const text = utf8.decode(bytes);
    return [text, JSON.parse(text)];
  } catch {
    throw invalid([{ field: "body", message: "Invalid JSON" }]);
  }
}

/**
 * The path of a field called `__proto__`, which later code could take for an object's prototype. Without recursion: a
 * body may be nested deeper than the stack.
 */
function pathOfProto(body: unknown): string | undefined {
  const left: [path: string, value: unknown][] = [["", body]];
  for (let next = left.pop(); next; next = left.pop()) {
    const [path, value] = next;
    if (typeof value !== "object" || value === null) continue;
    if (Object.hasOwn(value, "__proto__")) return `${path}__proto__`;
    for (const [name, inner] of Object.entries(value)) left.push([`${path}${name}.`, inner]);
  }
  return undefined;
}

/** The body. Refuses one whose end is missing: that is the caller's fault, and no outage. */
async function readWhole(request: Request, maxBytes: number): Promise<Uint8Array> {
  try {
    return await readAtMost(request, maxBytes);
  } catch (error) {
    throw error instanceof Refusal ? error : refusal("invalid-input", "The body did not arrive whole");
  }
}

async function readAtMost(request: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = () => refusal("too-large", `The body has more than ${maxBytes} bytes, the most that is allowed`);
  const declared = Number(request.headers.get("Content-Length") ?? Number.NaN);
  if (declared > maxBytes) throw tooLarge();
  if (declared >= 0) {
    // HTTP ends a body at its declared length. What arrives is counted too, in case something else made the request.
    const bytes = new Uint8Array(await request.arrayBuffer());
    if (bytes.byteLength > maxBytes) throw tooLarge();
    return bytes;
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.byteLength;
    if (length > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return joined(chunks);
}
