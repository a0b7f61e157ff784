/** How a caller gets a socket of a room, at home or at a relay: why not, or the socket with its greeting. */
import type { Problem } from "../http/problem.ts";
import { switchPlainly } from "../objects/sockets.ts";
import type { Audience } from "./audience.ts";
import { type Budgets, COSTS, type Spender } from "./budgets.ts";
import type { Joining } from "./joining.ts";
import type { ServerFrame } from "./protocol.ts";
import { type Readable, welcome } from "./welcome.ts";

/** The most sockets of one user, and of one network address. */
export interface SocketLimits {
  readonly socketsPerUser: number;
  readonly socketsPerAddress: number;
}

const tooMany = (detail: string): Problem => ({ kind: "rate-limited", detail, headers: { "Retry-After": "10" } });

export const TOO_OFTEN = tooMany("You connect too often; wait a while");

/** Why a caller may not open one more socket. `full`: what to say if there is no place for anybody. */
export function whyFull(
  { userId, address }: Spender,
  { audience, budgets, limits, full }: { audience: Audience; budgets: Budgets; limits: SocketLimits; full: string },
  now: number,
): Problem | undefined {
  if (audience.isFull()) return { kind: "unavailable", detail: full, headers: { "Retry-After": "60" } };
  if (audience.hasAll({ userId }, limits.socketsPerUser)) {
    return tooMany(`You have ${limits.socketsPerUser} connections to this room already; close one of them first`);
  }
  if (address !== undefined && audience.hasAll({ address }, limits.socketsPerAddress)) {
    return tooMany(`Your network address has ${limits.socketsPerAddress} connections to this room already`);
  }
  if (!budgets.bear(userId, COSTS.join, now)) return TOO_OFTEN;
  // Last, because it may count all sockets.
  const clog = audience.whoClogs({ userId, address }, now);
  if (clog === "own") return tooMany("You, or your network address, have joined often and not read the history yet");
  if (clog) {
    const detail = "Many who joined a moment ago have not read the history yet; try again later";
    return { kind: "unavailable", detail, headers: { "Retry-After": "20" } };
  }
  return undefined;
}

/** Opens a socket for a caller, and greets them. Returns the answer, our end, and whether the user was here before. */
export function letIn(
  joining: Joining,
  { audience, kept }: { audience: Audience; kept: Readable },
  now: number,
): { answer: Response; server: WebSocket; wasHere: boolean } {
  const { userId, token, subprotocol, undecided: caller } = joining;
  const { client, server, wasHere } = audience.admit({ ...joining, caller }, now);
  const who = { userId, ...(token !== undefined && { token }) };
  const greet = (frame: ServerFrame) => audience.greet(server, frame);
  welcome(greet, who, joining, kept);
  greet(audience.presence());
  audience.keep(server, now);
  return { answer: switchPlainly(client, subprotocol), server, wasHere };
}
