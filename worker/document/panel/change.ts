/** What somebody did to a text, seen from before and after. Plain logic. */

export interface Change {
  readonly at: number;
  readonly removed: number;
  readonly added: string;
}

/** The change from one text to another. `cursor`: where the cursor is after it, which says which of equal letters it is. */
export function changeOf(before: string, after: string, cursor: number): Change {
  let end = 0;
  const most = Math.min(before.length, after.length - cursor);
  while (end < most && before.at(-1 - end) === after.at(-1 - end)) end++;
  // A character of two code units is never cut in half.
  if (end > 0 && isSecondHalf(after, after.length - end)) end--;
  let at = 0;
  const longest = Math.min(before.length, after.length) - end;
  while (at < longest && before[at] === after[at]) at++;
  if (at > 0 && (isSecondHalf(before, at) || isSecondHalf(after, at))) at--;
  return { at, removed: before.length - end - at, added: after.slice(at, after.length - end) };
}

/** A part of what Yjs says of a change. */
interface Delta {
  retain?: number | undefined;
  insert?: unknown;
  delete?: number | undefined;
}

/** Where a position is after a change by others. `isAfter`: whether it is behind what they put in just there. */
export function moved(position: number, delta: readonly Delta[], isAfter = false): number {
  let at = 0;
  let to = position;
  for (const { retain, insert, delete: gone } of delta) {
    at += retain ?? 0;
    if (at > to) break;
    if (insert !== undefined) {
      const length = typeof insert === "string" ? insert.length : 1;
      if (at < to || (isAfter && at === to)) to += length;
      at += length;
    }
    if (gone !== undefined) to -= Math.min(gone, to - at);
  }
  return to;
}

const isSecondHalf = (text: string, at: number) => /^[\uDC00-\uDFFF]/.test(text.slice(at, at + 1));
