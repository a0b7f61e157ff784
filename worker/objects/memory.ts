/** What is remembered in memory: bounded, so that no caller can fill it. */

const MAX_ENTRIES = 10_000;

/** Takes out the oldest entry if there are more than `most`. Call it after each that is added. */
export function dropOldest<Key>(entries: Map<Key, unknown> | Set<Key>, most: number): void {
  const [oldest] = entries.size > most ? entries.keys() : [];
  if (oldest !== undefined) entries.delete(oldest);
}

/** A cache in one isolate, whose entries end at a time. */
export class Memory<T> {
  readonly #entries = new Map<string, { value: T; until: number }>();

  /** The remembered value, unless its time is over. */
  get(key: string, now: number): T | undefined {
    const entry = this.#entries.get(key);
    if (entry && entry.until > now) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  /** Remembers a value until `until` (ms since the epoch). If there are too many, the oldest goes first. */
  set(key: string, value: T, until: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, until });
    dropOldest(this.#entries, MAX_ENTRIES);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
