/** How deep the values in an edit are nested. Very deep ones overflow the stack of clients that read them. */
import * as Y from "yjs";

/** The deepest value that is taken. */
export const MAX_DEPTH = 100;

/** The depth of the deepest plain value in an edit: 0 for a text or a number. */
export function depthOf(struct: ReturnType<typeof Y.decodeUpdate>["structs"][number]): number {
  if (!(struct instanceof Y.Item)) return 0;
  const { content } = struct;
  if (content instanceof Y.ContentAny || content instanceof Y.ContentJSON) return deepest(content.arr);
  if (content instanceof Y.ContentEmbed) return depth(content.embed);
  return content instanceof Y.ContentFormat ? depth(content.value) : 0;
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
