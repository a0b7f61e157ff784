/** The chat room: one order for everybody, shown once, and resumed where a connection was cut. */
import type { Socket } from "../../infra/smoke/client.ts";
import { equal, holds, member, status } from "../../infra/smoke/expect.ts";
import type { Subject } from "../../infra/smoke/probe.ts";

export async function probe({ client, id }: Subject): Promise<string> {
  const room = `/room/${id}`;
  status("a room without a WebSocket", await client.call(`${room}/ws`), 426);
  const sockets: Socket[] = [];
  const join = async (query = "") => {
    const socket = await client.connect(`${room}/ws${query}`);
    sockets.push(socket);
    const history = await socket.next("the history", ofType("history"));
    return { socket, user: member(history, "userId"), missed: textsOf(member(history, "messages")) };
  };
  try {
    const ann = await join();
    const ben = await join();
    holds("two visitors are two users", ann.user !== ben.user);
    const joined = await ann.socket.next("the other to join", ofType("user_joined"));
    equal("who joined", member(joined, "userId"), ben.user);

    const hello = { type: "chat", text: "hello", clientId: "1" };
    ann.socket.send(hello);
    const heard = await ben.socket.next("the message", ofType("message"));
    equal("who said it", member(heard, "message", "userId"), ann.user);
    const seq = Number(member(heard, "message", "seq"));
    equal("its number", member(await ann.socket.next("the ack", ofType("ack")), "seq"), seq);
    ann.socket.send(hello);
    const again = await ann.socket.next("the second ack", ofType("ack"));
    equal("sent twice, stored once", [member(again, "seq"), member(again, "duplicate")], [seq, true]);

    ann.socket.send({ type: "typing" });
    equal("who types", member(await ben.socket.next("typing", ofType("typing")), "userId"), ann.user);

    ben.socket.close();
    await ann.socket.next("the other to leave", ofType("user_left"));
    ann.socket.send({ type: "chat", text: "still there?" });
    await ann.socket.next("the third ack", ofType("ack"));
    equal("what was missed", (await join(`?after=${seq}`)).missed, ["still there?"]);

    const page = status("the history", await client.call(`${room}/messages`), 200);
    equal("the history over HTTP", textsOf(member(page, "messages")), ["hello", "still there?"]);
    return "ordered, shown once, presence, typing, resumed after a cut";
  } finally {
    for (const socket of sockets) socket.close();
  }
}

const ofType = (type: string) => (frame: unknown) => member(frame, "type") === type;

function textsOf(messages: unknown): unknown[] {
  return Array.isArray(messages) ? messages.map((message) => member(message, "text")) : [];
}
