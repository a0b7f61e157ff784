/**
 * Whether a socket's client is there, and reads. The room pings a client that was silent for a while, and closes one that
 * does not answer. A ping of the client's own does not wake the room: the runtime answers it, and knows when that was.
 */
import { sendTo, TRY_AGAIN } from "../objects/sockets.ts";
import type { ServerFrame } from "./protocol.ts";
import { ANSWER_WITHIN_MS, ASK_AFTER_MS, heard, isTooFarBehind, type Reading } from "./readers.ts";

interface Reader {
  reading: Reading;
}

/** The sockets, and what is known of each. */
export interface Sockets {
  memberOf(socket: WebSocket): Reader | undefined;
  /** Stores what is known of a socket, in case the room falls asleep. */
  keep(socket: WebSocket, now: number): void;
  putOut(socket: WebSocket, code: number, why: string): void;
}

/**
 * Pings a socket that was silent for a while, and closes one that did not answer. Returns when to look at it again (ms
 * since the epoch).
 */
export function askIfSilent(ctx: DurableObjectState, sockets: Sockets, socket: WebSocket, now: number): number {
  const member = sockets.memberOf(socket);
  const lastSign = member ? lastSignOf(ctx, socket, member) : now;
  // If the clock went back, nobody counts as silent.
  const silence = Math.max(now - lastSign, 0);
  if (!member || silence < ASK_AFTER_MS) return now - silence + ASK_AFTER_MS;
  // Silence alone proves nothing: while the room had a crowd, or one person, it did not ask.
  let { askedAt } = member.reading;
  if (askedAt === undefined || askedAt <= lastSign || askedAt > now) {
    askedAt = now;
    sendTo(socket, JSON.stringify({ type: "ping" } satisfies ServerFrame));
    member.reading = { ...member.reading, askedAt };
    sockets.keep(socket, now);
  } else if (now - askedAt >= ANSWER_WITHIN_MS) {
    const why = 'Nothing was heard of you for a while: send {"type":"ping"} every 20 seconds';
    sockets.putOut(socket, TRY_AGAIN, why);
    return Number.POSITIVE_INFINITY;
  }
  return askedAt + ANSWER_WITHIN_MS;
}

/** Whether a reader is too far behind. A ping that the runtime answered is looked up only if it makes a difference. */
export const isBehind = (ctx: DurableObjectState, socket: WebSocket, member: Reader): boolean =>
  isTooFarBehind(member.reading) && isTooFarBehind(hearAnswers(ctx, socket, member));

/** A ping that the runtime answered is a sign of reading too. Returns the reading as it is then. */
export function hearAnswers(ctx: DurableObjectState, socket: WebSocket, member: Reader): Reading {
  const lastSign = lastSignOf(ctx, socket, member);
  if (lastSign > member.reading.heardAt) member.reading = heard(member.reading, lastSign);
  return member.reading;
}

function lastSignOf(ctx: DurableObjectState, socket: WebSocket, { reading }: Reader): number {
  const answered = ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0;
  return Math.max(answered, reading.heardAt);
}
