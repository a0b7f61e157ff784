/**
 * A counter that is never wrong: every answer is on disk before it is sent, in the order the calls arrived.
 *
 * Calls that arrive while a write is on its way share the next one (group commit), so a hot counter pays one row
 * for many increments, and a lone caller waits for no timer. With an idempotency key a call counts once, however
 * often it is made. What is in memory is only ahead of the disk while a write is on its way; should the write fail,
 * the object is reset and the disk is right.
 *
 * What only callers have made whom nobody knows is deleted when they have left it alone for long (setting
 * `anonymousDays`).
 */
import { DurableObject } from "cloudflare:workers";
import { problemResponse } from "../http/problem.ts";
import { GroupCommit } from "../objects/group-commit.ts";
import { findReplay, keepReplay, sweepDue, sweepReplays } from "../objects/replays.ts";
import { notWritten } from "../objects/retry.ts";
import { Schema } from "../objects/schema.ts";
import {
  acceptSocket,
  answerAsleep,
  answerClose,
  closeSocket,
  openSockets,
  sendTo,
  switchTo,
} from "../objects/sockets.ts";
import { Wake } from "../objects/wake.ts";
import { stackOf } from "../stack.ts";
import { add } from "./count.ts";
import { counter } from "./pattern.ts";
import { type Copy, DEMAND_STEP_MS, PUBLISH_INTERVAL_MS, SHARED_FOR_MS, writeCopy } from "./shared.ts";

/** At most ten pushes a second to whoever watches. */
const PUSH_INTERVAL_MS = 100;
const MAX_WATCHERS = 1_000;
const DAY_MS = 24 * 60 * 60 * 1_000;

/**
 * The new count; or why there is none: the idempotency key came before with another payload, or the counter is not
 * there and was not to be made.
 */
export type Counted =
  | { ok: true; count: number; replayed: boolean }
  | { ok: false; reason: "key-conflict" | "missing" };

/** How a change is to be made. */
export interface Terms {
  readonly key?: string | undefined;
  /** Whether it is made by somebody known; so by default. */
  readonly known?: boolean;
  /** Whether a counter that is not there is made; so by default. */
  readonly create?: boolean;
}

type Change = { kind: "add"; by: number } | { kind: "reset" };

/** A change that is made in memory, and the idempotency key that it came under. */
interface Changed {
  readonly count: number;
  readonly known?: boolean;
  /** Whether the counter is deleted, with all that came before. */
  readonly deleted?: true;
  readonly once?: { readonly key: string; readonly payload: string };
}

export class CounterDO extends DurableObject<Env> {
  readonly #schema: Schema;
  #count = 0;
  readonly #commits = new GroupCommit<Changed, Counted>((changes) => this.#write(changes));

  /** Until when changes are published to KV (ms since the epoch). */
  #sharedUntil = 0;
  #published: Copy | undefined;
  #publishing = false;
  readonly #wake: Wake;

  /** The count of the last write that is done: what watchers may see. */
  #durable = 0;
  #pushedAt = 0;
  #pushTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#wake = new Wake(ctx.storage);
    this.#schema = new Schema(ctx.storage, counter);
    if (this.#schema.empty) return;
    const [row] = ctx.storage.sql
      .exec<{ count: number; sharedUntil: number }>("SELECT count, shared_until AS sharedUntil FROM counter")
      .toArray();
    this.#count = this.#durable = row?.count ?? 0;
    this.#sharedUntil = row?.sharedUntil ?? 0;
  }

  /** Adds `by` (may be negative) and returns the new count; never below 0, never above 2^53 - 1. */
  add(by: number, terms?: Terms): Promise<Counted> {
    return this.#change({ kind: "add", by }, terms);
  }

  /** Back to 0. */
  reset(terms?: Terms): Promise<Counted> {
    return this.#change({ kind: "reset" }, terms);
  }

  /** Deletes the counter, with its copy in KV and its idempotency keys. Who watches sees 0. */
  async remove(): Promise<void> {
    this.#count = 0;
    await this.#commits.commit({ count: 0, deleted: true });
  }

  /** The count as of now, once it is durable: nobody ever sees a number that a crash could take back. */
  async value(): Promise<number> {
    const count = this.#count;
    await this.#commits.settled();
    return count;
  }

  /** The count as of now, from now on for a while also in KV (shared.ts). A counter never written stays out of it. */
  async share(): Promise<Copy> {
    const asOf = Date.now();
    const copy = { count: await this.value(), asOf };
    if (this.#schema.empty) return copy;
    if (this.#sharedUntil < asOf + SHARED_FOR_MS - DEMAND_STEP_MS) {
      this.#sharedUntil = asOf + SHARED_FOR_MS;
      this.ctx.storage.sql.exec("UPDATE counter SET shared_until = ?", this.#sharedUntil);
    }
    // Of readers that come at once, the first one's copy serves them all.
    if (!this.#publishing && this.#nextPublish(asOf) <= asOf) await this.#publish(copy);
    return copy;
  }

  /** Deletes or publishes what is due, and sweeps old keys. Runs early, late or twice without harm. */
  override async alarm(): Promise<void> {
    this.#wake.gone();
    if (this.#schema.empty) return;
    const asOf = Date.now();
    const goes = this.#goesAt();
    if (goes !== undefined && goes <= asOf) {
      // A socket that is open is a use.
      if (openSockets(this.ctx).length === 0) return this.remove();
      this.ctx.storage.sql.exec("UPDATE counter SET idle_since = ?", asOf);
    }
    this.#wake.by(this.#goesAt());
    this.#wake.by(sweepReplays(this.ctx.storage.sql, asOf));
    if (asOf >= this.#sharedUntil || this.#count === this.#published?.count) return;
    const due = this.#nextPublish(asOf);
    if (due > asOf) this.#wake.by(due);
    else await this.#publish({ count: await this.value(), asOf });
  }

  /** A WebSocket that is told the count at once and whenever it changes. */
  override async fetch(): Promise<Response> {
    if (this.ctx.getWebSockets().length >= MAX_WATCHERS) {
      return problemResponse({ kind: "unavailable", detail: `This counter already has ${MAX_WATCHERS} watchers` });
    }
    await this.#commits.settled();
    answerAsleep(this.ctx, "ping", "pong");
    const { client, server } = acceptSocket(this.ctx);
    // With no await since the socket was accepted, so that no newer count goes before this one.
    sendTo(server, frame(this.#durable));
    return switchTo(client);
  }

  override webSocketMessage(socket: WebSocket): void {
    closeSocket(socket, 1_008, "This socket takes no message but ping");
  }

  override webSocketClose(socket: WebSocket, code: number, reason: string): void {
    answerClose(socket, code, reason);
  }

  async #change(change: Change, { key, known = true, create = true }: Terms = {}): Promise<Counted> {
    if (!create && this.#schema.empty && this.#commits.waiting.length === 0) return { ok: false, reason: "missing" };
    if (key !== undefined) return this.#changeOnce(change, key, known);
    return this.#commits.commit({ count: this.#apply(change), known });
  }

  async #changeOnce(change: Change, key: string, known: boolean): Promise<Counted> {
    const payload = JSON.stringify(change);
    const before = this.#answerTo(key, payload);
    if (before === "conflict") return { ok: false, reason: "key-conflict" };
    if (before !== undefined) {
      await this.#commits.settled();
      return { ok: true, count: before, replayed: true };
    }
    return this.#commits.commit({ count: this.#apply(change), known, once: { key, payload } });
  }

  /** In memory; the next write makes it last. */
  #apply(change: Change): number {
    this.#count = change.kind === "reset" ? 0 : add(this.#count, change.by);
    return this.#count;
  }

  /** The count that a key was answered with, on disk or on its way there. */
  #answerTo(key: string, payload: string): number | "conflict" | undefined {
    const waiting = this.#commits.waiting.find(({ once }) => once?.key === key);
    if (waiting) return waiting.once?.payload === payload ? waiting.count : "conflict";
    if (this.#schema.empty) return undefined;
    const replay = findReplay(this.ctx.storage.sql, key, payload, Date.now());
    if (replay.kind === "conflict") return "conflict";
    return replay.kind === "replay" ? Number(replay.answer) : undefined;
  }

  async #write(changes: readonly Changed[]): Promise<readonly Counted[]> {
    const count = this.#count;
    try {
      await this.#wake.look();
      const end = changes.findLastIndex(({ deleted }) => deleted);
      if (end >= 0) await this.#forget();
      const rest = changes.slice(end + 1);
      if (rest.length > 0) this.#writeChanges(count, rest);
      await this.ctx.storage.sync();
    } catch (error) {
      const failure = notWritten("the count", error);
      this.ctx.abort(failure.message);
      throw failure;
    }
    this.#durable = count;
    this.#push();
    return changes.map((change) => ({ ok: true, count: change.count, replayed: false }));
  }

  #writeChanges(count: number, changes: readonly Changed[]): void {
    const now = Date.now();
    const idleSince = changes.some(({ known }) => known) ? null : now;
    this.#schema.create();
    // One statement is whole without a transaction around it.
    if (changes.every(({ once }) => once === undefined)) this.#writeCount(count, idleSince);
    else {
      this.ctx.storage.transactionSync(() => {
        this.#writeCount(count, idleSince);
        this.#writeAnswers(changes, now);
      });
      this.#wake.by(sweepDue(now));
    }
    if (now < this.#sharedUntil) this.#wake.by(this.#nextPublish(now));
    if (idleSince !== null) this.#wake.by(this.#goesAt());
  }

  #writeCount(count: number, idleSince: number | null): void {
    this.ctx.storage.sql.exec(
      `INSERT INTO counter (id, count, shared_until, idle_since) VALUES (1, ?, 0, ?) ON CONFLICT (id) DO UPDATE
       SET count = excluded.count, idle_since = CASE WHEN idle_since IS NULL THEN NULL ELSE excluded.idle_since END`,
      count,
      idleSince,
    );
  }

  /** When the counter goes unless it is used before (ms since the epoch); undefined where it stays. */
  #goesAt(): number | undefined {
    const [row] = this.ctx.storage.sql
      .exec<{ idleSince: number | null }>("SELECT idle_since AS idleSince FROM counter")
      .toArray();
    if (!row || row.idleSince === null) return undefined;
    return row.idleSince + stackOf(this.env).settings.anonymousDays * DAY_MS;
  }

  async #forget(): Promise<void> {
    const isShared = Date.now() < this.#sharedUntil;
    this.#sharedUntil = 0;
    this.#published = undefined;
    this.#schema.forget();
    this.#wake.gone();
    await this.ctx.storage.deleteAll();
    if (isShared && this.ctx.id.name !== undefined) await this.env.READS.delete(this.ctx.id.name);
  }

  #writeAnswers(changes: readonly Changed[], now: number): void {
    for (const { once, count } of changes) {
      if (once) keepReplay(this.ctx.storage.sql, { ...once, answer: String(count) }, now);
    }
  }

  /** When the next copy may go to KV (ms since the epoch): `now`, or a while after the last one. */
  #nextPublish(now: number): number {
    const { asOf } = this.#published ?? { asOf: Number.NEGATIVE_INFINITY };
    // A copy from the future was made before the clock went back: it holds nothing up.
    return asOf > now ? now : Math.max(now, asOf + PUBLISH_INTERVAL_MS);
  }

  async #publish(copy: Copy): Promise<void> {
    this.#publishing = true;
    try {
      await writeCopy(this.env.READS, this.ctx.id, copy, this.#sharedUntil);
      this.#published = copy;
    } catch (error) {
      // Not left to the runtime's own retries of alarms: it gives up after six, and KV may be away for longer.
      console.warn(JSON.stringify({ class: "counter", event: "publish-failed", error: String(error) }));
      this.#wake.by(copy.asOf + PUBLISH_INTERVAL_MS);
    } finally {
      this.#publishing = false;
    }
  }

  /** Tells the watchers, at once or as soon as the last push is long enough ago. */
  #push(): void {
    const sockets = openSockets(this.ctx);
    if (sockets.length === 0 || this.#pushTimer !== undefined) return;
    const now = Date.now();
    const wait = this.#pushedAt + PUSH_INTERVAL_MS - now;
    if (wait > 0 && wait <= PUSH_INTERVAL_MS) {
      // The object may not sleep while this runs: a tenth of a second, and only after a change.
      this.#pushTimer = setTimeout(() => {
        this.#pushTimer = undefined;
        this.#push();
      }, wait);
      return;
    }
    this.#pushedAt = now;
    for (const socket of sockets) sendTo(socket, frame(this.#durable));
  }
}

const frame = (count: number) => JSON.stringify({ count });
