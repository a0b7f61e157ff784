/**
 * A document in memory. It takes what clients send only if it is whole: an update must decode, and what builds on edits
 * that nobody has sent is left out. So whatever clients send, the document can be read and merged.
 */
import * as Y from "yjs";
import { decode, merge } from "./bounded.ts";
import { isTooNested } from "./depth.ts";
import { isSound } from "./pieces.ts";
import { counted, isSmall, MAX_STEPS, stepsAgain, TooManySteps } from "./walks.ts";

/**
 * What became of one update. `incomplete`: what it has without the edits that are missing was taken. `tangled`: its edits
 * take too many steps to merge (walks.ts). `untried`: those that came with it took too long; it may be sent again.
 */
export type Taken = "taken" | "incomplete" | "malformed" | "tangled" | "untried";

/** A change by several updates: what became of each, and what is new, as updates to store and to send. */
export interface Change {
  readonly taken: readonly Taken[];
  readonly news: readonly Uint8Array[];
}

/** An update, and what became of it, once that is known. */
interface Tried {
  readonly update: Uint8Array;
  taken: Taken | undefined;
}

/** A client's edits are counted up to this number. */
const MAX_CLOCK = 2 ** 48;
/** How often the document is loaded to find out which of some updates cannot be merged. */
const MAX_LOADS = 4;

export class Copy {
  readonly #load: () => Iterable<Uint8Array>;
  /** Undefined while another takes its place: there may be no room for two. If that fails, it is loaded again. */
  #doc: Y.Doc | undefined;
  #news: Uint8Array[] = [];
  /**
   * The steps that loading takes: those that were counted, and how many more there may be because the updates on disk are
   * merged in another order. At most 2 + 1 times MAX_STEPS: one or two seconds, of the 30 that Cloudflare gives.
   */
  #steps = 0;
  #more = 0;
  /** How often it was loaded. */
  #loads = 0;

  readonly #mostSteps: number;

  /** `load`: the updates that the document is made of. They are on disk. `mostSteps`: of one merge. */
  constructor(load: () => Iterable<Uint8Array>, mostSteps = MAX_STEPS) {
    this.#load = load;
    this.#mostSteps = mostSteps;
    this.#doc = this.#fresh();
  }

  get doc(): Y.Doc {
    this.#doc ??= this.#fresh();
    return this.#doc;
  }

  /** What the document has, in a few bytes. */
  vector(): Uint8Array {
    return Y.encodeStateVector(this.doc);
  }

  /** The whole document. */
  state(): Uint8Array {
    return Y.encodeStateAsUpdate(this.doc);
  }

  /** All that is not in a state vector. @throws Error if the vector is malformed */
  since(vector: Uint8Array): Uint8Array {
    return Y.encodeStateAsUpdate(this.doc, vector);
  }

  /** Whether a client with this state vector has edits that the document lacks. */
  lacks(vector: Uint8Array): boolean {
    return [...Y.decodeStateVector(vector)].some(([client, clock]) => clock > Y.getState(this.doc.store, client));
  }

  /**
   * Takes updates, in memory only. The caller stores the news, or drops this copy. `unstored`: news of before, which are
   * not on disk yet.
   */
  take(updates: readonly Uint8Array[], unstored: readonly Uint8Array[] = []): Change {
    const tried = updates.map((update): Tried => ({ update, taken: isWhole(update) ? undefined : "malformed" }));
    const news = this.#takeWhole(
      tried.filter(({ taken }) => taken === undefined),
      unstored,
    );
    return { news, taken: tried.map(({ taken }) => noted(taken)) };
  }

  /** Takes updates that decode. Returns the news. */
  #takeWhole(whole: readonly Tried[], unstored: readonly Uint8Array[]): readonly Uint8Array[] {
    const together = this.#attempt(whole, unstored);
    if (typeof together !== "string") return together;
    const [only, ...others] = whole;
    if (only && others.length === 0) {
      only.taken = together;
      // Loaded when it is needed, if all is on disk.
      this.#doc = unstored.length > 0 ? this.#fresh(unstored) : undefined;
      return [];
    }
    // One of them cannot be merged, and what it left behind is unknown. Begin with what is on disk, and find it.
    const most = this.#loads + MAX_LOADS;
    this.#doc = this.#fresh(unstored);
    const news: Uint8Array[] = [];
    for (const each of whole) {
      const alone = this.#loads >= most ? "untried" : this.#attempt([each], [...unstored, ...news]);
      if (typeof alone !== "string") news.push(...alone);
      else {
        each.taken = alone;
        if (alone !== "untried") this.#doc = this.#fresh([...unstored, ...news]);
      }
    }
    return news;
  }

  /** Changes the document by a function of ours. Returns the news. */
  change(make: (doc: Y.Doc) => void): readonly Uint8Array[] {
    this.#news = [];
    make(this.doc);
    return this.#news;
  }

  /** Whether it takes so many steps to load that it is time to compact. */
  get isTangled(): boolean {
    return this.#steps > this.#mostSteps;
  }

  /** Whether the whole document as one update takes few enough steps to be loaded, and may be stored so. */
  mayBecome(state: Uint8Array): boolean {
    if (isSmall(this.doc, this.#mostSteps)) {
      this.#steps = 0;
      this.#more = 0;
      return true;
    }
    this.#doc = undefined;
    try {
      this.#doc = this.#made([state], this.#mostSteps);
      return true;
    } catch (error) {
      if (!(error instanceof TooManySteps)) throw error;
      return false;
    }
  }

  /**
   * Merges updates in one step, and returns the news. If that failed, returns why, and the copy is broken; and what is
   * noted of the updates is wrong.
   */
  #attempt(tried: readonly Tried[], unstored: readonly Uint8Array[]): readonly Uint8Array[] | "malformed" | "tangled" {
    try {
      let steps = 0;
      const mergeAll = (doc: Y.Doc) => {
        for (const each of tried) {
          merge(doc, each.update);
          each.taken = this.#dropPending() ? "incomplete" : "taken";
          if (isTooNested(doc, each.update)) throw new Error("The update has parts that are nested too deep");
        }
      };
      const news = this.change((doc) => {
        steps = counted(this.#mostSteps, () => doc.transact(() => mergeAll(doc)));
      });
      this.#steps += steps;
      const again = news.reduce((sum, update) => sum + stepsAgain(this.doc, update), 0);
      if (again > 0 && this.#steps > 2 * this.#mostSteps) return "tangled";
      this.#more += again;
      // It may be much less: measure it.
      if (this.#more > this.#mostSteps) {
        this.#doc = undefined;
        this.#doc = this.#fresh([...unstored, ...news], 2 * this.#mostSteps);
      }
      return news;
    } catch (error) {
      return error instanceof TooManySteps ? "tangled" : "malformed";
    }
  }

  /** Drops what waits for missing edits. Yjs would keep it for ever. Returns whether there was any. */
  #dropPending(): boolean {
    const { store } = this.doc;
    const waits = store.pendingStructs !== null || store.pendingDs !== null;
    store.pendingStructs = null;
    store.pendingDs = null;
    return waits;
  }

  /** @throws TooManySteps if loading takes more than so many */
  #fresh(more: readonly Uint8Array[] = [], most = Number.POSITIVE_INFINITY): Y.Doc {
    return this.#made([...this.#load(), ...more], most);
  }

  #made(updates: readonly Uint8Array[], most: number): Y.Doc {
    this.#loads++;
    const doc = new Y.Doc();
    this.#steps = counted(most, () =>
      doc.transact(() => {
        for (const update of updates) Y.applyUpdate(doc, update);
      }),
    );
    this.#more = 0;
    doc.on("update", (update: Uint8Array) => this.#news.push(update));
    return doc;
  }
}

/** What became of an edit. It must never count as taken because nobody noted that it was not. */
export function noted<Outcome>(outcome: Outcome | undefined): Outcome {
  if (outcome === undefined) throw new Error("Nobody noted what became of an edit");
  return outcome;
}

/** Whether an update has neither edits nor deletions: then it is two zeros. */
export const isEmpty = (update: Uint8Array): boolean => update.byteLength === 2;

/**
 * Whether an update decodes, and has only what every client can read. It is decoded step by step first: merging makes
 * room for as many edits as the update says it has, which may be more than the memory. An edit of no length stops Yjs
 * wherever it is read, before the deletions that follow it.
 */
export function isWhole(update: Uint8Array): boolean {
  try {
    return decode(update).structs.every(
      (struct) => struct.length > 0 && struct.id.clock + struct.length <= MAX_CLOCK && isSound(struct),
    );
  } catch {
    return false;
  }
}

/** Whether an update has no edits but deletions, so that a document that is full may take it. */
export const onlyDeletes = (update: Uint8Array): boolean => update[0] === 0;

/** How many edits (characters, values) an update deletes. */
export function deletedBy(update: Uint8Array): number {
  const ranges = [...Y.decodeUpdate(update).ds.clients.values()].flat();
  return ranges.reduce((sum, { len }) => sum + len, 0);
}
