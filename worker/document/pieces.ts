/**
 * How many pieces a document has in memory. A piece is a run of edits that lie together, and takes some 270 bytes, of
 * which an update need not have more than one: deleting every second character of a long text makes two out of each.
 */
import * as Y from "yjs";

/** The most pieces that a document may have. An object has 128 MiB. */
export const MAX_PIECES = 250_000;

export const piecesOf = (doc: Y.Doc): number =>
  [...doc.store.clients.values()].reduce((sum, structs) => sum + structs.length, 0);

type Structs = ReturnType<typeof Y.decodeUpdate>["structs"];

/** How many more pieces there may be after an update. @throws Error if it is malformed */
export function piecesMadeBy(doc: Y.Doc, update: Uint8Array): number {
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
    made++;
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
