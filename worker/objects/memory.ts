/** A cache in one isolate. Its size and its times are bounded, so that no caller can fill the memory. */
const MAX_ENTRIES = 10_000;

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
    const [oldest] = this.#entries.size > MAX_ENTRIES ? this.#entries.keys() : [];
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
