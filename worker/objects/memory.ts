/** What an isolate remembers for a while: bounded in number and in time, so that no caller can make it grow. */
const MAX_ENTRIES = 10_000;

export class Memory<T> {
  readonly #entries = new Map<string, { value: T; until: number }>();

  /** What was remembered, unless its time is over. */
  get(key: string, now: number): T | undefined {
    const entry = this.#entries.get(key);
    if (entry && entry.until > now) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  /** Remembers until `until` (milliseconds of Unix time), or until there are too many: the oldest goes first. */
  set(key: string, value: T, until: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, until });
    const [oldest] = this.#entries.size > MAX_ENTRIES ? this.#entries.keys() : [];
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
