/**
 * How deep the values and the parts in an edit are nested. Very deep ones overflow the stack of those who read or delete
 * them: of clients, and of the document itself when it is loaded.
 */
import * as Y from "yjs";

/** The deepest value that is taken. */
export const MAX_DEPTH = 100;
/** The most parts that are taken one in another. */
const MAX_PARTS = 250;

/** The depth of the deepest plain value in an edit: 0 for a text or a number. */
export const depthOf = (struct: ReturnType<typeof Y.decodeUpdate>["structs"][number]): number =>
  struct instanceof Y.Item ? deepest(plainIn(struct.content)) : 0;

/** The plain values in the content of an edit. */
export function plainIn(content: Y.Item["content"]): readonly unknown[] {
  if (content instanceof Y.ContentAny || content instanceof Y.ContentJSON) return content.arr;
  if (content instanceof Y.ContentEmbed) return [content.embed];
  if (content instanceof Y.ContentDoc) return [content.doc.meta];
  return content instanceof Y.ContentFormat ? [content.value] : [];
}

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

function depth(value: unknown): number {
  let level: unknown[] = [value];
  for (let levels = 0; ; levels++) {
    level = level.filter((each) => typeof each === "object" && each !== null && !ArrayBuffer.isView(each));
    if (level.length === 0 || levels > MAX_DEPTH) return levels;
    level = level.flatMap((each) => (typeof each === "object" && each !== null ? Object.values(each) : []));
  }
}

const deepest = (values: readonly unknown[]): number =>
  values.reduce<number>((most, value) => Math.max(most, depth(value)), 0);
