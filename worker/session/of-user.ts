/**
 * The sessions of one user, in an object of its own: which there are, how many there may be, and how all of them end.
 *
 * It is never behind: a session is written down here before it begins, and taken out only when it is known to be over.
 * So at worst it has one that never began, or is over already; before that matters, the session itself is asked.
 * What was decided to end is written down first, and ends by alarm where the call for it was cut off.
 */
import type { Place } from "../objects/names.ts";
import type { Reading, Subject } from "./lifetime.ts";

/** A session, by its object. */
export interface OneSession {
  begin(subject: Subject, slidingMs: number, absoluteMs: number, by: number): Promise<Reading | undefined>;
  peek(): Promise<Reading | undefined>;
  end(): Promise<void>;
}

/** A session that is asked for. */
export interface Wanted {
  place: Place;
  subject: Subject;
  slidingMs: number;
  absoluteMs: number;
  /** Sessions that the user may have; the oldest go. */
  max: number;
  /** The id of a session that this one takes the place of. */
  replaces?: string;
}

/** A live session, for its user. */
export type Listed = Reading & { id: string };

interface Entry extends Place {
  /** Written down before it began (ms since the epoch). */
  at: number;
  /** The end that it cannot outlive. */
  endsAt: number;
  begun: boolean;
  /** It was decided that it ends. */
  ending?: true;
}

const KEY = "sessions";
/** How long a session may take to begin. After it, one that did not begin never will. */
export const BEGIN_WITHIN_MS = 30_000;
const RETRY_MS = 1_000;

export class SessionsOfUser {
  readonly #storage: DurableObjectStorage;
  readonly #sessionAt: (place: Place) => OneSession;
  #read: Entry[] | undefined;
  /** When the alarm is known to be set; setting it is a row. */
  #alarmAt: number | undefined;

  constructor(storage: DurableObjectStorage, sessionAt: (place: Place) => OneSession) {
    this.#storage = storage;
    this.#sessionAt = sessionAt;
  }

  /** Begins a session, and before that ends the oldest where there would be too many. Once more when asked twice. */
  async open({ place, subject, slidingMs, absoluteMs, max, replaces }: Wanted): Promise<Reading | undefined> {
    const now = Date.now();
    const known = this.#entries.find(({ id }) => id === place.id);
    const entry = known ?? { ...place, at: now, endsAt: now + absoluteMs, begun: false };
    if (!known) this.#entries.push(entry);
    await this.#save();
    const counted = () => this.#entries.filter(({ id }) => id !== replaces);
    if (counted().length > max) await this.#dropOver();
    const tooMany = counted().length - max;
    if (tooMany > 0) await this.#end(counted().slice(0, tooMany));
    if (entry.ending || !this.#entries.includes(entry)) return undefined;
    const by = entry.at + BEGIN_WITHIN_MS;
    const reading = own(await this.#sessionAt(place).begin(subject, slidingMs, absoluteMs, by));
    if (!reading) return undefined;
    entry.begun = true;
    await this.#save();
    // Where it was ended while it began, its end may have come before its beginning.
    if (entry.ending) await this.#end([entry]);
    const replaced = this.#entries.filter(({ id }) => id === replaces);
    await this.#end(replaced);
    return entry.ending ? undefined : reading;
  }

  /** All that live, the oldest first. */
  async list(): Promise<Listed[]> {
    const live = await this.#dropOver();
    return live.flatMap(({ entry, reading }) => (reading ? [{ ...reading, id: idOf(entry) }] : []));
  }

  /** Ends one of them, by its id, or all. Returns how many there were. */
  async end(id?: string): Promise<number> {
    const chosen = this.#entries.filter((entry) => id === undefined || idOf(entry) === id);
    await this.#end(chosen);
    return chosen.length;
  }

  async alarm(): Promise<void> {
    this.#alarmAt = undefined;
    await this.#end(this.#entries.filter(({ ending }) => ending));
    await this.#save();
  }

  get #entries(): Entry[] {
    this.#read ??= this.#storage.kv.get<Entry[]>(KEY) ?? [];
    return this.#read;
  }

  /** Takes out what is over. Returns the rest, with what the sessions say of themselves. */
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

  /** Ends sessions: written down first, so that all of them do end. */
  async #end(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return;
    for (const entry of entries) entry.ending = true;
    await this.#save();
    await Promise.all(entries.map((entry) => this.#sessionAt(entry).end()));
    // One that may still begin stays written down, until it cannot any more.
    const now = Date.now();
    await this.#takeOut(new Set(entries.filter(({ begun, at }) => begun || now >= at + BEGIN_WITHIN_MS)));
  }

  async #takeOut(entries: ReadonlySet<Entry>): Promise<void> {
    this.#read = this.#entries.filter((entry) => !entries.has(entry));
    await this.#save();
  }

  /** Writes down what there is, without what cannot live any more; where that is nothing, nothing is left. */
  async #save(): Promise<void> {
    const now = Date.now();
    this.#read = this.#entries.filter(({ endsAt }) => endsAt > now);
    const isEnding = this.#read.some(({ ending }) => ending);
    const alarmAt = isEnding ? now + RETRY_MS : Math.max(...this.#read.map(({ endsAt }) => endsAt));
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
 * A result as an object of one's own. As it comes it holds on to the session's object, which then could not sleep as
 * long as this one is awake.
 */
function own(result: (Reading & Partial<Disposable>) | undefined): Reading | undefined {
  if (!result) return undefined;
  const { userId, role, metadata, createdAt, expiresAt, endsAt, expiresIn } = result;
  result[Symbol.dispose]?.();
  return { userId, role, metadata, createdAt, expiresAt, endsAt, expiresIn };
}

/** The id of a session, as its user sees it. No token can be made of it. */
const idOf = ({ region, id }: Place) => `${region.id}~${id}`;
