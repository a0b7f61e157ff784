/** What the sender of a frame is answered: that a message is stored, or why a frame was not taken. */
import type { ChatFrame, Message, ServerFrame } from "./protocol.ts";

/** Takes the answer to a message: an `ack` or an `error`. */
export type Answer = (frame: ServerFrame) => void;

/** Why a frame was not taken. */
export type Objection = Omit<ServerFrame & { type: "error" }, "type" | "clientId">;

/** What was sent, as far as an answer names it. */
type Named = Pick<ChatFrame, "clientId">;

export const CONFLICT: Objection = { code: "conflict", error: "clientId: another message was sent under this id" };
export const NO_ATTACHMENT: Objection = {
  code: "no-attachment",
  error: "attachment: no unsent upload of yours has this key",
};
export const NOT_STORED: Objection = { code: "not-stored", error: "The message could not be stored; send it again" };

export const errorOf = ({ clientId }: Named, why: Objection): ServerFrame => ({
  type: "error",
  ...why,
  ...(clientId !== undefined && { clientId }),
});

/** `duplicate`: it was stored before. */
export const ackOf = (
  { clientId }: Named,
  { seq, id, timestamp }: Pick<Message, "seq" | "id" | "timestamp">,
  duplicate = false,
): ServerFrame => ({
  type: "ack",
  seq,
  id,
  timestamp,
  ...(clientId !== undefined && { clientId }),
  ...(duplicate && { duplicate }),
});
