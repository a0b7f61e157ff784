/**
 * One session; other objects of this class have the list of one user's sessions (of-user.ts). Every read checks the
 * stored end against the clock. The alarm only frees the storage, and may run early, late or twice. A session that is
 * over leaves nothing behind, not even an empty table, and has told the objects that hold its WebSockets. An open
 * WebSocket counts as use.
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

/** After this many failures the runtime gives up on an alarm. */
const LAST_ALARM_RETRY = 5;
const ALARM_RETRY_MS = 60_000;
/** How long to wait before telling the holders again, if one could not be reached. */
const TELL_AGAIN_MS = 1_000;
/** The key of the list of holders. */
const HOLDERS = "holders";

type Stored = Subject & Lifetime;

export class SessionDO extends DurableObject<Env> {
  readonly #schema: Schema;
  /** The stored session, so that a read need not query it again. */
  #stored: Stored | undefined;
  readonly #ofUser: SessionsOfUser;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#schema = new Schema(ctx.storage, session);
    this.#stored = this.#schema.empty ? undefined : readStored(ctx.storage.sql);
    this.#ofUser = new SessionsOfUser(ctx.storage, (place) => stubAt(env, session, place));
  }

  /** In a user's object: begins one of their sessions; undefined if it was ended meanwhile. */
  open(wanted: Wanted): Promise<Reading | undefined> {
    return this.#ofUser.open(wanted);
  }

  /** In a user's object: their live sessions. */
  list(): Promise<Listed[]> {
    return this.#ofUser.list();
  }

  /** In a user's object: ends one of their sessions, or all. Returns how many. */
  endSessions(id?: string): Promise<number> {
    return this.#ofUser.end(id);
  }

  /** Begins the session; a second call begins it anew. Refuses after `by` (ms since the epoch). */
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

  /** The session; undefined if it is over or never began. Does not count as use. */
  peek(): Reading | undefined {
    const now = Date.now();
    return this.#stored && !isOver(this.#stored, now) ? readingOf(this.#stored, now) : undefined;
  }

  /** The session; undefined if it is over or never began. Counts as use, and moves its end. */
  read(): Reading | undefined {
    const now = Date.now();
    const stored = this.#stored;
    if (!stored || isOver(stored, now)) return undefined;
    const expiresAt = touch(stored, now);
    // The alarm is not moved: it will find that it is early, and set itself again.
    if (expiresAt !== stored.expiresAt) {
      this.ctx.storage.sql.exec("UPDATE session SET expires_at = ?", expiresAt);
      stored.expiresAt = expiresAt;
    }
    return readingOf(stored, now);
  }

  /**
   * Adds a holder: an object that will have a WebSocket of the session and must be told of its end. Call it before the
   * socket opens. "gone": the session is over. "full": it has too many holders.
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

  /** Ends the session and frees its storage. Does nothing if there is no session. */
  async end(tellAgainMs = TELL_AGAIN_MS): Promise<void> {
    if (this.#schema.empty) return;
    const holders = this.#holders;
    if (holders.length > 0) {
      // The session is over from here on. If a call below fails, the alarm makes it again.
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
      // An open WebSocket counts as use. A holder without one need not be told of the end.
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

  /** The holders that still have a WebSocket of the session. Forgets the others. */
  async #inUse(): Promise<readonly Holder[]> {
    const before = this.#holders;
    const id = this.#id;
    // A holder that does not answer counts as having one.
    const asked = await Promise.allSettled(
      before.map(async (holder) => (await holderOf(this.env, holder)?.holdsSession(id)) ?? false),
    );
    const holding = asked.map((answer) => answer.status === "rejected" || answer.value);
    const idle = before.filter((_, i) => !holding[i]).map(({ name }) => name);
    const kept = this.#holders.filter(({ name }) => !idle.includes(name));
    if (this.#stored && kept.length < this.#holders.length) this.ctx.storage.kv.put(HOLDERS, kept);
    return kept;
  }

  /** Sets the alarm to the session's end; if it has holders, a while before, to ask them whether it is in use. */
  #setAlarm(stored: Stored): Promise<void> {
    const before = this.#holders.length > 0 && stored.expiresAt < stored.endsAt ? touchBefore(stored) : 0;
    return this.ctx.storage.setAlarm(Math.max(stored.expiresAt - before, Date.now() + 1));
  }

  /** The name of the object, by which holders know the session. */
  get #id(): string {
    return this.ctx.id.name ?? "";
  }
}

function readingOf({ slidingMs: _, ...stored }: Stored, now: number): Reading {
  return { ...stored, expiresIn: stored.expiresAt - now };
}

/** The place of the list of a user's sessions: in the home region, so that every region finds the same one. */
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
