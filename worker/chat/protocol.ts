/**
 * What a room and its clients say to each other, each frame one JSON text. The order of messages is that of their
 * sequence numbers, which start at 1 and have no holes.
 */

/** A message as everybody sees it. */
export interface Message {
  id: string;
  seq: number;
  userId: string;
  text: string;
  /** Milliseconds of Unix time, by the room's clock. For people to read; never for order. */
  timestamp: number;
  /** What its sender called it: a message that was sent twice is shown once. */
  clientId?: string;
  attachment?: Attachment;
}

/** A file that was sent along; `GET /room/:roomId/attachments/:key` has its bytes. */
export interface Attachment {
  key: string;
  type: string;
  /** Bytes. */
  size: number;
  name?: string;
}

export type ClientFrame =
  | { type: "chat"; text: string; clientId?: string | undefined; attachment?: string | undefined }
  | { type: "typing" }
  | { type: "ping" };

export type ServerFrame =
  /** First of all, and perhaps in several parts: who you are, and what you missed. `last` is the room's newest number. */
  | { type: "history"; messages: Message[]; last: number; more: boolean; userId: string; token?: string }
  /** What came after `after` is not all kept any more: the oldest number that is kept is `first`. */
  | { type: "gap"; after: number; first: number }
  | { type: "presence"; users: string[] }
  | { type: "message"; message: Message }
  /** Instead of several message frames, to clients of the subprotocol `chat.batched`. */
  | { type: "messages"; messages: Message[] }
  /** Your message is stored for good. `duplicate`: it was before. */
  | { type: "ack"; seq: number; id: string; timestamp: number; clientId?: string; duplicate?: true }
  | { type: "user_joined"; userId: string; timestamp: number }
  | { type: "user_left"; userId: string; timestamp: number }
  | { type: "typing"; userId: string }
  | { type: "pong" }
  /** To the sender of a frame that was not accepted. `retryAfter`: seconds. */
  | { type: "error"; error: string; code: ErrorCode; clientId?: string; retryAfter?: number };

export type ErrorCode = "invalid" | "too-large" | "rate-limited" | "conflict" | "no-attachment" | "not-stored";

/** The frame of a client that only wants to know whether somebody is there, and the answer: no object wakes for it. */
export const PING = '{"type":"ping"}';
export const PONG = '{"type":"pong"}';

/**
 * The WebSocket subprotocols, the better first. Offered with one of them, another may be an anonymous user's token.
 * `chat.batched`: messages that were stored together come in one frame, which costs a busy room a fraction.
 */
export const SUBPROTOCOLS = ["chat.batched", "chat"] as const;
export type Subprotocol = (typeof SUBPROTOCOLS)[number];
