/**
 * Gives a document the content of an earlier version. Clients have the newer edits and would bring them back, so this
 * makes new edits that undo them. Everything that came after the version is undone, whoever wrote it, up to a later state:
 * what came after that stays.
 */
import * as Y from "yjs";

/** Marks the edits that came after the version. */
const SINCE = Symbol("since");

/**
 * The edits that give a document the content of an earlier version, and the document after them. `version` and `until`:
 * states of the same document at earlier times, between which everything is undone.
 */
export function revertTo(
  doc: Y.Doc,
  version: Uint8Array,
  until: Uint8Array,
): { edits: readonly Uint8Array[]; after: Y.Doc } {
  const before = new Y.Doc();
  Y.applyUpdate(before, version);
  const undo = new Y.UndoManager(before, { trackedOrigins: new Set([SINCE]) });
  Y.applyUpdate(before, until, SINCE);
  const edits: Uint8Array[] = [];
  before.on("update", (update: Uint8Array) => edits.push(update));
  undo.undo();
  undo.destroy();
  // What is undone could be done again in `before`, which therefore keeps it.
  const after = new Y.Doc();
  for (const update of [Y.encodeStateAsUpdate(doc), ...edits]) Y.applyUpdate(after, update);
  return { edits, after };
}
