/**
 * What a room and its clients say to each other, each frame one JSON text. The order of messages is that of their
 * sequence numbers, which start at 1 and have no holes.
 *
 * What a client must know of a room's limits:
 * - **Read, and say so.** Send `seen` with the newest number that you have, after 50 messages or 64 KiB at the latest.
 *   A socket that is more than 200 messages or 256 KiB behind is closed with 1013. Connect again with
 *   `?after=<the last number that you have>`, and you get what you missed. A client that never sends `seen` may use any
 *   frame as a sign that it reads, such as a ping; it is closed with 1013 after 1,000 messages or 1 MiB in all.
 * - **Be heard.** Send `{"type":"ping"}` every 20 seconds; it wakes no room. After 45 seconds without a word from you
 *   the room sends `ping`, to which any frame is an answer; after 55 you are closed with 1013. A room that you have to
 *   yourself, and a crowd, do not ask.
 * - **Messages**: 20 in 10 seconds for one user, on however many sockets; and a room takes so many in a second as its
 *   stack says (`chat.messagesPerSecond`), half of that from one network address. More are answered by `error`, with
 *   `retryAfter`.
 * - **Sockets**: one user has 10 of them in a room, and one network address 250 (`chat.socketsPerUser`,
 *   `chat.socketsPerAddress`). The next one is refused with 429.
 * - **Patience**: frames that are wrong or too much and messages that were sent before are answered, 60 of them and then
 *   one in a second, for one user; 600 signs of typing, `seen` or pings with another text than PING, and then ten in a
 *   second. Who goes on is closed with 1008.
 * - **Crowds**: over 100 people a room tells nobody who comes, goes or types. Where many come and go at once, one
 *   `presence` takes the place of many single frames.
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
  /** It was taken away, and its text with it; the number stays. */
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

export type ServerFrame =
  /** First of all, and perhaps in several parts: who you are, and what you missed. `last` is the room's newest number. */
  | { type: "history"; messages: Message[]; last: number; more: boolean; userId: string; token?: string }
  /** What came after `after` is not all kept any more: the oldest number that is kept is `first`. */
  | { type: "gap"; after: number; first: number }
  /** Who is here: at most 100 of them; `count` says how many there are where there are more. */
  | { type: "presence"; users: string[]; count?: number }
  | { type: "message"; message: Message }
  /** Instead of several message frames, to clients of the subprotocol `chat.batched`. */
  | { type: "messages"; messages: Message[] }
  /** Your message is stored for good. `duplicate`: it was before. */
  | { type: "ack"; seq: number; id: string; timestamp: number; clientId?: string; duplicate?: true }
  /** The message of this number was taken away. */
  | { type: "deleted"; seq: number }
  | { type: "user_joined"; userId: string; timestamp: number }
  | { type: "user_left"; userId: string; timestamp: number }
  | { type: "typing"; userId: string }
  | { type: "pong" }
  /** Nothing was heard of you for a while. Answer with any frame, or be closed. */
  | { type: "ping" }
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
