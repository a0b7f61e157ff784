/**
 * How much of the memory a document takes. A piece is a run of edits that lie together, and takes some 200 bytes, of which
 * an update need not have more than one: deleting every second character of a long text makes two out of each. Other
 * things are as heavy as so many pieces. Bytes of texts, numbers and keys are not counted here: `maxMiB` bounds them.
 */
import * as Y from "yjs";
import { plainIn } from "./depth.ts";

/** The most pieces that a document may have, or what is as heavy. An object has 128 MiB. */
export const MAX_PIECES = 250_000;
/** A list, an object or bytes among plain values: two bytes of an update, and 40 to 200 in memory. */
const VALUE = 0.5;
/** By Yjs's number of a kind of content: a shared part (600 bytes), and a document in the document (2,400). */
const HEAVY: Readonly<Record<number, number>> = { 7: 3, 9: 12 };

export const piecesOf = (doc: Y.Doc): number =>
  [...doc.store.clients.values()].reduce((sum, structs) => sum + structs.length, 0);

/** How heavy a document is. It looks at every piece, which takes a while. */
export function weightOfAll(doc: Y.Doc): number {
  let weight = 0;
  for (const structs of doc.store.clients.values()) for (const struct of structs) weight += weightOf(struct);
  return weight;
}

function weightOf(piece: Structs[number]): number {
  if (!(piece instanceof Y.Item)) return 1;
  const { content, parentSub, deleted } = piece;
  // The newest value of a key also takes an entry of a map.
  const entry = parentSub === null || deleted ? 0 : 1;
  return (HEAVY[content.getRef()] ?? 1) + entry + VALUE * (valuesIn(plainIn(content)) - 1);
}

/** How many lists, objects and bytes there are in a value, with itself. */
function valuesIn(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return ArrayBuffer.isView(value) ? 1 : Object.values(value).reduce<number>((sum, each) => sum + valuesIn(each), 1);
}

type Structs = ReturnType<typeof Y.decodeUpdate>["structs"];

/** How much heavier a document may be after an update. @throws Error if it is malformed */
export function weightMadeBy(doc: Y.Doc, update: Uint8Array): number {
  const { structs, ds } = Y.decodeUpdate(update);
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
