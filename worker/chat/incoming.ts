/**
 * Frames from clients, at a room or at a relay: which are answered, which cost their user patience, and which are passed
 * on. A user without patience is closed.
 */
import { isOpen, POLICY } from "../objects/sockets.ts";
import { errorOf, type Objection } from "./answers.ts";
import type { Audience, Member } from "./audience.ts";
import { type Budgets, COSTS, type Spender } from "./budgets.ts";
import { readFrame } from "./frames.ts";
import type { ChatFrame, ClientFrame } from "./protocol.ts";
import type { Amount } from "./readers.ts";

/** What happens to frames that are fine. */
export interface Desk {
  /** How much was sent after a number; undefined if no message has this number yet. */
  after(seq: number): Amount | undefined;
  chat(socket: WebSocket, member: Member, frame: ChatFrame): Promise<void>;
  typed(socket: WebSocket, userId: string, now: number): void;
}

const NO_SUCH_NUMBER: Objection = { code: "invalid", error: "seq: no message has this number yet" };

export class Incoming {
  readonly #audience: Audience;
  readonly #budgets: Budgets;
  readonly #desk: Desk;

  constructor(audience: Audience, budgets: Budgets, desk: Desk) {
    this.#audience = audience;
    this.#budgets = budgets;
    this.#desk = desk;
  }

  async message(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    const member = this.#audience.memberOf(socket);
    // Frames that were on their way when the socket was closed are ignored.
    if (!member || !isOpen(socket) || this.#audience.isOver(socket)) return;
    const now = Date.now();
    const read = readFrame(data);
    const since = read.ok && read.frame.type === "seen" ? this.#desk.after(read.frame.seq) : undefined;
    this.#audience.heard(socket, now, since);
    if (!read.ok) {
      const { ok: _, clientId, ...why } = read;
      this.#refuse(socket, member, { clientId }, why);
      return;
    }
    const { frame } = read;
    if (frame.type === "chat") await this.#desk.chat(socket, member, frame);
    else if (frame.type === "seen" && !since) this.#refuse(socket, member, {}, NO_SUCH_NUMBER);
    else if (this.bears(socket, member, frame.type === "typing" ? COSTS.typing : COSTS.sign)) {
      this.#sign(socket, member, frame, now);
    }
  }

  /** Answers an invalid or excess frame, while there is patience for it. */
  #refuse(socket: WebSocket, member: Spender, frame: Pick<ChatFrame, "clientId">, why: Objection): void {
    if (this.bears(socket, member, COSTS.offence)) this.#audience.deliver([socket], errorOf(frame, why));
  }

  /** Uses up a user's patience. False if there was too little; then the socket is closed. */
  bears(socket: WebSocket, { userId }: Spender, cost: number): boolean {
    if (this.#budgets.bear(userId, cost, Date.now())) return true;
    this.#audience.putOut(socket, POLICY, "Too many invalid, repeated or excess frames; wait a minute");
    return false;
  }

  #sign(socket: WebSocket, { userId }: Spender, { type }: ClientFrame, now: number): void {
    if (type === "ping") this.#audience.deliver([socket], { type: "pong" });
    if (type === "typing") this.#desk.typed(socket, userId, now);
  }
}
