/**
 * What is kept about a document besides its edits: who may do what, when its next version is due, whether it goes by
 * itself, whether it was deleted.
 *
 * A deleted document leaves a mark for a day. Its clients have all of its text, and would bring it back.
 */
import { dropOldest } from "../objects/memory.ts";
import type { Schema } from "../objects/schema.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../objects/units.ts";
import type { Wake } from "../objects/wake.ts";
import type { Author } from "./author.ts";
import type { Visitor } from "./joining.ts";
import type { Level, Sharing } from "./sharing.ts";

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

  constructor(storage: DurableObjectStorage, schema: Schema, wake: Wake, rules: Rules) {
    this.#storage = storage;
    this.#schema = schema;
    this.#rules = rules;
    this.#wake = wake;
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

  /** Until when the mark of a deletion stays (ms since the epoch); 0 if there is none. */
  get deletedUntil(): number {
    return this.#deletedUntil;
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
    dropOldest(this.#ended, MAX_ENDED);
  }

  /** For the transaction that writes edits. `first`: the document did not exist before. */
  writing(authors: readonly Author[], first: boolean): void {
    const now = Date.now();
    const { kv } = this.#storage;
    if (this.#deletedUntil > 0) this.forgetDeletion();
    const owner = authors.find(({ user }) => user !== undefined)?.user;
    if (first && owner !== undefined && this.#sharing.owner === undefined) this.setSharing({ owner });
    if (authors.some(({ known }) => known)) this.#keep();
    // Once an hour is enough, and costs next to nothing.
    if (!this.#isKept && this.#usedAt < now - HOUR_MS) {
      kv.put(USED_AT, now);
      this.#usedAt = now;
    }
    if (this.#versionDue === undefined && this.#rules.versionMinutes > 0) {
      this.setVersionDue(now + this.#rules.versionMinutes * MINUTE_MS);
    }
  }

  /** When the next version is due (ms since the epoch); undefined if nothing was written since the last. */
  get versionDue(): number | undefined {
    return this.#versionDue;
  }

  setVersionDue(due: number | undefined): void {
    this.#versionDue = due;
    if (due === undefined) this.#storage.kv.delete(VERSION_DUE);
    else this.#storage.kv.put(VERSION_DUE, due);
  }

  /** After edits were written. */
  wrote(isLoose: boolean): void {
    this.#wake.by(isLoose ? Date.now() : this.#versionDue);
    this.#wake.by(this.goesAt);
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

  /** When the document is deleted if nobody changes it (ms since the epoch); undefined if it is kept. */
  get goesAt(): number | undefined {
    return this.#isKept ? undefined : this.#usedAt + this.#rules.anonymousDays * DAY_MS;
  }

  #keep(): void {
    if (this.#isKept) return;
    this.#storage.kv.put(KEPT, true);
    this.#isKept = true;
  }

  /** The deletion is over: the document is as if there had been none. */
  forgetDeletion(): void {
    this.#storage.kv.delete(DELETED_UNTIL);
    this.#storage.kv.delete(FORMER_OWNER);
    this.#deletedUntil = 0;
  }
}
