/** Sends a newcomer the messages that they missed, and who is here. */
import { greet } from "./audience.ts";
import type { Range } from "./history.ts";
import { MESSAGES_PER_FRAME } from "./limits.ts";
import type { Message, ServerFrame } from "./protocol.ts";

/** A page of the history. */
export interface Page {
  messages: Message[];
  /** The oldest number that is kept, and the newest. */
  first: number;
  last: number;
}

/** What a newcomer may read. */
interface Room {
  read(range: Range): Page;
  /** The frame that says who is here. */
  presence(): ServerFrame;
}

export function welcome(
  socket: WebSocket,
  who: { userId: string; token?: string },
  after: number | undefined,
  { read, presence }: Room,
): void {
  const { first, last } = read({ limit: 0 });
  // A number beyond the newest is from a room that was deleted: the client has to start again.
  const resumable = after === undefined || (after >= first - 1 && after <= last);
  if (after !== undefined && !resumable) greet(socket, { type: "gap", after, first });
  let from = after !== undefined && resumable ? after : first - 1;
  for (let more = true; more; ) {
    const { messages } = read({ after: from, limit: MESSAGES_PER_FRAME });
    from = messages.at(-1)?.seq ?? last;
    more = from < last;
    greet(socket, { type: "history", messages, last, more, ...who });
  }
  greet(socket, presence());
}
