/**
 * Gives a document the content of an earlier version. Clients have the newer edits and would bring them back, so this
 * makes new edits that undo them. Everything that came after the version is undone, whoever wrote it, up to a later state:
 * what came after that stays.
 */
import * as Y from "yjs";

/** Marks the edits that came after the version. */
const SINCE = Symbol("since");

/**
 * The edits that give a document the content of an earlier version. `version` and `until`: states of the same document at
 * earlier times, between which everything is undone.
 */
export function editsBack(version: Uint8Array, until: Uint8Array): readonly Uint8Array[] {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, version);
  const undo = new Y.UndoManager(doc, { trackedOrigins: new Set([SINCE]) });
  Y.applyUpdate(doc, until, SINCE);
  const edits: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => edits.push(update));
  undo.undo();
  undo.destroy();
  return edits;
}
