/**
 * One session. Whether it is over is checked on every read, by the clock and what is stored; the alarm only frees the
 * storage, and may come early, late or twice. When a session is over nothing of it is left, not even an empty table.
 */
import { DurableObject } from "cloudflare:workers";
import { Schema, type SchemaSteps } from "../objects/schema.ts";
import { begin, isOver, type Lifetime, touch } from "./lifetime.ts";

const STEPS: SchemaSteps = [
  `CREATE TABLE session (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     user_id TEXT NOT NULL,
     role TEXT NOT NULL,
     metadata TEXT,
     created_at INTEGER NOT NULL,
     expires_at INTEGER NOT NULL,
     ends_at INTEGER NOT NULL CHECK (ends_at >= expires_at),
     sliding_ms INTEGER NOT NULL
   ) STRICT`,
];

/** After this many failures the runtime does not call an alarm again. */
const LAST_ALARM_RETRY = 5;
const ALARM_RETRY_MS = 60_000;

/** Who a session is for. */
export interface Subject {
  userId: string;
  role: string;
  /** JSON of the caller's own data. */
  metadata: string | null;
}
/** What a reader of a session gets. Times are ms since the epoch, `expiresIn` is ms from now. */
export type Reading = Subject & Omit<Lifetime, "slidingMs"> & { expiresIn: number };

type Stored = Subject & Lifetime;

export class SessionDO extends DurableObject<Env> {
  readonly #schema: Schema;
  /** What is stored, so that a read need not read it again. */
  #stored: Stored | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#schema = new Schema(ctx.storage, STEPS);
    this.#stored = this.#schema.empty ? undefined : readStored(ctx.storage.sql);
  }

  /** Begins the session; once more, from the start, when asked twice. */
  async begin({ userId, role, metadata }: Subject, slidingMs: number, absoluteMs: number): Promise<Reading> {
    const now = Date.now();
    const life = begin(now, slidingMs, absoluteMs);
    const { createdAt, expiresAt, endsAt } = life;
    this.#schema.create();
    this.ctx.storage.sql.exec(
      "INSERT OR REPLACE INTO session VALUES (1, ?, ?, ?, ?, ?, ?, ?)",
      ...[userId, role, metadata, createdAt, expiresAt, endsAt, slidingMs],
    );
    this.#stored = { userId, role, metadata, ...life };
    await this.ctx.storage.setAlarm(expiresAt);
    return { userId, role, metadata, createdAt, expiresAt, endsAt, expiresIn: expiresAt - now };
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
    const { userId, role, metadata, createdAt, endsAt } = stored;
    return { userId, role, metadata, createdAt, expiresAt, endsAt, expiresIn: expiresAt - now };
  }

  /** Ends the session and frees what it stored. Harmless when there is none. */
  async end(): Promise<void> {
    if (this.#schema.empty) return;
    await this.ctx.storage.deleteAll();
    this.#schema.forget();
    this.#stored = undefined;
  }

  override async alarm(alarm?: AlarmInvocationInfo): Promise<void> {
    try {
      const stored = this.#stored;
      if (!stored || isOver(stored, Date.now())) await this.end();
      else await this.ctx.storage.setAlarm(stored.expiresAt);
    } catch (error) {
      if ((alarm?.retryCount ?? 0) < LAST_ALARM_RETRY) throw error;
      await this.ctx.storage.setAlarm(Date.now() + ALARM_RETRY_MS);
    }
  }
}

function readStored(sql: SqlStorage): Stored | undefined {
  const rows = sql.exec<Stored & Record<string, SqlStorageValue>>(
    `SELECT user_id AS userId, role, metadata, created_at AS createdAt, expires_at AS expiresAt, ends_at AS endsAt,
     sliding_ms AS slidingMs FROM session`,
  );
  return rows.toArray()[0];
}
