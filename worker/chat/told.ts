/** Who the readers of a relay were told is in the room. Plain logic. */
import type { ServerFrame } from "./protocol.ts";

/** The names; undefined if the readers do not have all, as in a crowd. */
export type Told = readonly string[] | undefined;

/** What readers know after a frame. */
export function toldAfter(told: Told, frame: ServerFrame): Told {
  if (frame.type === "presence") return frame.count === undefined ? frame.users : undefined;
  if (!tellsWho(frame)) return told;
  const { joined, left } = changesIn(frame);
  return told && [...new Set([...told, ...joined]).difference(new Set(left))];
}

/** Whether the frame is about who is in the room. */
export const tellsWho = ({ type }: ServerFrame): boolean =>
  type === "presence" || type === "user_joined" || type === "user_left" || type === "presence_changed";

/** Whether both are the same people, in any order. */
export const isSameTold = (a: Told, b: Told): boolean =>
  a === b || (a !== undefined && b !== undefined && differing(a, b).size === 0);

/** The names that only one of them has. */
export const differing = (a: Told, b: Told): Set<string> => new Set(a).symmetricDifference(new Set(b));

/** Takes out the names that a frame tells of. */
export function takeTold(names: Set<string>, frame: ServerFrame): void {
  if (frame.type === "presence") names.clear();
  const { joined, left } = changesIn(frame);
  for (const name of [...joined, ...left]) names.delete(name);
}

/** Who came and who went, by a frame that is not the whole list. */
function changesIn(frame: ServerFrame): { readonly joined: readonly string[]; readonly left: readonly string[] } {
  if (frame.type === "presence_changed") return frame;
  return {
    joined: frame.type === "user_joined" ? [frame.userId] : [],
    left: frame.type === "user_left" ? [frame.userId] : [],
  };
}
