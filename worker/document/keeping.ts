/**
 * What is kept about a document besides its edits: who may do what, whether it goes by itself, whether it was deleted;
 * and the alarm, which compacts it, makes versions, and deletes what nobody needs.
 *
 * A deleted document leaves a mark for a day. Its clients have all of its text, and would bring it back.
 */
import { sweepDue, sweepReplays } from "../objects/replays.ts";
import type { Schema } from "../objects/schema.ts";
import { Wake } from "../objects/wake.ts";
import type { Visitor } from "./joining.ts";
import { document } from "./pattern.ts";
import { ASK_AFTER_MS } from "./seats.ts";
import type { Level, Sharing } from "./sharing.ts";
import type { Author } from "./writer.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;
const HOUR_MS = 60 * 60 * 1_000;
const MINUTE_MS = 60_000;
const RETRY_MS = 60_000;
/** The most ended sessions that are remembered. */
const MAX_ENDED = 1_000;

export interface Rules {
  readonly anyone: Level;
  readonly users: Level;
  readonly anonymousDays: number;
  readonly versionMinutes: number;
}

/** What is stored of the rule: what is missing is as the stack says. */
type Stored = Partial<Sharing>;

/** The keys of single values. */
const SHARING = "sharing";
const KEPT = "kept";
const USED_AT = "used-at";
const VERSION_DUE = "version-due";
const DELETED_UNTIL = "deleted-until";
const FORMER_OWNER = "former-owner";

/** What the alarm does with the document. */
export interface Chores {
  lookForSilent(now: number): number | undefined;
  isInUse(): boolean;
  /** Compacts the document, if there is enough to. */
  compact(): void;
  /** Keeps a version. */
  keepVersion(now: number): Promise<void>;
  sweepVersions(now: number): Promise<number | undefined>;
  /** Deletes the document's files. */
  clear(): Promise<void>;
  /** Deletes the document, which nobody has used for long. */
  end(): Promise<void>;
}

export class Keeping {
  readonly #storage: DurableObjectStorage;
  readonly #schema: Schema;
  readonly #rules: Rules;
  readonly #wake: Wake;
  /** Sessions that ended a moment ago: a join by one of them that is still on its way is refused. */
  readonly #ended = new Set<string>();
  #sharing: Stored;
  #isKept: boolean;
  #usedAt: number;
  #versionDue: number | undefined;
  #deletedUntil: number;

  constructor(storage: DurableObjectStorage, schema: Schema, rules: Rules) {
    this.#storage = storage;
    this.#schema = schema;
    this.#rules = rules;
    this.#wake = new Wake(storage);
    const { kv } = storage;
    this.#sharing = kv.get<Stored>(SHARING) ?? {};
    this.#isKept = kv.get(KEPT) === true;
    this.#usedAt = kv.get<number>(USED_AT) ?? 0;
    this.#versionDue = kv.get<number>(VERSION_DUE);
    this.#deletedUntil = kv.get<number>(DELETED_UNTIL) ?? 0;
  }

  get sharing(): Sharing {
    const { anyone, users } = this.#rules;
    return { anyone, users, people: {}, ...this.#sharing };
  }

  setSharing(change: Stored): void {
    this.#sharing = { ...this.#sharing, ...change };
    this.#storage.kv.put(SHARING, this.#sharing);
    this.#keep();
  }

  /** Whether nothing is stored. */
  get isNowhere(): boolean {
    return this.#schema.empty && !this.#isKept;
  }

  get isDeleted(): boolean {
    return this.#deletedUntil > Date.now();
  }

  /** Who owns the document, or owned it before it was deleted. */
  get lastOwner(): string | undefined {
    return this.#sharing.owner ?? this.#storage.kv.get<string>(FORMER_OWNER);
  }

  /**
   * Whether somebody may begin the document, again if it was deleted a while ago. Clients that were away would give
   * their copies of the old one to whoever does: so it is for the old one's owner, and for those who may write anywhere.
   */
  mayBegin({ caller, rulings }: Visitor): boolean {
    if (!this.isDeleted || rulings.write === true) return true;
    const owner = this.lastOwner;
    return owner === undefined || (caller.kind === "user" && caller.id === owner);
  }

  hasEnded(session: string): boolean {
    return this.#ended.has(session);
  }

  sessionEnded(session: string): void {
    this.#ended.add(session);
    const [oldest] = this.#ended.size > MAX_ENDED ? this.#ended : [];
    if (oldest !== undefined) this.#ended.delete(oldest);
  }

  async prepare(): Promise<void> {
    await this.#wake.look();
  }

  /** For the transaction that writes edits. `first`: the document did not exist before. */
  writing(authors: readonly Author[], first: boolean): void {
    const now = Date.now();
    const { kv } = this.#storage;
    if (this.#deletedUntil > 0) this.#forgetDeletion();
    const owner = authors.find(({ user }) => user !== undefined)?.user;
    if (first && owner !== undefined && this.#sharing.owner === undefined) this.setSharing({ owner });
    if (authors.some(({ known }) => known)) this.#keep();
    // Once an hour is enough, and costs next to nothing.
    if (!this.#isKept && this.#usedAt < now - HOUR_MS) {
      kv.put(USED_AT, now);
      this.#usedAt = now;
    }
    if (this.#versionDue === undefined && this.#rules.versionMinutes > 0) {
      this.#wantVersion(now + this.#rules.versionMinutes * MINUTE_MS);
    }
  }

  #wantVersion(due: number): void {
    this.#versionDue = due;
    this.#storage.kv.put(VERSION_DUE, due);
  }

  /** After edits were written. */
  wrote(isLoose: boolean): void {
    this.#wake.by(isLoose ? Date.now() : this.#versionDue);
    this.#wake.by(this.#goesAt());
  }

  /** Somebody has joined. */
  joined(now: number): void {
    void this.#wake.arm(now + ASK_AFTER_MS);
  }

  /** An answer is kept under an idempotency key. */
  answered(now: number): void {
    void this.#wake.arm(sweepDue(now));
  }

  /** Versions have left the list. */
  versionsLeft(): void {
    void this.#wake.arm(Date.now());
  }

  /** Versions are to be swept at this time (ms since the epoch), or before. */
  sweepBy(at: number): Promise<void> {
    return this.#wake.arm(at);
  }

  /** Deletes all that is stored. What is left is the mark of it, which is written in the same moment. */
  async remove(now: number): Promise<void> {
    // A deletion that is made again has the mark of the first.
    const owner = this.lastOwner;
    const { kv, sql } = this.#storage;
    const tables =
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '_cf_*' AND name NOT GLOB 'sqlite_*'";
    this.#storage.transactionSync(() => {
      for (const { name } of sql.exec<{ name: string }>(tables).toArray()) sql.exec(`DROP TABLE "${name}"`);
      for (const key of [SHARING, KEPT, USED_AT, VERSION_DUE]) kv.delete(key);
      kv.put(DELETED_UNTIL, now + DAY_MS);
      if (owner !== undefined) kv.put(FORMER_OWNER, owner);
    });
    this.#schema.forget();
    this.#sharing = {};
    this.#isKept = false;
    this.#usedAt = 0;
    this.#versionDue = undefined;
    this.#deletedUntil = now + DAY_MS;
    this.#wake.by(this.#deletedUntil);
    await this.#storage.sync();
  }

  /** Does what is due, and sets the alarm for what is not. It may run early, late or twice. */
  alarm(chores: () => Promise<Chores>): Promise<void> {
    return this.#wake.run(document.name, async () => this.#do(await chores()));
  }

  async #do(chores: Chores): Promise<void> {
    const now = Date.now();
    await this.#try("look for silent clients", async () => chores.lookForSilent(now));
    if (this.#deletedUntil > 0) return this.#try("end of the deletion", () => this.#endDeletion(now, chores));
    // Even an empty database is stored, and billed, for ever.
    if (this.isNowhere && !chores.isInUse()) return this.#storage.deleteAll();
    if (this.#schema.empty) return;
    await this.#try("compaction", async () => {
      chores.compact();
      return undefined;
    });
    await this.#try("version", () => this.#makeVersion(now, chores));
    await this.#try("sweep of versions", () => chores.sweepVersions(now));
    await this.#try("sweep of idempotency keys", async () => sweepReplays(this.#storage.sql, now));
    await this.#try("deletion after disuse", () => this.#endIfUnused(now, chores));
  }

  async #try(what: string, chore: () => Promise<number | undefined>): Promise<void> {
    try {
      this.#wake.by(await chore());
    } catch (error) {
      // The runtime gives up an alarm that fails again and again; this one comes back until it succeeds.
      console.error(`A document's ${what} failed and is tried again in ${RETRY_MS / 1_000} s: ${error}`);
      await this.#wake.arm(Date.now() + RETRY_MS);
    }
  }

  async #makeVersion(now: number, chores: Chores): Promise<number | undefined> {
    if (this.#versionDue === undefined || this.#versionDue > now) return this.#versionDue;
    // First, so that an edit that comes meanwhile sets the time of the next one.
    this.#storage.kv.delete(VERSION_DUE);
    this.#versionDue = undefined;
    try {
      await chores.keepVersion(now);
    } catch (error) {
      // Later, so that no edit until then makes another attempt.
      if (!this.#schema.empty) this.#wantVersion(Date.now() + RETRY_MS);
      throw error;
    }
    return this.#versionDue;
  }

  async #endDeletion(now: number, chores: Chores): Promise<number | undefined> {
    if (this.#deletedUntil > now) return this.#deletedUntil;
    // Once more, in case a version was on its way to the bucket.
    if (this.#schema.empty) await chores.clear();
    this.#forgetDeletion();
    if (this.isNowhere) await this.#storage.deleteAll();
    return undefined;
  }

  async #endIfUnused(now: number, chores: Chores): Promise<number | undefined> {
    const goes = this.#goesAt();
    if (goes === undefined) return undefined;
    if (goes > now || chores.isInUse()) return Math.max(goes, now + HOUR_MS);
    await chores.end();
    return undefined;
  }

  /** When the document is deleted if nobody changes it (ms since the epoch); undefined if it is kept. */
  #goesAt(): number | undefined {
    return this.#isKept ? undefined : this.#usedAt + this.#rules.anonymousDays * DAY_MS;
  }

  #keep(): void {
    if (this.#isKept) return;
    this.#storage.kv.put(KEPT, true);
    this.#isKept = true;
  }

  #forgetDeletion(): void {
    this.#storage.kv.delete(DELETED_UNTIL);
    this.#storage.kv.delete(FORMER_OWNER);
    this.#deletedUntil = 0;
  }
}
