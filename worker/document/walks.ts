/**
 * How far Yjs walks to merge edits. An edit says between which two others it was made; Yjs walks over what lies between
 * them by now, to find its place. A few thousand edits can be made so that each walks over all others: some kilobytes that
 * take minutes, at the merge or whenever the document is loaded. Time does not advance within a Worker's computation, so
 * steps are counted.
 *
 * Whoever imports this file changes Yjs: its Item.integrate counts, while `counted` runs.
 */
import * as Y from "yjs";
import { piecesOf } from "./pieces.ts";

/**
 * The most steps of one merge. One takes 0.1 to 0.25 µs, so this is about half a second. A hundred thousand edits that
 * 20 people made offline in one short text take up to 2.3 million steps for all 20 merges, and 0.06 million to load after
 * a compaction; if 20 to 1,000 people type at one place, 0.3 million. Edits that are made to walk: 4,000 take 5 million.
 */
export const MAX_STEPS = 4_000_000;

export class TooManySteps extends Error {
  override readonly name = "TooManySteps";
}

/** Counts while edits are merged. */
let counter: { steps: number; readonly most: number } | undefined;

const { integrate } = Y.Item.prototype;
Y.Item.prototype.integrate = function (this: Y.Item, transaction: Y.Transaction, offset: number): void {
  if (counter) {
    counter.steps += stepsOf(this, transaction.doc.store, offset);
    if (counter.steps > counter.most) throw new TooManySteps(`The edits take more than ${counter.most} steps to merge`);
  }
  integrate.call(this, transaction, offset);
};

/** Merges, and returns the steps that it took. @throws TooManySteps before there are more than `most` */
export function counted(most: number, merge: () => void): number {
  const outer = counter;
  const own = { steps: 0, most };
  counter = own;
  try {
    merge();
  } finally {
    counter = outer;
  }
  return own.steps;
}

/**
 * How many steps an update takes at most if it is merged again with what was there before, in whatever order: when it is
 * read from disk, its edits are in another. `doc` has it already. Edits that lie alone between their neighbours, as those
 * of people who type do, take none.
 */
export function stepsAgain(doc: Y.Doc, update: Uint8Array): number {
  const walking = Y.decodeUpdate(update).structs.filter((struct) => struct instanceof Y.Item && !isAlone(doc, struct));
  return walking.length * piecesOf(doc);
}

/** Whether a document is too small for so many steps, in whatever order it is merged. */
export const isSmall = (doc: Y.Doc, steps: number): boolean => piecesOf(doc) ** 2 <= steps;

/** The steps that Yjs takes for an edit whose neighbours it has found. */
function stepsOf(item: Y.Item, store: Y.Doc["store"], offset: number): number {
  const { id, parent, parentSub, right } = item;
  if (!(parent instanceof Y.AbstractType)) return 0;
  const before = offset > 0 ? Y.getItem(store, Y.createID(id.client, id.clock + offset - 1)) : item.left;
  if (!(before instanceof Y.Item)) {
    let first = parentSub === null ? parent._start : (parent._map.get(parentSub) ?? null);
    let steps = 0;
    // To the first value of a key, from the last.
    for (; first?.left; first = first.left) steps++;
    return right !== null && right.left === null ? steps : steps + conflicts(item, item.origin, first, store);
  }
  return before.right === right ? 0 : conflicts(item, offset > 0 ? before.lastId : item.origin, before.right, store);
}

/** The same loop as in Yjs (Item.integrate), without its result. */
function conflicts(item: Y.Item, origin: Y.ID | null, first: Y.Item | null, store: Y.Doc["store"]): number {
  const walked = new Set<unknown>();
  for (let other = first; other !== null && other !== item.right; other = other.right) {
    walked.add(other);
    if (Y.compareIDs(origin, other.origin)) {
      if (other.id.client >= item.id.client && Y.compareIDs(item.rightOrigin, other.rightOrigin)) break;
    } else if (other.origin === null || !walked.has(Y.getItem(store, other.origin))) break;
  }
  return walked.size;
}

/** Whether nothing else lies between the neighbours of an edit. */
function isAlone(doc: Y.Doc, { id, length, origin, rightOrigin }: Y.Item): boolean {
  if (id.clock + length > Y.getState(doc.store, id.client)) return true;
  const piece: unknown = Y.getItem(doc.store, id);
  // What is no item any more is merged without a walk.
  if (!(piece instanceof Y.Item)) return true;
  const { parentSub, left, right } = piece;
  const [end, pieceEnd] = [id.clock + length, piece.id.clock + piece.length];
  if (end > pieceEnd || (parentSub !== null && origin === null && rightOrigin !== null)) return false;
  const isFirst = piece.id.clock === id.clock ? has(left, origin) : isAt(origin, id.client, id.clock - 1);
  return isFirst && (end === pieceEnd ? has(right, rightOrigin) : isAt(rightOrigin, id.client, end));
}

const isAt = (id: Y.ID | null, client: number, clock: number) => id?.client === client && id.clock === clock;

const has = (piece: Y.Item | null, id: Y.ID | null): boolean =>
  piece === null || id === null
    ? piece === id
    : piece.id.client === id.client && piece.id.clock <= id.clock && id.clock < piece.id.clock + piece.length;
