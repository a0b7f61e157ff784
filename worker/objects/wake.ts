/**
 * The one alarm that an object has, for several things that each have their time. It is moved only to come earlier, so
 * that what is due later costs no write: the alarm finds it when it runs.
 */
export class Wake {
  readonly #storage: DurableObjectStorage;
  /** When it comes (ms since the epoch); null where it is not set, undefined where nobody has looked. */
  #at: number | null | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** Finds out whether it is set. Call it before `by`. */
  async look(): Promise<void> {
    if (this.#at === undefined) this.#at = await this.#storage.getAlarm();
  }

  /** Makes sure that it comes at `due` (ms since the epoch) or before. Nothing where that is undefined. */
  by(due: number | undefined): void {
    if (due === undefined || (this.#at != null && this.#at <= due)) return;
    this.#at = due;
    void this.#storage.setAlarm(due);
  }

  /** It has come, or went with all the rest. */
  gone(): void {
    this.#at = null;
  }
}
