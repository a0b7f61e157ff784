/** Bad HTTP input of every kind never gives a 500. */
import fc from "fast-check";
import * as v from "valibot";
import { expect, it } from "vitest";
import { operations, seed, Tally } from "./chaos.ts";
import { ADMIN, fetchApp } from "./helpers.ts";
import type { Tries } from "./tries.ts";

/** Good calls by route, about things that exist. */
const modules = import.meta.glob<{ tries: Tries }>("../*/worker/tries.ts", { eager: true });
const tries: Tries = Object.assign({}, ...Object.values(modules).map((module) => module.tries));

const Document = v.object({ paths: v.record(v.string(), v.record(v.string(), v.unknown())) });
/** Every route of the OpenAPI document, with values for the parameters of its path. */
const { paths } = v.parse(Document, await (await fetchApp("/openapi.json")).json());
const ROUTES = Object.entries(paths).flatMap(([path, operations]) =>
  Object.keys(operations).map((method) => [method.toUpperCase(), path.replace(/\{\w+\}/g, "k")] as const),
);
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
const PARAMETERS = [
  "id",
  "by",
  "after",
  "before",
  "limit",
  "cursor",
  "account",
  "consistency",
  "policy",
  "cost",
  "name",
];
const HEADERS = [
  "Authorization",
  "Content-Type",
  "Content-Length",
  "Cookie",
  "Origin",
  "Range",
  "If-None-Match",
  "If-Match",
  "If-Range",
  "Upgrade",
  "Sec-WebSocket-Protocol",
  "X-API-Key",
  "Idempotency-Key",
  "CF-Connecting-IP",
];

const segment = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.constantFrom("__proto__", "eu~x", "a:b", "..", "%", "%00", "%ff"),
);
const route = fc.constantFrom(...ROUTES);
const method = fc.constantFrom(...METHODS);
/** A good call about a thing that exists, with random headers and query, and perhaps another body. */
const good = fc.record({
  good: fc.constantFrom(...Object.keys(tries)),
  headers: fc.constantFrom<Record<string, string>>({}, ADMIN),
  otherBody: fc.boolean(),
});
/** Mostly existing routes; then deeper paths, other methods, and anything. */
const request = fc.oneof(
  { weight: 6, arbitrary: good },
  { weight: 6, arbitrary: route.map(([method, path]) => ({ method: `${method}`, path: `${path}` })) },
  { weight: 1, arbitrary: fc.record({ method, path: segment.map((text) => `/${encoded(text)}`) }) },
  { weight: 1, arbitrary: fc.record({ method, path: route.map(([, path]) => `${path}`) }) },
  {
    weight: 1,
    arbitrary: fc.tuple(route, segment).map(([[method, path], more]) => ({
      method: `${method}`,
      path: `${path}/${encoded(more)}`,
    })),
  },
);
const text = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.constantFrom(
    "-1",
    "0",
    "1e400",
    "NaN",
    "9007199254740993",
    "bytes=5-2",
    "websocket",
    "Bearer x",
    "application/json",
    "__Host-session=x",
  ),
);
/** Values that a header can have; a client cannot send others. */
const headerValue = text.filter((value) => /^[\x20-\x7e]*$/.test(value));
const query = fc.array(fc.tuple(fc.constantFrom(...PARAMETERS), text), { maxLength: 3 });
const headers = fc.array(fc.tuple(fc.constantFrom(...HEADERS), headerValue), { maxLength: 4 });
const body = fc.oneof(
  fc.json(),
  fc.string({ unit: "binary", maxLength: 100 }),
  fc.constant("x".repeat(20_000)),
  fc
    .record(
      Object.fromEntries(
        ["by", "from", "to", "amount", "userId", "role", "metadata", "policy", "cost"].map((field) => [
          field,
          fc.oneof(fc.jsonValue(), fc.constantFrom(-1, 1.5, 2 ** 53, "10", "a", "eu~m/a")),
        ]),
      ),
      { requiredKeys: [] },
    )
    .map((value) => JSON.stringify(value)),
);

function encoded(value: string): string {
  return value.isWellFormed() ? encodeURIComponent(value) : value.slice(0, 0);
}

interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string | undefined;
}
type Asked =
  | { readonly method: string; readonly path: string }
  | { readonly good: string; readonly headers: Record<string, string>; readonly otherBody: boolean };

async function called(asked: Asked, content: string): Promise<Request> {
  if ("path" in asked) return { ...asked, headers: {}, body: content };
  const attempt = await tries[asked.good]?.("ann", "public");
  if (!attempt) throw new Error(`no tries.ts has a call for ${asked.good}`);
  const { path, json, method = asked.good.split(" ", 1)[0] ?? "", headers } = attempt;
  const text = typeof json === "string" ? json : JSON.stringify(json);
  return { method, path, headers: { ...headers, ...asked.headers }, body: asked.otherBody ? content : text };
}

it("HTTP: every answer is a success or a problem, and none is a 500", async () => {
  const tally = new Tally();
  let violations = 0;
  await fc.assert(
    fc.asyncProperty(request, query, headers, body, async (asked, parameters, extra, content) => {
      const { method, path, headers, body } = await called(asked, content);
      const search = parameters.length > 0 ? `${path.includes("?") ? "&" : "?"}${new URLSearchParams(parameters)}` : "";
      const bodyless = method === "GET" || method === "HEAD";
      const json = extra.some(([name]) => name === "Content-Type") ? [] : [["Content-Type", "application/json"]];
      const init = {
        method,
        headers: new Headers(
          [...json, ...Object.entries(headers), ...extra].map(([name = "", value = ""]): [string, string] => [
            name,
            value,
          ]),
        ),
        ...(!bodyless && body !== undefined && { body }),
      };
      const response = await fetchApp(`${path}${search}`, init);
      tally.add(`of ${response.status}`);
      response.webSocket?.accept();
      response.webSocket?.close();
      if (response.status === 500) {
        violations++;
        console.info(method, `${path}${search}`, [...init.headers], content);
      }
      if (response.status >= 400 && method !== "HEAD") {
        expect(response.headers.get("Content-Type")).toBe("application/problem+json");
        const problem = await response.json();
        expect(problem).toMatchObject({
          status: response.status,
          title: expect.any(String),
          detail: expect.any(String),
        });
        expect(JSON.stringify(problem)).not.toMatch(/ at .*\.[jt]s:\d+/);
      } else await response.arrayBuffer();
    }),
    { numRuns: operations, seed },
  );
  tally.report("HTTP fuzz", operations, violations);
  expect(violations).toBe(0);
});
