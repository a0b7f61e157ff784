/**
 * Gives a document the content of an earlier version. Clients have the newer edits and would bring them back, so this
 * makes new edits that undo them. Everything that came after the version is undone, whoever wrote it.
 */
import * as Y from "yjs";

/** Marks the edits that came after the version. */
const SINCE = Symbol("since");

/** `version`: the state of the same document at an earlier time. */
export function revertTo(doc: Y.Doc, version: Uint8Array): void {
  const before = new Y.Doc();
  Y.applyUpdate(before, version);
  const undo = new Y.UndoManager(before, { trackedOrigins: new Set([SINCE]) });
  Y.applyUpdate(before, Y.encodeStateAsUpdate(doc, Y.encodeStateVector(before)), SINCE);
  undo.undo();
  Y.applyUpdate(doc, Y.encodeStateAsUpdate(before, Y.encodeStateVector(doc)));
  undo.destroy();
}
