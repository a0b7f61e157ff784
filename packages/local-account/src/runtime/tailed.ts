/** The Workers with a tail. workerd tells the account of all their events, which costs each of them time. */

export class Tailed {
  readonly #tell: (workers: readonly string[]) => Promise<void>;
  /** How many tails each has. */
  readonly #counts = new Map<string, number>();
  /** When workerd was told last; undefined if there was never a tail. */
  #told: Promise<void> | undefined;

  /** `tell` tells workerd who they are. */
  constructor(tell: (workers: readonly string[]) => Promise<void>) {
    this.#tell = tell;
  }

  get workers(): readonly string[] {
    return [...this.#counts.keys()];
  }

  /** A tail of the Worker begins. Resolves when it gets all events. */
  async begin(worker: string): Promise<void> {
    this.#counts.set(worker, (this.#counts.get(worker) ?? 0) + 1);
    try {
      await this.#send();
    } catch (error) {
      this.end(worker);
      throw error;
    }
  }

  /** A tail of the Worker has ended. */
  end(worker: string): void {
    const left = (this.#counts.get(worker) ?? 1) - 1;
    if (left > 0) {
      this.#counts.set(worker, left);
      return;
    }
    this.#counts.delete(worker);
    this.#send().catch(nothing);
  }

  /** Another workerd serves. Tails may have begun or ended since it was started. */
  tellAgain(): void {
    if (this.#told !== undefined) this.#send().catch(nothing);
  }

  /** One after the other: what is told last is what holds. */
  #send(): Promise<void> {
    const send = () => this.#tell(this.workers);
    this.#told = (this.#told ?? Promise.resolve()).then(send, send);
    return this.#told;
  }
}

const nothing = () => {};
