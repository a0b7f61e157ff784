/**
 * A counter that is never wrong: every answer is on disk before it is sent, in the order the calls arrived.
 *
 * Calls that arrive during a write share the next one (group commit). So a hot counter writes one row for many
 * increments, and a lone caller waits for no timer. With an idempotency key a call counts once, however often it is
 * made. Memory is ahead of the disk only during a write; if the write fails, the object is reset, and reads the count
 * from disk again.
 *
 * A counter that only guests and anonymous callers have changed is deleted after a time without use (setting
 * `anonymousDays`).
 */
import { DurableObject } from "cloudflare:workers";
import { GroupCommit } from "../objects/group-commit.ts";
import { regionOfObject } from "../objects/names.ts";
import { findReplay, keepReplay, sweepDue, sweepReplays } from "../objects/replays.ts";
import { notWritten } from "../objects/retry.ts";
import { Schema } from "../objects/schema.ts";
import { answerClose, closeSocket, POLICY } from "../objects/sockets.ts";
import { DAY_MS } from "../objects/units.ts";
import { AGAIN_MS, Wake } from "../objects/wake.ts";
import { stackOf } from "../stack.ts";
import { Copies } from "./copies.ts";
import type { Copy } from "./copy.ts";
import { add } from "./count.ts";
import { Others } from "./others.ts";
import { type Part, partOf, partOfName, sumOf, type Width, widened } from "./parts.ts";
import { counter } from "./pattern.ts";
import { Watchers } from "./watchers.ts";

/**
 * The new count: a number, because a call that answers with an object costs workerd a quarter more. Or the count that
 * the idempotency key got before; or why there is none.
 */
export type Counted = number | { readonly replayed: number } | Uncounted;

/**
 * Why a change was not made:
 * - `key-conflict`: the idempotency key came before, with another payload;
 * - `missing`: the counter does not exist, and the caller did not want to create it;
 * - `wide`: the call has to go another way (shards.ts). The counter is on several objects, or the call came too late here;
 * - `new`: only a former answer was wanted, and the key has none here.
 */
export interface Uncounted {
  readonly refused: "key-conflict" | "missing" | "wide" | "new";
}

/** Whether a change was not made, for this reason. */
export const isRefused = (counted: Counted, why: Uncounted["refused"]): boolean =>
  typeof counted === "object" && "refused" in counted && counted.refused === why;

/** The terms of a change. */
export interface Terms {
  readonly key?: string | undefined;
  /** Whether the caller is known (no guest, not anonymous). True by default. */
  readonly known?: boolean;
  /** Whether to create a counter that does not exist. True by default. */
  readonly create?: boolean;
  /** Whether the caller knows that the counter may be on several objects. */
  readonly routed?: true;
  /** Makes no change. */
  readonly only?: "replay";
  /** From then on (ms since the epoch), a new key goes to another object. */
  readonly until?: number | undefined;
}

type Change = { kind: "add"; by: number } | { kind: "reset" };

/** A change that was made in memory, and its idempotency key. */
interface Changed {
  readonly count: number;
  readonly known?: boolean;
  /** Whether this deletes the counter, and all earlier changes with it. */
  readonly deleted?: true;
  readonly once?: Once;
}

/** An idempotency key, and everything that its answer depends on. */
interface Once {
  readonly key: string;
  readonly payload: string;
}

const KEY_CONFLICT: Counted = { refused: "key-conflict" };

export class CounterDO extends DurableObject<Env> {
  readonly #schema: Schema;
  /** The count is the difference. Only parts of a wide counter subtract: any other has its count in the first. */
  #added = 0;
  #subtracted = 0;
  readonly #number: number;
  #widths: readonly Width[];
  readonly #others: Others;
  readonly #commits = new GroupCommit<Changed, Counted>(
    (changes) => this.#write(changes),
    () => this.ctx.storage.sync().catch((error: unknown) => this.#end(error)),
  );

  readonly #wake: Wake;
  readonly #copies: Copies;
  readonly #watchers: Watchers;
  /** The count of the last write: the one that others may see. What tells it leaves the object when it is on disk. */
  #written = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#wake = new Wake(ctx.storage, counter.name);
    this.#copies = new Copies({ kv: env.READS, id: ctx.id, wake: this.#wake });
    this.#watchers = new Watchers(ctx, () => this.#shown);
    this.#schema = new Schema(ctx.storage, counter);
    this.#number = partOfName(ctx.id.name);
    this.#widths = ctx.storage.kv.get<Width[]>(WIDTHS) ?? [];
    this.#others = new Others(this.#number, {
      tell: () => this.#partAt(0).told(this.#number, this.#written),
      ask: async (number) => (await this.#partAt(number).part()).count,
    });
    if (this.#schema.empty) return;
    const [row] = ctx.storage.sql
      .exec<{ added: number; subtracted: number; copyUntil: number }>(
        "SELECT count AS added, minus AS subtracted, shared_until AS copyUntil FROM counter",
      )
      .toArray();
    this.#added = row?.added ?? 0;
    this.#subtracted = row?.subtracted ?? 0;
    this.#written = this.#added - this.#subtracted;
    this.#copies.resume(row?.copyUntil ?? 0);
  }

  /** Adds `by` (may be negative) and returns the new count; never below 0, never above 2^53 - 1. */
  add(by: number, terms?: Terms): Promise<Counted> {
    return this.#change({ kind: "add", by }, terms);
  }

  /** Sets the count to 0. */
  reset(terms?: Terms): Promise<Counted> {
    return this.#change({ kind: "reset" }, terms);
  }

  /** Deletes the counter, with its copy in KV and its idempotency keys. Watchers see 0. */
  async remove(): Promise<void> {
    this.#added = this.#subtracted = 0;
    await this.#commits.commit({ count: 0, deleted: true });
  }

  /** The count as of now, once it is written: nobody ever sees a count that a crash could undo. */
  async value(): Promise<number> {
    const count = this.#added - this.#subtracted;
    await this.#commits.settled();
    return count;
  }

  /** This part of the count, once it is durable, and how many parts there are. */
  async part(): Promise<Part> {
    const count = this.#added - this.#subtracted;
    await this.#commits.settled();
    return { count, widths: this.#widths };
  }

  /**
   * The count of a counter on one object: a number, because a call that answers with an object costs workerd a fifth of
   * a request more. Else this part of it.
   */
  async home(): Promise<number | Part> {
    return this.#isWide ? this.part() : this.value();
  }

  /** Puts the counter on at least so many objects. */
  widen(width: number): readonly Width[] {
    const widths = widened(this.#widths, width, Date.now());
    if (widths === this.#widths) return widths;
    this.#widths = widths;
    this.ctx.storage.kv.put(WIDTHS, widths);
    return widths;
  }

  /** A part tells its count. Returns the sum of all others. */
  async told(number: number, count: number): Promise<number> {
    await this.#wake.look();
    // The counter was deleted, and an isolate that knew it as wide counts on.
    if (count !== 0 && this.#widths.length === 0) this.widen(number + 1);
    this.#others.told(number, count);
    this.#copies.changed(Date.now());
    // If this one has just woken it has not heard of the rest, and the part would answer without them.
    await this.#meet();
    this.#watchers.push();
    return this.#others.sumBut(number) + this.#written;
  }

  /** The count as of now. For a while copies of it also go to KV (copies.ts), unless the counter was never written. */
  async share(): Promise<Copy> {
    await this.#wake.look();
    const asOf = Date.now();
    const copy = { count: await this.#total(), asOf };
    if (this.#schema.empty && !this.#isWide) return copy;
    if (this.#schema.empty) this.#writeFirst();
    const until = this.#copies.want(asOf);
    if (until !== undefined) this.ctx.storage.sql.exec("UPDATE counter SET shared_until = ?", until);
    await this.#copies.send(copy);
    return copy;
  }

  /** Deletes or copies what is due, and sweeps old keys. It may run early, late or twice. */
  override alarm(): Promise<void> {
    return this.#wake.run(() => this.#doChores());
  }

  /** Opens a WebSocket that gets the count at once and on every change (`watchRequest`). */
  override async fetch(request: Request): Promise<Response> {
    await this.#commits.settled();
    if (this.#isWide) await this.#meet();
    return this.#watchers.accept(request);
  }

  override webSocketMessage(socket: WebSocket): void {
    closeSocket(socket, POLICY, "This socket takes no message but ping");
  }

  override webSocketClose(socket: WebSocket, code: number, reason: string): void {
    answerClose(socket, code, reason);
  }

  /** Whether the counter is on several objects, or was. */
  get #isWide(): boolean {
    return this.#number > 0 || this.#widths.length > 0;
  }

  #partAt(number: number): DurableObjectStub<CounterDO> {
    const { name = "" } = this.ctx.id;
    const { regions } = stackOf(this.env);
    const region = regionOfObject(regions, name);
    const [, , id] = name.split(":");
    if (!region || id === undefined) throw new Error("A part of a counter is addressed by name, in a known region");
    return partOf(this.env, { region, id }, number);
  }

  /** Finds out about parts that this one has not heard of since it woke, as far as they answer. */
  #meet(): Promise<void> {
    return this.#others.meet(this.#widths);
  }

  /** The count as of now, of all parts. */
  async #total(): Promise<number> {
    const own = await this.value();
    if (!this.#isWide) return own;
    await this.#others.ask(this.#widths);
    return sumOf([this.#written, this.#others.sum]);
  }

  async #doChores(): Promise<void> {
    // The row tells of no change that is not written yet, and a deletion would take it along.
    await this.#commits.settled();
    if (this.#schema.empty) return;
    const asOf = Date.now();
    const goes = this.#goesAt();
    // A change that waits again is use: the alarm comes once more.
    if (goes !== undefined && goes <= asOf && this.#commits.pending.length === 0) {
      // An open socket counts as use.
      if (this.#watchers.isEmpty) {
        // Set before: if KV fails, the object ends, and the runtime gives up an alarm that fails again and again.
        this.#wake.by(asOf + AGAIN_MS);
        return this.remove();
      }
      this.ctx.storage.sql.exec("UPDATE counter SET idle_since = ?", asOf);
    }
    this.#wake.by(this.#goesAt());
    this.#wake.by(sweepReplays(this.ctx.storage.sql, asOf));
    if (!this.#copies.isWanted(asOf)) return;
    try {
      // The counter may be deleted while all parts are asked.
      await this.#copies.renew({ count: await this.#total(), asOf });
    } catch (error) {
      this.#copies.failed(asOf, error);
    }
  }

  async #change(change: Change, terms: Terms = {}): Promise<Counted> {
    const { key, known = true, create = true, routed, only, until = Number.POSITIVE_INFINITY } = terms;
    if (this.#isWide && !routed && (key !== undefined || change.kind === "reset")) return { refused: "wide" };
    if (this.#isWide && !this.#others.isKnown(this.#widths)) await this.#meet();
    if (!create && !this.#isWide && !this.#exists) return { refused: "missing" };
    if (key === undefined) return this.#commits.commit({ count: this.#apply(change), known });
    // Nothing may come between this look and the change: calls that waited together go on together.
    const once = { key, payload: JSON.stringify(change) };
    const before = this.#answerTo(once);
    if (before) {
      await this.#commits.settled();
      return before;
    }
    if (only === "replay") return { refused: "new" };
    // The same call, made again, may have found nothing here and may have been made at the other object.
    if (Date.now() >= until) return { refused: "wide" };
    return this.#commits.commit({ count: this.#apply(change), known, once });
  }

  /** Makes the change in memory; the next write stores it. */
  #apply(change: Change): number {
    if (change.kind === "reset") this.#added = this.#subtracted = 0;
    else if (change.by < 0 && this.#isWide) this.#subtracted = add(this.#subtracted, -change.by);
    else this.#added = add(this.#added, change.by);
    if (!this.#isWide) return this.#added;
    if (change.kind === "reset") this.#others.forget();
    return change.kind === "reset" ? 0 : sumOf([this.#added - this.#subtracted, this.#others.sum]);
  }

  /** What a key got before, on disk or on its way there; undefined if the key is new. */
  #answerTo({ key, payload }: Once): Counted | undefined {
    const changes = this.#commits.pending;
    // What came before a deletion is gone with it.
    const end = changes.findLastIndex(({ deleted }) => deleted);
    const pending = changes.find(({ once }, i) => i > end && once?.key === key);
    if (pending) return pending.once?.payload === payload ? { replayed: pending.count } : KEY_CONFLICT;
    if (end >= 0 || this.#schema.empty) return undefined;
    const replay = findReplay(this.ctx.storage.sql, key, payload, Date.now());
    if (replay.kind === "conflict") return KEY_CONFLICT;
    return replay.kind === "replay" ? { replayed: Number(replay.answer) } : undefined;
  }

  /** Whether the counter exists, once the changes on their way are written. */
  get #exists(): boolean {
    const newest = this.#commits.pending.at(-1);
    return newest === undefined ? !this.#schema.empty : !newest.deleted;
  }

  async #write(changes: readonly Changed[]): Promise<readonly Counted[]> {
    const sums = this.#sums;
    try {
      await this.#wake.look();
      const end = changes.findLastIndex(({ deleted }) => deleted);
      if (end >= 0) await this.#forget();
      const rest = changes.slice(end + 1);
      if (rest.length > 0) this.#writeChanges(sums, rest);
    } catch (error) {
      this.#end(error);
    }
    this.#written = sums.added - sums.subtracted;
    this.#watchers.push();
    this.#others.changed();
    return changes.map(({ count }) => count);
  }

  /** Ends the object, whose memory is ahead of the disk. */
  #end(error: unknown): never {
    const failure = notWritten("the count", error);
    this.ctx.abort(failure.message);
    throw failure;
  }

  #writeChanges(sums: Sums, changes: readonly Changed[]): void {
    const now = Date.now();
    const idleSince = changes.some(({ known }) => known) ? null : now;
    this.#schema.create();
    // A single statement needs no transaction.
    if (changes.every(({ once }) => once === undefined)) this.#writeSums(sums, idleSince);
    else {
      this.ctx.storage.transactionSync(() => {
        this.#writeSums(sums, idleSince);
        this.#writeAnswers(changes, now);
      });
      this.#wake.by(sweepDue(now));
    }
    this.#copies.changed(now);
    if (idleSince !== null) this.#wake.by(this.#goesAt());
  }

  get #sums(): Sums {
    return { added: this.#added, subtracted: this.#subtracted };
  }

  #writeSums({ added, subtracted }: Sums, idleSince: number | null): void {
    this.ctx.storage.sql.exec(
      `INSERT INTO counter (id, count, minus, shared_until, idle_since) VALUES (1, ?, ?, 0, ?) ON CONFLICT (id) DO UPDATE
       SET count = excluded.count, minus = excluded.minus,
         idle_since = CASE WHEN idle_since IS NULL THEN NULL ELSE excluded.idle_since END`,
      added,
      subtracted,
      idleSince,
    );
  }

  /** When the counter is deleted if nobody uses it (ms since the epoch); undefined if it is kept. */
  #goesAt(): number | undefined {
    // A part cannot go without the others, and somebody has named the counter in the stack's settings.
    if (this.#isWide) return undefined;
    const [row] = this.ctx.storage.sql
      .exec<{ idleSince: number | null }>("SELECT idle_since AS idleSince FROM counter")
      .toArray();
    if (!row || row.idleSince === null) return undefined;
    return row.idleSince + stackOf(this.env).settings.anonymousDays * DAY_MS;
  }

  async #forget(): Promise<void> {
    // First: the row says whether there is a copy, also to a call that comes again after a failure.
    await this.#copies.clear();
    this.#widths = [];
    this.#others.forget();
    this.#schema.forget();
    await this.#wake.wipe();
  }

  #writeAnswers(changes: readonly Changed[], now: number): void {
    for (const { once, count } of changes) {
      if (once) keepReplay(this.ctx.storage.sql, { ...once, answer: String(count) }, now);
    }
  }

  /** The count that watchers see. */
  get #shown(): number {
    return sumOf([this.#written, this.#others.sum]);
  }

  /** Makes the row of a counter that was changed at other parts only. */
  #writeFirst(): void {
    this.#schema.create();
    this.#writeSums(this.#sums, null);
  }
}

/** What was added, and what was subtracted. */
interface Sums {
  readonly added: number;
  readonly subtracted: number;
}

/** The key of the widths, at the home of a counter on several objects. */
const WIDTHS = "widths";
