/**
 * A document in memory. It takes what clients send only if it is whole: an update must decode, and what builds on edits
 * that nobody has sent is left out. So whatever clients send, the document can be read and merged.
 */
import * as Y from "yjs";
import { depthOf, isTooNested, MAX_DEPTH } from "./depth.ts";

/** What became of one update. `incomplete`: what it has without the edits that are missing was taken. */
export type Taken = "taken" | "incomplete" | "malformed";

/** A change by several updates: what became of each, and what is new, as updates to store and to send. */
export interface Change {
  readonly taken: readonly Taken[];
  readonly news: readonly Uint8Array[];
}

/** A client's edits are counted up to this number. */
const MAX_CLOCK = 2 ** 48;

export class Copy {
  readonly #load: () => Iterable<Uint8Array>;
  #doc: Y.Doc;
  #news: Uint8Array[] = [];

  /** `load`: the updates that the document is made of. They are on disk. */
  constructor(load: () => Iterable<Uint8Array>) {
    this.#load = load;
    this.#doc = this.#fresh();
  }

  get doc(): Y.Doc {
    return this.#doc;
  }

  /** What the document has, in a few bytes. */
  vector(): Uint8Array {
    return Y.encodeStateVector(this.#doc);
  }

  /** All that is not in a state vector; without one, the whole document. @throws Error if the vector is malformed */
  since(vector?: Uint8Array): Uint8Array {
    return Y.encodeStateAsUpdate(this.#doc, vector);
  }

  /** Whether a client with this state vector has edits that the document lacks. */
  lacks(vector: Uint8Array): boolean {
    return [...Y.decodeStateVector(vector)].some(([client, clock]) => clock > Y.getState(this.#doc.store, client));
  }

  /**
   * Takes updates, in memory only. The caller stores the news, or drops this copy. `unstored`: news of before, which are
   * not on disk yet.
   */
  take(updates: readonly Uint8Array[], unstored: readonly Uint8Array[] = []): Change {
    const whole = updates.map(isWhole);
    const together = this.#attempt(updates.filter((_, i) => whole[i]));
    if (together) {
      let next = 0;
      return {
        news: together.news,
        taken: whole.map((ok) => (ok ? (together.taken[next++] ?? "taken") : "malformed")),
      };
    }
    // One of them cannot be merged, and what it left behind is unknown. Begin with what is on disk, and find it.
    this.#doc = this.#fresh(unstored);
    const news: Uint8Array[] = [];
    const taken = updates.map((update, i): Taken => {
      const alone = whole[i] ? this.#attempt([update]) : undefined;
      if (!alone) {
        this.#doc = this.#fresh([...unstored, ...news]);
        return "malformed";
      }
      news.push(...alone.news);
      return alone.taken[0] ?? "taken";
    });
    return { taken, news };
  }

  /** Changes the document by a function of ours. Returns the news. */
  change(make: (doc: Y.Doc) => void): readonly Uint8Array[] {
    this.#news = [];
    make(this.#doc);
    return this.#news;
  }

  /** Merges updates in one step; undefined if that failed, and the copy is broken. */
  #attempt(updates: readonly Uint8Array[]): Change | undefined {
    try {
      const taken: Taken[] = [];
      const news = this.change((doc) =>
        doc.transact(() => {
          for (const update of updates) {
            Y.applyUpdate(doc, update);
            taken.push(this.#dropPending() ? "incomplete" : "taken");
            if (isTooNested(doc, update)) throw new Error("The update has parts that are nested too deep");
          }
        }),
      );
      return { taken, news };
    } catch {
      return undefined;
    }
  }

  /** Drops what waits for missing edits. Yjs would keep it for ever. Returns whether there was any. */
  #dropPending(): boolean {
    const { store } = this.#doc;
    const waits = store.pendingStructs !== null || store.pendingDs !== null;
    store.pendingStructs = null;
    store.pendingDs = null;
    return waits;
  }

  #fresh(more: readonly Uint8Array[] = []): Y.Doc {
    const doc = new Y.Doc();
    doc.transact(() => {
      for (const update of this.#load()) Y.applyUpdate(doc, update);
      for (const update of more) Y.applyUpdate(doc, update);
    });
    doc.on("update", (update: Uint8Array) => this.#news.push(update));
    return doc;
  }
}

/**
 * Whether an update decodes, and has only what every client can read. It is decoded step by step first: merging makes
 * room for as many edits as the update says it has, which may be more than the memory.
 */
export function isWhole(update: Uint8Array): boolean {
  try {
    const { structs } = Y.decodeUpdate(update);
    return structs.every((struct) => struct.id.clock + struct.length <= MAX_CLOCK && depthOf(struct) <= MAX_DEPTH);
  } catch {
    return false;
  }
}

/** Whether an update only deletes, so that a document that is full may take it. */
export const onlyDeletes = (update: Uint8Array): boolean => Y.decodeUpdate(update).structs.length === 0;

/** How many edits (characters, values) an update deletes. */
export function deletedBy(update: Uint8Array): number {
  const ranges = [...Y.decodeUpdate(update).ds.clients.values()].flat();
  return ranges.reduce((sum, { len }) => sum + len, 0);
}
