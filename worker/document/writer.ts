/**
 * The way of an edit: merged in memory, written as a row, and only then told to anybody. Edits that arrive during a write
 * share the next one. Memory is ahead of the disk only during a write; if the write fails, the object is reset, and reads
 * the document from disk again. The whole way of an edit is in docs/ARCHITECTURE.md, "How things travel".
 */
import * as Y from "yjs";
import { GroupCommit } from "../objects/group-commit.ts";
import { notWritten } from "../objects/retry.ts";
import type { Schema } from "../objects/schema.ts";
import type { Author } from "./author.ts";
import { TooHeavy } from "./bounded.ts";
import { Copy, deletedBy, isEmpty, noted, onlyDeletes, type Taken } from "./copy.ts";
import { weightMadeBy, weightOfAll } from "./pieces.ts";
import { editsBack } from "./revert.ts";
import { Rows } from "./rows.ts";
import { counted, MAX_STEPS, TooManySteps } from "./walks.ts";
import { MAX_PIECES } from "./weights.ts";

/** The document is compacted after so many updates, or so many bytes of them and half of what it had before. */
const MAX_UPDATES = 2_000;
const MAX_LOOSE_BYTES = 256 * 1_024;

/** A deletion may make a full document so much heavier: one within a run makes three of it. */
const FOR_DELETIONS = MAX_PIECES / 100;

/** The most steps to make the edits that go back to a version, and to merge them: two documents are loaded for each. */
const STEPS_BACK = 3 * MAX_STEPS;

/** An update from a client; or the edits that go back to a version (`wayBack`). */
export type Edit = ({ readonly update: Uint8Array } | { readonly back: readonly Uint8Array[] }) & {
  readonly by: Author;
  /** Whether its author may make it, asked when all that came before it is merged. */
  readonly admitted?: () => boolean;
  /** Called in the transaction that writes the edit. */
  readonly also?: () => void;
};

/**
 * What became of an edit. `full`: the document has as many bytes as it may. `gone`: it was deleted meanwhile. `denied`: its
 * author may not make it.
 */
export type Outcome = Taken | "full" | "gone" | "denied";

/** An edit, how often the document had been deleted when it came, and what became of it, once that is known. */
interface Waiting {
  readonly edit: Edit;
  readonly generation: number;
  outcome?: Outcome;
}

/** An edit that is an update. */
interface Updating {
  readonly update: Uint8Array;
  readonly waiting: Waiting;
}

interface Parts {
  readonly ctx: DurableObjectState;
  readonly schema: Schema;
  readonly maxBytes: number;
  /** Called in the transaction that writes edits. `first`: the document did not exist before. */
  readonly writing: (authors: readonly Author[], first: boolean) => void;
  /** Called before a write. */
  readonly prepare: () => Promise<void>;
  /** Called with each change, once it is durable. */
  readonly told: (news: Uint8Array) => void;
}

export class Writer {
  readonly #parts: Parts;
  readonly #rows: Rows;
  readonly #commits = new GroupCommit<Waiting, Outcome>((waiting) => this.#write(waiting));
  #generation = 0;
  #copy: Copy | undefined;
  /** After so many updates, the document may be compacted. */
  #notBefore = 0;
  /** The document in memory is at most so heavy (pieces.ts), or it has to be weighed before it grows. */
  #weight = MAX_PIECES;
  /** It is exactly so heavy: nothing was taken since it was weighed. */
  #isWeighed = false;
  /** Updates and bytes on disk. `compact`: the bytes after the last compaction; `deleted`: what was deleted since. */
  #stored = { updates: 0, bytes: 0, compact: 0, deleted: 0 };

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#rows = new Rows(parts.ctx.storage.sql);
  }

  /** Stores an edit of a document that had been deleted so often. Resolves once it is durable. */
  commit(edit: Edit, generation = this.#generation): Promise<Outcome> {
    return this.#commits.commit({ edit, generation });
  }

  /** How often the document was deleted. */
  get generation(): number {
    return this.#generation;
  }

  /** The document in memory. Do not answer anybody from it before `settled`. */
  get copy(): Copy {
    this.#copy ??= new Copy(() => this.#load());
    return this.#copy;
  }

  /** Resolves once every edit that is in memory now is durable. */
  settled(): Promise<void> {
    return this.#commits.settled();
  }

  /** How many bytes are stored. */
  get bytes(): number {
    void this.copy;
    return this.#stored.bytes;
  }

  /** Whether there is enough to compact. */
  get isLoose(): boolean {
    if (!this.#copy) return false;
    const { updates, bytes, compact } = this.#stored;
    if (updates < this.#notBefore) return false;
    return this.#copy.isTangled || updates > MAX_UPDATES || bytes - compact > Math.max(MAX_LOOSE_BYTES, compact / 2);
  }

  /** Puts the document's state in the place of its updates, unless that would take longer to load. It has no await, so that no edit comes in between. */
  compact(): void {
    const state = this.copy.state();
    if (!this.copy.mayBecome(state)) {
      this.#notBefore = this.#stored.updates + MAX_UPDATES;
      return;
    }
    this.#notBefore = 0;
    this.#isWeighed = false;
    this.#transaction(() => this.#rows.replace(state));
    this.#measure([state]);
  }

  /** Forgets everything, after the rows were deleted. */
  forget(): void {
    this.#generation++;
    this.#copy = undefined;
    this.#notBefore = 0;
    this.#weight = MAX_PIECES;
    this.#isWeighed = false;
    this.#rows.forget();
  }

  async #write(waiting: readonly Waiting[]): Promise<readonly Outcome[]> {
    const { ctx, prepare, told } = this.#parts;
    try {
      await prepare();
      const news = this.#merge(waiting);
      const taken = waiting.filter(({ outcome }) => noted(outcome) === "taken").map(({ edit }) => edit);
      this.#store(taken, news);
      await ctx.storage.sync();
      if (news.length > 0) told(mergedOf(news));
      return waiting.map(({ outcome }) => noted(outcome));
    } catch (error) {
      const failure = notWritten("the document", error);
      ctx.abort(failure.message);
      throw failure;
    }
  }

  #store(taken: readonly Edit[], news: readonly Uint8Array[]): void {
    const { schema, writing } = this.#parts;
    if (news.length === 0 && taken.every(({ also }) => also === undefined)) return;
    const first = schema.empty;
    schema.create();
    this.#transaction(() => {
      for (const { also } of taken) also?.();
      if (news.length === 0) return;
      this.#rows.append(news);
      writing(
        taken.filter(isSomething).map(({ by }) => by),
        first,
      );
    });
    this.#stored.updates += news.length;
    this.#stored.bytes += sizeOf(news);
    this.#stored.deleted += news.reduce((sum, update) => sum + deletedBy(update), 0);
  }

  /** Merges edits in memory, in their order, and notes what becomes of each. Returns the news. */
  #merge(edits: readonly Waiting[]): readonly Uint8Array[] {
    const news: Uint8Array[] = [];
    // Updates are merged together, up to an edit that goes back to a version, or must be admitted by what is merged then.
    let run: Updating[] = [];
    const endRun = () => {
      if (run.length > 0) this.#mergeRun(run, news);
      run = [];
    };
    for (const waiting of edits) {
      const { edit, generation } = waiting;
      if (generation !== this.#generation) {
        waiting.outcome = "gone";
        continue;
      }
      if ("back" in edit || edit.admitted) endRun();
      if ("back" in edit) waiting.outcome = this.#mergeBack(edit.back, news);
      else if (edit.admitted?.() === false) waiting.outcome = "denied";
      else run.push({ update: edit.update, waiting });
    }
    endRun();
    return news;
  }

  /** Goes back to a version. Adds what is new to the news. */
  #mergeBack(back: readonly Uint8Array[], news: Uint8Array[]): Outcome {
    const refused = this.#refusalOf(back, sizeOf(news));
    this.#weight = MAX_PIECES;
    this.#isWeighed = false;
    if (!refused) news.push(...this.copy.change((doc) => applyAll(doc, back)));
    return refused ?? "taken";
  }

  /** Merges updates together, those that the document has room for. Adds what is new to the news. */
  #mergeRun(run: readonly Updating[], news: Uint8Array[]): void {
    const fits = this.#fitting(
      run.map(({ update }) => update),
      sizeOf(news),
    );
    for (const [i, { waiting }] of run.entries()) if (!fits[i]) waiting.outcome = "full";
    const fitting = run.filter((_, i) => fits[i]);
    const { taken, news: more } = this.copy.take(
      fitting.map(({ update }) => update),
      news,
    );
    for (const [i, { waiting }] of fitting.entries()) waiting.outcome = noted(taken[i]);
    news.push(...more);
  }

  /**
   * The edits that undo what came after a version, up to the state `until`; or why the document cannot take them. It is
   * compacted if that may make room.
   */
  wayBack(version: Uint8Array, until: Uint8Array): readonly Uint8Array[] | "full" | "tangled" {
    const edits = inSteps(() => editsBack(version, until));
    return edits === "tangled" ? edits : (this.#refusalOf(edits, 0) ?? edits);
  }

  #refusalOf(edits: readonly Uint8Array[], more: number): "full" | "tangled" | undefined {
    const after = inSteps(() => {
      const doc = new Y.Doc();
      // What is undone could be done again in the document that was made for it, which therefore keeps it.
      applyAll(doc, [this.copy.state(), ...edits]);
      return doc;
    });
    if (after === "tangled") return after;
    // What is undone stays on disk until the document is compacted, so that counts what is left.
    if (more === 0) this.#makeRoom(sizeOf(edits));
    const most = Math.max(this.#parts.maxBytes, this.bytes + more);
    const weight = Math.max(MAX_PIECES, weightOfAll(this.copy.doc));
    return Y.encodeStateAsUpdate(after).byteLength > most || weightOfAll(after) > weight ? "full" : undefined;
  }

  /** Which of these updates the document has room for. */
  #fitting(updates: readonly Uint8Array[], more: number): boolean[] {
    const { maxBytes } = this.#parts;
    if (more === 0) {
      if (this.copy.isTangled && this.isLoose) this.compact();
      this.#makeRoom(sizeOf(updates));
    }
    let bytes = this.bytes + more;
    const weights = updates.map((update) => this.#weightMadeBy(update));
    if (!this.#isWeighed && weights.reduce((sum, each) => sum + each, this.#weight) > MAX_PIECES) {
      this.#weight = weightOfAll(this.copy.doc);
      this.#isWeighed = true;
    }
    return updates.map((update, i) => {
      const weight = this.#weight + (weights[i] ?? 0);
      const deletes = onlyDeletes(update);
      if (weight > MAX_PIECES + (deletes ? FOR_DELETIONS : 0) && weight > this.#weight) return false;
      if (bytes + update.byteLength > maxBytes && !deletes) return false;
      bytes += update.byteLength;
      this.#weight = weight;
      this.#isWeighed &&= isEmpty(update);
      return true;
    });
  }

  /**
   * Compacts the document if it has no room for so many bytes, and that may make some. Call it only if all that is merged
   * is stored: a compaction would store the rest without what belongs to it (`also`).
   */
  #makeRoom(bytes: number): void {
    if (this.bytes + bytes > this.#parts.maxBytes && this.#isWorthIt) this.compact();
  }

  /** A malformed update is refused later. */
  #weightMadeBy(update: Uint8Array): number {
    try {
      return weightMadeBy(this.copy.doc, update);
    } catch (error) {
      return error instanceof TooHeavy ? Number.POSITIVE_INFINITY : 0;
    }
  }

  /** Whether a compaction may free a part of the document that is worth the work. */
  get #isWorthIt(): boolean {
    const { bytes, compact, deleted } = this.#stored;
    return bytes - compact + deleted > bytes / 32;
  }

  #load(): readonly Uint8Array[] {
    const updates = this.#parts.schema.empty ? [] : this.#rows.read();
    this.#measure(updates);
    return updates;
  }

  #measure(updates: readonly Uint8Array[]): void {
    const [first, ...rest] = updates;
    this.#stored = {
      updates: updates.length,
      bytes: sizeOf(updates),
      compact: first?.byteLength ?? 0,
      deleted: rest.reduce((sum, update) => sum + deletedBy(update), 0),
    };
  }

  #transaction(write: () => void): void {
    try {
      this.#parts.ctx.storage.transactionSync(write);
    } catch (error) {
      this.#rows.forget();
      throw error;
    }
  }
}

/** Whether an edit is more than a client's answer that it has nothing. */
const isSomething = (edit: Edit): boolean => "back" in edit || !isEmpty(edit.update);

const sizeOf = (updates: readonly Uint8Array[]) => updates.reduce((sum, { byteLength }) => sum + byteLength, 0);

function inSteps<Result>(make: () => Result): Result | "tangled" {
  const made: Result[] = [];
  try {
    counted(STEPS_BACK, () => made.push(make()));
  } catch (error) {
    if (!(error instanceof TooManySteps)) throw error;
  }
  return made[0] ?? "tangled";
}

function applyAll(doc: Y.Doc, updates: readonly Uint8Array[]): void {
  for (const update of updates) Y.applyUpdate(doc, update);
}

const mergedOf = (news: readonly Uint8Array[]): Uint8Array => {
  const [only] = news;
  return only && news.length === 1 ? only : Y.mergeUpdates([...news]);
};
