/** Sessions over HTTP: who may begin one, how long it lives, and that it leaves nothing behind. */

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import * as v from "valibot";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sqlOf } from "../../../worker/objects/steps.ts";
import { begin, isOver, TOUCH_STEP_MS, touch } from "../../../worker/session/lifetime.ts";
import { schema } from "../../../worker/session/schema.ts";
import { fc } from "../../properties.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { ADMIN, bearer, call } from "../../worker/helpers.ts";
import { countRows } from "../../worker/rows.ts";
import { BEGUN, cost } from "../cost.ts";
import { sessionOf } from "./support.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const Created = v.object({ ok: v.literal(true), expiresIn: v.number(), token: v.string(), role: v.string() });

const get = (token: string) => call("/session", { headers: bearer(token) });
const end = (token: string) => call("/session", { method: "DELETE", headers: bearer(token) });

/** A new session: its token, and its object. */
async function aSession(json: object = {}) {
  const answer = await call("/session", { json: { userId: "ada", role: "editor", ...json }, headers: ADMIN });
  const { token } = v.parse(Created, answer.body);
  return { token, stub: await sessionOf(token) };
}

/** The tables and the alarm of an object. */
const leftIn = (stub: DurableObjectStub) =>
  runInDurableObject(stub, async (_, { storage }) => ({
    tables: storage.sql.exec("SELECT name FROM sqlite_master").toArray(),
    alarm: await storage.getAlarm(),
  }));
const NOTHING = { tables: [], alarm: null };

beforeEach(() => stopClock());
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("beginning a session", () => {
  it("gives the admin a token, once, for a named user and role", async () => {
    const now = Date.now();
    const json = { userId: "ada", role: "editor", metadata: { theme: "dark", tags: [1] } };
    const answer = await call("/session/create", { json, headers: ADMIN });
    expect(answer.body).toEqual({
      ok: true,
      expiresIn: 30 * MINUTE,
      userId: "ada",
      role: "editor",
      token: expect.any(String),
    });
    const { token } = v.parse(Created, answer.body);
    expect(token).toMatch(/^eu~[\w-]{43}$/);
    const found = { ...json, createdAt: now, expiresAt: now + 30 * MINUTE, endsAt: now + 12 * HOUR };
    expect((await get(token)).body).toEqual({ session: found, expiresIn: 30 * MINUTE });
    expect((await call("/session/get", { headers: bearer(token) })).body).toMatchObject({ session: found });
  });

  it.each([
    [["a", 1]],
    [{ roles: ["a", { b: [2] }] }],
    [{ constructor: "ACME", prototype: { x: 1 }, a: 1 }],
    [{}],
    [[]],
  ])("keeps metadata as it is: %j", async (metadata) => {
    const { body } = await call("/session", { json: { userId: "ada", metadata }, headers: ADMIN });
    expect((await get(v.parse(Created, body).token)).body).toMatchObject({ session: { metadata } });
  });

  it("gives every session a different token, and stores none", async () => {
    const [one, other] = [await aSession(), await aSession()];
    expect(one.token).not.toBe(other.token);
    const secret = one.token.split("~")[1];
    const stored = await runInDurableObject(one.stub, (_, { storage, id }) => [[...storage.kv.list()], id.name]);
    expect(JSON.stringify(stored)).toContain("ada");
    expect(JSON.stringify(stored)).not.toContain(secret);
  });

  it("puts it in the region of the caller", async () => {
    const response = await exports.default.fetch("https://stack.test/session", {
      method: "POST",
      headers: { ...ADMIN, "Content-Type": "application/json", "CF-Connecting-IP": "10.1.2.3" },
      body: '{"userId":"ada"}',
      cf: { continent: "AS" },
    });
    const { token } = v.parse(Created, await response.json());
    expect(token).toMatch(/^ap~/);
    expect((await get(token)).status).toBe(200);
    expect((await get(token.replace("ap~", "us~"))).status).toBe(404);
  });

  it("makes anybody a guest if the stack allows it, whatever role they ask for", async () => {
    const answer = await call("/session", { json: { userId: "eve", role: "admin" } });
    expect(answer).toMatchObject({ status: 200, body: { userId: "guest-eve", role: "guest" } });
    const { token } = v.parse(Created, answer.body);
    expect((await get(token)).body).toMatchObject({ session: { userId: "guest-eve", role: "guest" } });
  });

  it("is only for the admin on other stacks", async () => {
    const settings = { demoLogin: false };
    const json = { userId: "eve", role: "guest" };
    const anonymous = await call("/session", { json, settings });
    expect(anonymous.status).toBe(401);
    expect(anonymous.headers.get("WWW-Authenticate")).toContain("Bearer");
    expect((await call("/session", { json, headers: bearer("guess"), settings })).status).toBe(401);
    expect((await call("/session", { json, headers: ADMIN, settings })).status).toBe(200);
  });

  it("does not make a caller with a wrong token a guest", async () => {
    expect((await call("/session", { json: { userId: "eve" }, headers: bearer("guess") })).status).toBe(401);
  });

  it.each([
    ["userId", { userId: "" }],
    ["userId", { userId: "x".repeat(129) }],
    ["userId", { userId: 7 }],
    ["userId", { userId: "a\nb" }],
    ["userId", { userId: "anon-1234" }],
    ["userId", { userId: "guest-ann" }],
    ["userId", { userId: "Admin" }],
    ["userId", { userId: "a\u200bb" }],
    ["userId", { userId: "é".repeat(126) }],
    ["role", { role: "" }],
    ["role", { role: ["admin"] }],
    ["metadata", { metadata: "x" }],
    ["metadata", { metadata: null }],
    ["metadata.__proto__", { metadata: JSON.parse('{"__proto__": {"role": "admin"}}') }],
    ["metadata.a.1.__proto__", { metadata: JSON.parse('{"a": [1, {"__proto__": 2}]}') }],
    ["expiresIn", { expiresIn: 1e12 }],
  ])("refuses a bad %s: %j", async (field, wrong) => {
    const json = { userId: "ada", role: "editor", ...wrong };
    expect(await call("/session", { json, headers: ADMIN })).toMatchObject({
      status: 400,
      body: { errors: [{ field }] },
    });
  });
});

describe("the expiry", () => {
  it("is checked by the clock on every read, even if the alarm is late", async () => {
    const { token } = await aSession();
    pass(30 * MINUTE - 1);
    // This read is a use: it moves the end.
    expect((await get(token)).status).toBe(200);
    pass(30 * MINUTE);
    expect(await get(token)).toMatchObject({ status: 404, body: { error: "Session not found" } });
  });

  it("is not revived by a read after its end", async () => {
    const { token } = await aSession();
    pass(30 * MINUTE);
    expect((await get(token)).status).toBe(404);
    pass(-1 * MINUTE);
    await get(token);
    pass(2 * HOUR);
    expect((await get(token)).status).toBe(404);
  });

  it("slides with use, up to twelve hours after the beginning", async () => {
    const { token } = await aSession();
    const start = Date.now();
    while (Date.now() < start + 12 * HOUR - 20 * MINUTE) {
      pass(20 * MINUTE);
      expect((await get(token)).status).toBe(200);
    }
    expect((await get(token)).body).toMatchObject({ session: { expiresAt: start + 12 * HOUR } });
    vi.setSystemTime(start + 12 * HOUR - 1);
    expect((await get(token)).status).toBe(200);
    vi.setSystemTime(start + 12 * HOUR);
    expect((await get(token)).status).toBe(404);
  });

  it("is moved on disk: it slides over evictions, and waking up does not move it", async () => {
    const { token, stub } = await aSession();
    pass(20 * MINUTE);
    await get(token);
    await evictDurableObject(stub);
    pass(25 * MINUTE);
    expect((await get(token)).status).toBe(200);
    await evictDurableObject(stub);
    await runInDurableObject(stub, () => undefined);
    pass(30 * MINUTE);
    expect((await get(token)).status).toBe(404);
  });

  it("comes from the stack's config", async () => {
    const settings = { session: { slidingMinutes: 5, absoluteHours: 1, maxPerUser: 10 } };
    const answer = await call("/session", { json: { userId: "ada" }, headers: ADMIN, settings });
    expect(answer.body).toMatchObject({ expiresIn: 5 * MINUTE });
    const { token } = v.parse(Created, answer.body);
    pass(5 * MINUTE);
    expect((await get(token)).status).toBe(404);
  });

  it("costs two rows to begin: itself, and the alarm", async () => {
    const stub = env.SESSION.getByName(crypto.randomUUID());
    const rows = await countRows(stub);
    await stub.begin({ userId: "ada", role: "user", metadata: null }, 30 * MINUTE, 60 * MINUTE);
    expect(rows()).toBeGreaterThan(0);
    expect(rows()).toBe(BEGUN.session);
  });

  it("costs at most 0.02 rows a read over half an hour of one read a second, alarm included", async () => {
    const { token, stub } = await aSession();
    const rows = await countRows(stub);
    for (let second = 0; second < 1_800; second++) {
      pass(1_000);
      expect(await stub.read()).toMatchObject({ userId: "ada" });
    }
    expect(rows() / 1_800).toBeLessThanOrEqual(cost.operations.read.ours);
    pass(29 * MINUTE);
    expect((await get(token)).status).toBe(200);
  });
});

describe("a session of an older release, in a table", () => {
  /** A session as a release with tables left it. */
  async function older(expiresAt: number) {
    const stub = env.SESSION.getByName(crypto.randomUUID());
    await runInDurableObject(stub, async (_, { storage }) => {
      storage.sql.exec(sqlOf(schema[0] ?? ""));
      storage.sql.exec(`
        CREATE TABLE schema_version (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL);
        INSERT INTO schema_version VALUES (1, 1);
        INSERT INTO session VALUES (1, 'ada', 'editor', '{"a":1}', 5, ${expiresAt}, ${expiresAt + HOUR}, ${MINUTE})`);
      await storage.setAlarm(expiresAt);
    });
    await evictDurableObject(stub);
    return stub;
  }

  it("goes on, ends, and leaves nothing behind", async () => {
    const expiresAt = Date.now() + MINUTE;
    const stub = await older(expiresAt);
    const same = { userId: "ada", role: "editor", metadata: '{"a":1}', createdAt: 5, endsAt: expiresAt + HOUR };
    expect(await stub.read()).toEqual({ ...same, expiresAt, expiresIn: MINUTE });
    await evictDurableObject(stub);
    pass(MINUTE / 2);
    expect(await stub.read()).toMatchObject({ ...same, expiresAt: expiresAt + MINUTE / 2 });
    await evictDurableObject(stub);
    expect(await stub.peek()).toMatchObject({ ...same, expiresAt: expiresAt + MINUTE / 2 });
    await stub.end();
    await evictDurableObject(stub);
    expect(await stub.peek()).toBeUndefined();
    expect(await leftIn(stub)).toEqual(NOTHING);
  });

  it("is over at its time, and its alarm frees the storage", async () => {
    const stub = await older(Date.now() + MINUTE);
    pass(MINUTE);
    expect(await stub.read()).toBeUndefined();
    await runDurableObjectAlarm(stub);
    expect(await leftIn(stub)).toEqual(NOTHING);
  });
});

describe("the arithmetic of a life", () => {
  it("ends at most a step before the sliding time after the last use, never later, never past the absolute end", () => {
    const [sliding, absolute] = [30 * MINUTE, 12 * HOUR];
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 40 * MINUTE }), { maxLength: 60 }), (gaps) => {
        let now = 1_000_000;
        const life = begin(now, { slidingMs: sliding, absoluteMs: absolute });
        let lastUse = now;
        for (const gap of gaps) {
          now += gap;
          if (now >= life.endsAt || now >= lastUse + sliding) expect(isOver(life, now)).toBe(true);
          if (now < Math.min(life.endsAt, lastUse + sliding) - TOUCH_STEP_MS) expect(isOver(life, now)).toBe(false);
          if (isOver(life, now)) return;
          life.expiresAt = touch(life, now);
          lastUse = now;
        }
      }),
    );
  });

  it("is moved by use however short it is", () => {
    const life = begin(0, { slidingMs: MINUTE, absoluteMs: HOUR });
    expect(touch(life, MINUTE / 2)).toBe(1.5 * MINUTE);
  });

  it("does not move back with the clock", () => {
    const life = begin(HOUR, { slidingMs: 30 * MINUTE, absoluteMs: 12 * HOUR });
    expect(touch(life, 0)).toBe(life.expiresAt);
  });
});

describe("the alarm", () => {
  it("frees everything when the session is over", async () => {
    const { token, stub } = await aSession();
    pass(30 * MINUTE);
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(await leftIn(stub)).toEqual(NOTHING);
    expect((await get(token)).status).toBe(404);
    expect(await leftIn(stub)).toEqual(NOTHING);
  });

  it("that comes early because the session was used sets itself for the right time", async () => {
    const { token, stub } = await aSession();
    pass(20 * MINUTE);
    await get(token);
    const due = Date.now() + 30 * MINUTE;
    pass(10 * MINUTE);
    await runDurableObjectAlarm(stub);
    expect(await leftIn(stub)).toMatchObject({ alarm: due });
    expect((await get(token)).status).toBe(200);
  });

  it("may come twice, and after the session was ended", async () => {
    const { token, stub } = await aSession();
    await runInDurableObject(stub, async (session) => {
      await session.alarm();
      await session.alarm();
    });
    expect((await get(token)).status).toBe(200);
    await end(token);
    await runInDurableObject(stub, (session) => session.alarm());
    expect(await leftIn(stub)).toEqual(NOTHING);
  });

  it("that fails is repeated by the runtime, and sets itself again at the last try", async () => {
    const { stub } = await aSession();
    pass(30 * MINUTE);
    await runInDurableObject(stub, async (session, { storage }) => {
      await storage.deleteAlarm();
      vi.spyOn(storage, "deleteAll").mockRejectedValue(new Error("away"));
      await expect(session.alarm({ retryCount: 0, isRetry: false, scheduledTime: 0 })).rejects.toThrow("away");
      expect(await storage.getAlarm()).toBeNull();
      await session.alarm({ retryCount: 5, isRetry: true, scheduledTime: 0 });
      expect(await storage.getAlarm()).toBe(Date.now() + MINUTE);
    });
  });
});

describe("ending a session", () => {
  it.each(["/session", "/session/invalidate"])("by DELETE %s leaves nothing, and may be done twice", async (path) => {
    const { token, stub } = await aSession();
    for (let times = 0; times < 2; times++) {
      expect(await call(path, { method: "DELETE", headers: bearer(token) })).toMatchObject({
        status: 200,
        body: { ok: true },
      });
      expect((await get(token)).status).toBe(404);
      expect(await leftIn(stub)).toEqual(NOTHING);
    }
    await evictDurableObject(stub);
    expect((await get(token)).status).toBe(404);
  });
});

describe("a token", () => {
  it("is needed", async () => {
    for (const method of ["GET", "DELETE"]) {
      const answer = await call("/session", { method });
      expect(answer.status).toBe(401);
      expect(answer.headers.get("WWW-Authenticate")).toContain("Bearer");
    }
  });

  it.each([
    "x",
    "eu~x",
    `mars~${"A".repeat(43)}`,
    `eu~${"A".repeat(42)}.`,
    `eu~${"A".repeat(43)}`,
    "A".repeat(43),
    "A".repeat(5_000),
  ])("that never was one (%j) gets the same answer as one that is over", async (token) => {
    expect(await get(token)).toMatchObject({ status: 404, body: { error: "Session not found" } });
    expect((await end(token)).body).toEqual({ ok: true });
  });

  it("that was guessed stores nothing", async () => {
    const token = `eu~${"B".repeat(43)}`;
    await get(token);
    await end(token);
    expect(await leftIn(await sessionOf(token))).toEqual(NOTHING);
  });
});

describe("the cookie", () => {
  async function aCookie() {
    const answer = await call("/session", { json: { userId: "ada", cookie: true }, headers: ADMIN });
    const header = answer.headers.get("Set-Cookie") ?? "";
    return { header, cookie: header.split(";")[0] ?? "" };
  }

  it("is out of reach of scripts, other hosts and plain HTTP", async () => {
    const { header } = await aCookie();
    const [cookie, ...attributes] = header.split("; ");
    expect(cookie).toMatch(/^__Host-session=eu~[\w-]{43}$/);
    expect(new Set(attributes)).toEqual(new Set(["Max-Age=43200", "Path=/", "HttpOnly", "Secure", "SameSite=Lax"]));
  });

  it("is only set when it is asked for", async () => {
    const answer = await call("/session", { json: { userId: "ada" }, headers: ADMIN });
    expect(answer.headers.get("Set-Cookie")).toBeNull();
  });

  it("reads the session, and ends it from a page of this site", async () => {
    const { cookie } = await aCookie();
    expect((await call("/session", { headers: { Cookie: cookie } })).status).toBe(200);
    const headers = { Cookie: cookie, Origin: "https://stack.test" };
    const ended = await call("/session", { method: "DELETE", headers });
    expect(ended.status).toBe(200);
    expect(ended.headers.get("Set-Cookie")).toMatch(/^__Host-session=; Max-Age=0/);
    expect((await call("/session", { headers: { Cookie: cookie } })).status).toBe(404);
  });

  it.each([{}, { Origin: "https://evil.example" }, { Origin: "null" }])(
    "changes nothing for a page of another site (%j)",
    async (origin) => {
      const { cookie } = await aCookie();
      const headers = { Cookie: cookie, ...origin };
      expect((await call("/session", { method: "DELETE", headers })).status).toBe(403);
      expect((await call("/session", { headers: { Cookie: cookie } })).status).toBe(200);
    },
  );
});
