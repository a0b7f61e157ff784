/**
 * How deep the parts in an edit are nested. Very deep ones overflow the stack of those who read or delete them: of clients,
 * and of the document itself when it is loaded. The same holds of values (pieces.ts).
 */
import * as Y from "yjs";

/** The most parts that are taken one in another. */
const MAX_PARTS = 250;

/** Whether a document has parts of this update in too many others. Ask after it was merged. */
export function isTooNested(doc: Y.Doc, update: Uint8Array): boolean {
  const parts = Y.decodeUpdate(update).structs.filter(
    (struct) => struct instanceof Y.Item && struct.content instanceof Y.ContentType,
  );
  return parts.some(({ id }) => id.clock < Y.getState(doc.store, id.client) && isDeep(Y.getItem(doc.store, id)));
}

function isDeep(part: Y.Item | Y.GC): boolean {
  let item: Y.Item | Y.GC | null = part;
  for (let levels = 0; item instanceof Y.Item; levels++) {
    if (levels > MAX_PARTS) return true;
    item = item.parent instanceof Y.AbstractType ? item.parent._item : null;
  }
  return false;
}
