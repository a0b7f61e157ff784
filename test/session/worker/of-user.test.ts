/** The list of a user's sessions: its limit, its content, and that all of them end, also after crashes. */

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import * as v from "valibot";
import { afterEach, describe, expect, it, vi } from "vitest";
import { notWritten } from "../../../worker/objects/retry.ts";
import { BEGIN_WITHIN_MS } from "../../../worker/session/of-user.ts";
import { placeOfUser, SessionDO } from "../../../worker/session/session.ts";
import { fc } from "../../properties.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { ADMIN, bearer, type Call, call, unique } from "../../worker/helpers.ts";
import { beginSession } from "../../worker/log-in.ts";
import { countRows } from "../../worker/rows.ts";
import { BEGUN } from "../cost.ts";
import { sessionOf } from "./support.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const Begun = v.object({ token: v.string() });
const List = v.object({ sessions: v.array(v.object({ id: v.string(), userId: v.string(), role: v.string() })) });

const ask = (path: string, more: Call = {}) => call(path, { settings: { access: "rules", demoLogin: false }, ...more });
const isLive = async (token: string) => (await ask("/session", { headers: bearer(token) })).status === 200;
const listed = async (userId: string, headers: Record<string, string> = ADMIN) =>
  v.parse(List, (await ask(`/session/user/${encodeURIComponent(userId)}`, { headers })).body).sessions;

async function objectOfUser(userId: string) {
  const { region, id } = await placeOfUser(env, userId);
  return env.SESSION.getByName(`dev-${region.prefix}:session:${id}`);
}

/** Evicts an object, running or not. */
async function evict(stub: DurableObjectStub): Promise<void> {
  await runInDurableObject(stub, () => undefined);
  await evictDurableObject(stub);
}

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("the sessions of a user", () => {
  it("are listed to the user and to the admin, by ids that are not tokens", async () => {
    const userId = `auth0|${unique()}`;
    const [one, other] = [await beginSession(userId), await beginSession(userId)];
    const sessions = await listed(userId, bearer(one));
    expect(sessions).toMatchObject([{ userId }, { userId }]);
    expect(await listed(userId)).toEqual(sessions);
    for (const { id } of sessions) expect(await isLive(id)).toBe(false);
    const eve = await beginSession(unique());
    expect((await ask(`/session/user/${encodeURIComponent(userId)}`, { headers: bearer(eve) })).status).toBe(403);
    expect(await isLive(other)).toBe(true);
  });

  it("end one by one, by the user alone and only their own", async () => {
    const [ann, ben] = [unique(), unique()];
    const [one, other, bens] = [await beginSession(ann), await beginSession(ann), await beginSession(ben)];
    const [first] = await listed(ann);
    const [ofBen] = await listed(ben);
    const revoke = (userId: string, id = "") =>
      ask(`/session/user/${userId}/${id}`, { method: "DELETE", headers: bearer(other) });
    expect((await revoke(ann, ofBen?.id)).status).toBe(404);
    expect((await revoke(ben, ofBen?.id)).status).toBe(403);
    expect((await revoke(ann, first?.id)).status).toBe(200);
    expect([await isLive(one), await isLive(other), await isLive(bens)]).toEqual([false, true, true]);
  });

  it("end one by one also if the answer to the call that ended one is lost", async () => {
    const userId = unique();
    const token = await beginSession(userId);
    const [first] = await listed(userId);
    const { endSessions } = SessionDO.prototype;
    vi.spyOn(SessionDO.prototype, "endSessions").mockImplementationOnce(async function (this: SessionDO, id) {
      await endSessions.call(this, id);
      throw notWritten("the list", "the object was reset");
    });
    const revoke = () => ask(`/session/user/${userId}/${first?.id}`, { method: "DELETE", headers: ADMIN });
    expect((await revoke()).status).toBe(200);
    expect(await isLive(token)).toBe(false);
    expect((await revoke()).status).toBe(404);
  });

  it("all end at once, and a dead token is refused everywhere", async () => {
    const userId = unique();
    const tokens = [await beginSession(userId), await beginSession(userId), await beginSession(userId)];
    expect((await ask(`/session/user/${userId}`, { method: "DELETE", headers: ADMIN })).body).toEqual({
      ok: true,
      ended: 3,
    });
    expect(await Promise.all(tokens.map(isLive))).toEqual([false, false, false]);
    expect(await listed(userId)).toEqual([]);
    const headers = bearer(tokens[0] ?? "");
    expect((await ask(`/session/user/${userId}`, { headers })).status).toBe(401);
    expect((await ask("/session/rotate", { method: "POST", headers })).status).toBe(401);
  });

  it("who is a guest are listed and ended by the admin, and by no guest", async () => {
    // As long as it may be, without what is put before it.
    const wanted = unique().padEnd(128, "x");
    const userId = `guest-${wanted}`;
    const asGuest = { headers: {}, settings: { access: "rules", demoLogin: true } };
    const tokens = [
      await beginSession(wanted, asGuest),
      await beginSession(wanted, asGuest),
      await beginSession(wanted, asGuest),
    ];
    const path = `/session/user/${encodeURIComponent(userId)}`;
    expect((await ask(path, { headers: bearer(tokens[0] ?? "") })).status).toBe(403);
    const [first, ...others] = await listed(userId);
    expect([first?.userId, others.length]).toEqual([userId, 2]);
    expect((await ask(`${path}/${first?.id}`, { method: "DELETE", headers: ADMIN })).status).toBe(200);
    expect((await ask(path, { method: "DELETE", headers: ADMIN })).body).toEqual({ ok: true, ended: 2 });
    expect(await Promise.all(tokens.map(isLive))).toEqual([false, false, false]);
  });

  it.each(["guest-", "guest-guest-a", "Guest-a", "anon-a", "key-a", "admin", "guest-__a", "x".repeat(129)])(
    "are not looked for under %j, which is nobody's id",
    async (userId) => {
      expect((await ask(`/session/user/${userId}`, { headers: ADMIN })).status).toBe(400);
    },
  );

  it("that are over are not counted as ended, and are not found by their id", async () => {
    const userId = unique();
    const tokens = [await beginSession(userId), await beginSession(userId), await beginSession(userId)];
    const [first] = await listed(userId);
    for (const token of tokens.slice(0, 2)) await ask("/session", { method: "DELETE", headers: bearer(token) });
    const one = await ask(`/session/user/${userId}/${first?.id}`, { method: "DELETE", headers: ADMIN });
    expect(one.status).toBe(404);
    const all = await ask(`/session/user/${userId}`, { method: "DELETE", headers: ADMIN });
    expect(all.body).toEqual({ ok: true, ended: 1 });
  });

  it("are not ended by DELETE /session?userId=, which says so", async () => {
    const token = await beginSession("ann");
    const answer = await ask("/session?userId=ann", { method: "DELETE", headers: bearer(token) });
    expect(answer).toMatchObject({ status: 400, body: { detail: expect.stringContaining("/session/user/") } });
    expect(await isLive(token)).toBe(true);
  });

  it("are as many as the stack allows: the oldest live one is ended, and ended ones do not count", async () => {
    const userId = unique();
    const settings = { access: "rules", session: { slidingMinutes: 30, absoluteHours: 12, maxPerUser: 3 } };
    const tokens: string[] = [];
    for (let i = 0; i < 3; i++) tokens.push(await beginSession(userId, { settings }));
    await ask("/session", { method: "DELETE", headers: bearer(tokens[1] ?? "") });
    tokens.push(await beginSession(userId, { settings }));
    expect(await Promise.all(tokens.map(isLive))).toEqual([true, false, true, true]);
    tokens.push(await beginSession(userId, { settings }));
    expect(await Promise.all(tokens.map(isLive))).toEqual([false, false, true, true, true]);
    expect(await listed(userId)).toHaveLength(3);
  });

  it("leave nothing behind when the last of them is over for certain", async () => {
    stopClock();
    const userId = unique();
    await beginSession(userId);
    const stub = await objectOfUser(userId);
    pass(12 * HOUR);
    await runDurableObjectAlarm(stub);
    const left = await runInDurableObject(stub, async (_, { storage }) => [
      ...storage.sql.exec("SELECT name FROM sqlite_master").toArray(),
      await storage.getAlarm(),
    ]);
    expect(left).toEqual([null]);
  });
});

describe("the rows of a user's object", () => {
  it("are a few for a session: for its place, its beginning, and the alarm", async () => {
    const userId = unique();
    const user = await objectOfUser(userId);
    await beginSession(userId);
    const rows = await countRows(user);
    await beginSession(userId);
    expect(rows()).toBe(BEGUN.listed);
  });
});

describe("rotation", () => {
  it("gives a new token for the session, with the same end, and the old token is dead", async () => {
    stopClock();
    const userId = unique();
    const old = await beginSession(userId, { json: { userId, role: "editor", metadata: { theme: "dark" } } });
    const { endsAt } = v.parse(
      v.object({ session: v.object({ endsAt: v.number() }) }),
      (await ask("/session", { headers: bearer(old) })).body,
    ).session;
    pass(10 * MINUTE);
    const rotated = await ask("/session/rotate", { method: "POST", headers: bearer(old) });
    const { token } = v.parse(Begun, rotated.body);
    expect((await ask("/session", { headers: bearer(token) })).body).toMatchObject({
      session: { userId, role: "editor", metadata: { theme: "dark" }, endsAt },
    });
    expect(await isLive(old)).toBe(false);
    expect(await listed(userId)).toHaveLength(1);
  });

  it("many times at once leaves one session: two holders of a token notice each other", async () => {
    const userId = unique();
    const token = await beginSession(userId);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => ask("/session/rotate", { method: "POST", headers: bearer(token) })),
    );
    const won = answers.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    const lost = answers.filter(({ status }) => status !== 200);
    for (const { status, body } of lost) {
      expect([status, body]).toEqual([409, expect.objectContaining({ type: "urn:problem:session-replaced" })]);
    }
    // One that is served later is told the same.
    expect((await ask("/session/rotate", { method: "POST", headers: bearer(token) })).status).toBe(409);
    expect(await isLive(v.parse(Begun, won[0]?.body).token)).toBe(true);
    expect(await listed(userId)).toHaveLength(1);
  });

  it("that comes second is told so, and keeps the cookie, which may be the new one", async () => {
    const userId = unique();
    const begun = await ask("/session", { json: { userId, cookie: true }, headers: ADMIN });
    const headers = {
      Cookie: begun.headers.get("Set-Cookie")?.split(";")[0] ?? "",
      Origin: "https://stack.test",
    };
    const rotate = () => ask("/session/rotate", { method: "POST", headers });
    const { promise: read, resolve: wasRead } = Promise.withResolvers<void>();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const open = SessionDO.prototype.open;
    vi.spyOn(SessionDO.prototype, "open").mockImplementationOnce(async function (this: SessionDO, wanted) {
      wasRead();
      await released;
      return open.call(this, wanted);
    });
    const second = rotate();
    await read;
    expect((await rotate()).status).toBe(200);
    release();
    const { status, body, headers: answered } = await second;
    expect([status, body]).toEqual([409, expect.objectContaining({ type: "urn:problem:session-replaced" })]);
    expect(answered.get("Set-Cookie")).toBeNull();
    expect(await listed(userId)).toHaveLength(1);
  });

  it("does not outlive the end of all sessions, which came while it was on its way", async () => {
    const userId = unique();
    const token = await beginSession(userId);
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const open = SessionDO.prototype.open;
    vi.spyOn(SessionDO.prototype, "open").mockImplementation(async function (this: SessionDO, wanted) {
      begin();
      await released;
      return open.call(this, wanted);
    });
    const rotated = ask("/session/rotate", { method: "POST", headers: bearer(token) });
    await begun;
    const ended = await ask(`/session/user/${userId}`, { method: "DELETE", headers: ADMIN });
    expect(ended.body).toMatchObject({ ended: 1 });
    release();
    expect((await rotated).status).toBe(401);
    expect(await listed(userId)).toEqual([]);
    expect(await isLive(token)).toBe(false);
  });

  it("may be tried again if the session that took the place did not begin", async () => {
    const userId = unique();
    const token = await beginSession(userId);
    const begin = vi.spyOn(SessionDO.prototype, "begin").mockRejectedValueOnce(new Error("lost"));
    expect((await ask("/session/rotate", { method: "POST", headers: bearer(token) })).status).toBe(500);
    begin.mockRestore();
    stopClock(Date.now() + BEGIN_WITHIN_MS + 1);
    expect(await listed(userId)).toHaveLength(1);
    expect((await ask("/session/rotate", { method: "POST", headers: bearer(token) })).status).toBe(200);
  });

  it("does not end another session if the user has as many as allowed", async () => {
    const userId = unique();
    const settings = { access: "rules", session: { slidingMinutes: 30, absoluteHours: 12, maxPerUser: 2 } };
    const [one, other] = [await beginSession(userId, { settings }), await beginSession(userId, { settings })];
    const rotated = await ask("/session/rotate", { method: "POST", headers: bearer(other), settings });
    const { token } = v.parse(Begun, rotated.body);
    expect([await isLive(one), await isLive(other), await isLive(token)]).toEqual([true, false, true]);
  });

  /** A new session in a cookie: its token, and the headers of a browser. */
  async function aCookie(userId = unique()) {
    const begun = await ask("/session", { json: { userId, cookie: true }, headers: ADMIN });
    const cookie = begun.headers.get("Set-Cookie")?.split(";")[0] ?? "";
    return { token: v.parse(Begun, begun.body).token, headers: { Cookie: cookie, Origin: "https://stack.test" } };
  }
  const GONE = /^__Host-session=; Max-Age=0/;

  it("of a cookie gives a new cookie, and that of a session which is over is deleted", async () => {
    stopClock();
    const { headers } = await aCookie();
    const rotated = await ask("/session/rotate", { method: "POST", headers });
    expect(rotated.headers.get("Set-Cookie")).toMatch(/^__Host-session=eu~/);
    pass(MINUTE);
    for (const path of ["/session/rotate", "/counter/increment"]) {
      const dead = await ask(path, { method: "POST", headers });
      expect(dead.status).toBe(401);
      expect(dead.headers.get("Set-Cookie")).toMatch(GONE);
    }
  });

  it.each(["rotated", "replaced by a log-in"])(
    "a request that was on its way while its session was %s does not delete the new cookie",
    async (how) => {
      stopClock();
      const userId = unique();
      const { headers } = await aCookie(userId);
      if (how === "rotated") await ask("/session/rotate", { method: "POST", headers });
      else await ask("/session", { json: { userId, cookie: true }, headers: { ...headers, ...ADMIN } });
      for (const path of ["/session/rotate", "/counter/increment"]) {
        const late = await ask(path, { method: "POST", headers });
        expect(late.status).toBe(how === "rotated" && path === "/session/rotate" ? 409 : 401);
        expect(late.headers.get("Set-Cookie")).toBeNull();
      }
      pass(MINUTE);
      const dead = await ask("/counter/increment", { method: "POST", headers });
      expect(dead.status).toBe(401);
      expect(dead.headers.get("Set-Cookie")).toMatch(GONE);
    },
  );

  it("a cookie whose session was revoked is deleted at once", async () => {
    const userId = unique();
    const { headers } = await aCookie(userId);
    await ask(`/session/user/${userId}`, { method: "DELETE", headers: ADMIN });
    const dead = await ask("/counter/increment", { method: "POST", headers });
    expect(dead.status).toBe(401);
    expect(dead.headers.get("Set-Cookie")).toMatch(GONE);
  });

  it("logging in over an old cookie ends the old session", async () => {
    const userId = unique();
    const { token, headers } = await aCookie(userId);
    await ask("/session", { json: { userId, cookie: true }, headers: { ...headers, ...ADMIN } });
    expect(await isLive(token)).toBe(false);
  });
});

describe("a log-out in the moment of a rotation", () => {
  const logOut = (headers: Record<string, string>) => ask("/session", { method: "DELETE", headers });
  const rotate = (token: string, more: Call = {}) =>
    ask("/session/rotate", { method: "POST", headers: bearer(token), ...more });
  const rotated = async (token: string) => v.parse(Begun, (await rotate(token)).body).token;
  const revoke = (userId: string, id = "") =>
    ask(`/session/user/${userId}/${id}`, { method: "DELETE", headers: ADMIN });

  /** Holds the next call of a method, before or after its work. */
  function hold(method: "open" | "begin", when: "before" | "after") {
    const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const pause = async () => {
      reached.resolve();
      await released.promise;
    };
    const { open, begin } = SessionDO.prototype;
    if (method === "open") {
      vi.spyOn(SessionDO.prototype, "open").mockImplementationOnce(async function (this: SessionDO, wanted) {
        await pause();
        return open.call(this, wanted);
      });
    } else {
      vi.spyOn(SessionDO.prototype, "begin").mockImplementationOnce(async function (this: SessionDO, ...about) {
        if (when === "before") await pause();
        const reading = await begin.apply(this, about);
        if (when === "after") await pause();
        return reading;
      });
    }
    return { reached: reached.promise, release: released.resolve };
  }
  const MOMENTS = [
    ["open", "before"],
    ["begin", "before"],
    ["begin", "after"],
  ] as const;

  it("ends the session that was rotated, along several rotations, and deletes the cookie", async () => {
    const userId = unique();
    const first = await beginSession(userId);
    const last = await rotated(await rotated(await rotated(first)));
    const answer = await logOut({ Cookie: `__Host-session=${first}`, Origin: "https://stack.test" });
    expect(answer.headers.get("Set-Cookie")).toMatch(/^__Host-session=; Max-Age=0/);
    expect(await isLive(last)).toBe(false);
    expect(await listed(userId)).toEqual([]);
  });

  it("ends it also if the objects were evicted since, or their alarm came early", async () => {
    const userId = unique();
    const tokens = [await beginSession(userId)];
    while (tokens.length < 4) tokens.push(await rotated(tokens.at(-1) ?? ""));
    for (const token of tokens) {
      const stub = await sessionOf(token);
      await evict(stub);
      await runInDurableObject(stub, (session) => session.alarm());
      await evict(stub);
    }
    await logOut(bearer(tokens[0] ?? ""));
    expect(await listed(userId)).toEqual([]);
  });

  it("keeps what took its place for a minute, and then nothing", async () => {
    stopClock();
    const old = await beginSession(unique());
    await rotated(old);
    const stub = await sessionOf(old);
    const left = (when: string) =>
      runInDurableObject(stub, async (_, { storage }) => [when, (await storage.list()).size, await storage.getAlarm()]);
    expect(await left("at once")).toEqual(["at once", 1, Date.now() + MINUTE]);
    await logOut(bearer(old));
    pass(MINUTE);
    await evict(stub);
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(await left("later")).toEqual(["later", 0, null]);
  });

  it("ends it only for a minute: the old token is as dead as any after that", async () => {
    stopClock();
    const old = await beginSession(unique());
    const token = await rotated(old);
    pass(MINUTE);
    await logOut(bearer(old));
    expect(await isLive(token)).toBe(true);
  });

  it.each(MOMENTS)("leaves no session if it comes while the new one begins (%s, %s its work)", async (method, when) => {
    const userId = unique();
    const token = await beginSession(userId);
    const held = hold(method, when);
    const answer = rotate(token);
    await held.reached;
    await logOut(bearer(token));
    // This drops the old session from the list.
    await listed(userId);
    held.release();
    expect((await answer).status).toBe(401);
    expect(await listed(userId)).toEqual([]);
  });

  it.each(MOMENTS)("is the same if the session is revoked by its id (%s, %s its work)", async (method, when) => {
    const userId = unique();
    const token = await beginSession(userId);
    const [{ id } = { id: "" }] = await listed(userId);
    const held = hold(method, when);
    const answer = rotate(token);
    await held.reached;
    expect((await revoke(userId, id)).status).toBe(200);
    held.release();
    expect((await answer).status).not.toBe(200);
    expect(await listed(userId)).toEqual([]);
  });

  it("is the same if the session is revoked by the id that it had before", async () => {
    const userId = unique();
    const [one, other] = [await beginSession(userId), await beginSession(userId)];
    const [{ id } = { id: "" }] = await listed(userId);
    const token = await rotated(one);
    expect((await revoke(userId, id)).status).toBe(200);
    expect([await isLive(token), await isLive(other)]).toEqual([false, true]);
  });

  it("does not end a log-in that took the place of the cookie's session, and deletes the cookie", async () => {
    const old = await beginSession(unique());
    const headers = { Cookie: `__Host-session=${old}`, Origin: "https://stack.test" };
    const token = await beginSession(unique(), {
      json: { userId: unique(), cookie: true },
      headers: { ...ADMIN, ...headers },
    });
    const answer = await logOut(headers);
    expect(answer.headers.get("Set-Cookie")).toMatch(/^__Host-session=; Max-Age=0/);
    expect([await isLive(old), await isLive(token)]).toEqual([false, true]);
  });

  it("a log-in over a cookie that was just rotated ends the rotated session too", async () => {
    const old = await beginSession(unique());
    const token = await rotated(old);
    const headers = { Cookie: `__Host-session=${old}`, ...ADMIN };
    const next = await beginSession(unique(), { json: { userId: unique(), cookie: true }, headers });
    expect([await isLive(token), await isLive(next)]).toEqual([false, true]);
    await logOut(bearer(old));
    expect(await isLive(next)).toBe(true);
  });

  it("is as before in objects of a release that do not say by which session", async () => {
    const { end } = SessionDO.prototype;
    vi.spyOn(SessionDO.prototype, "end").mockImplementation(async function (this: SessionDO, tellAgainMs, why) {
      return (await end.call(this, tellAgainMs, why)) === true;
    });
    const userId = unique();
    const old = await beginSession(userId);
    const token = await rotated(old);
    expect((await logOut(bearer(old))).status).toBe(200);
    expect([await isLive(old), await isLive(token)]).toEqual([false, true]);
  });

  it("finds the new session if the list is of a release that does not say by which", async () => {
    const { end } = SessionDO.prototype;
    vi.spyOn(SessionDO.prototype, "end").mockImplementationOnce(function (this: SessionDO, tellAgainMs, why) {
      return end.call(this, tellAgainMs, why);
    });
    const old = await beginSession(unique());
    const token = await rotated(old);
    await logOut(bearer(old));
    expect(await isLive(token)).toBe(false);
  });

  it("is not seen in a rotation that is made again after the old session was forgotten", async () => {
    const userId = unique();
    const old = await beginSession(userId);
    const open = vi.spyOn(SessionDO.prototype, "open");
    const token = await rotated(old);
    const wanted = open.mock.calls[0]?.[0];
    if (!wanted) throw new Error("No session was opened");
    await evict(await sessionOf(old));
    expect(await (await objectOfUser(userId)).open(wanted)).toMatchObject({ userId });
    expect(await isLive(token)).toBe(true);
  });

  it("ends the new session if the alarm of the list had to end the old one", async () => {
    const userId = unique();
    const old = await beginSession(userId);
    const user = await objectOfUser(userId);
    const { begin } = SessionDO.prototype;
    const begun: (string | undefined)[] = [];
    vi.spyOn(SessionDO.prototype, "begin").mockImplementationOnce(function (this: SessionDO, ...about) {
      begun.push(this.ctx.id.name);
      return begin.apply(this, about);
    });
    vi.spyOn(SessionDO.prototype, "end").mockRejectedValueOnce(new Error("away"));
    expect((await rotate(old)).status).toBe(500);
    const taken = env.SESSION.getByName(begun[0] ?? "");
    await runInDurableObject(user, (object) => object.alarm());
    expect(await taken.peek()).toMatchObject({ userId });
    await logOut(bearer(old));
    expect(await taken.peek()).toBeUndefined();
  });

  it("a rotation is one session where they are counted, also while the new one begins", async () => {
    const userId = unique();
    const settings = { access: "rules", session: { slidingMinutes: 30, absoluteHours: 12, maxPerUser: 2 } };
    const [one, other] = [await beginSession(userId, { settings }), await beginSession(userId, { settings })];
    const held = hold("begin", "before");
    const answer = rotate(one, { settings });
    await held.reached;
    const third = await beginSession(userId, { settings });
    held.release();
    const token = v.parse(Begun, (await answer).body).token;
    expect(await Promise.all([one, other, token, third].map(isLive))).toEqual([false, false, true, true]);
  });
});

describe("under crashes", () => {
  it("a session that was cut off before it began never begins, and stops counting after a while", async () => {
    stopClock();
    const userId = unique();
    const token = await beginSession(userId);
    const user = await objectOfUser(userId);
    const session = await sessionOf(token);
    await session.end();
    // Like after a crash in between: in the list, but not begun.
    await runInDurableObject(user, async (_, { storage }) => {
      const [entry] = storage.kv.get<object[]>("sessions") ?? [];
      storage.kv.put("sessions", [{ ...entry, begun: false }]);
    });
    await evict(user);
    const subject = { userId, role: "user", metadata: null };
    pass(BEGIN_WITHIN_MS);
    expect(await session.begin(subject, MINUTE, HOUR, Date.now())).toBeUndefined();
    expect(await listed(userId)).toEqual([]);
  });

  it("log-ins that failed end no live session, however many there were, and end themselves", async () => {
    const settings = { session: { slidingMinutes: 30, absoluteHours: 2, maxPerUser: 2 } };
    const userId = unique();
    const [first, second] = [await beginSession(userId, { settings }), await beginSession(userId, { settings })];
    const user = await objectOfUser(userId);
    const { name } = await sessionOf(first);
    const { peek } = SessionDO.prototype;
    const broken = vi.spyOn(SessionDO.prototype, "peek").mockImplementation(function (this: SessionDO) {
      if (this.ctx.id.name === name) throw new Error("away");
      return peek.apply(this);
    });
    for (let i = 0; i < 4; i++) {
      expect((await ask("/session", { json: { userId }, headers: ADMIN, settings })).status).toBe(500);
    }
    broken.mockRestore();
    const third = await beginSession(userId, { settings });
    expect(await Promise.all([first, second, third].map(isLive))).toEqual([false, true, true]);
    stopClock();
    pass(BEGIN_WITHIN_MS);
    await runDurableObjectAlarm(user);
    const left = await runInDurableObject(user, (_, { storage }) => storage.kv.get<object[]>("sessions"));
    expect(left).toHaveLength(2);
  });

  it("sessions that must end do so also after the runtime would have given up the alarm", async () => {
    const userId = unique();
    await beginSession(userId);
    const user = await objectOfUser(userId);
    vi.spyOn(SessionDO.prototype, "end").mockRejectedValue(new Error("away"));
    expect((await ask(`/session/user/${userId}`, { method: "DELETE", headers: ADMIN })).status).toBe(500);
    const alarm = await runInDurableObject(user, async (object, { storage }) => {
      await storage.deleteAlarm();
      await object.alarm({ retryCount: 5, isRetry: true, scheduledTime: 0 });
      return storage.getAlarm();
    });
    expect(alarm).toBeGreaterThan(Date.now());
    vi.restoreAllMocks();
    await runDurableObjectAlarm(user);
    expect(await listed(userId)).toEqual([]);
  });

  it("a log-in that failed costs one alarm and one end, once it is too late to begin", async () => {
    stopClock();
    const userId = unique();
    const due = Date.now() + BEGIN_WITHIN_MS;
    vi.spyOn(SessionDO.prototype, "begin").mockRejectedValueOnce(new Error("away"));
    expect((await ask("/session", { json: { userId }, headers: ADMIN })).status).toBe(500);
    const user = await objectOfUser(userId);
    const end = vi.spyOn(SessionDO.prototype, "end");
    const alarmAt = () => runInDurableObject(user, (_, { storage }) => storage.getAlarm());
    expect(await alarmAt()).toBe(due);
    vi.setSystemTime(due - 1);
    await runInDurableObject(user, (object) => object.alarm());
    expect(end).not.toHaveBeenCalled();
    expect(await alarmAt()).toBe(due);
    vi.setSystemTime(due);
    await runDurableObjectAlarm(user);
    expect(end).toHaveBeenCalledOnce();
    expect(await alarmAt()).toBeNull();
  });

  it("a session that failed to begin begins if the same call is made again in 30 s, also after an alarm", async () => {
    const userId = unique();
    const open = vi.spyOn(SessionDO.prototype, "open");
    vi.spyOn(SessionDO.prototype, "begin").mockRejectedValueOnce(new Error("away"));
    expect((await ask("/session", { json: { userId }, headers: ADMIN })).status).toBe(500);
    const wanted = open.mock.calls[0]?.[0];
    if (!wanted) throw new Error("No session was opened");
    const user = await objectOfUser(userId);
    await runInDurableObject(user, (object) => object.alarm());
    expect(await user.open(wanted)).toMatchObject({ userId });
    await runInDurableObject(user, (object) => object.alarm());
    expect(await listed(userId)).toHaveLength(1);
  });

  it("a session that ended takes no other's place, also if the list was just evicted", async () => {
    const settings = { session: { slidingMinutes: 30, absoluteHours: 2, maxPerUser: 2 } };
    const userId = unique();
    const [first, second] = [await beginSession(userId, { settings }), await beginSession(userId, { settings })];
    await evict(await objectOfUser(userId));
    await ask("/session", { method: "DELETE", headers: bearer(first) });
    const third = await beginSession(userId, { settings });
    expect(await Promise.all([first, second, third].map(isLive))).toEqual([false, true, true]);
  });

  it("a model agrees, with random evictions and early or repeated alarms", async () => {
    stopClock();
    const MAX = 3;
    const settings = { access: "rules", session: { slidingMinutes: 30, absoluteHours: 2, maxPerUser: MAX } };
    const which = fc.nat(7);
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constant({ kind: "logIn" as const, which: 0 }) },
      fc.record({ kind: fc.constantFrom("use", "logOut", "rotate", "revoke", "evict", "alarm"), which }),
      fc.record({ kind: fc.constantFrom("revokeAll", "evictUser", "alarmOfUser", "wait", "crash"), which }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 22 }), async (steps) => {
        const userId = unique();
        const user = await objectOfUser(userId);
        /** By token, the oldest first. */
        const model = new Map<string, { until: number; endsAt: number }>();
        const all: string[] = [];
        /** What took the place of a session a short while ago. */
        const successors = new Map<string, string>();
        const alive = () => [...model].filter(([, { until }]) => Date.now() < until).map(([token]) => token);
        const begin = (token: string, endsAt = Date.now() + 2 * HOUR) => {
          model.set(token, { until: Math.min(Date.now() + 30 * MINUTE, endsAt), endsAt });
          all.push(token);
        };
        for (const { kind, which } of steps) {
          const token = all.at(which % Math.max(all.length, 1)) ?? "eu~none";
          const stub = await sessionOf(token);
          if (kind === "logIn") {
            for (const old of alive().slice(0, Math.max(alive().length - MAX + 1, 0))) model.delete(old);
            begin(await beginSession(userId, { settings }));
          } else if (kind === "use") {
            const was = model.get(token);
            const isAlive = alive().includes(token);
            expect(await isLive(token)).toBe(isAlive);
            if (was && isAlive && Math.min(Date.now() + 30 * MINUTE, was.endsAt) - was.until >= MINUTE)
              was.until = Math.min(Date.now() + 30 * MINUTE, was.endsAt);
          } else if (kind === "logOut") {
            await ask("/session", { method: "DELETE", headers: bearer(token) });
            for (let of: string | undefined = token; of; of = successors.get(of)) model.delete(of);
          } else if (kind === "rotate") {
            const isAlive = alive().includes(token);
            const rotated = await ask("/session/rotate", { method: "POST", headers: bearer(token), settings });
            expect(rotated.status).toBe(isAlive ? 200 : successors.has(token) ? 409 : 401);
            if (isAlive) {
              const { token: next } = v.parse(Begun, rotated.body);
              begin(next, model.get(token)?.endsAt);
              successors.set(token, next);
            }
            model.delete(token);
          } else if (kind === "revoke") {
            const [first] = await listed(userId);
            if (first) await ask(`/session/user/${userId}/${first.id}`, { method: "DELETE", headers: ADMIN });
            const [oldest] = alive();
            if (oldest) model.delete(oldest);
          } else if (kind === "revokeAll") {
            await ask(`/session/user/${userId}`, { method: "DELETE", headers: ADMIN });
            model.clear();
          } else if (kind === "evict") await evict(stub);
          else if (kind === "evictUser") await evict(user);
          else if (kind === "alarm") {
            await runInDurableObject(stub, async (session) => {
              await session.alarm();
              await session.alarm();
            });
          } else if (kind === "alarmOfUser") await runInDurableObject(user, (object) => object.alarm());
          else if (kind === "wait") {
            pass(13 * MINUTE);
            successors.clear();
          } else {
            // Revoked, and cut off after that was noted: the alarm ends them.
            await runInDurableObject(user, (_, { storage }) => {
              const entries = storage.kv.get<object[]>("sessions");
              if (entries)
                storage.kv.put(
                  "sessions",
                  entries.map((entry) => ({ ...entry, ending: true })),
                );
            });
            await evict(user);
            await runInDurableObject(user, (object) => object.alarm());
            model.clear();
          }
          expect(alive().length).toBeLessThanOrEqual(MAX);
        }
        expect(await listed(userId)).toHaveLength(alive().length);
        const live = alive();
        expect(await Promise.all(all.map(isLive))).toEqual(all.map((token) => live.includes(token)));
      }),
      { numRuns: 25 },
    );
  }, 120_000);
});
