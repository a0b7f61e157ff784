/** A client over a real WebSocket that can misbehave: it can stop reading, and go on sending. */
import * as v from "valibot";
import { type ClientOptions, WebSocket } from "ws";

const Frame = v.looseObject({
  type: v.string(),
  seq: v.optional(v.number()),
  token: v.optional(v.string()),
  message: v.optional(v.looseObject({ seq: v.number() })),
  messages: v.optional(v.array(v.looseObject({ seq: v.number() }))),
});
type Frame = v.InferOutput<typeof Frame>;

export interface GuestOptions {
  readonly token?: string | undefined;
  readonly after?: number | undefined;
}

export class Guest {
  readonly closed: Promise<{ code: number }>;
  token = "";
  /** The numbers of the messages, in the order in which they came. */
  readonly seqs: number[] = [];
  readonly #socket: WebSocket;
  readonly #waiting: { readonly type: string; readonly resolve: (frame: Frame) => void }[] = [];

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.on("close", (code) => resolve({ code })));
    // A broken connection is closed too; the tests look at that.
    socket.on("error", () => {});
    socket.on("message", (data) => this.#receive(v.parse(Frame, JSON.parse(String(data)))));
  }

  /** Joins a room. @throws Error if it is refused. */
  static async join(url: string, room: string, options: GuestOptions = {}): Promise<Guest> {
    const guest = await Guest.attempt(url, room, options);
    if (guest instanceof Guest) return guest;
    throw new Error(`refused with ${guest}`);
  }

  /** Joins and reads the greeting, or returns the status of the refusal. */
  static attempt(url: string, room: string, { token, after }: GuestOptions = {}): Promise<Guest | number> {
    const address = new URL(`/room/${room}/ws${after === undefined ? "" : `?after=${after}`}`, url);
    address.protocol = "ws:";
    // After a close frame, wait this long at most for the end of the connection.
    const options: ClientOptions & { closeTimeout: number } = { closeTimeout: 2_000 };
    const socket = new WebSocket(address, token === undefined ? ["chat"] : ["chat", token], options);
    const guest = new Guest(socket);
    return new Promise((resolve, reject) => {
      void guest.next("presence").then(() => resolve(guest));
      socket.on("unexpected-response", (request, { statusCode }) => {
        request.destroy();
        resolve(statusCode ?? 0);
      });
      socket.on("error", reject);
    });
  }

  /** The newest number that has come. */
  get last(): number {
    return this.seqs.at(-1) ?? 0;
  }

  /** The next frame of a type. */
  next(type: string): Promise<Frame> {
    return new Promise((resolve) => this.#waiting.push({ type, resolve }));
  }

  send(frame: object | string | Buffer): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(typeof frame === "string" || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
  }

  /** Sends a message, and resolves with its number. */
  async say(text: string): Promise<{ seq: number }> {
    const ack = this.next("ack");
    this.send({ type: "chat", text });
    return { seq: (await ack).seq ?? 0 };
  }

  stopReading(): void {
    this.#socket.pause();
  }

  readOn(): void {
    this.#socket.resume();
  }

  close(code: number): void {
    this.#socket.close(code);
  }

  leave(): void {
    this.#socket.terminate();
  }

  #receive(frame: Frame): void {
    if (frame.token !== undefined) this.token = frame.token;
    for (const { seq } of [...(frame.messages ?? []), ...(frame.message ? [frame.message] : [])]) this.seqs.push(seq);
    const index = this.#waiting.findIndex(({ type }) => type === frame.type);
    if (index >= 0) this.#waiting.splice(index, 1)[0]?.resolve(frame);
  }
}
