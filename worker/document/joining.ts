/** What the Worker tells a document of who joins. */
import { readJoining, requestToJoin } from "../http/joining.ts";
import type { Caller } from "../who.ts";
import type { Rulings } from "./sharing.ts";

/** Somebody who reads or changes the document, and what the project's rules say about them. */
export interface Visitor {
  readonly caller: Pick<Caller, "kind" | "id">;
  readonly rulings: Rulings;
}

export interface Joining extends Visitor {
  /** The caller's network address, as a key (worker/http/address.ts). */
  readonly address: string;
  /** The session that the caller showed. */
  readonly session?: string;
  /** When the caller's token expires (ms since the epoch), if the token says so. */
  readonly until?: number;
  /** The caller is known (no guest, not anonymous): then what they write is kept. */
  readonly known?: true;
  /** Only if the document exists. */
  readonly ifThere?: true;
  /** Our subprotocol, which the client offered and expects in the answer. */
  readonly subprotocol?: string;
}

/** The request to a document's object that lets a caller in. */
export const joinRequest = (joining: Joining): Request => requestToJoin("https://document/", joining);

/** What such a request says. */
export const readJoinRequest = (request: Request): Joining => readJoining(request);
