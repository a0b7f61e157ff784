/**
 * A room's client for browsers. It shows every message once and in order, and loses no message that the visitor sent,
 * however often the connection is cut.
 *
 * Incoming messages are ordered by number: the client drops a number that it has seen, and if one is too far ahead, it
 * asks again from the last. Outgoing messages stay in the outbox, each under its own id, until the room says that they
 * are stored; a message sent twice is stored once. Only one is sent at a time, so that they arrive in order.
 */
import {
  type ChatFrame,
  type ClientFrame,
  type Message,
  PING,
  SEEN_EVERY,
  type ServerFrame,
  SUBPROTOCOLS,
} from "../protocol.ts";

/** What a client reports. */
export type ChatEvent =
  /** `retryInMs`: when it will try again. */
  | { type: "connection"; state: "connecting" | "open" | "closed" }
  | { type: "connection"; state: "waiting"; retryInMs: number }
  /** Who the room says that you are. */
  | { type: "identity"; userId: string }
  | { type: "message"; message: Message }
  /** The message with this number was deleted. */
  | { type: "deleted"; seq: number }
  /**
   * Some messages after `after`, the last number that was shown, are no longer kept, or the room was deleted and begun
   * anew. It was if `first`, the oldest number that is kept, is not above `after`; if it is, nobody can tell.
   */
  | { type: "gap"; after: number; first: number }
  | { type: "presence"; users: string[] }
  | { type: "typing"; userId: string }
  /** The message with this id is stored, or never will be. */
  | { type: "stored"; clientId: string; seq: number }
  | { type: "refused"; clientId: string; error: string };

/** A connection, and what it reports. */
export interface Connection {
  send(frame: string): void;
  close(): void;
}
export interface ConnectionEvents {
  opened(): void;
  received(frame: string): void;
  closed(): void;
}
export type Connect = (url: string, protocols: string[], events: ConnectionEvents) => Connection;

export interface ChatClientOptions {
  /** The room's address: `wss://host/room/<room>/ws`. */
  url: string;
  onEvent: (event: ChatEvent) => void;
  /** How to connect; by default, over the browser's WebSocket. */
  connect?: Connect;
  /** The first wait before a reconnection; it doubles up to 30 seconds. */
  firstRetryMs?: number;
  /** What an earlier client of the room left behind (`close`), perhaps as another user. It is sent first. */
  waiting?: readonly Unsent[];
}

/** A message that is not known to be stored. */
export interface Unsent {
  readonly clientId: string;
  readonly frame: ChatFrame;
}

const MAX_RETRY_MS = 30_000;
/** How often the client pings, and how long it waits for the answer. */
const PING_EVERY_MS = 20_000;
const ANSWER_MS = 10_000;
/** The client sends `seen` after as many short messages as it must, or after fewer long ones. */
const OF_A_MESSAGE = 400;
const SEEN_AFTER = SEEN_EVERY * OF_A_MESSAGE;
const TYPING_INTERVAL_MS = 1_500;
/** How long the end of a client waits for the answer to a message. */
const LAST_ANSWER_MS = 2_000;

export class ChatClient {
  readonly #url: string;
  readonly #emit: (event: ChatEvent) => void;
  readonly #connect: Connect;
  readonly #firstRetryMs: number;

  #connection: Connection | undefined;
  /** Waits for the next connection, the next ping, or its answer. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isAsking = false;
  #failures = 0;
  #stopped = false;

  /** The number of the last message shown, and its id; the id is not known before the first message. */
  #cursor: number | undefined;
  #cursorId: string | undefined;
  /** Characters shown since the last `seen`. */
  #untold = 0;
  #userId: string | undefined;
  #token: string | undefined;
  readonly #users = new Set<string>();

  readonly #outbox: Unsent[];
  /** Whether the room has sent everything that was missed, so that messages may go out. */
  #ready = false;
  /** Whether the first message of the outbox is being sent, or waits for its turn. */
  #sending = false;
  /** Called once no message is on its way to the room. */
  #arrived: () => void = () => {};
  #typedAt = 0;

  constructor({ url, onEvent, connect = overWebSocket, firstRetryMs = 500, waiting = [] }: ChatClientOptions) {
    this.#outbox = [...waiting];
    this.#url = url;
    this.#emit = onEvent;
    this.#connect = connect;
    this.#firstRetryMs = firstRetryMs;
    this.#open();
  }

  /** Sends a message, now or once there is a connection. Returns its id; the events about it have the same id. */
  send(text: string, attachment?: string): string {
    const clientId = crypto.randomUUID();
    const sent = attachment === undefined ? {} : { attachment };
    this.#outbox.push({ clientId, frame: { type: "chat", text, clientId, ...sent } });
    this.#flush();
    return clientId;
  }

  /** Tells the others that you are typing. Call it at each key. */
  typing(): void {
    const now = Date.now();
    if (!this.#ready || Math.abs(now - this.#typedAt) < TYPING_INTERVAL_MS) return;
    this.#typedAt = now;
    this.#transmit({ type: "typing" });
  }

  /** The `Authorization` header for a request for an attachment; undefined if the session's cookie serves. */
  get authorization(): string | undefined {
    return this.#token === undefined ? undefined : `Bearer ${this.#token}`;
  }

  /**
   * Ends the connection for good. Returns the messages that are not known to be stored, for the room's next client. If one
   * is on its way, its answer is waited for: under another user's name it would be stored again.
   */
  async close(): Promise<readonly Unsent[]> {
    this.#stopped = true;
    this.#ready = false;
    if (this.#sending) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
        setTimeout(resolve, LAST_ANSWER_MS);
      });
    }
    this.#drop();
    this.#emit({ type: "connection", state: "closed" });
    return this.#outbox;
  }

  #open(): void {
    const url = new URL(this.#url);
    if (this.#cursor !== undefined) url.searchParams.set("after", String(this.#cursor));
    if (this.#cursorId !== undefined) url.searchParams.set("afterId", this.#cursorId);
    const protocols = [...SUBPROTOCOLS, ...(this.#token === undefined ? [] : [this.#token])];
    // Ignores late reports of an earlier connection.
    const present = (report: () => void) => () => {
      if (this.#connection === connection) report();
    };
    const connection: Connection = this.#connect(url.href, protocols, {
      opened: present(() => this.#watch()),
      received: (frame) => present(() => this.#receive(frame))(),
      closed: present(() => this.#reconnect()),
    });
    this.#connection = connection;
  }

  /** Forgets the connection. */
  #drop(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#ready = this.#sending = false;
    this.#arrived();
    clearTimeout(this.#timer ?? 0);
    connection?.close();
  }

  /** Tries again after a wait that doubles, shortened at random so that not all clients come back at once. */
  #reconnect(): void {
    this.#drop();
    if (this.#stopped) return;
    const longest = Math.min(this.#firstRetryMs * 2 ** this.#failures++, MAX_RETRY_MS);
    const retryInMs = Math.round(longest * (1 - Math.random() / 2));
    this.#emit({ type: "connection", state: "waiting", retryInMs });
    this.#timer = setTimeout(() => {
      this.#emit({ type: "connection", state: "connecting" });
      this.#open();
    }, retryInMs);
  }

  /** Pings regularly, and notices a connection that is dead but not closed. */
  #watch(): void {
    this.#isAsking = false;
    clearTimeout(this.#timer ?? 0);
    this.#timer = setTimeout(() => {
      this.#isAsking = true;
      this.#connection?.send(PING);
      this.#timer = setTimeout(() => this.#reconnect(), ANSWER_MS);
    }, PING_EVERY_MS);
  }

  #receive(text: string): void {
    if (this.#isAsking) this.#watch();
    const frame: ServerFrame = JSON.parse(text);
    switch (frame.type) {
      case "history":
        this.#catchUp(frame);
        break;
      case "gap":
        this.#emit(frame);
        this.#cursor = frame.first - 1;
        this.#cursorId = undefined;
        break;
      case "message":
        this.#show(frame.message);
        break;
      case "messages":
        this.#showAll(frame.messages);
        break;
      case "ack":
        this.#settle(frame.clientId, (clientId) => this.#emit({ type: "stored", clientId, seq: frame.seq }));
        break;
      case "error":
        this.#refused(frame);
        break;
      case "presence":
        this.#users.clear();
        this.#moved(frame.users);
        break;
      case "user_joined":
        this.#moved([frame.userId]);
        break;
      case "user_left":
        this.#moved([], [frame.userId]);
        break;
      case "presence_changed":
        this.#moved(frame.joined, frame.left);
        break;
      case "ping":
        this.#connection?.send(PING);
        break;
      case "typing":
      case "deleted":
        this.#emit(frame);
        break;
    }
    // Last, because the connection may be cut by it.
    this.#tellSeen();
  }

  /** Shows missed messages; after the last part, sends what has waited. */
  #catchUp({ messages, last, more, userId, token }: ServerFrame & { type: "history" }): void {
    this.#identify(userId, token);
    this.#cursor ??= (messages[0]?.seq ?? last + 1) - 1;
    if (!this.#showAll(messages) || more) return;
    this.#failures = 0;
    this.#ready = true;
    this.#emit({ type: "connection", state: "open" });
    this.#flush();
  }

  /** The room refused the first message of the outbox, for now or for good. */
  #refused({ clientId: named, code, error, retryAfter = 1 }: ServerFrame & { type: "error" }): void {
    // A room does not read a frame that is too large, so it cannot name it. Of this client's, only a message can be.
    const clientId = named ?? (code === "too-large" && this.#sending ? this.#outbox[0]?.clientId : undefined);
    if (clientId === undefined || clientId !== this.#outbox[0]?.clientId) return;
    if (code === "rate-limited" || code === "not-stored") this.#sendLater(retryAfter * 1_000);
    else this.#settle(clientId, (refused) => this.#emit({ type: "refused", clientId: refused, error }));
  }

  #moved(joined: readonly string[], left: readonly string[] = []): void {
    for (const userId of joined) this.#users.add(userId);
    for (const userId of left) this.#users.delete(userId);
    this.#emit({ type: "presence", users: [...this.#users] });
  }

  #identify(userId: string, token: string | undefined): void {
    this.#token = token;
    if (this.#userId === userId) return;
    this.#userId = userId;
    this.#emit({ type: "identity", userId });
  }

  #showAll(messages: readonly Message[]): boolean {
    return messages.every((message) => this.#show(message));
  }

  /** Sends `seen` now and then, so that the room knows that this client reads. */
  #tellSeen(): void {
    if (this.#cursor === undefined || this.#untold < SEEN_AFTER) return;
    this.#untold = 0;
    this.#transmit({ type: "seen", seq: this.#cursor });
  }

  /** Shows a message, once. False if one before it is missing; then the client asks for all from the last. */
  #show(message: Message): boolean {
    const cursor = this.#cursor ?? message.seq - 1;
    if (message.seq <= cursor) return true;
    if (message.seq > cursor + 1) {
      this.#reconnect();
      return false;
    }
    this.#cursor = message.seq;
    this.#cursorId = message.id;
    this.#untold += OF_A_MESSAGE + message.text.length;
    this.#emit({ type: "message", message });
    // An earlier client may have sent it, as a user to whom alone the room would say that it is stored.
    this.#settle(message.clientId, (clientId) => this.#emit({ type: "stored", clientId, seq: message.seq }));
    return true;
  }

  /** Sends the first message of the outbox, if it may go. */
  #flush(): void {
    const [next] = this.#outbox;
    if (!next || !this.#ready || this.#sending) return;
    this.#sending = true;
    this.#transmit(next.frame);
  }

  #sendLater(ms: number): void {
    this.#arrived();
    const connection = this.#connection;
    setTimeout(() => {
      if (this.#connection !== connection) return; // a newer connection sends the outbox now
      this.#sending = false;
      this.#flush();
    }, ms);
  }

  /** The first message of the outbox is done: stored or refused. */
  #settle(clientId: string | undefined, report: (clientId: string) => void): void {
    if (clientId === undefined || clientId !== this.#outbox[0]?.clientId) return;
    this.#outbox.shift();
    this.#sending = false;
    this.#arrived();
    report(clientId);
    this.#flush();
  }

  #transmit(frame: ClientFrame): void {
    this.#connection?.send(JSON.stringify(frame));
  }
}

/** Connects over the browser's WebSocket. */
export function overWebSocket(url: string, protocols: string[], events: ConnectionEvents): Connection {
  const socket = new WebSocket(url, protocols);
  socket.addEventListener("open", () => events.opened());
  socket.addEventListener("message", ({ data }) => {
    if (typeof data === "string") events.received(data);
  });
  socket.addEventListener("close", () => events.closed());
  return {
    send: (frame) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(frame);
    },
    close: () => socket.close(),
  };
}
