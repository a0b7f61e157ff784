/** Behaviour of all routes: problems, limits, headers, CORS, the page, the OpenAPI document, the log. */
import { env } from "cloudflare:workers";
import { toJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import { afterEach, describe, expect, it, vi } from "vitest";
import { newApiKey, storedAt } from "../../contract/api-keys.ts";
import { jsonSchema } from "../../worker/http/json-schema.ts";
import { type ProblemKind, problemResponse, refusal } from "../../worker/http/problem.ts";
import { wholeNumber } from "../../worker/http/validation.ts";
import app from "../../worker/index.ts";
import { retry } from "../../worker/objects/retry.ts";
import { title } from "../../worker/page/assets.gen.js";
import { stackOf } from "../../worker/stack.ts";
import { ADMIN, call, keyWith, unique } from "./helpers.ts";
import { callFailing, callSample, sampleApp } from "./sample.ts";

afterEach(() => vi.restoreAllMocks());

describe("problems", () => {
  it("answer an unknown path", async () => {
    const answer = await call("/nowhere");
    expect(answer.status).toBe(404);
    expect(answer.headers.get("Content-Type")).toBe("application/problem+json");
    expect(answer.body).toEqual({
      type: "urn:problem:not-found",
      title: "Not found",
      status: 404,
      detail: "There is nothing at /nowhere",
      error: "There is nothing at /nowhere",
    });
  });

  it("say which methods a path takes", async () => {
    expect((await call("/health", { method: "POST" })).headers.get("Allow")).toBe("GET, HEAD");
    expect((await callSample("/sample/reset", { method: "PUT" })).headers.get("Allow")).toBe("POST");
    expect((await callSample("/sample", { method: "DELETE" })).headers.get("Allow")).toBe("GET, HEAD, POST");
    expect((await callSample("/sample/reset")).status).toBe(405);
    expect(await call("/nowhere", { method: "DELETE" })).toMatchObject({ status: 404 });
  });

  it("have a kind for what a pattern of one's own finds taken", async () => {
    const answer = problemResponse(refusal("conflict", "player: this name is taken; choose another").problem);
    expect(answer.status).toBe(409);
    expect(await answer.json()).toMatchObject({ type: "urn:problem:conflict", title: "Conflict" });
  });

  it("say when to come back: in a second, if nothing else is known", () => {
    const waitOf = (kind: ProblemKind, headers = {}) =>
      problemResponse({ kind, detail: "", headers }).headers.get("Retry-After");
    expect([waitOf("unavailable"), waitOf("unavailable", { "Retry-After": "60" }), waitOf("conflict")]).toEqual([
      "1",
      "60",
      null,
    ]);
  });

  it("do not prevent HEAD and OPTIONS", async () => {
    expect(await call("/health", { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
    const options = await call("/health", { method: "OPTIONS" });
    expect(options.status).toBe(204);
    expect(options.headers.get("Allow")).toBe("GET, HEAD");
  });

  it("never show an internal error", async () => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const broken = { ...env, SETTINGS: { secret: "s3cret" } };
    const response = await app.fetch(new Request("https://stack.test/health"), broken);
    const text = await response.text();
    expect(response.status).toBe(500);
    expect(text).not.toMatch(/s3cret|at .*\.ts|settings\.ts/);
    expect(logged).toHaveBeenCalledOnce();
    expect(JSON.stringify(logged.mock.calls)).toContain("SETTINGS");
  });
});

describe("a body", () => {
  const add = (json: unknown, headers: Record<string, string> = {}) => callSample("/sample", { json, headers });

  it.each(["", "{", "[1", "nul", '{"by":1}}', "\ufeff\ufeff{}"])("that is not JSON (%j) is refused", async (json) => {
    // An empty body counts as {}.
    expect((await add(json)).status).toBe(json === "" ? 200 : 400);
  });

  it.each(["null", "1", '"x"', "[]", "true"])("that is %s and not an object is refused", async (json) => {
    expect((await add(json)).status).toBe(400);
  });

  it("that is not UTF-8 is refused", async () => {
    const response = await sampleApp.fetch(
      new Request("https://stack.test/sample", {
        method: "POST",
        headers: { "Content-Type": "application/json", "CF-Connecting-IP": "10.9.9.9" },
        body: new Uint8Array([0x7b, 0xff, 0x7d]),
      }),
      env,
    );
    expect(response.status).toBe(400);
  });

  it.each(["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])(
    "of type %j is 415",
    async (type) => {
      expect((await add('{"by":2}', { "Content-Type": type })).status).toBe(415);
    },
  );

  it("that is compressed is 415, and says what to do", async () => {
    const answer = await add('{"by":2}', { "Content-Encoding": "gzip" });
    expect(answer).toMatchObject({ status: 415, body: { detail: expect.stringContaining("uncompressed") } });
    expect(answer.headers.get("Accept-Encoding")).toBe("identity");
    expect(await add('{"by":2}', { "Content-Encoding": "identity" })).toMatchObject({ status: 200 });
  });

  it.each(["application/json; charset=utf-8", "Application/JSON"])("of type %j is taken", async (type) => {
    expect(await add('{"by":2}', { "Content-Type": type })).toMatchObject({ body: { sum: 3 } });
  });

  it("over the limit is 413, with or without a declared length", async () => {
    const padded = `{"by":1${" ".repeat(20_000)}}`;
    expect((await add(padded)).status).toBe(413);
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(4_096).fill(0x20)),
    });
    const response = await sampleApp.fetch(
      new Request("https://stack.test/sample", {
        method: "POST",
        headers: { "Content-Type": "application/json", "CF-Connecting-IP": "10.9.9.8" },
        body: endless,
      }),
      env,
    );
    expect(response.status).toBe(413);
  });

  it.each([{}, { "Content-Length": "10" }])("that breaks off is 400, and no outage: %o", async (length) => {
    const cut = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        controller.error(Object.assign(new Error("Network connection lost."), { retryable: true }));
      },
    });
    const response = await sampleApp.fetch(
      new Request("https://stack.test/sample", {
        method: "POST",
        headers: { "Content-Type": "application/json", "CF-Connecting-IP": "10.9.9.7", ...length },
        body: cut,
      }),
      env,
    );
    expect([response.status, await response.json()]).toMatchObject([400, { detail: "The body did not arrive whole" }]);
  });

  it("with keys like __proto__ does no harm", async () => {
    await add('{"by":1,"__proto__":{"by":7,"polluted":true}}');
    await add('{"constructor":{"prototype":{"polluted":true}}}');
    expect(Reflect.get({}, "polluted")).toBeUndefined();
    expect(await add('{"__proto__":{"by":7}}')).toMatchObject({
      status: 400,
      body: { errors: [{ field: "__proto__", message: "no field may have this name" }] },
    });
    expect(await add('{"by":1,"a":[{"b":{"__proto__":1}}]}')).toMatchObject({
      body: { errors: [{ field: "a.0.b.__proto__" }] },
    });
  });

  it.each(["__proto_\\u005f", "__\\u0070roto__", "__pr\\u006Fto__", "__pro\\u0074o__"])(
    "with the key %s does no harm, whatever letter is escaped",
    async (key) => {
      expect(await add(`{"by":1,"a":{"${key}":1}}`)).toMatchObject({ body: { errors: [{ field: "a.__proto__" }] } });
    },
  );

  it("that is nested thousands deep is the caller's mistake, whatever it says", async () => {
    const nested = `${"[".repeat(8_000)}${"]".repeat(8_000)}`;
    expect((await add(`{"by":1,"a":${nested},"b":"__proto__"}`)).status).toBe(400);
  });

  it("has all its faults named at once", async () => {
    const answer = await add({ by: 0, more: "1", other: 1 });
    expect(answer.status).toBe(400);
    const { errors } = v.parse(v.object({ errors: v.array(v.object({ field: v.string() })) }), answer.body);
    expect(new Set(errors.map(({ field }) => field))).toEqual(new Set(["by", "more", "other"]));
  });
});

describe("a query", () => {
  it("is refused if it gives a parameter more than once, but not if no route has it", async () => {
    expect(await callSample("/sample?id=a&id=b")).toMatchObject({ status: 400, body: { errors: [{ field: "id" }] } });
    for (const name of ["other", "constructor", "toString", "__proto__"]) {
      expect((await callSample(`/sample?${name}=1&${name}=2`)).status, name).toBe(200);
    }
  });
});

describe("cross-origin calls", () => {
  const settings = { corsOrigins: ["https://app.example"] };
  const preflight = { Origin: "https://app.example", "Access-Control-Request-Method": "POST" };

  it("are allowed from the listed origins", async () => {
    const answer = await callSample("/sample", { method: "OPTIONS", headers: preflight, settings });
    expect(answer.status).toBe(204);
    expect(answer.headers.get("Access-Control-Allow-Origin")).toBe("https://app.example");
    expect(answer.headers.get("Access-Control-Allow-Headers")).toMatch(/Idempotency-Key.*If-None-Match.*Range/);
    const simple = await call("/health", { headers: { Origin: "https://app.example" }, settings });
    expect(simple.headers.get("Access-Control-Allow-Origin")).toBe("https://app.example");
    expect(simple.headers.get("Access-Control-Expose-Headers")).toMatch(/ETag, Content-Range.*Ledger-Next/);
    expect(simple.headers.get("Vary")).toContain("Origin");
  });

  it("can also read problems", async () => {
    const answer = await call("/nowhere", { headers: { Origin: "https://app.example" }, settings });
    expect(answer.headers.get("Access-Control-Allow-Origin")).toBe("https://app.example");
  });

  it("are not allowed from other origins", async () => {
    for (const origin of ["https://evil.example", "https://app.example.evil.example", "http://app.example", "null"]) {
      const answer = await callSample("/sample", {
        method: "OPTIONS",
        headers: { ...preflight, Origin: origin },
        settings,
      });
      expect(answer.headers.get("Access-Control-Allow-Origin")).toBeNull();
    }
  });
});

describe("every answer", () => {
  it("has a request id, and must not be sniffed or cached", async () => {
    const { headers } = await call("/health");
    expect(headers.get("X-Request-Id")).toMatch(/^[\w-]{10,}$/);
    expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(headers.get("Cache-Control")).toBe("no-store");
  });
});

describe("the request log", () => {
  it("has one line of JSON per request: route, class (by its pattern), region, outcome, nothing about the caller", async () => {
    const logged = vi.spyOn(console, "log").mockImplementation(() => undefined);
    const id = unique();
    const answer = await callSample(`/sample?id=us~${id}`, { json: { by: 0 }, headers: ADMIN });
    await callSample(`/sample?id=us~${id}`);
    expect(logged).toHaveBeenCalledTimes(2);
    const [refused, read] = logged.mock.calls.map(([line]) => JSON.parse(String(line)));
    expect(refused).toMatchObject({
      requestId: answer.headers.get("X-Request-Id"),
      method: "POST",
      route: "/sample",
      status: 400,
      outcome: "invalid-input",
    });
    expect(read).toMatchObject({ route: "/sample", class: "sample", region: "us", outcome: "ok", status: 200 });
    expect(read.durationMs).toBeGreaterThanOrEqual(0);
    for (const secret of [id, env.ADMIN_TOKEN]) expect(JSON.stringify(logged.mock.calls)).not.toContain(secret);
  });
});

describe("health", () => {
  it("says what is running", async () => {
    const { release } = stackOf(env);
    expect(await call("/health")).toMatchObject({
      status: 200,
      body: { status: "ok", environment: "dev", region: "eu", digest: release.digest, migration: release.migration },
    });
  });
});

describe("the admin token", () => {
  const ask = (token: string, more: object) =>
    sampleApp.fetch(
      new Request("https://stack.test/sample/reset", {
        method: "POST",
        headers: { Authorization: `Bearer ${token}`, "CF-Connecting-IP": "10.8.8.8" },
      }),
      { ...env, ...more },
    );

  it("is one of two while callers change to the new one, and a single one before and after", async () => {
    const both = { ADMIN_TOKEN: "the-new-token", ADMIN_TOKEN_PREVIOUS: "the-old-token" };
    const statuses = async (more: object) =>
      Promise.all(["the-new-token", "the-old-token", "another"].map(async (token) => (await ask(token, more)).status));
    expect(await statuses(both)).toEqual([200, 200, 401]);
    expect(await statuses({ ADMIN_TOKEN: "the-new-token" })).toEqual([200, 401, 401]);
    expect(await statuses({ ...both, ADMIN_TOKEN_PREVIOUS: "" })).toEqual([200, 401, 401]);
    expect(await statuses({ ADMIN_TOKEN: "", ADMIN_TOKEN_PREVIOUS: "the-old-token" })).toEqual([401, 401, 401]);
  });
});

describe("an API key", () => {
  const CHECKED = 30_000;
  let addresses = 0;
  const newAddress = () => `10.9.9.${++addresses}`;
  const reset = (key: string, from: string) =>
    callSample("/sample/reset", { method: "POST", headers: { "X-API-Key": key, "CF-Connecting-IP": from } });
  const newKey = async () => (await keyWith("sample.reset"))["X-API-Key"];
  /** Many calls at once: their statuses, each once. */
  const many = async (key: string, from: string) =>
    new Set((await Promise.all(Array.from({ length: 50 }, () => reset(key, from)))).map(({ status }) => status));
  const guess = (from: string) => Promise.all(Array.from({ length: 20 }, () => reset(newApiKey(), from)));

  afterEach(() => void vi.useRealTimers());

  it("is looked up once for many requests at once, valid or not", async () => {
    const [from, key] = [newAddress(), await newKey()];
    const get = vi.spyOn(env.READS, "get");
    expect(await many(key, from)).toEqual(new Set([200]));
    expect(await many(newApiKey(), from)).toEqual(new Set([401]));
    expect(get).toHaveBeenCalledTimes(2);
  });

  it("cannot be checked at an address that has guessed too many, which is told to come back", async () => {
    const [from, key] = [newAddress(), await newKey()];
    await guess(from);
    const answer = await reset(key, from);
    expect(answer).toMatchObject({ status: 429, body: { type: "urn:problem:rate-limited" } });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 1_000 * Number(answer.headers.get("Retry-After")) });
    expect((await reset(key, from)).status).toBe(200);
  });

  it("that was valid a while ago is looked up again beside somebody who guesses, until it is revoked", async () => {
    const [from, key] = [newAddress(), await newKey()];
    expect((await reset(key, from)).status).toBe(200);
    await guess(from);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + CHECKED });
    await guess(from);
    expect((await reset(key, from)).status).toBe(200);
    await env.READS.delete((await storedAt(key)) ?? "");
    vi.setSystemTime(Date.now() + CHECKED);
    expect((await reset(key, from)).status).toBe(401);
  });

  it("cannot be checked while KV is away, also by those who wait for the same look-up", async () => {
    const get = vi.spyOn(env.READS, "get").mockRejectedValue(new Error("KV is away"));
    vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const [from, key] = [newAddress(), await newKey()];
    expect(await many(key, from)).toEqual(new Set([503]));
    expect(get).toHaveBeenCalledTimes(1);
    get.mockRestore();
    expect((await reset(key, from)).status).toBe(200);
  });
});

describe("the page", () => {
  it.each([
    ["/", "text/html"],
    ["/page.css", "text/css"],
    ["/page.js", "text/javascript"],
  ])("%s is served with an ETag, and not again to a client that has it", async (path, type) => {
    const first = await call(path);
    expect(first.status).toBe(200);
    expect(first.headers.get("Content-Type")).toContain(type);
    const etag = first.headers.get("ETag") ?? "";
    // A weak one: the same file is also sent compressed.
    expect(etag).toMatch(/^W\/"\w+"$/);
    const again = await call(path, { headers: { "If-None-Match": etag } });
    expect(again).toMatchObject({ status: 304, body: "" });
    expect((await call(path, { headers: { "If-None-Match": '"old"' } })).status).toBe(200);
  });

  it.each([
    ["gzip", "gzip"],
    ["deflate, GZIP;q=0.5, *;q=0", "gzip"],
    ["identity;q=0.1, gzip;q=0.9", "gzip"],
    ["gzip;q=0", null],
    ["gzip; q=0.0, br", null],
    ["*;q=0", null],
    ["br", null],
    ["", null],
  ])("is compressed only for who takes that: %j", async (accepted, coding) => {
    const { headers } = await call("/page.js", { headers: { "Accept-Encoding": accepted } });
    expect(headers.get("Content-Encoding")).toBe(coding);
  });

  it("allows only its own scripts and styles", async () => {
    const { headers, body } = await call("/");
    const policy = headers.get("Content-Security-Policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain("unsafe-inline");
    expect(String(body)).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/);
  });
});

describe("the OpenAPI document", () => {
  const Document = v.object({
    openapi: v.string(),
    paths: v.record(
      v.string(),
      v.record(
        v.string(),
        v.object({
          summary: v.string(),
          operationId: v.string(),
          responses: v.record(
            v.string(),
            v.object({ description: v.string(), content: v.optional(v.record(v.string(), v.unknown())) }),
          ),
        }),
      ),
    ),
  });

  it("describes all routes, and no others", async () => {
    const { paths } = v.parse(Document, (await call("/openapi.json")).body);
    const described = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const routes = app.routes
      .filter(({ method }) => method !== "ALL")
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
    expect(new Set(described)).toEqual(new Set(routes));
    for (const operation of Object.values(paths).flatMap(Object.values)) {
      expect(Object.keys(operation.responses).length).toBeGreaterThanOrEqual(2);
    }
  });

  it("names each operation, for functions of generated clients", async () => {
    const { paths } = v.parse(Document, (await call("/openapi.json")).body);
    const names = Object.values(paths).flatMap((operations) => Object.values(operations).map((one) => one.operationId));
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => !/^[a-z]+[A-Za-z0-9]*$/.test(name))).toEqual([]);
    expect(v.parse(Document, (await callSample("/openapi.json")).body).paths).toMatchObject({
      "/sample/reset": { post: { operationId: "postSampleReset" } },
    });
  });

  it("says what a problem may be, and how long to wait", async () => {
    expect((await call("/openapi.json")).body).toMatchObject({
      paths: { "/health": { get: { responses: { default: { headers: { "Retry-After": { schema: {} } } } } } } },
      components: {
        schemas: {
          Problem: {
            properties: {
              type: { examples: expect.arrayContaining(["urn:problem:not-found", "urn:problem:rate-limited"]) },
              retryAfter: { type: "integer" },
            },
          },
        },
      },
    });
  });

  /** An upgrade, "no content", and what redirects or says that nothing has changed. */
  const BODILESS = /^(101|204|3..)$/;

  it("says of every answer with a body what type it has", async () => {
    const { paths } = v.parse(Document, (await call("/openapi.json")).body);
    const without = Object.entries(paths).flatMap(([path, operations]) =>
      Object.values(operations).flatMap(({ responses }) =>
        Object.entries(responses)
          .filter(([status, { content = {} }]) => !BODILESS.test(status) && Object.keys(content).length === 0)
          .map(([status]) => `${path} ${status}`),
      ),
    );
    expect(without).toEqual([]);
  });

  it("says what is answered to who has a file already", async () => {
    const { paths } = v.parse(Document, (await call("/openapi.json")).body);
    for (const path of ["/", "/page.css", "/page.js", "/later/{file}"])
      expect(Object.keys(paths[path]?.get?.responses ?? {})).toEqual(["200", "304", "default"]);
  });

  it("has the page's title", async () => {
    expect((await call("/openapi.json")).body).toMatchObject({ info: { title } });
  });

  it("describes the checks: a number has the same limits", async () => {
    const { body } = await callSample("/openapi.json");
    expect(body).toMatchObject({
      paths: {
        "/sample": {
          post: {
            parameters: expect.arrayContaining([
              expect.objectContaining({ in: "query", name: "id", required: false }),
              expect.objectContaining({
                in: "header",
                name: "Idempotency-Key",
                description: expect.stringContaining("Idempotent-Replayed"),
              }),
            ]),
            requestBody: {
              content: {
                "application/json": {
                  schema: { properties: { by: { type: "integer", minimum: 1, maximum: 1_000 } } },
                },
              },
            },
          },
        },
        "/sample/reset": {
          post: { security: [{ admin: [] }, { key: [] }], "x-access": { action: "sample.reset", rule: "admin" } },
        },
      },
    });
  });
});

describe("JSON Schema", () => {
  it("equals the result of valibot's own converter", () => {
    const schema = v.strictObject({
      text: v.pipe(v.string(), v.minLength(2), v.maxLength(9), v.regex(/^x/), v.normalize("NFC")),
      ratio: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(5)), 3),
      page: v.pipe(v.string(), v.regex(/^\d+$/), v.transform(Number), v.minValue(7)),
      choice: v.picklist(["a", "b"]),
      when: v.nullable(v.pipe(v.string(), v.isoTimestamp())),
      list: v.pipe(v.array(v.object({ flag: v.boolean() })), v.nonEmpty()),
      more: v.optional(v.record(v.string(), v.unknown())),
    });
    const { $schema: _, ...expected } = toJsonSchema(schema, { typeMode: "input", errorMode: "ignore" });
    expect(jsonSchema(schema)).toEqual(expected);
  });

  // Where valibot's own says less, generators of clients make a float of 32 bits, a text, or no type at all.
  it.each([
    [v.pipe(v.number(), v.integer(), v.minValue(1)), { type: "integer", format: "int64", minimum: 1 }],
    [v.pipe(v.number(), v.safeInteger()), { type: "integer", format: "int64" }],
    [v.optional(wholeNumber(1, 9), "5"), { type: "integer", format: "int32", minimum: 1, maximum: 9, default: 5 }],
    [v.literal(true), { type: "boolean", const: true }],
  ])("has whole numbers with their size, also those of a URL, and constants with their type: case %#", (schema, is) => {
    expect(jsonSchema(schema)).toEqual(is);
  });

  it("throws for an unknown schema", () => {
    expect(() => jsonSchema(v.bigint())).toThrow('valibot\'s "bigint"');
  });
});

describe("retries of calls to objects", () => {
  const failing = (times: number, flags: object) => {
    let attempts = 0;
    const attempt = async () => {
      attempts++;
      if (attempts <= times) throw Object.assign(new Error("the object was reset"), flags);
      return attempts;
    };
    return { attempt, attempts: () => attempts };
  };

  it("are made while the error says retryable", async () => {
    expect(await retry(failing(2, { retryable: true }).attempt)).toBe(3);
  });

  it("end after three attempts", async () => {
    const { attempt, attempts } = failing(9, { retryable: true });
    await expect(retry(attempt)).rejects.toThrow("the object was reset");
    expect(attempts()).toBe(3);
  });

  it.each([{}, { retryable: false }, { retryable: true, overloaded: true }, { overloaded: true }])(
    "are not made when the error says %j",
    async (flags) => {
      const { attempt, attempts } = failing(1, flags);
      await expect(retry(attempt)).rejects.toThrow();
      expect(attempts()).toBe(1);
    },
  );

  it.each([
    [{ overloaded: true, retryable: true }, "5"],
    [{ retryable: true }, "1"],
  ])("that cannot help end as 503 with Retry-After (%j)", async (flags, retryAfter) => {
    const error = Object.assign(new Error("the object was reset"), flags);
    const response = await callFailing(error);
    expect(response.status).toBe(503);
    expect(response.headers.get("Retry-After")).toBe(retryAfter);
  });
});

describe("the stack's settings", () => {
  it("are refused with every wrong one named", () => {
    const wrong = { ...env, SETTINGS: { ...env.SETTINGS, demoLogin: "yes", corsOrigins: ["https://a.example/path"] } };
    expect(() => stackOf(wrong)).toThrow(/SETTINGS\.demoLogin.*|SETTINGS\.corsOrigins\.0/);
    expect(() => stackOf(wrong)).toThrow(/SETTINGS\.corsOrigins\.0/);
  });

  it("have defaults for missing keys, and drop keys that this release does not know", () => {
    const { settings } = stackOf({ ...env, SETTINGS: { environment: "dev", later: 1 } });
    expect(settings).toMatchObject({ access: "rules", corsOrigins: [] });
    expect(JSON.stringify(settings)).not.toContain("later");
  });

  it("must have an existing home region, and no prefix twice", () => {
    const { regions } = stackOf(env);
    expect(() => stackOf({ ...env, REGIONS: { ...regions, home: "mars" } })).toThrow(/home is not the id of a region/);
    const twins = regions.regions.map((region) => ({ ...region, prefix: "same" }));
    expect(() => stackOf({ ...env, REGIONS: { ...regions, regions: twins } })).toThrow(/same prefix/);
  });
});
