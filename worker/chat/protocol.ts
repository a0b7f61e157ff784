/**
 * The frames between a room and its clients, each one JSON text. Messages are ordered by their sequence numbers, which
 * start at 1 and have no gaps. What a client must know besides is in docs/chat.md.
 */

/** A message as everybody sees it. */
export interface Message {
  id: string;
  seq: number;
  userId: string;
  /** Nobody can send an empty text without a file: a message that has neither was deleted. */
  text: string;
  /** Milliseconds since the epoch, by the room's clock. For people to read; never for order. */
  timestamp: number;
  /** The sender's id for the message: one that was sent twice is shown once. */
  clientId?: string;
  attachment?: Attachment;
  /** The message was deleted, with its text; the number stays. */
  deleted?: true;
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
  | { type: "ping" }
  /** You have all messages up to this number. */
  | { type: "seen"; seq: number };
export type ChatFrame = ClientFrame & { type: "chat" };

export type ServerFrame =
  /** Comes first, or after a `gap`: who you are, and what you missed, perhaps in several parts. `last` is the room's newest number. */
  | { type: "history"; messages: Message[]; last: number; more: boolean; userId: string; token?: string }
  /**
   * Some messages after `after` are no longer kept, or the room was deleted and begun anew. It was if `first`, the oldest
   * number that is kept, is at most `after`; if `first` is higher, nobody can tell.
   */
  | { type: "gap"; after: number; first: number }
  /** Who is here: at most 100 names. If there are more people, `count` says how many. */
  | { type: "presence"; users: string[]; count?: number }
  | { type: "message"; message: Message }
  /** Replaces several message frames for clients of the subprotocol `chat.batched`. */
  | { type: "messages"; messages: Message[] }
  /** Your message is stored. `duplicate`: it was stored already. */
  | { type: "ack"; seq: number; id: string; timestamp: number; clientId?: string; duplicate?: true }
  /** The message with this number was deleted, perhaps while you were away: then it comes after the history. */
  | { type: "deleted"; seq: number }
  | { type: "user_joined"; userId: string; timestamp: number }
  | { type: "user_left"; userId: string; timestamp: number }
  /** Replaces several of these for clients of the subprotocol `chat.changes`. Some names may be known already. */
  | { type: "presence_changed"; joined: string[]; left: string[] }
  | { type: "typing"; userId: string }
  | { type: "pong" }
  /** You were silent for a while. Answer with any frame, or your socket is closed. */
  | { type: "ping" }
  /** To the sender of a frame that was not accepted. `retryAfter`: seconds. */
  | { type: "error"; error: string; code: ErrorCode; clientId?: string; retryAfter?: number };

export type ErrorCode = "invalid" | "too-large" | "rate-limited" | "conflict" | "no-attachment" | "not-stored";

/**
 * After so many messages a client says `seen`, at the latest: half of what it may be behind. Each `seen` wakes the room
 * and is billed, once for each reader, so it is not sent more often than that.
 */
export const SEEN_EVERY = 100;

/** The frame by which a client checks its connection, and the answer: the runtime answers without waking the object. */
export const PING = '{"type":"ping"}';
export const PONG = '{"type":"pong"}';

/**
 * The WebSocket subprotocols, the better first. A client may offer its token beside one of them, as one more.
 * `chat.batched`: messages that were stored together come in one frame, which is much cheaper for a busy room.
 * `chat.changes`: this, and when many come or go at once, the room says who has, and not who is here.
 */
export const SUBPROTOCOLS = ["chat.changes", "chat.batched", "chat"] as const;
export type Subprotocol = (typeof SUBPROTOCOLS)[number];
