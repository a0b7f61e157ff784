/** HTTP routes of the sessions, mounted under /session. */

import type { Context } from "hono";
import * as v from "valibot";
import { bearerToken } from "../http/admin.ts";
import { callerOf } from "../http/caller.ts";
import type { App } from "../http/context.ts";
import { deadCredential, unauthorized } from "../http/denials.ts";
import { Hono } from "../http/hono.ts";
import { may } from "../http/may.ts";
import { Duration, Integer, Moment } from "../http/numbers.ts";
import { describe } from "../http/openapi.ts";
import { refusal } from "../http/problem.ts";
import { guestId, UserId, UserOrGuestId } from "../http/user-id.ts";
import { body, params } from "../http/validation.ts";
import { formatId, objectFor, type Place, parseId, regionOfCaller } from "../objects/names.ts";
import { retry } from "../objects/retry.ts";
import { HOUR_MS, MINUTE_MS } from "../objects/units.ts";
import { stackOf } from "../stack.ts";
import { cookieOf, giveCookie, shownToken, takeCookie } from "./credentials.ts";
import { sessions } from "./identity.ts";
import type { Reading, Subject } from "./lifetime.ts";
import { session } from "./pattern.ts";
import { placeOfUser } from "./session.ts";
import { mintToken, placeOfToken } from "./token.ts";

const GUEST = "guest";
/** A log-out ends at most so many sessions that took the place of one another. */
const MAX_SUCCESSORS = 100;

/** The caller's own data of a session: any JSON object or array. A record would leave out the key `constructor`. */
const Metadata = v.pipe(
  v.unknown(),
  v.check((data) => typeof data === "object" && data !== null, "must be a JSON object or array"),
  v.description("A JSON object or array"),
);

const Login = v.strictObject({
  userId: UserId,
  role: v.optional(v.pipe(v.string(), v.regex(/^[\w.:-]{1,64}$/, "must be 1 to 64 of A-Z a-z 0-9 _ . : -")), GUEST),
  metadata: v.optional(Metadata),
  /** Whether to set the token as a cookie too. */
  cookie: v.optional(v.boolean(), false),
});

const Created = v.object({
  ok: v.literal(true),
  expiresIn: Duration,
  /** Shown only in this answer. */
  token: v.string(),
  /** The id that was asked for, or a guest's. */
  userId: v.string(),
  role: v.string(),
});
const Session = v.object({
  userId: v.string(),
  role: v.string(),
  metadata: v.optional(Metadata),
  createdAt: Moment,
  expiresAt: Moment,
  /** The absolute end. */
  endsAt: Moment,
});
const Found = v.object({
  session: Session,
  expiresIn: Duration,
});
const Ended = v.object({ ok: v.literal(true) });
const EndedSeveral = v.object({ ok: v.literal(true), ended: Integer });
/** A session's id is its token's hash, so it cannot be used as a token. */
const AllOfUser = v.object({ sessions: v.array(v.object({ id: v.string(), ...Session.entries })) });
const User = v.object({ userId: UserOrGuestId });

const creating = describe("Begins a session. Needs the admin token; if demoLogin is on, anybody may begin a guest's", {
  200: Created,
});
const reading = describe("The caller's session. Reading it moves its expiry", { 200: Found });
const ending = describe("Ends the caller's session", { 200: Ended });
/** The admin may begin a session; as a guest, anybody may if the stack allows guests. */
const mayCreate = may(session, "create", (c) => ({ guestsWelcome: stackOf(c.env).settings.demoLogin }));
const mayUse = may(session, "use");
const theirs = ({ req }: Context<App, string, { out: { param: { userId: string } } }>) => ({
  owner: req.valid("param").userId,
});

export const routes = new Hono()
  .post("/", creating, mayCreate, body(Login), async (c) => c.json(await create(c, c.req.valid("json"))))
  .post("/create", creating, mayCreate, body(Login), async (c) => c.json(await create(c, c.req.valid("json"))))
  .get("/", reading, mayUse, async (c) => c.json(await read(c)))
  .get("/get", reading, mayUse, async (c) => c.json(await read(c)))
  .delete("/", ending, mayUse, async (c) => c.json(await end(c)))
  .delete("/invalidate", ending, mayUse, async (c) => c.json(await end(c)))
  .post(
    "/rotate",
    describe("Gives the caller a new token for the session, and ends the old one", { 200: Created }),
    mayUse,
    async (c) => c.json(await rotate(c)),
  )
  .get(
    "/user/:userId",
    describe("The live sessions of a user or guest", { 200: AllOfUser }),
    params(User),
    may(session, "list", theirs),
    async (c) => {
      const listed = await retry(async () => await (await ofUser(c, c.req.valid("param").userId)).list());
      return c.json({ sessions: listed.map(({ id, ...reading }) => ({ id, ...shown(reading) })) });
    },
  )
  .delete(
    "/user/:userId",
    describe("Ends all sessions of a user or guest, with the WebSockets that they hold", { 200: EndedSeveral }),
    params(User),
    may(session, "revoke", theirs),
    async (c) => {
      const { userId } = c.req.valid("param");
      return c.json({ ok: true, ended: await retry(async () => (await ofUser(c, userId)).endSessions()) });
    },
  )
  .delete(
    "/user/:userId/:sessionId",
    describe("Ends one session of a user or guest, by the id that the list shows", { 200: Ended }),
    params(v.object({ ...User.entries, sessionId: v.string() })),
    may(session, "revoke", theirs),
    async (c) => {
      const { userId, sessionId } = c.req.valid("param");
      let calls = 0;
      const ended = await retry(async () => {
        calls++;
        return (await ofUser(c, userId)).endSessions(sessionId);
      });
      // A call whose answer was lost may have ended it.
      if (ended === 0 && calls === 1) throw refusal("not-found", "The user has no such session");
      return c.json({ ok: true });
    },
  );

/** The object with the list of a user's sessions. */
const ofUser = async (c: Context<App>, userId: string) => sessionAt(c, await placeOfUser(c.env, userId));

const sessionAt = (c: Context<App>, place: Place) => objectFor(c, session, place);

async function create(c: Context<App>, wanted: v.InferOutput<typeof Login>): Promise<v.InferOutput<typeof Created>> {
  const { kind } = await callerOf(c);
  const isGuest = kind !== "admin" && kind !== "service";
  const role = isGuest ? GUEST : wanted.role;
  const userId = isGuest ? guestId(wanted.userId) : wanted.userId;
  const subject = { userId, role, metadata: wanted.metadata ? JSON.stringify(wanted.metadata) : null };
  const absoluteMs = stackOf(c.env).settings.session.absoluteHours * HOUR_MS;
  const { created } = await begin(c, subject, absoluteMs);
  if (wanted.cookie) {
    const before = cookieOf(c);
    const place = before === undefined ? undefined : await placeOfToken(stackOf(c.env).regions, before);
    // The new session is no successor of the old one, which may be another user's: whoever has the old token may log out
    // what it was rotated to, and not a log-in that came after it. The answer to that log-out still deletes the cookie.
    if (place) await endFrom(c, place, "replaced");
    giveCookie(c, created.token, absoluteMs / 1_000);
  }
  return created;
}

/** Begins a session and adds it to its user's list. Returns its place, too. */
async function begin(
  c: Context<App>,
  subject: Subject,
  absoluteMs: number,
  replaces?: Place,
): Promise<{ created: v.InferOutput<typeof Created>; place: Place }> {
  const { slidingMinutes, maxPerUser: max } = stackOf(c.env).settings.session;
  const { token, place } = await mintToken(regionOfCaller(c));
  const wanted = { place, subject, slidingMs: slidingMinutes * MINUTE_MS, absoluteMs, max };
  // May be repeated: the token is the same, so the call begins the same session again.
  const begun = await retry(async () =>
    (await ofUser(c, subject.userId)).open({ ...wanted, ...(replaces && { replaces: replaces.id }) }),
  );
  if (begun === "over") throw deadCredential("The session");
  if (begun === "replaced") throw replaced();
  if (!begun) throw refusal("unavailable", "The session was ended while it began, or took too long to begin");
  const { userId, role } = subject;
  return { created: { ok: true, expiresIn: begun.expiresIn, token, userId, role }, place };
}

const replaced = () => refusal("session-replaced", "Another request has just rotated this session: use its new token");

/** Replaces the caller's session by a new one with the same time left. */
async function rotate(c: Context<App>): Promise<v.InferOutput<typeof Created>> {
  const byCookie = bearerToken(c) === undefined;
  const old = await placeOfCaller(c);
  const found = old && (await retry(async () => sessionAt(c, old).read()));
  if (!found) {
    // An object of an older release, without this method, leaves the caller with the other refusal.
    const successor =
      old &&
      (await sessionAt(c, old)
        .successor()
        .catch(() => undefined));
    if (successor !== undefined) throw replaced();
    throw deadCredential("The session", byCookie ? await sessions.withoutCookie(c) : {});
  }
  const { userId, role, metadata, endsAt } = found;
  const { created, place } = await begin(c, { userId, role, metadata }, endsAt - Date.now(), old);
  // The list has done it; but one of an older release did not say by which session.
  await retry(async () => await sessionAt(c, old).end(undefined, "replaced", formatId(place)));
  if (byCookie) giveCookie(c, created.token, Math.ceil((endsAt - Date.now()) / 1_000));
  return created;
}

async function read(c: Context<App>): Promise<v.InferOutput<typeof Found>> {
  const place = await placeOfCaller(c);
  const found = place && (await retry(async () => sessionAt(c, place).read()));
  if (!found) throw refusal("not-found", "Session not found");
  return { session: shown(found), expiresIn: found.expiresIn };
}

/** A session as callers see it. */
function shown({ userId, role, metadata, createdAt, expiresAt, endsAt }: Reading): v.InferOutput<typeof Session> {
  return { userId, role, ...(metadata !== null && { metadata: JSON.parse(metadata) }), createdAt, expiresAt, endsAt };
}

async function end(c: Context<App>): Promise<v.InferOutput<typeof Ended>> {
  if (c.req.query("userId") !== undefined) {
    throw refusal("invalid-input", "userId: to end all sessions of a user, call DELETE /session/user/<userId>");
  }
  const place = await placeOfCaller(c);
  if (place) await endFrom(c, place);
  takeCookie(c);
  return { ok: true };
}

/**
 * Ends a session and, if it was rotated a short while ago, those that have its place: a log-out may come with the token
 * from before. An object of an older release knows of none.
 */
async function endFrom(c: Context<App>, place: Place, why?: "replaced", most = MAX_SUCCESSORS): Promise<void> {
  const ended = await retry(async () => await sessionAt(c, place).end(undefined, why));
  if (typeof ended !== "string" || most === 0) return;
  const next = parseId(stackOf(c.env).regions, ended);
  if ("place" in next) await endFrom(c, next.place, why, most - 1);
}

/** The place of the caller's session. 401 without a token; undefined if what was shown is not a token by its form. */
async function placeOfCaller(c: Context<App>): Promise<Place | undefined> {
  const token = shownToken(c);
  if (token === undefined) {
    throw unauthorized("This needs a session's token, as Authorization: Bearer <token> or as the cookie");
  }
  return placeOfToken(stackOf(c.env).regions, token);
}
