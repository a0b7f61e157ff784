/** The rate limiter in front of the app: which bucket pays, the headers, and the cost of floods. */
import { evictAllDurableObjects } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { storedAt } from "../../../contract/api-keys.ts";
import type { App, Charge } from "../../../worker/http/context.ts";
import { problemResponse, Refusal } from "../../../worker/http/problem.ts";
import { patterns } from "../../../worker/patterns.ts";
import { LEASE_MS } from "../../../worker/rate-limit/holds.ts";
import { RateLimiterDO } from "../../../worker/rate-limit/limiter.ts";
import { rateLimit } from "../../../worker/rate-limit/middleware.ts";
import { pass, stopClock } from "../../worker/clock.ts";

/** The clock stands still, so that no bucket refills. */
beforeEach(() => {
  stopClock();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const JSON_TYPE = { "Content-Type": "application/json" };

let addresses = 0;
/** An address that no other test has used. */
const address = () => `198.51.${Math.floor(addresses / 250)}.${++addresses % 250}`;

/** Calls the app from an address, or from none. */
function call(path: string, from: string | undefined, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (from !== undefined) headers.set("CF-Connecting-IP", from);
  return exports.default.fetch(new Request(`https://stack.example${path}`, { ...init, headers }));
}

const peek = (from: string | undefined, init?: RequestInit) =>
  call("/limit", from, init).then((response) => response.json<{ remaining: number }>());

const take = (from: string, cost: number, init: RequestInit = {}) =>
  call("/limit/check", from, {
    ...init,
    method: "POST",
    headers: { ...Object.fromEntries(new Headers(init.headers)), "Content-Type": "application/json" },
    body: JSON.stringify({ cost }),
  });

describe("a caller with many requests", () => {
  const roomy = { ...env.SETTINGS, rateLimits: { default: { capacity: 6_000, periodSeconds: 60 } } };
  const app = new Hono<App>()
    .use(rateLimit({ policy: "default", onUnavailable: "deny" }))
    .get("/", (c) => c.text("in"));

  it("is let in without a call to the object for most of them, and gets back what was not used", async () => {
    const asked = vi.spyOn(RateLimiterDO.prototype, "take");
    // Leases end where the test says so: by a clock, a slow machine would visit too seldom to keep one.
    const end = Promise.withResolvers<void>();
    const wait = scheduler.wait.bind(scheduler);
    vi.spyOn(scheduler, "wait").mockImplementation((ms) => (ms === LEASE_MS ? end.promise : wait(ms)));
    const from = address();
    const visit = () => app.request("/", { headers: { "CF-Connecting-IP": from } }, { ...env, SETTINGS: roomy });
    for (let i = 0; i < 300; i++) {
      const response = await visit();
      expect(response.status).toBe(200);
      expect(Number(response.headers.get("X-RateLimit-Remaining"))).toBeLessThan(6_000);
      pass(2);
    }
    expect(asked.mock.calls.length).toBeLessThanOrEqual(100);
    const givenBack = vi.spyOn(RateLimiterDO.prototype, "giveBack");
    const stub = env.RATE_LIMITER.getByName(`dev-eu:limit:default.ip-${from}`);
    const policy = { capacity: 6_000, periodSeconds: 60 };
    end.resolve();
    await expect.poll(() => givenBack.mock.calls.length).toBeGreaterThan(0);
    await expect.poll(async () => (await stub.peek(policy, 1)).remaining).toBeGreaterThanOrEqual(5_700);
  });
});

describe("the answers", () => {
  it("carry both families of headers when allowed, and count down", async () => {
    const from = address();
    for (const left of [99, 98, 97]) {
      const response = await call("/openapi.json", from);
      expect(response.status).toBe(200);
      expect(response.headers.get("X-RateLimit-Limit")).toBe("100");
      expect(response.headers.get("X-RateLimit-Remaining")).toBe(`${left}`);
      expect(response.headers.get("RateLimit-Policy")).toBe('"default";q=100;w=60');
      expect(response.headers.get("RateLimit")).toBe(`"default";r=${left};t=1`);
      expect(response.headers.has("Retry-After")).toBe(false);
    }
  });

  it("are the article's 429 when denied, with headers of both families", async () => {
    const from = address();
    await take(from, 100);
    const response = await call("/openapi.json", from);
    expect(response.status).toBe(429);
    expect(response.headers.get("Content-Type")).toBe("application/problem+json");
    expect(await response.json()).toMatchObject({ allowed: false, remaining: 0, retryAfter: 1, status: 429 });
    expect(response.headers.get("Retry-After")).toBe("1");
    expect(response.headers.get("X-RateLimit-Limit")).toBe("100");
    expect(response.headers.get("X-RateLimit-Remaining")).toBe("0");
    expect(response.headers.get("RateLimit")).toBe('"default";r=0;t=1');
    expect(response.headers.get("RateLimit-Policy")).toBe('"default";q=100;w=60');
  });

  const guarded = patterns.flatMap(({ path, limit }) =>
    limit && limit.policy !== "limit" ? [path, `${path}/anything`] : [],
  );
  it.each([...guarded, "/openapi.json", "/nowhere"])("stand in front of %s", async (path) => {
    const from = address();
    await take(from, 100);
    expect((await call(path, from)).status).toBe(429);
  });

  it("charge questions about a bucket to another bucket, so that looking costs something too", async () => {
    const from = address();
    await take(from, 100);
    for (let i = 0; i < 4; i++) expect((await call("/limit", from)).status).toBe(200);
    // These five calls took one token each.
    const { remaining } = await (await call("/limit?policy=limit", from)).json<{ remaining: number }>();
    expect(remaining).toBe(300 - 6);
    const rest = { method: "POST", body: JSON.stringify({ policy: "limit", cost: remaining - 1 }), headers: JSON_TYPE };
    expect((await call("/limit/check", from, rest)).status).toBe(200);
    expect((await call("/limit", from)).status).toBe(429);
  });

  it("refuse a field that they do not know, whose tokens would not be taken", async () => {
    const from = address();
    const body = JSON.stringify({ policy: "default", costs: 50 });
    const refused = await call("/limit/check", from, { method: "POST", body, headers: JSON_TYPE });
    expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining("costs")]);
    expect(await peek(from)).toMatchObject({ remaining: 100 });
  });

  it("charge a request without a route once, also under a pattern's path", async () => {
    const from = address();
    for (const path of ["/nowhere", ...guarded.filter((path) => path.endsWith("/anything"))]) await call(path, from);
    expect(await peek(from)).toMatchObject({ remaining: 100 - guarded.length / 2 - 1 });
  });

  it.each(["/", "/page.js", "/page.css", "/health"])("do not stand in front of %s", async (path) => {
    const from = address();
    await take(from, 100);
    const response = await call(path, from);
    expect(response.status).toBe(200);
    expect(response.headers.has("RateLimit")).toBe(false);
  });
});

describe("GET /limit", () => {
  it("shows the tokens left and takes nothing", async () => {
    const from = address();
    await take(from, 30);
    for (let i = 0; i < 3; i++) {
      const response = await call("/limit", from);
      expect(response.status).toBe(200);
      expect(response.headers.get("X-RateLimit-Remaining")).toBe("70");
      expect(await response.json()).toEqual({
        allowed: true,
        remaining: 70,
        policy: "default",
        limit: 100,
        periodSeconds: 60,
      });
    }
    expect(await (await call("/limit?cost=80", from)).json()).toMatchObject({
      allowed: false,
      remaining: 70,
      retryAfter: 6,
    });
  });

  it.each(["cost=0", "cost=-1", "cost=1.5", "cost=101", "cost=x", "cost=1&cost=2", `policy=${"p".repeat(40)}`])(
    "refuses %s",
    async (queryString) => expect((await call(`/limit?${queryString}`, address())).status).toBe(400),
  );
});

describe("a cost", () => {
  it("over the capacity is always a 400 and takes nothing", async () => {
    const from = address();
    for (let i = 0; i < 2; i++) {
      const response = await take(from, 101);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ detail: expect.stringContaining("from 1 to 100") });
    }
    expect(await peek(from)).toMatchObject({ remaining: 100 });
  });

  it("is taken from the caller's bucket as a whole, or denied without taking", async () => {
    const from = address();
    expect(await (await take(from, 60)).json()).toMatchObject({ allowed: true, remaining: 40 });
    const response = await take(from, 41);
    expect(response.status).toBe(429);
    expect(await response.json()).toMatchObject({ allowed: false, remaining: 40, retryAfter: 1 });
    expect((await take(from, 40)).status).toBe(200);
  });
});

describe("the caller", () => {
  it("is the same in a whole IPv6 /64, and another in the next", async () => {
    await take("2001:db8:aa:1::1", 100);
    expect((await call("/openapi.json", "2001:db8:aa:1:ffff::9")).status).toBe(429);
    expect((await call("/openapi.json", "2001:db8:aa:2::1")).status).toBe(200);
  });

  it("is the same for IPv4 and IPv4 written as IPv6", async () => {
    const from = address();
    await take(from, 100);
    expect((await call("/openapi.json", `::ffff:${from}`)).status).toBe(429);
  });

  it("without an address, or with an invalid one, shares one bucket and is always counted", async () => {
    const before = (await peek(undefined)).remaining;
    await call("/openapi.json", undefined);
    await call("/openapi.json", "");
    await call("/openapi.json", "nonsense");
    expect((await peek("other nonsense")).remaining).toBeLessThanOrEqual(before - 3 + 1);
  });

  it("with an unknown API key pays as its address: a made-up key gives no new bucket", async () => {
    const from = address();
    await take(from, 98);
    const keys = ["x", "guess", `ds_${"a".repeat(43)}`, `ds_${"b".repeat(43)}`];
    const statuses = [];
    for (const key of keys)
      statuses.push((await call("/openapi.json", from, { headers: { "X-API-Key": key } })).status);
    expect(statuses).toEqual([200, 200, 429, 429]);
  });

  it("with a verified API key has a bucket of its own, from every address", async () => {
    const key = `ds_${"K".repeat(43)}`;
    await env.READS.put((await storedAt(key)) ?? "", JSON.stringify({ id: "partner" }));
    const headers = { "X-API-Key": key };
    const [here, there] = [address(), address()];
    await take(here, 100);
    expect((await take(here, 60, { headers })).status).toBe(200);
    expect(await peek(there, { headers })).toMatchObject({ remaining: 40 });
    expect(await peek(there)).toMatchObject({ remaining: 100 });
  });

  it("with a verified API key pays by it also for many requests at once, and for the first ones", async () => {
    const key = `ds_${"M".repeat(43)}`;
    await env.READS.put((await storedAt(key)) ?? "", JSON.stringify({ id: "many" }));
    const [headers, from] = [{ "X-API-Key": key }, address()];
    const lookedUp = vi.spyOn(env.READS, "get");
    await Promise.all(Array.from({ length: 50 }, () => take(from, 1, { headers })));
    expect(lookedUp).toHaveBeenCalledTimes(1);
    expect(await peek(from, { headers })).toMatchObject({ remaining: 50 });
    expect(await peek(from)).toMatchObject({ remaining: 100 });
  });

  it("that keeps guessing keys is no longer looked up", async () => {
    const from = address();
    const real = `ds_${"R".repeat(43)}`;
    await env.READS.put((await storedAt(real)) ?? "", JSON.stringify({ id: "real" }));
    for (let i = 0; i < 20; i++) {
      await peek(from, { headers: { "X-API-Key": `ds_${String(i).padStart(43, "g")}` } });
    }
    await take(from, 5);
    expect(await peek(from, { headers: { "X-API-Key": real } })).toMatchObject({ remaining: 95 });
    expect(await peek(address(), { headers: { "X-API-Key": real } })).toMatchObject({ remaining: 100 });
  });
});

describe("a flood", () => {
  it("ends in the Worker: after a denial the object is not asked until it would allow", async () => {
    const from = address();
    await take(from, 100);
    expect((await call("/openapi.json", from)).status).toBe(429);
    const asked = vi.spyOn(RateLimiterDO.prototype, "take");
    const statuses = await Promise.all(Array.from({ length: 50 }, () => call("/openapi.json", from)));
    expect(statuses.every(({ status }) => status === 429)).toBe(true);
    expect(asked).not.toHaveBeenCalled();
    expect((await call("/openapi.json", address())).status).toBe(200);
    expect(asked).toHaveBeenCalledOnce();
  });
});

describe("a denied cost", () => {
  it("that comes again after others were admitted is told what is left now", async () => {
    const from = address();
    const told = async (cost: number) =>
      (await take(from, cost)).json<{ allowed: boolean; remaining: number; retryAfter: number }>();
    await take(from, 1);
    expect(await told(100)).toMatchObject({ allowed: false, remaining: 99, retryAfter: 1 });
    await take(from, 50);
    await take(from, 45);
    const again = await told(100);
    expect(again).toMatchObject({ allowed: false, remaining: 4 });
    expect(again.retryAfter).toBeGreaterThan(50);
  });

  it("passes after the time that it was told beside a lower cost, also if the object was evicted, and asks once", async () => {
    stopClock();
    onTestFinished(() => void vi.useRealTimers());
    const from = address();
    for (let i = 0; i < 24; i++) await take(from, 4);
    expect((await take(from, 5)).status).toBe(429);
    const asked = vi.spyOn(RateLimiterDO.prototype, "take");
    for (let i = 0; i < 3; i++) expect((await take(from, 60)).headers.get("Retry-After")).toBe("34");
    const times = asked.mock.calls.filter(([, cost]) => cost === 60).length;
    await evictAllDurableObjects();
    pass(34_000);
    expect((await take(from, 60)).status).toBe(200);
    expect(times).toBe(1);
  });

  it("does not change what a look at the bucket shows", async () => {
    const from = address();
    await take(from, 60);
    await take(from, 100);
    const shown = await call("/limit?cost=100", from);
    expect(await shown.json()).toMatchObject({ allowed: false, remaining: 40 });
  });
});

describe("the middleware", () => {
  /** An app with one limited route, called from an address that no other test uses. */
  function limited(options: Partial<Charge>) {
    const from = address();
    const app = new Hono<App>()
      .use(rateLimit({ policy: "default", onUnavailable: "deny", ...options }))
      .get("/", (c) => c.text("served"))
      .onError((error) => {
        if (error instanceof Refusal) return problemResponse(error.problem);
        throw error;
      });
    const get = (headers: Record<string, string> = {}) =>
      app.request("/", { headers: { "CF-Connecting-IP": from, ...headers } }, env);
    return { from, get };
  }

  it.each([
    ["allow", 200],
    ["deny", 503],
  ] as const)(
    "obeys onUnavailable while keys cannot be checked: %s, and charges the address",
    async (onUnavailable, status) => {
      const away = vi.spyOn(env.READS, "get").mockRejectedValue(new Error("KV is away"));
      const { from, get } = limited({ onUnavailable });
      const response = await get({ "X-API-Key": `ds_${"A".repeat(43)}` });
      expect(response.status).toBe(status);
      away.mockRestore();
      expect(await peek(from)).toMatchObject({ remaining: status === 200 ? 99 : 100 });
    },
  );

  it.each([
    [25, "75"],
    [100, "0"],
    [101, "0"],
  ])("takes the cost of a route, or a full bucket for a cost over the capacity: %d leaves %s", async (cost, left) => {
    const response = await limited({ cost }).get();
    expect(response.status).toBe(200);
    expect(response.headers.get("X-RateLimit-Remaining")).toBe(left);
  });

  it.each([
    ["allow", 200],
    ["deny", 503],
  ] as const)("obeys onUnavailable while the limiter cannot answer: %s", async (onUnavailable, status) => {
    const { get } = limited({ onUnavailable });
    vi.spyOn(RateLimiterDO.prototype, "take").mockImplementation(() => {
      throw new Error("out of order");
    });
    const response = await get();
    expect(response.status).toBe(status);
    if (status === 503) expect(await response.json()).toMatchObject({ allowed: false });
    vi.restoreAllMocks();
    expect((await get()).status).toBe(200);
  });
});
