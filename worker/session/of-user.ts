/**
 * The list of one user's sessions, in an object of its own. It limits how many there are, and can end all of them.
 *
 * The list is never short: it has a session before the session begins, and drops it only when it is known to be over.
 * At worst it has a session that never began or is over already, so it asks the session where that matters. It notes
 * which sessions must end before it ends them; if the call is cut off, the alarm ends them.
 */
import { REGION_SEPARATOR } from "../../contract/regions.ts";
import { formatId, type Place } from "../objects/names.ts";
import type { Reading, Subject } from "./lifetime.ts";

/** The object of one session. */
export interface OneSession {
  begin(subject: Subject, slidingMs: number, absoluteMs: number, by: number): Promise<Reading | undefined>;
  peek(): Promise<Reading | undefined>;
  /** Whether it was live, or the id of the session that has its place already. */
  end(tellAgainMs?: number, why?: "replaced", successor?: string): Promise<boolean | string>;
}

/** The session that a caller wants to begin. */
export interface Wanted {
  place: Place;
  subject: Subject;
  slidingMs: number;
  absoluteMs: number;
  /** The most sessions that the user may have. The oldest are ended. */
  max: number;
  /** The id of the session that this one replaces. */
  replaces?: string;
}

/** A live session, as its user sees it. */
export type Listed = Reading & { id: string };

interface Entry extends Place {
  /** When it was added to the list, before it began (ms since the epoch). */
  at: number;
  /** Its absolute end (ms since the epoch). */
  endsAt: number;
  begun: boolean;
  /** It must end. "failed": because it did not begin. The same call, made again, may still begin it. */
  ending?: true | "failed";
  /** The session whose place it takes, by its id. If it does not begin, another may take that place. */
  replaces?: string;
}

/** Why a session cannot take the place of another: that one is over, or a third one has its place. */
export type NotReplaced = "over" | "replaced";

const KEY = "sessions";
/** How long a session may take to begin. After that it never will. */
export const BEGIN_WITHIN_MS = 30_000;
const RETRY_MS = 1_000;

/** When the alarm ends a session that must end; one that failed, only once it is too late to begin. */
const dueAt = ({ at, ending }: Entry, now: number): number =>
  ending === "failed" ? at + BEGIN_WITHIN_MS : ending ? now : Number.POSITIVE_INFINITY;

export class SessionsOfUser {
  readonly #storage: DurableObjectStorage;
  readonly #sessionAt: (place: Place) => OneSession;
  #read: Entry[] | undefined;
  /** When the alarm will run, if that is known: setting it costs a row. */
  #alarmAt: number | undefined;

  constructor(storage: DurableObjectStorage, sessionAt: (place: Place) => OneSession) {
    this.#storage = storage;
    this.#sessionAt = sessionAt;
  }

  /**
   * Begins a session, after ending the oldest if there would be too many. May be called again. Undefined if it was ended
   * meanwhile, or took too long to begin.
   */
  async open(wanted: Wanted): Promise<Reading | NotReplaced | undefined> {
    try {
      return await this.#open(wanted);
    } catch (error) {
      const entry = this.#entryOf(wanted);
      // Its caller may not come again, and it must not take the place of a live one. The alarm ends it.
      if (entry && !entry.begun) {
        entry.ending ??= "failed";
        await this.#save();
      }
      throw error;
    }
  }

  async #open(wanted: Wanted): Promise<Reading | NotReplaced | undefined> {
    const { place, subject, slidingMs, absoluteMs, max, replaces } = wanted;
    const entry = this.#enter(wanted);
    if (typeof entry === "string") return entry;
    await this.#save();
    await this.#endExcess(max);
    if (entry.ending || !this.#entries.includes(entry)) return undefined;
    const by = entry.at + BEGIN_WITHIN_MS;
    const reading = own(await this.#sessionAt(place).begin(subject, slidingMs, absoluteMs, by));
    if (!reading) return undefined;
    // An earlier call for the same session came as far as this.
    const isRepeated = entry.begun;
    entry.begun = true;
    await this.#save();
    // It was ended while it began, and the call that ended it may have come before the one that began it.
    if (entry.ending) await this.#end([entry]);
    if (replaces !== undefined && !(await this.#takePlace(entry, replaces, isRepeated))) return "over";
    return entry.ending ? undefined : reading;
  }

  /** Adds a session to the list, or finds it there if the call is made again. Or why it cannot take another's place. */
  #enter(wanted: Wanted): Entry | NotReplaced {
    const { place, absoluteMs, replaces } = wanted;
    const known = this.#entryOf(wanted);
    if (known?.ending === "failed") delete known.ending;
    if (known) return known;
    const why = replaces === undefined ? undefined : this.#whyNotReplaced(replaces);
    if (why) return why;
    const now = Date.now();
    const entry = { ...place, at: now, endsAt: now + absoluteMs, begun: false, ...(replaces && { replaces }) };
    this.#entries.push(entry);
    return entry;
  }

  /** Ends the oldest sessions, if there are more than `max`. */
  async #endExcess(max: number): Promise<void> {
    // One that is being replaced and the one that takes its place are one session.
    const counted = () => this.#entries.filter(({ id, ending }) => !ending && !this.#successorOf(id));
    if (counted().length > max) await this.#dropOver();
    const excess = counted().length - max;
    if (excess > 0) await this.#end(counted().slice(0, excess));
  }

  /**
   * Ends the session whose place another takes. If its user has logged out meanwhile, the other one must not log them in
   * again: it ends too, and this returns false.
   */
  async #takePlace(entry: Entry, old: string, isRepeated: boolean): Promise<boolean> {
    const replaced = this.#entries.find(({ id }) => id === old);
    // An earlier call has ended it, or may have. It knows by whom it was replaced, unless it was evicted since.
    const mayHaveForgotten = isRepeated && (!replaced || replaced.ending);
    const [answer] = replaced ? await this.#endEach([replaced]) : [];
    if (answer === true || answer === formatId(entry) || mayHaveForgotten) return true;
    await this.#end([entry]);
    return false;
  }

  /** Why a session can no longer be replaced: much may have happened since the caller showed its token. */
  #whyNotReplaced(old: string): NotReplaced | undefined {
    if (this.#successorOf(old)) return "replaced";
    return this.#entries.some(({ id, ending }) => id === old && !ending) ? undefined : "over";
  }

  #entryOf({ place }: Wanted): Entry | undefined {
    return this.#entries.find(({ id }) => id === place.id);
  }

  /** The session that takes the place of another, or will as soon as it has begun. */
  #successorOf(old: string): Entry | undefined {
    return this.#entries.find(({ replaces, ending }) => replaces === old && !ending);
  }

  /** The live sessions, the oldest first. */
  async list(): Promise<Listed[]> {
    const live = await this.#dropOver();
    return live.flatMap(({ entry, reading }) => (reading ? [{ ...reading, id: formatId(entry) }] : []));
  }

  /**
   * Ends one session by its id, or all. Returns how many were live. What took the place of the one ends too, because it
   * is the same log-in under a new token.
   */
  end(id?: string): Promise<number> {
    const chosen: Entry[] = [];
    for (const entry of this.#entries) {
      const { replaces } = entry;
      const continues =
        replaces !== undefined &&
        (id?.endsWith(REGION_SEPARATOR + replaces) || chosen.some((before) => before.id === replaces));
      if (id === undefined || formatId(entry) === id || continues) chosen.push(entry);
    }
    return this.#end(chosen);
  }

  async alarm(): Promise<void> {
    this.#alarmAt = undefined;
    const now = Date.now();
    await this.#end(this.#entries.filter((entry) => dueAt(entry, now) <= now));
    await this.#save();
  }

  get #entries(): Entry[] {
    this.#read ??= this.#storage.kv.get<Entry[]>(KEY) ?? [];
    return this.#read;
  }

  /** Drops sessions that are over. Returns the rest, each with its own answer. */
  async #dropOver(): Promise<{ entry: Entry; reading: Reading | undefined }[]> {
    const asked = await Promise.all(
      this.#entries.map(async (entry) => ({ entry, reading: own(await this.#sessionAt(entry).peek()) })),
    );
    const now = Date.now();
    const isOver = ({ entry, reading }: (typeof asked)[number]) =>
      !reading && (entry.begun || now >= entry.at + BEGIN_WITHIN_MS);
    const over = new Set(asked.filter(isOver).map(({ entry }) => entry));
    if (over.size > 0) await this.#takeOut(over);
    return asked.filter(({ entry }) => !over.has(entry) && this.#entries.includes(entry));
  }

  /** Ends sessions. Returns how many were live. */
  async #end(entries: readonly Entry[]): Promise<number> {
    return (await this.#endEach(entries)).filter((ended) => ended === true).length;
  }

  /** Ends sessions, and returns what each answers. Notes them first, so that all of them do end. */
  async #endEach(entries: readonly Entry[]): Promise<(boolean | string)[]> {
    if (entries.length === 0) return [];
    for (const entry of entries) entry.ending = true;
    await this.#save();
    const ended = await Promise.all(
      entries.map((entry) => {
        const successor = this.#successorOf(entry.id);
        const at = this.#sessionAt(entry);
        return successor?.begun ? at.end(undefined, "replaced", formatId(successor)) : at.end();
      }),
    );
    // A session that may still begin stays in the list until it is too late to begin.
    const now = Date.now();
    await this.#takeOut(new Set(entries.filter(({ begun, at }) => begun || now >= at + BEGIN_WITHIN_MS)));
    return ended;
  }

  async #takeOut(entries: ReadonlySet<Entry>): Promise<void> {
    this.#read = this.#entries.filter((entry) => !entries.has(entry));
    await this.#save();
  }

  /** Stores the list without the sessions that are over for certain. An empty list leaves nothing stored. */
  async #save(): Promise<void> {
    const now = Date.now();
    this.#read = this.#entries.filter(({ endsAt }) => endsAt > now);
    const due = Math.min(...this.#read.map((entry) => dueAt(entry, now + RETRY_MS)));
    const alarmAt = Number.isFinite(due) ? due : Math.max(...this.#read.map(({ endsAt }) => endsAt));
    if (this.#read.length === 0) {
      this.#alarmAt = undefined;
      return this.#storage.deleteAll();
    }
    this.#storage.kv.put(KEY, this.#read);
    if (alarmAt === this.#alarmAt) return;
    this.#alarmAt = alarmAt;
    await this.#storage.setAlarm(alarmAt);
  }
}

/**
 * Copies the result of an RPC call. The original keeps the session's object from sleeping as long as this object is
 * awake.
 */
function own(result: (Reading & Partial<Disposable>) | undefined): Reading | undefined {
  if (!result) return undefined;
  const { userId, role, metadata, createdAt, expiresAt, endsAt, expiresIn } = result;
  result[Symbol.dispose]?.();
  return { userId, role, metadata, createdAt, expiresAt, endsAt, expiresIn };
}
