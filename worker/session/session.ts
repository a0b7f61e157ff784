/**
 * One session; or, in objects of their own, the sessions of one user (of-user.ts). Whether it is over is checked on
 * every read, by the clock and what is stored; the alarm only frees the storage, and may come early, late or twice. When
 * a session is over nothing of it is left, not even an empty table, and the objects where it holds WebSockets open have
 * been told. While it holds one open, it is in use.
 */
import { DurableObject } from "cloudflare:workers";
import { sha256 } from "../../contract/secrets.ts";
import { homeRegion, type Place, stubAt } from "../objects/names.ts";
import { Schema } from "../objects/schema.ts";
import { stackOf } from "../stack.ts";
import { type Holder, holderOf, MAX_HOLDERS } from "./holders.ts";
import { begin, isOver, type Lifetime, type Reading, type Subject, touch, touchBefore } from "./lifetime.ts";
import { type Listed, SessionsOfUser, type Wanted } from "./of-user.ts";
import { session } from "./pattern.ts";

/** After this many failures the runtime does not call an alarm again. */
const LAST_ALARM_RETRY = 5;
const ALARM_RETRY_MS = 60_000;
/** When the objects that hold WebSockets are told again, where one could not be told. */
const TELL_AGAIN_MS = 1_000;
/** Under which the objects that hold WebSockets of the session are stored. */
const HOLDERS = "holders";

type Stored = Subject & Lifetime;

export class SessionDO extends DurableObject<Env> {
  readonly #schema: Schema;
  /** What is stored, so that a read need not read it again. */
  #stored: Stored | undefined;
  readonly #ofUser: SessionsOfUser;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#schema = new Schema(ctx.storage, session);
    this.#stored = this.#schema.empty ? undefined : readStored(ctx.storage.sql);
    this.#ofUser = new SessionsOfUser(ctx.storage, (place) => stubAt(env, session, place));
  }

  /** Of a user's object: begins a session of theirs; undefined where it was ended meanwhile. */
  open(wanted: Wanted): Promise<Reading | undefined> {
    return this.#ofUser.open(wanted);
  }

  /** Of a user's object: their live sessions. */
  list(): Promise<Listed[]> {
    return this.#ofUser.list();
  }

  /** Of a user's object: ends one of their sessions, or all. Returns how many. */
  endSessions(id?: string): Promise<number> {
    return this.#ofUser.end(id);
  }

  /** Begins the session; once more, from the start, when asked twice. Not after `by` (ms since the epoch). */
  async begin(
    { userId, role, metadata }: Subject,
    slidingMs: number,
    absoluteMs: number,
    by = Number.POSITIVE_INFINITY,
  ): Promise<Reading | undefined> {
    const now = Date.now();
    if (now >= by) return undefined;
    const stored = { userId, role, metadata, ...begin(now, { slidingMs, absoluteMs }) };
    const { createdAt, expiresAt, endsAt } = stored;
    this.#schema.create();
    this.ctx.storage.sql.exec(
      `INSERT OR REPLACE INTO session
         (id, user_id, role, metadata, created_at, expires_at, ends_at, sliding_ms)
       VALUES (1, ?, ?, ?, ?, ?, ?, ?)`,
      ...[userId, role, metadata, createdAt, expiresAt, endsAt, slidingMs],
    );
    this.#stored = stored;
    await this.ctx.storage.setAlarm(expiresAt);
    return readingOf(stored, now);
  }

  /** The session, as it is; undefined when it is over or never was. */
  peek(): Reading | undefined {
    const now = Date.now();
    return this.#stored && !isOver(this.#stored, now) ? readingOf(this.#stored, now) : undefined;
  }

  /** The session, whose end this moves; undefined when it is over or never was. */
  read(): Reading | undefined {
    const now = Date.now();
    const stored = this.#stored;
    if (!stored || isOver(stored, now)) return undefined;
    const expiresAt = touch(stored, now);
    // The alarm stays where it is: it will find that it is early, and set itself again.
    if (expiresAt !== stored.expiresAt) {
      this.ctx.storage.sql.exec("UPDATE session SET expires_at = ?", expiresAt);
      stored.expiresAt = expiresAt;
    }
    return readingOf(stored, now);
  }

  /**
   * Notes that an object holds a WebSocket of the session, to be told of its end. Call it before the socket is opened.
   * "gone": the session is over. "full": it is in too many objects at once.
   */
  async hold(holder: Holder): Promise<"held" | "gone" | "full"> {
    if (!this.read()) return "gone";
    const same = (other: Holder) => other.name === holder.name && other.binding === holder.binding;
    if (this.#holders.some(same)) return "held";
    const holders = this.#holders.length < MAX_HOLDERS ? this.#holders : await this.#inUse();
    if (!this.#stored) return "gone";
    if (holders.length >= MAX_HOLDERS) return "full";
    this.ctx.storage.kv.put(HOLDERS, [...holders.filter((other) => !same(other)), holder]);
    await this.#setAlarm(this.#stored);
    return "held";
  }

  /** Ends the session and frees what it stored. Harmless when there is none. */
  async end(tellAgainMs = TELL_AGAIN_MS): Promise<void> {
    if (this.#schema.empty) return;
    const holders = this.#holders;
    if (holders.length > 0) {
      // Over from here on, whatever happens to the calls below: the alarm makes them again.
      this.ctx.storage.sql.exec("DELETE FROM session");
      this.#stored = undefined;
      await this.ctx.storage.setAlarm(Date.now() + tellAgainMs);
      const id = this.#id;
      const told = await Promise.allSettled(
        holders.map(async (holder) => holderOf(this.env, holder)?.sessionEnded(id)),
      );
      if (told.some(({ status }) => status === "rejected")) return;
    }
    await this.ctx.storage.deleteAll();
    this.#schema.forget();
    this.#stored = undefined;
  }

  override async alarm(alarm?: AlarmInvocationInfo): Promise<void> {
    if (this.#schema.empty) return this.#ofUser.alarm();
    try {
      const stored = this.#stored;
      if (!stored || isOver(stored, Date.now())) return await this.end(ALARM_RETRY_MS);
      // A WebSocket that is open is a use; what holds none any more need not be told of the end.
      const holders = this.#holders.length > 0 ? await this.#inUse() : [];
      if (holders.length > 0) this.read();
      if (this.#stored) await this.#setAlarm(this.#stored);
    } catch (error) {
      if ((alarm?.retryCount ?? 0) < LAST_ALARM_RETRY) throw error;
      await this.ctx.storage.setAlarm(Date.now() + ALARM_RETRY_MS);
    }
  }

  get #holders(): readonly Holder[] {
    return this.ctx.storage.kv.get<Holder[]>(HOLDERS) ?? [];
  }

  /** The holders that still hold a WebSocket of the session; the others are forgotten. */
  async #inUse(): Promise<readonly Holder[]> {
    const before = this.#holders;
    const id = this.#id;
    // Who cannot say is believed to hold one.
    const asked = await Promise.allSettled(
      before.map(async (holder) => (await holderOf(this.env, holder)?.holdsSession(id)) ?? false),
    );
    const holding = asked.map((answer) => answer.status === "rejected" || answer.value);
    const idle = before.filter((_, i) => !holding[i]).map(({ name }) => name);
    const kept = this.#holders.filter(({ name }) => !idle.includes(name));
    if (this.#stored && kept.length < this.#holders.length) this.ctx.storage.kv.put(HOLDERS, kept);
    return kept;
  }

  /** At the session's end; where WebSockets are open, a while before it, to see whether they still are. */
  #setAlarm(stored: Stored): Promise<void> {
    const before = this.#holders.length > 0 && stored.expiresAt < stored.endsAt ? touchBefore(stored) : 0;
    return this.ctx.storage.setAlarm(Math.max(stored.expiresAt - before, Date.now() + 1));
  }

  /** What the holders know the session by: the object's name. */
  get #id(): string {
    return this.ctx.id.name ?? "";
  }
}

function readingOf({ slidingMs: _, ...stored }: Stored, now: number): Reading {
  return { ...stored, expiresIn: stored.expiresAt - now };
}

/** The place of the object of a user's sessions: at home, where it is found from everywhere. */
export async function placeOfUser(env: Env, userId: string): Promise<Place> {
  return { region: homeRegion(stackOf(env).regions), id: `user.${await sha256(userId)}` };
}

function readStored(sql: SqlStorage): Stored | undefined {
  const rows = sql.exec<Stored & Record<string, SqlStorageValue>>(
    `SELECT user_id AS userId, role, metadata, created_at AS createdAt, expires_at AS expiresAt, ends_at AS endsAt,
     sliding_ms AS slidingMs FROM session`,
  );
  return rows.toArray()[0];
}
