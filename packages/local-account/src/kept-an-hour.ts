/** What is kept in memory until a client comes back for it. What nobody comes back for is forgotten. */

/** How long it is kept: an hour. */
const LIFETIME_MS = 60 * 60 * 1_000;

interface Kept<T> {
  readonly value: T;
  readonly end: NodeJS.Timeout;
}

export class KeptAnHour<T> {
  readonly #kept = new Map<string, Kept<T>>();

  has(key: string): boolean {
    return this.#kept.has(key);
  }

  get(key: string): T | undefined {
    return this.#kept.get(key)?.value;
  }

  /** Keeps the value for its whole time, even if there was one with this key. */
  set(key: string, value: T): void {
    this.delete(key);
    this.#kept.set(key, { value, end: setTimeout(() => this.delete(key), LIFETIME_MS).unref() });
  }

  delete(key: string): void {
    clearTimeout(this.#kept.get(key)?.end);
    this.#kept.delete(key);
  }
}
