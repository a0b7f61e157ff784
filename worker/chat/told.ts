/** Who the readers of a relay were told is in the room. Plain logic. */
import type { ServerFrame } from "./protocol.ts";

/** The names; undefined if the readers do not have all, as in a crowd. */
export type Told = readonly string[] | undefined;

/** What readers know after a frame. */
export function toldAfter(told: Told, frame: ServerFrame): Told {
  if (frame.type === "presence") return frame.count === undefined ? frame.users : undefined;
  if (frame.type === "user_joined") return changed(told, [frame.userId], []);
  if (frame.type === "user_left") return changed(told, [], [frame.userId]);
  if (frame.type === "presence_changed") return changed(told, frame.joined, frame.left);
  return told;
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
  else if (frame.type === "user_joined" || frame.type === "user_left") names.delete(frame.userId);
  else if (frame.type === "presence_changed") for (const name of [...frame.joined, ...frame.left]) names.delete(name);
}

const changed = (told: Told, joined: readonly string[], left: readonly string[]): Told =>
  told && [...new Set([...told, ...joined]).difference(new Set(left))];
