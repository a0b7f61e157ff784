/** The chat room over its WebSockets: order, resume, presence and limits, through hibernation and crashes. */

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { History } from "../../../worker/chat/history.ts";
import { joinRequest } from "../../../worker/chat/joining.ts";
import type { Message } from "../../../worker/chat/protocol.ts";
import { ChatRoomDO } from "../../../worker/chat/room.ts";
import { Sent } from "../../../worker/chat/sent.ts";
import { openSockets } from "../../../worker/objects/sockets.ts";
import { fc } from "../../properties.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { fetchApp } from "../../worker/helpers.ts";
import { countRows } from "../../worker/rows.ts";
import { cost } from "../cost.ts";
import { fill, join, knock, Member, newRoom, roomObject, stays } from "./support.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("joining", () => {
  it("greets with the history, then who is here, and makes an anonymous user", async () => {
    const room = newRoom();
    const member = await join(room);
    expect(member.greeting.map(({ type }) => type)).toEqual(["history", "presence"]);
    expect(member.greeting[0]).toMatchObject({ messages: [], last: 0, more: false });
    expect(member.userId).toMatch(/^anon-[0-9a-f]{20}$/);
    expect(member.greeting[1]).toMatchObject({ users: [member.userId] });
  });

  it("works at /room/:roomId too", async () => {
    expect((await join(newRoom(), { path: "" })).userId).toMatch(/^anon-/);
  });

  it("takes no name from the URL", async () => {
    const member = await join(newRoom(), { path: "/ws?userId=alice&userid=alice&token=alice" });
    expect(member.userId).toMatch(/^anon-/);
  });

  it("with an anonymous user's token is that user, and confirms the subprotocol", async () => {
    const room = newRoom();
    const first = await join(room);
    const response = await knock(room, { token: first.token ?? "" });
    expect(response.status).toBe(101);
    expect(response.headers.get("Sec-WebSocket-Protocol")).toBe("chat");
    response.webSocket?.accept();
    response.webSocket?.close();
    const again = await join(newRoom(), { token: first.token ?? "" });
    expect(again.userId).toBe(first.userId);
    for (const invented of [`anon.${"x".repeat(43)}`, `anon.${"0".repeat(20)}.${"A".repeat(43)}`]) {
      expect((await knock(newRoom(), { token: invented })).status).toBe(401);
    }
  });

  it("by plain HTTP is 426", async () => {
    for (const path of ["/room/r/ws", "/room/r"]) {
      const response = await fetchApp(path);
      expect(response.status).toBe(426);
      expect(response.headers.get("Upgrade")).toBe("websocket");
    }
  });

  it("from a foreign page is 403", async () => {
    expect((await knock(newRoom(), { headers: { Origin: "https://evil.example" } })).status).toBe(403);
    const own = await knock(newRoom(), { headers: { Origin: "https://stack.test" } });
    expect(own.status).toBe(101);
    own.webSocket?.accept();
    own.webSocket?.close();
  });

  it.each(["-1", "1.5", "x", "1e3", "99999999999999999", "", "%00"])("with after=%s is 400", async (after) => {
    expect((await knock(newRoom(), { after })).status).toBe(400);
  });

  it.each(["a:b", "a~b", "x".repeat(257), "a\u0000b", " a"])("a room called %j is 400", async (room) => {
    expect((await knock(room)).status).toBe(400);
  });

  it("declines compression, which costs a quarter of a mebibyte a socket", async () => {
    const { webSocket, headers } = await knock(newRoom());
    expect(headers.get("Sec-WebSocket-Extensions")).toBe("none");
    webSocket?.accept();
    webSocket?.close();
  });

  it("is refused with 503 when 1,000 are in the room, until one leaves", async () => {
    const room = newRoom();
    const stub = roomObject(room);
    const sockets: WebSocket[] = [];
    for (let i = 0; i < 1_000; i++) {
      const response = await stub.fetch(joinRequest({ userId: `crowd-${i}` }));
      if (!response.webSocket) throw new Error(`socket ${i} was refused: ${response.status}`);
      response.webSocket.accept();
      sockets.push(response.webSocket);
    }
    const refused = await knock(room);
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ status: 503 });
    expect(refused.headers.get("Retry-After")).toBe("60");
    const [first] = sockets;
    const closed = new Promise((resolve) => first?.addEventListener("close", resolve));
    first?.close(1000);
    await closed;
    const member = await join(room);
    expect(member.greeting.at(-1)).toMatchObject({ users: { length: 100 }, count: 1_000 });
    member.close();
    for (const socket of sockets) socket.close();
  }, 30_000);
});

describe("identity", () => {
  const userWith = async (userId: string) => {
    const response = await fetchApp("/session", {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${env.ADMIN_TOKEN}` },
      body: JSON.stringify({ userId, role: "user" }),
    });
    const { token } = await response.json<{ token: string }>();
    return { headers: { Authorization: `Bearer ${token}` } };
  };

  it("is the session's user, listed once for all tabs, and gets no anonymous token", async () => {
    const room = newRoom();
    const alice = await userWith("alice");
    const [tab1, tab2] = [await join(room, alice), await join(room, alice)];
    expect([tab1.userId, tab2.userId, tab1.token]).toEqual(["alice", "alice", undefined]);
    expect(tab2.greeting.at(-1)).toEqual({ type: "presence", users: ["alice"] });
    await tab1.say("hello", { clientId: "1" });
    // The same user, the same message, over another socket.
    expect(await tab2.say("hello", { clientId: "1" })).toMatchObject({ seq: 1, duplicate: true });
  });

  it("of a session takes precedence over an anonymous token", async () => {
    const room = newRoom();
    const anonymous = await join(room);
    const { headers } = await userWith("bob");
    expect((await join(room, { headers, token: anonymous.token ?? "" })).userId).toBe("bob");
  });

  it("of a session that is over is refused", async () => {
    const { headers } = await userWith("carol");
    await fetchApp("/session", { method: "DELETE", headers });
    expect((await knock(newRoom(), { headers })).status).toBe(401);
  });
});

describe("a message", () => {
  it("goes to everybody, sender too, with the article's fields and a number; the sender gets an ack", async () => {
    const room = newRoom();
    const [a, b] = [await join(room), await join(room)];
    const ack = await a.say("hello", { clientId: "c1" });
    const seen = await b.nextOf("message");
    expect(seen.message).toEqual({
      id: ack.id,
      seq: 1,
      userId: a.userId,
      text: "hello",
      timestamp: ack.timestamp,
      clientId: "c1",
    });
    expect(ack).toMatchObject({ seq: 1, clientId: "c1" });
    expect((await a.say("again")).seq).toBe(2);
  });

  it("is on disk before anybody sees it: a crash right after loses nothing", async () => {
    const room = newRoom();
    const [a, b] = [await join(room), await join(room)];
    a.send({ type: "chat", text: "kept" });
    await b.nextOf("message");
    await evictDurableObject(roomObject(room), { webSockets: "close" });
    expect((await join(room)).history.map(({ text }) => text)).toEqual(["kept"]);
  });

  it("is ordered by number, whatever the clock does", async () => {
    stopClock();
    const room = newRoom();
    const member = await join(room);
    for (const step of [0, -5_000, 0, 60_000, -1]) {
      pass(step);
      await member.say(`${step}`);
    }
    const { history } = await join(room);
    expect(history.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
    expect(history.map(({ text }) => text)).toEqual(["0", "-5000", "0", "60000", "-1"]);
  });

  it("sent twice with one clientId is stored once, also after hibernation, and acknowledged twice", async () => {
    const room = newRoom();
    const [a, b] = [await join(room), await join(room)];
    const first = await a.say("once", { clientId: "same" });
    const second = await a.say("once", { clientId: "same" });
    await evictDurableObject(roomObject(room));
    const third = await a.say("once", { clientId: "same" });
    expect(second).toEqual({ ...first, duplicate: true });
    expect(third).toEqual({ ...first, duplicate: true });
    expect((await b.settled()).filter(({ type }) => type === "message")).toHaveLength(1);
  });

  it("sent many times at once right after hibernation is stored once", async () => {
    const room = newRoom();
    const [a, b] = [await join(room), await join(room)];
    await evictDurableObject(roomObject(room));
    const answers = await Promise.all(Array.from({ length: 5 }, () => a.say("once", { clientId: "same" })));
    expect(new Set(answers.map((answer) => Object(answer).seq))).toEqual(new Set([1]));
    expect((await b.settled()).filter(({ type }) => type === "message")).toHaveLength(1);
  });

  it("is still known after it was dropped from the history, also after hibernation, for a day", async () => {
    stopClock();
    const room = newRoom();
    const author = await join(room);
    const first = await author.say("early", { clientId: "early" });
    await fill(room, 120);
    await evictDurableObject(roomObject(room));
    expect(await author.say("early", { clientId: "early" })).toEqual({ ...first, duplicate: true });
    author.send({ type: "chat", text: "other", clientId: "early" });
    expect(await author.nextOf("error")).toMatchObject({ code: "conflict", clientId: "early" });
    pass(24 * 3_600_000 + 1);
    expect(await author.say("early", { clientId: "early" })).toMatchObject({ seq: 122 });
  });

  it("is still known after it was dropped because the history's limit was lowered, or changed again and again", async () => {
    const room = newRoom();
    await fill(room, 1);
    await runInDurableObject(roomObject(room), (_, { storage }) => {
      const said: string[] = [];
      const open = (limit: number) => {
        const history = new History(storage.sql, { limit, retentionMs: undefined });
        return { history, sent: new Sent(storage.sql, history.stored(), limit) };
      };
      for (const [limit, groups] of [
        [100, 90],
        [10, 1],
        [10, 1_200],
        [3, 2],
        [60, 30],
        [7, 5],
        [100, 100],
        [1, 1],
      ] as const) {
        const { history, sent } = open(limit);
        for (let group = 0; group < groups; group++) {
          const messages = Array.from({ length: (group % 3) + 1 }, (_, i): Message => {
            const seq = history.last + i + 1;
            return { id: `${seq}`, seq, userId: "ann", text: "t", timestamp: Date.now(), clientId: `${seq}` };
          });
          history.append(messages);
          sent.append(messages);
          history.appended(messages);
          sent.appended(messages);
          said.push(...messages.map(({ id }) => id));
        }
        const again = open(limit).sent;
        expect(said.filter((id) => again.find("ann", id, Date.now())?.id !== id)).toEqual([]);
      }
    });
  });

  it("with a used clientId and another text is a conflict, and nothing is stored", async () => {
    const room = newRoom();
    const [a, b] = [await join(room), await join(room)];
    await a.say("one", { clientId: "x" });
    a.send({ type: "chat", text: "two", clientId: "x" });
    expect(await a.nextOf("error")).toMatchObject({ code: "conflict", clientId: "x" });
    expect(await b.say("three", { clientId: "x" })).toMatchObject({ seq: 2 });
  });

  it("that cannot be stored is refused to its sender and shown to nobody", async () => {
    const room = newRoom();
    const [a, b] = [await join(room), await join(room)];
    await a.say("one");
    await b.settled();
    vi.spyOn(crypto, "randomUUID").mockReturnValue(null as never);
    a.send({ type: "chat", text: "two", clientId: "two" });
    expect(await a.nextOf("error")).toMatchObject({ code: "not-stored", clientId: "two" });
    vi.restoreAllMocks();
    expect(await b.settled()).toEqual([]);
    expect(await a.say("two", { clientId: "two" })).toMatchObject({ seq: 2 });
  });
});

describe("messages that are stored together", () => {
  /** The frames with the next ten messages. */
  async function nextTen(member: Member) {
    const frames: Message[][] = [];
    while (frames.flat().length < 10) {
      const frame = await member.next();
      if (frame.type === "message") frames.push([frame.message]);
      if (frame.type === "messages") frames.push(frame.messages);
    }
    return frames;
  }
  /** Lets nothing reach the room's disk until released. */
  async function slowDisk(room: string): Promise<() => Promise<void>> {
    await runInDurableObject(roomObject(room), (_, { storage }) => {
      const sync = storage.sync.bind(storage);
      let release = () => {};
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      Object.assign(storage, { sync: () => released.then(sync), release });
    });
    return () => runInDurableObject(roomObject(room), (_, { storage }) => Reflect.get(storage, "release")());
  }
  const TAKES_MANY = { headers: { "Sec-WebSocket-Protocol": "chat, chat.batched" } };

  it("come in one frame to sockets that take batches, one frame each to others; also after hibernation", async () => {
    const room = newRoom();
    // The room handles one socket's frames one after the other, but those of several sockets together.
    const speakers: Member[] = [];
    while (speakers.length < 10) speakers.push(await join(room));
    const [plain, batched] = [await join(room), await join(room, TAKES_MANY)];
    for (const first of [1, 11]) {
      const release = await slowDisk(room);
      for (const speaker of speakers) speaker.send({ type: "chat", text: `after ${first}` });
      await plain.settled();
      await release();
      const [inMany, inFew] = [await nextTen(plain), await nextTen(batched)];
      expect(inMany).toHaveLength(10);
      // The first was being written when the others came.
      expect(inFew.map((messages) => messages.length)).toEqual([1, 9]);
      expect(inFew.flat()).toEqual(inMany.flat());
      expect(inFew.flat().map(({ seq }) => seq)).toEqual(Array.from({ length: 10 }, (_, i) => first + i));
      await evictDurableObject(roomObject(room), { webSockets: "hibernate" });
    }
  });

  it("are chosen by the better of two subprotocols", async () => {
    const response = await knock(newRoom(), TAKES_MANY);
    expect(response.headers.get("Sec-WebSocket-Protocol")).toBe("chat.batched");
    response.webSocket?.accept();
    response.webSocket?.close();
  });

  it("are a plain message frame if there is only one", async () => {
    const room = newRoom();
    const batched = await join(room, TAKES_MANY);
    batched.send({ type: "chat", text: "alone" });
    expect((await batched.next()).type).toBe("message");
    expect((await batched.next()).type).toBe("ack");
  });
});

describe("what a room writes", () => {
  it("is at most 1.1 rows per message, when the history is full and ids are remembered", async () => {
    const room = newRoom();
    await fill(room, 100);
    const rows = await countRows(roomObject(room));
    for (let i = 0; i < 10; i++) {
      const member = await join(room);
      for (let j = 0; j < 20; j++) await member.say(`${i} ${j}`, { clientId: `${i}-${j}` });
      member.close();
    }
    expect(rows()).toBeGreaterThanOrEqual(200);
    expect(rows() / 200).toBeLessThanOrEqual(cost.operations.message.ours);
  });

  it("is as little where a message comes every hour, and the room sleeps and forgets ids in between", async () => {
    stopClock();
    const room = newRoom();
    const [author] = [await join(room), await stays(room)];
    let rows = 0;
    for (let i = 0; i < 250; i++) {
      pass(60 * 60 * 1_000);
      const counted = await countRows(roomObject(room));
      const alarm = await runInDurableObject(roomObject(room), (_, { storage }) => storage.getAlarm());
      if (alarm !== null && alarm <= Date.now()) await runDurableObjectAlarm(roomObject(room));
      expect(await author.say(`${i}`, { clientId: `${i}` })).toMatchObject({ seq: i + 1 });
      if (i >= 100) rows += counted();
      await evictDurableObject(roomObject(room), { webSockets: "hibernate" });
    }
    expect(rows).toBeGreaterThanOrEqual(150);
    expect(rows / 150).toBeLessThanOrEqual(cost.operations.message.ours);
  });

  it("is nothing for joining, leaving, typing, and reading", async () => {
    const room = newRoom();
    await (await join(room)).say("first");
    // With two in the room, the alarm for silent sockets is set: a row now and then, however many join.
    await join(room);
    const rows = await countRows(roomObject(room));
    const member = await join(room);
    member.send({ type: "typing" });
    await member.settled();
    member.close();
    await member.closed;
    await fetchApp(`/room/${room}/messages`);
    expect(rows()).toBe(0);
  });

  it("is nothing at all in a room that was only read", async () => {
    const room = newRoom();
    await fetchApp(`/room/${room}/messages`);
    (await join(room)).close();
    const tables = await runInDurableObject(roomObject(room), (_, { storage }) =>
      storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'").toArray(),
    );
    expect(tables).toEqual([]);
  });
});

describe("resuming", () => {
  it("gets exactly what was missed", async () => {
    const room = newRoom();
    await fill(room, 30);
    for (const after of [0, 1, 29, 30]) {
      const member = await join(room, { after });
      expect(member.greeting.map(({ type }) => type)).toEqual(["history", "presence"]);
      expect(member.history.map(({ seq }) => seq)).toEqual(Array.from({ length: 30 - after }, (_, i) => after + 1 + i));
      member.close();
    }
  });

  it("hears which messages were deleted meanwhile, also at a relay, which costs one row read where none were", async () => {
    const room = newRoom();
    await fill(room, 30);
    const rowsRead = () =>
      runInDurableObject(roomObject(room), (_, { storage }) => {
        const history = new History(storage.sql, { limit: 100, retentionMs: undefined });
        const exec = vi.spyOn(storage.sql, "exec");
        history.deleted(30);
        const read = exec.mock.results.map(({ value }) => value.rowsRead);
        exec.mockRestore();
        return read;
      });
    expect(await rowsRead()).toEqual([1]);
    for (const seq of [2, 20, 29]) await roomObject(room).deleteMessage(seq);
    expect(await rowsRead()).toEqual([3]);
    const relay = env.CHAT_ROOM.getByName(`dev-eu:chat:eu:${room}:1`);
    for (const object of [roomObject(room), relay]) {
      const { webSocket } = await object.fetch(joinRequest({ userId: "back", after: 20 }));
      if (!webSocket) throw new Error("refused");
      const back = new Member(webSocket);
      await back.welcome();
      const [history, ...rest] = back.greeting;
      expect(history).toMatchObject({ type: "history", messages: { length: 10 } });
      expect(rest).toMatchObject([{ type: "deleted", seq: 2 }, { type: "deleted", seq: 20 }, { type: "presence" }]);
      back.close();
    }
    expect((await join(room)).greeting.map(({ type }) => type)).toEqual(["history", "presence"]);
  });

  it("gets a `gap` if some messages are no longer kept, with the first number that is", async () => {
    const room = newRoom();
    await fill(room, 130);
    const behind = await join(room, { after: 29 });
    expect(behind.greeting[0]).toEqual({ type: "gap", after: 29, first: 31 });
    expect(behind.history).toHaveLength(100);
    expect(behind.history[0]).toMatchObject({ seq: 31, text: "message 31" });
    const just = await join(room, { after: 30 });
    expect(just.greeting[0]).toMatchObject({ type: "history" });
    expect(just.history).toHaveLength(100);
    const fresh = await join(room);
    expect(fresh.greeting[0]).toMatchObject({ type: "history", last: 130 });
  });

  it("gets a `gap` if it knows numbers that this room never gave", async () => {
    const room = newRoom();
    await fill(room, 3);
    const stranger = await join(room, { after: 9 });
    expect(stranger.greeting[0]).toEqual({ type: "gap", after: 9, first: 1 });
    expect(stranger.history).toHaveLength(3);
  });
});

describe("presence", () => {
  it("counts a user on two tabs once, and announces the leave when the last tab is gone", async () => {
    const room = newRoom();
    const watcher = await join(room);
    const tab1 = await join(room);
    expect(await watcher.nextOf("user_joined")).toMatchObject({ userId: tab1.userId });
    const tab2 = await join(room, { token: tab1.token ?? "" });
    expect(tab2.greeting.at(-1)).toEqual({
      type: "presence",
      users: expect.arrayContaining([watcher.userId, tab1.userId]),
    });
    tab1.close();
    await tab1.closed;
    expect(await watcher.settled()).toEqual([]);
    tab2.close();
    await tab2.closed;
    const frames = await watcher.settled();
    expect(frames).toMatchObject([{ type: "user_left", userId: tab1.userId }]);
  });

  it("is right after hibernation", async () => {
    const room = newRoom();
    const [a, b] = [await join(room), await join(room)];
    await a.settled();
    await evictDurableObject(roomObject(room));
    const c = await join(room);
    expect(c.greeting.at(-1)).toEqual({
      type: "presence",
      users: expect.arrayContaining([a.userId, b.userId, c.userId]),
    });
    await evictDurableObject(roomObject(room));
    b.close();
    await b.closed;
    expect((await a.settled()).map(({ type }) => type)).toEqual(["user_joined", "user_left"]);
    expect((await join(room)).greeting.at(-1)).toMatchObject({ users: expect.not.arrayContaining([b.userId]) });
  });

  it("announces a leave once, even if both tabs close at once and the room sleeps between", async () => {
    const room = newRoom();
    const watcher = await join(room);
    const tabs = [await join(room)];
    for (let i = 0; i < 3; i++) tabs.push(await join(room, { token: tabs[0]?.token ?? "" }));
    await watcher.settled();
    await evictDurableObject(roomObject(room));
    for (const tab of tabs) tab.close();
    await Promise.all(tabs.map(({ closed }) => closed));
    expect((await watcher.settled()).map(({ type }) => type)).toEqual(["user_left"]);
  });

  it("announces a leave once when close and error both come", async () => {
    const room = newRoom();
    const watcher = await join(room);
    const member = await join(room);
    await watcher.settled();
    const original = ChatRoomDO.prototype.webSocketClose;
    vi.spyOn(ChatRoomDO.prototype, "webSocketClose").mockImplementation(function (
      this: ChatRoomDO,
      socket,
      code,
      reason,
    ) {
      original.call(this, socket, code, reason);
      this.webSocketError(socket);
      original.call(this, socket, code, reason);
    });
    member.close();
    await member.closed;
    expect((await watcher.settled()).map(({ type }) => type)).toEqual(["user_left"]);
  });
});

describe("a closing socket", () => {
  it.each([
    [1000, 1000],
    [3000, 3000],
    [4999, 4999],
    [undefined, 1005],
  ])("that says %s gets a clean close", async (code, expected) => {
    const member = await join(newRoom());
    member.socket.close(code);
    expect(await member.closed).toMatchObject({ code: expected, wasClean: true });
  });

  it("among many does not stop a broadcast, and is not counted", async () => {
    const room = newRoom();
    const members = [];
    for (let i = 0; i < 6; i++) members.push(await join(room));
    const [speaker, ...others] = members;
    if (!speaker) throw new Error("nobody there");
    // The room's ends of these two start to close, and the clients' ends never answer.
    for (const index of [1, 3]) others[index]?.socket.close(1001 + 2_000);
    await speaker.say("still here?");
    for (const index of [0, 2, 4])
      expect(await others[index]?.nextOf("message")).toMatchObject({ message: { seq: 1 } });
    expect((await join(room)).greeting.at(-1)).toMatchObject({ users: { length: 5 } });
  });

  it.each(["message", "alarm"])("leaves with the next %s if the runtime does not report its end", async (next) => {
    const room = newRoom();
    const [one, other] = [await join(room), await join(room)];
    await one.nextOf("user_joined");
    vi.spyOn(ChatRoomDO.prototype, "webSocketClose").mockReturnValue();
    other.close();
    const open = () => runInDurableObject(roomObject(room), (_, state) => openSockets(state).length);
    await expect.poll(() => open()).toBe(1);
    if (next === "message") one.send({ type: "chat", text: "hello" });
    else await runDurableObjectAlarm(roomObject(room));
    expect(await one.nextOf("user_left")).toMatchObject({ userId: other.userId });
    const third = await join(room);
    expect(third.greeting.at(-1)).toMatchObject({ users: [one.userId, third.userId] });
  });
});

describe("typing", () => {
  it("goes to the others, at most once a second from one socket, and is not stored", async () => {
    stopClock();
    const room = newRoom();
    const [a, b] = [await join(room), await join(room)];
    await a.settled();
    for (let i = 0; i < 5; i++) a.send({ type: "typing" });
    expect(await a.settled()).toEqual([]);
    expect(await b.settled()).toEqual([{ type: "typing", userId: a.userId }]);
    pass(1_000);
    a.send({ type: "typing" });
    await a.settled();
    expect(await b.settled()).toEqual([{ type: "typing", userId: a.userId }]);
    expect((await join(room)).history).toEqual([]);
  });
});

describe("a ping", () => {
  it("is answered without waking the room", async () => {
    const room = newRoom();
    const member = await join(room);
    const woken = vi.spyOn(ChatRoomDO.prototype, "webSocketMessage");
    await evictDurableObject(roomObject(room));
    member.send('{"type":"ping"}');
    expect(await member.next()).toEqual({ type: "pong" });
    expect(woken).not.toHaveBeenCalled();
  });
});

describe("the limits", () => {
  it.each([
    ["text of 4,000 characters", { type: "chat", text: "x".repeat(4_000) }],
    ["text of 4,000 characters outside the BMP", { type: "chat", text: "😀".repeat(4_000) }],
    ["text with NUL and line separators", { type: "chat", text: "\u0000\u2028\u2029 '\"\\" }],
    ["unknown fields", { type: "chat", text: "hi", userId: "root", seq: 7, __proto__: { x: 1 } }],
  ])("let pass: %s", async (_, frame) => {
    const room = newRoom();
    const member = await join(room);
    member.send(frame);
    const { message } = await member.nextOf("message");
    expect(message).toMatchObject({ seq: 1, userId: member.userId, text: frame.text });
    expect((await join(room)).history).toEqual([message]);
  });

  it("let pass the longest text with every character escaped", async () => {
    const member = await join(newRoom());
    member.send(`{"type":"chat","text":"${"\\ud83d\\ude00".repeat(4_000)}","clientId":"${"\\u0001".repeat(64)}"}`);
    expect((await member.nextOf("message")).message.text).toBe("😀".repeat(4_000));
  });

  it.each([
    ["not JSON", "{", "Invalid JSON"],
    ["nothing", "", "Invalid JSON"],
    [
      "a frame with too many characters",
      JSON.stringify({ type: "chat", text: "x", pad: "x".repeat(49_024) }),
      "at most 49024 bytes",
    ],
    [
      "a frame with too many bytes",
      JSON.stringify({ type: "chat", text: "x", pad: "é".repeat(24_512) }),
      "at most 49024 bytes",
    ],
    ["null", "null", "type"],
    ["an array", "[]", "type"],
    ["no type", "{}", "type"],
    ["an unknown type", '{"type":"history"}', "type"],
    ["a type from the prototype", '{"type":"__proto__"}', "type"],
    ["no text", '{"type":"chat"}', "text"],
    ["empty text", '{"type":"chat","text":""}', "text: must have at least one visible character"],
    ["blank text", '{"type":"chat","text":" \\n\\t "}', "text: must have at least one visible character"],
    [
      "invisible text",
      '{"type":"chat","text":"\u200B\u2060 \uFEFF"}',
      "text: must have at least one visible character",
    ],
    [
      "text of fillers",
      '{"type":"chat","text":"\u3164\uFE0F\u2800"}',
      "text: must have at least one visible character",
    ],
    ["text of 4,001 characters", JSON.stringify({ type: "chat", text: "x".repeat(4_001) }), "at most 4000"],
    ["text that is a number", '{"type":"chat","text":1}', "text"],
    ["an empty clientId", '{"type":"chat","text":"x","clientId":""}', "clientId"],
    ["a long clientId", JSON.stringify({ type: "chat", text: "x", clientId: "x".repeat(65) }), "clientId"],
    ["an attachment that does not exist", '{"type":"chat","text":"x","attachment":"nope"}', "attachment"],
  ])("refuse %s, to its sender only", async (_, frame, error) => {
    const room = newRoom();
    const [a, b] = [await join(room), await join(room)];
    await a.settled();
    a.send(frame);
    expect(await a.settled()).toMatchObject([{ type: "error", error: expect.stringContaining(error) }]);
    expect(await b.settled()).toEqual([]);
    expect(await a.say("well")).toMatchObject({ seq: 1 });
  });

  it("refuse binary frames", async () => {
    const member = await join(newRoom());
    member.send(new TextEncoder().encode('{"type":"chat","text":"x"}').buffer);
    expect(await member.nextOf("error")).toMatchObject({ error: "Binary frames are not accepted" });
  });

  it("store a lone surrogate as it is shown", async () => {
    const room = newRoom();
    const member = await join(room);
    member.send('{"type":"chat","text":"a\\ud800b"}');
    const { message } = await member.nextOf("message");
    expect(message.text).toBe("a\uFFFDb");
    expect((await join(room)).history).toEqual([message]);
  });

  it("are 20 messages in 10 seconds a user, refilled with time, over hibernation", async () => {
    stopClock();
    const room = newRoom();
    const [a, b] = [await join(room), await join(room)];
    for (let i = 1; i <= 20; i++) await a.say(`${i}`);
    a.send({ type: "chat", text: "21", clientId: "21" });
    expect(await a.nextOf("error")).toMatchObject({ code: "rate-limited", retryAfter: 1, clientId: "21" });
    expect(await b.say("another user")).toMatchObject({ seq: 21 });
    await evictDurableObject(roomObject(room));
    a.send({ type: "chat", text: "21", clientId: "21" });
    expect(await a.nextOf("error")).toMatchObject({ code: "rate-limited" });
    pass(500);
    expect(await a.say("21", { clientId: "21" })).toMatchObject({ seq: 22 });
    a.send({ type: "chat", text: "22" });
    expect(await a.nextOf("error")).toMatchObject({ code: "rate-limited" });
    // A repeated message costs nothing, so that a resend is never held up.
    expect(await a.say("21", { clientId: "21" })).toMatchObject({ seq: 22, duplicate: true });
  });
});

describe("any frame", () => {
  it("is answered or ignored, never reaches others, and never breaks the room", async () => {
    const room = newRoom();
    stopClock();
    let watched = 0;
    const watcher = await join(room);
    const junk = fc.oneof(
      fc.string({ unit: "binary", maxLength: 300 }),
      fc.json(),
      fc.uint8Array({ maxLength: 300 }),
      fc
        .record(
          {
            type: fc.constantFrom("chat", "typing", "ping", "history", "ack"),
            text: fc.anything(),
            clientId: fc.anything(),
          },
          { requiredKeys: [] },
        )
        .map(
          (frame) => JSON.stringify(frame, (_, value) => (typeof value === "bigint" ? String(value) : value)) ?? "{",
        ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(junk, { minLength: 1, maxLength: 10 }), async (frames) => {
        const parsed = frames.map((frame) => {
          if (typeof frame !== "string") return { valid: false };
          try {
            const { type, text, clientId } = JSON.parse(frame);
            const named =
              clientId === undefined || (typeof clientId === "string" && clientId !== "" && clientId.length <= 64);
            return {
              valid:
                type === "typing" ||
                type === "ping" ||
                (type === "chat" && typeof text === "string" && text.trim() !== "" && named),
            };
          } catch {
            return { valid: false };
          }
        });
        const bad = frames.filter((_, index) => parsed[index]?.valid === false);
        // Somebody new each time: a room's patience with one user ends.
        const victim = await join(room);
        for (const frame of bad) victim.socket.send(frame);
        const answers = await victim.settled();
        expect(answers.map(({ type }) => type)).toEqual(bad.map(() => "error"));
        victim.close();
        await victim.closed;
        const seen = new Set((await watcher.settled()).map(({ type }) => type));
        expect(seen.difference(new Set(["user_joined", "user_left", "presence"]))).toEqual(new Set());
        watched++;
        if (watched % 50 === 0) pass(60_000);
      }),
      { numRuns: 150 },
    );
    expect(await (await join(room)).say("alive")).toMatchObject({ seq: 1 });
  }, 30_000);
});
