/**
 * Does something at most once in `everyMs`: at once if the last time is long enough ago, else as soon as it is. The timer
 * keeps the object awake for that long at most.
 */
export class Paced<T> {
  readonly #everyMs: number;
  readonly #act: () => T;
  #doneAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(everyMs: number, act: () => T) {
    this.#everyMs = everyMs;
    this.#act = act;
  }

  /** Whether it was done a moment ago. If the clock went back since then, it does not count. */
  get isRecent(): boolean {
    const since = Date.now() - this.#doneAt;
    return since >= 0 && since < this.#everyMs;
  }

  /** Does it, once for all who ask before it is done. */
  soon(): void {
    if (this.#timer !== undefined) return;
    if (!this.isRecent) {
      this.now();
      return;
    }
    const due = this.#doneAt + this.#everyMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.now();
    }, due - Date.now());
  }

  /** Does it now, whenever it was done last. */
  now(): T {
    this.#doneAt = Date.now();
    return this.#act();
  }
}
