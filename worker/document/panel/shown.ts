/** A shared text as a text field can show it. */
import type * as Y from "yjs";

/** Stands for what is no text, such as an image that another editor has put in. */
const EMBED = "\uFFFC";

/** The text, with one character for each embed, as Yjs counts it: an index in the one is an index in the other. */
export function shownOf(text: Y.Text): string {
  const pieces: { insert?: unknown }[] = text.toDelta();
  return pieces.map(({ insert }) => (typeof insert === "string" ? insert : EMBED)).join("");
}
