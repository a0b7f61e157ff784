/** What an alarm could not do is tried again so much later. */
export const AGAIN_MS = 60_000;

/**
 * An object's only alarm, shared by several things that are due at different times. It is only ever moved to an earlier
 * time. What is due later costs no write: the alarm sets itself again when it runs.
 */
export class Wake {
  readonly #storage: DurableObjectStorage;
  readonly #of: string;
  readonly #againMs: number;
  /** When the alarm runs (ms since the epoch); null if it is not set, undefined if that is not known yet. */
  #at: number | null | undefined;

  /** `of`: what the object is, for the log. */
  constructor(storage: DurableObjectStorage, of: string, againMs = AGAIN_MS) {
    this.#storage = storage;
    this.#of = of;
    this.#againMs = againMs;
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

  /** Does what the alarm is for. One that fails is set again: the runtime gives up an alarm that fails again and again. */
  async run(work: () => Promise<void>): Promise<void> {
    this.gone();
    try {
      await work();
    } catch (error) {
      await this.#again(JSON.stringify({ [this.#of]: "alarm failed", error: String(error) }));
    }
  }

  /**
   * Does one of several things that the alarm is for, and sets the alarm for the next of its kind. One that fails is
   * tried again, and does not stop the others. Call it only in the alarm.
   */
  async chore(what: string, work: () => Promise<number | undefined>): Promise<void> {
    try {
      this.by(await work());
    } catch (error) {
      await this.#again(`A ${this.#of}'s ${what} failed and is tried again in ${this.#againMs / 1_000} s: ${error}`);
    }
  }

  /** Call it when the alarm has run. */
  gone(): void {
    this.#at = null;
  }

  /** Deletes all that the object stores, and the alarm with it. */
  async wipe(): Promise<void> {
    this.gone();
    await this.#storage.deleteAll();
  }

  #again(failure: string): Promise<void> {
    console.error(failure);
    return this.arm(Date.now() + this.#againMs);
  }
}
