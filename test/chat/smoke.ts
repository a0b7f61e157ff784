/** The chat room: the same order for everybody, each message once, and resumption after a cut. */
import type { Socket } from "../../infra/smoke/client.ts";
import { equal, holds, member, status } from "../../infra/smoke/expect.ts";
import { type DemoUser, logIn, NEEDS_TOKEN } from "../../infra/smoke/login.ts";
import type { Subject } from "../../infra/smoke/probe.ts";

export async function probe({ client, id, options: { adminToken } }: Subject): Promise<string> {
  const room = `/room/${id}`;
  const [ann, ben] = [await logIn(client, `${id}-ann`, adminToken), await logIn(client, `${id}-ben`, adminToken)];
  const { token } = ann;
  const strange = await client.call(`${room}/messages`, { token });
  if (token === undefined && strange.status === 401) return NEEDS_TOKEN;
  status("a room without a WebSocket", await client.call(`${room}/ws`, { token }), 426);
  const sockets: Socket[] = [];
  const join = async ({ token }: DemoUser, query = "") => {
    const socket = await client.connect(`${room}/ws${query}`, { token });
    sockets.push(socket);
    const history = await socket.next("the history", ofType("history"));
    return { socket, user: member(history, "userId"), missed: textsOf(member(history, "messages")) };
  };
  try {
    const a = await join(ann);
    const b = await join(ben);
    holds("two visitors are two users", a.user !== b.user);
    const joined = await a.socket.next("the other to join", ofType("user_joined"));
    equal("who joined", member(joined, "userId"), b.user);

    const hello = { type: "chat", text: "hello", clientId: "1" };
    a.socket.send(hello);
    const heard = await b.socket.next("the message", ofType("message"));
    equal("who said it", member(heard, "message", "userId"), a.user);
    const seq = Number(member(heard, "message", "seq"));
    equal("its number", member(await a.socket.next("the ack", ofType("ack")), "seq"), seq);
    a.socket.send(hello);
    const again = await a.socket.next("the second ack", ofType("ack"));
    equal("sent twice, stored once", [member(again, "seq"), member(again, "duplicate")], [seq, true]);

    a.socket.send({ type: "typing" });
    equal("who types", member(await b.socket.next("typing", ofType("typing")), "userId"), a.user);

    b.socket.close();
    await a.socket.next("the other to leave", ofType("user_left"));
    a.socket.send({ type: "chat", text: "still there?" });
    await a.socket.next("the third ack", ofType("ack"));
    equal("what was missed", (await join(ann, `?after=${seq}`)).missed, ["still there?"]);

    const page = status("the history", await client.call(`${room}/messages`, { token }), 200);
    equal("the history over HTTP", textsOf(member(page, "messages")), ["hello", "still there?"]);
    return "ordered, shown once, presence, typing, resumed after a cut";
  } finally {
    for (const socket of sockets) socket.close();
    await Promise.all([ann.logOut(), ben.logOut()]);
  }
}

const ofType = (type: string) => (frame: unknown) => member(frame, "type") === type;

function textsOf(messages: unknown): unknown[] {
  return Array.isArray(messages) ? messages.map((message) => member(message, "text")) : [];
}
