/**
 * Group commit: changes that arrive during a write share the next one, so that a busy object waits for the disk once
 * per group and not once per change.
 *
 * Callers who were just answered tend to call again at once. So the next write begins when there are as many changes as
 * there were callers, or when few more arrive. A lone caller waits for no timer.
 */

/** Keep waiting while at least this share of the callers arrives per tick of the timer, a millisecond. */
const COMING = 1 / 8;
/** After so many writes of a lone caller, only one in so many waits for the disk, to find out whether others came. */
const ALONE = 8;

interface Answered<Answer> {
  readonly answer: Answer;
}

/** Changes that are written together, and the answers to them in the same order. */
interface Group<Item, Answer> {
  readonly items: Item[];
  readonly written: Promise<readonly Answered<Answer>[]>;
  readonly resolve: (answers: readonly Answered<Answer>[]) => void;
  readonly reject: (reason: unknown) => void;
}

export class GroupCommit<Item, Answer> {
  readonly #write: (items: readonly Item[]) => Promise<readonly Answer[]>;
  readonly #onDisk: () => Promise<void>;
  #writing: Group<Item, Answer> | undefined;
  #waiting: Group<Item, Answer> | undefined;
  /** An estimate of the callers: those of the last write and those since, but at least half the estimate before. */
  #callers = 1;
  /** Writes in a row that had one change, and none that came during them. */
  #alone = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * `write` writes changes and answers each of them, in their order. It gets one group after the other. If it fails, every
   * change of its group fails. `onDisk` resolves when what was written is on disk. The next group waits for that, but no
   * answer does: whatever an object sends, the runtime keeps it back until the object's writes are on disk.
   */
  constructor(write: (items: readonly Item[]) => Promise<readonly Answer[]>, onDisk = async () => {}) {
    this.#write = write;
    this.#onDisk = onDisk;
  }

  /** Resolves with the change's answer once the change is written. */
  async commit(item: Item): Promise<Answer> {
    this.#waiting ??= newGroup();
    const group = this.#waiting;
    const index = group.items.push(item) - 1;
    if (!this.#writing) this.#startWhenAllAreHere(group);
    const answered = (await group.written)[index];
    if (!answered) throw new Error("A change was written and got no answer");
    return answered.answer;
  }

  /** Changes that may not be written yet, in the order in which they came: those of the write that runs, and those after. */
  get pending(): readonly Item[] {
    return [...(this.#writing?.items ?? []), ...(this.#waiting?.items ?? [])];
  }

  /** Resolves once every change made so far is written. Causes no write. */
  async settled(): Promise<void> {
    await (this.#waiting ?? this.#writing)?.written;
  }

  #startWhenAllAreHere(group: Group<Item, Answer>): void {
    if (group.items.length >= this.#callers) void this.#start(group);
    else if (this.#timer === undefined) this.#waitForMore(group);
  }

  #waitForMore(group: Group<Item, Answer>): void {
    const before = group.items.length;
    this.#timer = setTimeout(() => {
      if (group.items.length - before >= this.#callers * COMING) this.#waitForMore(group);
      else void this.#start(group);
    }, 0);
  }

  async #start(group: Group<Item, Answer>): Promise<void> {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = group;
    this.#waiting = undefined;
    try {
      const answers = await this.#write(group.items);
      group.resolve(answers.map((answer) => ({ answer })));
      if (this.#alone < ALONE || this.#alone % ALONE === 0) await this.#onDisk();
    } catch (error) {
      // Of `onDisk` nobody hears this: the answers are given, and end with the object that the runtime ends.
      group.reject(error);
    }
    this.#ended(group);
  }

  #ended({ items }: Group<Item, Answer>): void {
    this.#writing = undefined;
    this.#alone = items.length === 1 && !this.#waiting ? this.#alone + 1 : 0;
    this.#callers = Math.max(items.length + (this.#waiting?.items.length ?? 0), Math.floor(this.#callers / 2));
    if (this.#waiting) this.#startWhenAllAreHere(this.#waiting);
  }
}

function newGroup<Item, Answer>(): Group<Item, Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly Answered<Answer>[]>();
  return { items: [], written: promise, resolve, reject };
}
