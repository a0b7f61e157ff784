/** The Worker of test/chat/large.ts: lets a crowd into a room, or into one that does nothing. */
import { DurableObject } from "cloudflare:workers";
import { AT_RELAY, joinRequest, readRelay } from "../../../worker/chat/joining.ts";
import type { ChatRoomDO } from "../../../worker/chat/room.ts";
import { acceptSocket, switchTo } from "../../../worker/objects/sockets.ts";

export * from "../../../worker/index.ts";

interface Bindings {
  CHAT_ROOM: DurableObjectNamespace<ChatRoomDO>;
  IDLE_ROOM: DurableObjectNamespace;
  INSIDERS: DurableObjectNamespace;
}

/** Accepts sockets, and does nothing else. */
export class IdleRoom extends DurableObject {
  override fetch(): Response {
    return switchTo(acceptSocket(this.ctx).client);
  }
}

/**
 * Readers inside workerd, for those that would need more files than a process may open. `?join=<n>` adds some;
 * `?messages=<n>` waits until each has so many, and says how many of them did not get exactly these, in order.
 */
export class Insiders extends DurableObject<Bindings> {
  readonly #readers: number[][] = [];
  #wake = () => {};

  override async fetch(request: Request): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const joining = Array.from({ length: Number(searchParams.get("join") ?? 0) }, () => this.#join());
    await Promise.all(joining);
    const messages = Number(searchParams.get("messages") ?? 0);
    const waiting = () => this.#readers.some(({ length }) => length < messages);
    while (waiting()) {
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      if ((await Promise.race([woken, scheduler.wait(30_000).then(() => "late")])) === "late") break;
    }
    const wrong = this.#readers.filter((seqs) => seqs.length !== messages || seqs.some((seq, i) => seq !== i + 1));
    return Response.json({ received: this.#readers.flat().length, wrong: wrong.length });
  }

  async #join(): Promise<void> {
    const seqs: number[] = [];
    const { webSocket } = await enter(this.env, `insider-${this.#readers.push(seqs)}`);
    if (!webSocket) throw new Error("An insider was refused");
    webSocket.addEventListener("message", ({ data }) => {
      const frame = String(data);
      if (!frame.startsWith('{"type":"message"')) return;
      seqs.push(JSON.parse(frame).message.seq);
      this.#wake();
    });
    webSocket.accept();
  }
}

async function enter(env: Bindings, userId: string): Promise<Response> {
  const answer = await env.CHAT_ROOM.getByName("eu:chat:crowd").fetch(joinRequest({ userId }));
  if (answer.status !== AT_RELAY) return answer;
  const { relay, granted } = readRelay(answer);
  return env.CHAT_ROOM.getByName(`eu:chat:eu:crowd:${relay}`).fetch(joinRequest({ userId, granted }));
}

export default {
  fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/insiders") return env.INSIDERS.getByName("insiders").fetch(request);
    if (pathname === "/idle") return env.IDLE_ROOM.getByName("idle").fetch(request);
    return enter(env, searchParams.get("user") ?? "somebody");
  },
} satisfies ExportedHandler<Bindings>;
