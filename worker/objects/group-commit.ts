/**
 * Group commit: changes made while a write is on its way share the next one, so that a busy object waits for the disk
 * once and not for each change.
 *
 * Callers who were just answered tend to call again at once. So the next write begins when there are as many changes
 * as there were callers, or when they have stopped coming in numbers. A lone caller waits for no timer.
 */

/** Callers come in numbers while at least this share of them comes in one tick of the timer, a millisecond. */
const COMING = 1 / 8;

/** Changes that are written together. */
interface Group {
  changes: number;
  readonly written: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

export class GroupCommit {
  readonly #write: () => Promise<void>;
  #writing: Group | undefined;
  #waiting: Group | undefined;
  /** How many callers there seem to be: of the last write and while it was on its way; half as many as before at least. */
  #callers = 1;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `write` makes durable what was changed before it is called. When it fails, so do the promises of its changes. */
  constructor(write: () => Promise<void>) {
    this.#write = write;
  }

  /** Resolves once the change that was just made in memory is durable. */
  commit(): Promise<void> {
    this.#waiting ??= newGroup();
    const group = this.#waiting;
    group.changes++;
    if (!this.#writing) this.#startWhenAllAreHere(group);
    return group.written;
  }

  /** Resolves once every change made so far is durable, with no write of its own. */
  async settled(): Promise<void> {
    await (this.#waiting ?? this.#writing)?.written;
  }

  #startWhenAllAreHere(group: Group): void {
    if (group.changes >= this.#callers) void this.#start(group);
    else if (this.#timer === undefined) this.#waitForMore(group);
  }

  #waitForMore(group: Group): void {
    const before = group.changes;
    this.#timer = setTimeout(() => {
      if (group.changes - before >= this.#callers * COMING) this.#waitForMore(group);
      else void this.#start(group);
    }, 0);
  }

  async #start(group: Group): Promise<void> {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = group;
    this.#waiting = undefined;
    try {
      await this.#write();
      group.resolve();
    } catch (error) {
      group.reject(error);
    }
    this.#ended(group);
  }

  #ended({ changes }: Group): void {
    this.#writing = undefined;
    this.#callers = Math.max(changes + (this.#waiting?.changes ?? 0), Math.floor(this.#callers / 2));
    if (this.#waiting) this.#startWhenAllAreHere(this.#waiting);
  }
}

function newGroup(): Group {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  return { changes: 0, written: promise, resolve, reject };
}
