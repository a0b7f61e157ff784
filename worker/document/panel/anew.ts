/** What begins a document again that was deleted: no WebSocket does, because its clients would bring the old text back. */
import * as Y from "yjs";

/** Edits that leave a document empty. An update without any edit would begin nothing. */
export function beginning(): Uint8Array<ArrayBuffer> {
  const doc = new Y.Doc();
  const text = doc.getText("text");
  text.insert(0, " ");
  text.delete(0, 1);
  return new Uint8Array(Y.encodeStateAsUpdate(doc));
}
