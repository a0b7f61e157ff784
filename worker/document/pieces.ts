/**
 * How much of the memory a document takes. A piece is a run of edits that lie together, and takes some 200 bytes, of which
 * an update need not have more than one: deleting every second character of a long text makes two out of each. Other
 * things are as heavy as so many pieces. Bytes of texts, numbers and keys are not counted here: `maxMiB` bounds them.
 */
import * as Y from "yjs";
import { decode, type Structs } from "./bounded.ts";
import { BYTES_VALUES, HEAVY, VALUE } from "./weights.ts";

/** The deepest value that is taken. */
const MAX_DEPTH = 100;

export const piecesOf = (doc: Y.Doc): number =>
  [...doc.store.clients.values()].reduce((sum, structs) => sum + structs.length, 0);

/** How heavy a document is. It looks at every piece, which takes a while. */
export function weightOfAll(doc: Y.Doc): number {
  let weight = 0;
  for (const structs of doc.store.clients.values()) for (const struct of structs) weight += weightOf(struct);
  return weight;
}

/** @throws Error if it has values that are nested too deep, or a document with options that Yjs does not write */
function weightOf(piece: Structs[number]): number {
  if (!(piece instanceof Y.Item)) return 1;
  const { content, parentSub, deleted } = piece;
  // The newest value of a key also takes an entry of a map.
  const entry = parentSub === null || deleted ? 0 : 1;
  return (HEAVY[content.getRef()] ?? 1) + entry + VALUE * (valuesIn(plainIn(content), MAX_DEPTH + 1) - 1);
}

/** Whether the values in an edit are shallow, and a document in it has only the options that Yjs writes. */
export function isSound(piece: Structs[number]): boolean {
  try {
    weightOf(piece);
    return true;
  } catch {
    return false;
  }
}

/** The plain values of an edit. */
function plainIn(content: Y.Item["content"]): readonly unknown[] {
  if (content instanceof Y.ContentAny || content instanceof Y.ContentJSON) return content.arr;
  if (content instanceof Y.ContentEmbed) return [content.embed];
  if (content instanceof Y.ContentDoc) return [metaOf(content.doc)];
  return content instanceof Y.ContentFormat ? [content.value] : [];
}

/** Yjs keeps whatever options it reads in memory, and writes few of them: the others would take no bytes on disk. */
function metaOf({ guid, collectionid, gc, gcFilter, autoLoad, shouldLoad, meta }: Y.Doc): unknown {
  const types = [guid, gc, gcFilter, autoLoad, shouldLoad].map((option) => typeof option).join();
  if (collectionid !== null || types !== "string,boolean,function,boolean,boolean")
    throw new Error("A document in the document has unknown options");
  return meta;
}

/** How many lists and objects there are in a value, with itself, or as how many it counts. It may have so many `levels`. */
function valuesIn(value: unknown, levels: number): number {
  if (typeof value !== "object" || value === null) return 0;
  if (levels === 0) throw new Error("Values are nested too deep");
  if (ArrayBuffer.isView(value)) return BYTES_VALUES;
  return Object.values(value).reduce<number>((sum, each) => sum + valuesIn(each, levels - 1), 1);
}

/** How much heavier a document may be after an update. @throws TooHeavy; Error if it is malformed */
export function weightMadeBy(doc: Y.Doc, update: Uint8Array): number {
  const { structs, ds } = decode(update);
  const edges = edgesOf(structs);
  /** 1 if the edit at this clock and the one before it lie in one piece that may be cut there. */
  const cut = (client: number, clock: number, may: (piece: Y.Item | Y.GC) => boolean): number => {
    const state = Y.getState(doc.store, client);
    if (clock >= state) return clock === state || edges.get(client)?.has(clock) ? 0 : 1;
    const piece = Y.getItem(doc.store, Y.createID(client, clock));
    return piece.id.clock < clock && may(piece) ? 1 : 0;
  };
  const isItem = (piece: Y.Item | Y.GC) => piece instanceof Y.Item;
  const isThere = (piece: Y.Item | Y.GC) => !piece.deleted;
  let made = 0;
  for (const struct of structs) {
    const { client, clock } = struct.id;
    if (clock + struct.length <= Y.getState(doc.store, client)) continue;
    made += weightOf(struct);
    if (!(struct instanceof Y.Item)) continue;
    if (struct.origin) made += cut(struct.origin.client, struct.origin.clock + 1, isItem);
    if (struct.rightOrigin) made += cut(struct.rightOrigin.client, struct.rightOrigin.clock, isItem);
  }
  for (const [client, ranges] of ds.clients)
    for (const { clock, len } of ranges) made += cut(client, clock, isThere) + cut(client, clock + len, isThere);
  return made;
}

/** Where the pieces of an update begin and end, by client. */
function edgesOf(structs: Structs): Map<number, Set<number>> {
  const edges = new Map<number, Set<number>>();
  for (const { id, length } of structs) {
    const of = edges.get(id.client) ?? new Set();
    edges.set(id.client, of.add(id.clock).add(id.clock + length));
  }
  return edges;
}
