/** HTTP routes of the sessions, mounted under /session. */
import { type Context, Hono } from "hono";
import * as v from "valibot";
import { callerOf } from "../http/caller.ts";
import type { App } from "../http/context.ts";
import { may } from "../http/may.ts";
import { describe } from "../http/openapi.ts";
import { refusal } from "../http/problem.ts";
import { guestId, UserId } from "../http/user-id.ts";
import { body } from "../http/validation.ts";
import { objectFor, type Place, regionOfCaller } from "../objects/names.ts";
import { retry } from "../objects/retry.ts";
import { stackOf } from "../stack.ts";
import { giveCookie, shownToken, takeCookie } from "./credentials.ts";
import { session } from "./pattern.ts";
import { mintToken, placeOfToken } from "./token.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const GUEST = "guest";

const Subject = v.strictObject({
  userId: UserId,
  role: v.optional(v.pipe(v.string(), v.regex(/^[\w.:-]{1,64}$/, "must be 1 to 64 of A-Z a-z 0-9 _ . : -")), GUEST),
  metadata: v.optional(v.record(v.string(), v.unknown())),
  /** Whether to set the token as a cookie too. */
  cookie: v.optional(v.boolean(), false),
});

const Created = v.object({
  ok: v.literal(true),
  /** ms */
  expiresIn: v.number(),
  /** Given this once. */
  token: v.string(),
  /** As asked for, or a guest's. */
  userId: v.string(),
  role: v.string(),
});
const Found = v.object({
  session: v.object({
    userId: v.string(),
    role: v.string(),
    metadata: v.optional(v.record(v.string(), v.unknown())),
    /** ms since the epoch */
    createdAt: v.number(),
    expiresAt: v.number(),
    /** When it is over however much it is used. */
    endsAt: v.number(),
  }),
  /** ms */
  expiresIn: v.number(),
});
const Ended = v.object({ ok: v.literal(true) });

const creating = describe("Begins a session. Wants the admin token; where demoLogin is on, anybody gets a guest's", {
  200: Created,
});
const reading = describe("The caller's session, whose expiry this moves", { 200: Found });
const ending = describe("Ends the caller's session", { 200: Ended });
/** Who may begin one: the admin, and as a guest anybody where the stack welcomes guests. */
const mayCreate = may(session, "create", (c) => ({ guestsWelcome: stackOf(c.env).settings.demoLogin }));
const mayUse = may(session, "use");

export const routes = new Hono<App>()
  .post("/", creating, mayCreate, body(Subject), async (c) => c.json(await create(c, c.req.valid("json"))))
  .post("/create", creating, mayCreate, body(Subject), async (c) => c.json(await create(c, c.req.valid("json"))))
  .get("/", reading, mayUse, async (c) => c.json(await read(c)))
  .get("/get", reading, mayUse, async (c) => c.json(await read(c)))
  .delete("/", ending, mayUse, async (c) => c.json(await end(c)))
  .delete("/invalidate", ending, mayUse, async (c) => c.json(await end(c)));

const sessionAt = (c: Context<App>, place: Place) => objectFor(c, session, place);

async function create(c: Context<App>, wanted: v.InferOutput<typeof Subject>): Promise<v.InferOutput<typeof Created>> {
  const { session: limits } = stackOf(c.env).settings;
  const { kind } = await callerOf(c);
  const isGuest = kind !== "admin" && kind !== "service";
  const { token, place } = await mintToken(regionOfCaller(c));
  const role = isGuest ? GUEST : wanted.role;
  const userId = isGuest ? guestId(wanted.userId) : wanted.userId;
  const subject = { userId, role, metadata: wanted.metadata ? JSON.stringify(wanted.metadata) : null };
  const absoluteMs = limits.absoluteHours * HOUR_MS;
  // May be repeated: the token is new, so the same call again begins the same session.
  const { expiresIn } = await retry(() =>
    sessionAt(c, place).begin(subject, limits.slidingMinutes * MINUTE_MS, absoluteMs),
  );
  if (wanted.cookie) giveCookie(c, token, absoluteMs / 1000);
  return { ok: true, expiresIn, token, userId, role };
}

async function read(c: Context<App>): Promise<v.InferOutput<typeof Found>> {
  const place = await placeOfCaller(c);
  const found = place && (await retry(async () => sessionAt(c, place).read()));
  if (!found) throw refusal("not-found", "Session not found");
  const { userId, role, metadata, createdAt, expiresAt, endsAt, expiresIn } = found;
  const own = metadata === null ? {} : { metadata: JSON.parse(metadata) };
  return { session: { userId, role, ...own, createdAt, expiresAt, endsAt }, expiresIn };
}

async function end(c: Context<App>): Promise<v.InferOutput<typeof Ended>> {
  const place = await placeOfCaller(c);
  if (place) await retry(() => sessionAt(c, place).end());
  takeCookie(c);
  return { ok: true };
}

/** The place of the session whose token the caller shows: 401 without one, undefined when it was never a token. */
async function placeOfCaller(c: Context<App>): Promise<Place | undefined> {
  const token = shownToken(c);
  if (token === undefined) {
    throw refusal("unauthorized", "This needs a session's token, as Authorization: Bearer <token> or as the cookie", {
      headers: { "WWW-Authenticate": 'Bearer realm="session"' },
    });
  }
  return placeOfToken(stackOf(c.env).regions, token);
}
