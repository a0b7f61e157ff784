/** When an alarm that failed comes again. */
const AGAIN_MS = 60_000;

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

  /** Does what the alarm is for. One that fails is set again: the runtime gives up an alarm that fails again and again. */
  async run(pattern: string, chores: () => Promise<void>): Promise<void> {
    this.gone();
    try {
      await chores();
    } catch (error) {
      console.error(JSON.stringify({ [pattern]: "alarm failed", error: String(error) }));
      await this.arm(Date.now() + AGAIN_MS);
    }
  }

  /** Call it when the alarm has run, or was deleted with everything else. */
  gone(): void {
    this.#at = null;
  }
}
