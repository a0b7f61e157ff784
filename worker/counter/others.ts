/**
 * The other parts of a wide counter (parts.ts), as one of its objects sees them. A part tells the home of its changes,
 * once a second at most, and learns the sum of the others with the answer. The home asks those that it has not heard of
 * since it woke. All of it is in memory, and only as new as that: a strong read asks every part.
 */
import { Paced } from "../objects/paced.ts";
import { type Width, widest } from "./parts.ts";

const TELL_INTERVAL_MS = 1_000;
/** How often a part tries again to tell the home of a change. Each try keeps it awake for a second. */
const MOST_TRIES = 5;
/** In place of a part's number: all others together. */
const ALL = -1;

/** Calls to other parts. */
export interface Calls {
  /** Tells the home the count of this part. Returns the sum of all others. */
  tell(): Promise<number>;
  /** The count of part `number`. */
  ask(number: number): Promise<number>;
}

export class Others {
  readonly #number: number;
  readonly #calls: Calls;
  /** At the home: the parts by number. At a part: the sum of all others, as `ALL`. */
  readonly #known = new Map<number, number>();
  readonly #tells = new Paced(TELL_INTERVAL_MS, () => this.#tell());
  /** How often in a row the home did not answer. */
  #failed = 0;
  /** While the home asks parts that it does not know. */
  #meeting: Promise<void> | undefined;

  /** `number`: this part's. */
  constructor(number: number, calls: Calls) {
    this.#number = number;
    this.#calls = calls;
  }

  /** The sum of the others, as far as it is known. */
  get sum(): number {
    let sum = 0;
    for (const count of this.#known.values()) sum += count;
    return sum;
  }

  /** Whether all others are known: at the home as they told, at a part as the home said a second ago or later. */
  isKnown(widths: readonly Width[]): boolean {
    if (this.#number === 0) return this.#known.size >= widest(widths) - 1;
    return this.#known.size > 0 && this.#tells.isRecent;
  }

  /** Finds out about parts that are not known. One that does not answer stays unknown. */
  async meet(widths: readonly Width[]): Promise<void> {
    if (this.isKnown(widths)) return;
    if (this.#number > 0) await this.#tells.now();
    else {
      // All who come meanwhile share it: parts that tell together must not each ask for all the others.
      this.#meeting ??= this.#askUnknown(widths).finally(() => {
        this.#meeting = undefined;
      });
      await this.#meeting;
    }
  }

  /** At the home: asks every part. @throws if one does not answer */
  async ask(widths: readonly Width[]): Promise<void> {
    await Promise.all(partsOf(widths).map((number) => this.#ask(number)));
  }

  /** At the home: notes what a part tells. */
  told(number: number, count: number): void {
    this.#known.set(number, count);
  }

  /** At the home: the sum of all others but this part. */
  sumBut(number: number): number {
    return this.sum - (this.#known.get(number) ?? 0);
  }

  /** At a part: tells the home of a change, now or as soon as it may. */
  changed(): void {
    if (this.#number > 0) this.#tells.soon();
  }

  /** The counter was reset or deleted. */
  forget(): void {
    this.#known.clear();
  }

  async #askUnknown(widths: readonly Width[]): Promise<void> {
    await Promise.allSettled(partsOf(widths).flatMap((number) => (this.#known.has(number) ? [] : this.#ask(number))));
  }

  async #ask(number: number): Promise<void> {
    const before = this.#known.get(number);
    const count = await this.#calls.ask(number);
    // What the part told meanwhile may be newer. If it is not, the part tells again.
    if (this.#known.get(number) === before) this.#known.set(number, count);
  }

  async #tell(): Promise<void> {
    try {
      this.#known.set(ALL, await this.#calls.tell());
      this.#failed = 0;
    } catch (error) {
      console.warn(JSON.stringify({ class: "counter", event: "part-not-told", error: String(error) }));
      if (++this.#failed <= MOST_TRIES) this.changed();
    }
  }
}

/** All parts but the home. */
const partsOf = (widths: readonly Width[]) => Array.from({ length: widest(widths) - 1 }, (_, i) => i + 1);
