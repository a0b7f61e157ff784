/**
 * One session; other objects of this class have the list of one user's sessions (of-user.ts). Every read checks the
 * stored end against the clock. The alarm only frees the storage, and may run early, late or twice. A session that is
 * over leaves nothing behind, not even an empty table, and has told the objects that hold its WebSockets. Only what took
 * its place is kept, for a minute. An open WebSocket counts as use.
 */
import { DurableObject } from "cloudflare:workers";
import { sha256 } from "../../contract/secrets.ts";
import { homeRegion, type Place, stubAt } from "../objects/names.ts";
import { hasTable, Schema } from "../objects/schema.ts";
import { stackOf } from "../stack.ts";
import { type Holder, holderOf, MAX_HOLDERS } from "./holders.ts";
import { begin, isOver, type Lifetime, type Reading, type Subject, touch, touchBefore } from "./lifetime.ts";
import { type Listed, type NotReplaced, SessionsOfUser, type Wanted } from "./of-user.ts";
import { session } from "./pattern.ts";

/** After this many failures the runtime gives up on an alarm. */
const LAST_ALARM_RETRY = 5;
const ALARM_RETRY_MS = 60_000;
/** How long to wait before telling the holders again, if one could not be reached. */
const TELL_AGAIN_MS = 1_000;
/** How long a WebSocket may take to open once its holder was added. */
const OPEN_WITHIN_MS = 10_000;
/** The keys of the session, of the list of its holders, and of what took its place. */
const SESSION = "session";
const HOLDERS = "holders";
const REPLACED = "replaced";
/** How long a request with the token before may be on its way. */
const REPLACED_MS = 60_000;

type Stored = Subject & Lifetime;

/** When another session took its place (ms since the epoch). `by`: that one's id, if it is this one with a new token. */
interface Replaced {
  readonly at: number;
  readonly by?: string | undefined;
}

export class SessionDO extends DurableObject<Env> {
  /** The stored session, so that a read need not query it again. */
  #stored: Stored | undefined;
  /** Stored for as long as it counts, so that a log-out finds the successor also after an eviction. */
  #replaced: Replaced | undefined;
  /** When each holder was last added (ms since the epoch), by its name. */
  readonly #heldAt = new Map<string, number>();
  readonly #ofUser: SessionsOfUser;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#stored = ctx.storage.kv.get<Stored>(SESSION) ?? moveFromTable(ctx.storage);
    this.#replaced = ctx.storage.kv.get<Replaced>(REPLACED);
    this.#ofUser = new SessionsOfUser(ctx.storage, (place) => stubAt(env, session, place));
  }

  /** In a user's object: begins one of their sessions. */
  open(wanted: Wanted): Promise<Reading | NotReplaced | undefined> {
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
    this.#put(stored);
    await this.ctx.storage.setAlarm(stored.expiresAt);
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
    if (expiresAt === stored.expiresAt) return readingOf(stored, now);
    return readingOf(this.#put({ ...stored, expiresAt }), now);
  }

  /**
   * Adds a holder: an object that will have a WebSocket of the session and must be told of its end. Call it before the
   * socket opens. "gone": the session is over. "full": it has too many holders.
   */
  async hold(holder: Holder): Promise<"held" | "gone" | "full"> {
    if (!this.read()) return "gone";
    const same = (other: Holder) => other.name === holder.name && other.binding === holder.binding;
    if (this.#holders.some(same)) {
      this.#heldAt.set(holder.name, Date.now());
      return "held";
    }
    const holders = this.#holders.length < MAX_HOLDERS ? this.#holders : await this.#inUse();
    if (!this.#stored) return "gone";
    if (holders.length >= MAX_HOLDERS) return "full";
    this.#heldAt.set(holder.name, Date.now());
    this.ctx.storage.kv.put(HOLDERS, [...holders.filter((other) => !same(other)), holder]);
    await this.#setAlarm(this.#stored);
    return "held";
  }

  /** Whether another session took its place a short while ago, so that its browser has a new cookie. */
  wasReplaced(): boolean {
    return this.#replaced !== undefined && Date.now() < this.#replaced.at + REPLACED_MS;
  }

  /** The id of the session that has its place since a short while ago, if it is this one with a new token. */
  successor(): string | undefined {
    return this.wasReplaced() ? this.#replaced?.by : undefined;
  }

  /**
   * Ends the session and frees its storage; does nothing if there is no session. `why`: if another session takes its
   * place. `successor`: that one's id, if it is this session with a new token. Returns whether this one was live, or the
   * id of the successor that it had before the call.
   */
  async end(tellAgainMs = TELL_AGAIN_MS, why?: "replaced", successor?: string): Promise<boolean | string> {
    const now = Date.now();
    const wasLive = this.#stored !== undefined && !isOver(this.#stored, now);
    const before = this.successor();
    const answer = before ?? wasLive;
    // One that is over without a successor gets none: whoever comes too late does not begin (of-user.ts).
    if (why && (wasLive || this.wasReplaced() || successor === undefined)) {
      this.#replaced = { at: now, by: before ?? successor };
    }
    const holders = this.#holders;
    if (!this.#stored && holders.length === 0) return answer;
    if (holders.length > 0) {
      // The session is over from here on. If a call below fails, the alarm makes it again.
      this.ctx.storage.kv.delete(SESSION);
      this.#stored = undefined;
      if (this.wasReplaced()) this.ctx.storage.kv.put(REPLACED, this.#replaced);
      await this.ctx.storage.setAlarm(Date.now() + tellAgainMs);
      const id = this.#id;
      const told = await Promise.allSettled(
        holders.map(async (holder) => holderOf(this.env, holder)?.sessionEnded(id)),
      );
      if (told.some(({ status }) => status === "rejected")) return answer;
    }
    await this.#free();
    return answer;
  }

  override async alarm(alarm?: AlarmInvocationInfo): Promise<void> {
    const stored = this.#stored;
    try {
      if (!stored && this.#holders.length === 0) return await (this.#replaced ? this.#free() : this.#ofUser.alarm());
      if (!stored || isOver(stored, Date.now())) {
        await this.end(ALARM_RETRY_MS);
        return;
      }
      // An open WebSocket counts as use. A holder without one need not be told of the end.
      const holders = this.#holders.length > 0 ? await this.#inUse() : [];
      if (holders.length > 0) this.read();
      if (this.#stored) await this.#setAlarm(this.#stored);
    } catch (error) {
      if ((alarm?.retryCount ?? 0) < LAST_ALARM_RETRY) throw error;
      await this.ctx.storage.setAlarm(Date.now() + ALARM_RETRY_MS);
    }
  }

  /** Frees the storage. What took the session's place stays for a while: a log-out may be on its way. */
  async #free(): Promise<void> {
    const { storage } = this.ctx;
    if (this.#replaced && this.wasReplaced()) {
      // All of it is one write, because nothing is awaited in between.
      storage.kv.delete(SESSION);
      storage.kv.delete(HOLDERS);
      storage.kv.put(REPLACED, this.#replaced);
      await storage.setAlarm(this.#replaced.at + REPLACED_MS);
    } else await storage.deleteAll();
    this.#stored = undefined;
  }

  #put(stored: Stored): Stored {
    this.ctx.storage.kv.put(SESSION, stored);
    this.#stored = stored;
    return stored;
  }

  get #holders(): readonly Holder[] {
    return this.ctx.storage.kv.get<Holder[]>(HOLDERS) ?? [];
  }

  /** The holders that have a WebSocket of the session, or soon may. Forgets the others. */
  async #inUse(): Promise<readonly Holder[]> {
    const before = this.#holders;
    const id = this.#id;
    // A holder that does not answer counts as having one.
    const asked = await Promise.allSettled(
      before.map(async (holder) => (await holderOf(this.env, holder)?.holdsSession(id)) ?? false),
    );
    const holding = asked.map((answer) => answer.status === "rejected" || answer.value);
    const isOpening = ({ name }: Holder) => Math.abs(Date.now() - (this.#heldAt.get(name) ?? 0)) < OPEN_WITHIN_MS;
    const idle = before.filter((holder, i) => !holding[i] && !isOpening(holder)).map(({ name }) => name);
    for (const name of idle) this.#heldAt.delete(name);
    const kept = this.#holders.filter(({ name }) => !idle.includes(name));
    if (this.#stored && kept.length < this.#holders.length) this.ctx.storage.kv.put(HOLDERS, kept);
    return kept;
  }

  /**
   * Sets the alarm to the session's end; if it has holders, a while before, to ask them whether it is in use. Not where a
   * use no longer moves the end: that alarm would change nothing, and come again at once.
   */
  #setAlarm(stored: Stored): Promise<void> {
    const step = touchBefore(stored);
    const before = this.#holders.length > 0 && stored.endsAt - stored.expiresAt >= step ? step : 0;
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

/** Moves the session of an object that has it in a table. Returns it; undefined if there is none. */
function moveFromTable(storage: DurableObjectStorage): Stored | undefined {
  const { sql } = storage;
  if (!hasTable(sql, "session")) return undefined;
  const [stored] = sql
    .exec<Stored & Record<string, SqlStorageValue>>(
      `SELECT user_id AS userId, role, metadata, created_at AS createdAt, expires_at AS expiresAt, ends_at AS endsAt,
       sliding_ms AS slidingMs FROM session`,
    )
    .toArray();
  if (stored) storage.kv.put(SESSION, stored);
  // All writes are one, because nothing is awaited between them. The schema drops the table.
  sql.exec("DELETE FROM session");
  new Schema(storage, session);
  return stored;
}
