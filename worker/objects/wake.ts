/**
 * An object's only alarm, shared by several things that are due at different times. It is only ever moved to an earlier
 * time. What is due later costs no write: the alarm sets itself again when it runs.
 */
export class Wake {
  readonly #storage: DurableObjectStorage;
  /** When the alarm runs (ms since the epoch); null if it is not set, undefined if that is not known yet. */
  #at: number | null | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** Finds out whether the alarm is set. Call it before `by`. */
  async look(): Promise<void> {
    if (this.#at !== undefined) return;
    const at = await this.#storage.getAlarm();
    // Another call may have set it meanwhile.
    if (this.#at === undefined) this.#at = at;
  }

  /** Makes sure that the alarm runs at `due` (ms since the epoch) or before. Does nothing if that is undefined. */
  by(due: number | undefined): void {
    if (due === undefined || (this.#at != null && this.#at <= due)) return;
    this.#at = due;
    void this.#storage.setAlarm(due);
  }

  /** `look`, then `by`. */
  async arm(due: number): Promise<void> {
    await this.look();
    this.by(due);
  }

  /** Call it when the alarm has run, or was deleted with everything else. */
  gone(): void {
    this.#at = null;
  }
}
