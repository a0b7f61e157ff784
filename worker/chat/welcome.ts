/** Sends a newcomer the messages that they missed. */
import type { Page, Range } from "./history.ts";
import type { Joining } from "./joining.ts";
import { MESSAGES_PER_FRAME } from "./limits.ts";
import type { ServerFrame } from "./protocol.ts";

/** The messages that a newcomer may read: the room's own, or a relay's copy. */
export interface Readable {
  read(range: Range): Page;
  /** The numbers up to `last` of kept messages that were deleted. */
  deleted(last: number): readonly number[];
}

/** Whether all messages after a number are there. A number beyond the newest is from a room that was deleted. */
export const isResumable = (after: number, { first, last }: Omit<Page, "messages">): boolean =>
  after >= first - 1 && after <= last;

export function welcome(
  greet: (frame: ServerFrame) => void,
  who: { userId: string; token?: string },
  { after, afterId }: Pick<Joining, "after" | "afterId">,
  { read, deleted }: Readable,
): void {
  const { first, last } = read({ limit: 0 });
  const resumable = after === undefined || (isResumable(after, { first, last }) && !isAnew(after, afterId, read));
  if (after !== undefined && !resumable) greet({ type: "gap", after, first });
  let from = after !== undefined && resumable ? after : first - 1;
  for (let more = true; more; ) {
    const { messages } = read({ after: from, limit: MESSAGES_PER_FRAME });
    from = messages.at(-1)?.seq ?? last;
    more = from < last;
    greet({ type: "history", messages, last, more, ...who });
  }
  // Which of them were deleted while the newcomer was away is not known.
  if (after !== undefined && resumable) for (const seq of deleted(after)) greet({ type: "deleted", seq });
}

/**
 * Whether the room has another message under the number of the newcomer's last one: it was deleted and begun anew, and
 * its numbers with it.
 */
function isAnew(after: number, afterId: string | undefined, read: Readable["read"]): boolean {
  if (afterId === undefined || after === 0) return false;
  const [message] = read({ after: after - 1, limit: 1 }).messages;
  return message?.seq === after && message.id !== afterId;
}
