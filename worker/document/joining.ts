/** What the Worker tells a document of who joins. */
import { type Joiner, readJoining, requestToJoin } from "../http/joining.ts";
import type { Caller } from "../who.ts";
import type { Rulings } from "./sharing.ts";

/** Somebody who reads or changes the document, and what the project's rules say about them. */
export interface Visitor {
  readonly caller: Pick<Caller, "kind" | "id">;
  readonly rulings: Rulings;
}

/** Who joins. */
export interface Joining extends Visitor, Joiner {
  readonly address: string;
}

/** The request to a document's object that lets a caller in. */
export const joinRequest = (joining: Joining): Request => requestToJoin("https://document/", joining);

/** What such a request says. */
export const readJoinRequest = (request: Request): Joining => readJoining(request);
