/** A room under pressure: budgets by user, address and room; clients that do not read; dead connections. */

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { Audience, NOWHERE } from "../../../worker/chat/audience.ts";
import { Budgets } from "../../../worker/chat/budgets.ts";
import { type Joining, joinRequest } from "../../../worker/chat/joining.ts";
import { ChatRoomDO } from "../../../worker/chat/room.ts";
import { Wake } from "../../../worker/objects/wake.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { ADMIN, call, fetchApp, unique } from "../../worker/helpers.ts";
import { logIn } from "../../worker/log-in.ts";
import { cost } from "../cost.ts";
import { enter, fill, join, knock, Member, newRoom, roomObject, withSettings } from "./support.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const typesOf = (frames: readonly { type: string }[]) => frames.map(({ type }) => type);

const enterAll = (room: string, count: number) =>
  Promise.all(Array.from({ length: count }, (_, i) => enter(roomObject(room), `user-${i}`)));

describe("sockets", () => {
  it("are ten per user: the next is 429 until one closes, also after hibernation; others can still join", async () => {
    const room = newRoom();
    const first = await join(room);
    const token = first.token ?? "";
    for (let i = 1; i < 10; i++) await join(room, { token });
    await evictDurableObject(roomObject(room));
    const refused = await knock(room, { token });
    expect(refused.status).toBe(429);
    expect(await refused.json()).toMatchObject({ detail: expect.stringContaining("10 connections") });
    expect(refused.headers.get("Retry-After")).toBe("10");
    expect((await join(room)).userId).not.toBe(first.userId);
    first.close();
    await first.closed;
    expect((await join(room, { token })).userId).toBe(first.userId);
  });

  it("are limited for all users of one network address together", async () => {
    await withSettings({ socketsPerAddress: 3 });
    const room = newRoom();
    const headers = { "CF-Connecting-IP": "10.9.8.7" };
    for (let i = 0; i < 3; i++) await join(room, { headers });
    const refused = await knock(room, { headers });
    expect(refused.status).toBe(429);
    expect(await refused.json()).toMatchObject({ detail: expect.stringContaining("network address") });
    expect((await join(room)).userId).toMatch(/^anon-/);
  });

  it("cannot be opened and closed for ever by one user", async () => {
    stopClock();
    const room = newRoom();
    const watcher = await join(room);
    const { token = "" } = await join(newRoom());
    let joins = 0;
    for (; joins < 100; joins++) {
      const { status, webSocket } = await knock(room, { token });
      if (!webSocket) {
        expect(status).toBe(429);
        break;
      }
      const member = new Member(webSocket);
      await member.welcome();
      member.close();
      await member.closed;
    }
    expect(joins).toBe(60);
    // Each was a user who came and went. Above twenty announcements a second, they are collected into one frame.
    expect((await watcher.settled()).length).toBeLessThanOrEqual(20);
    pass(60_000);
    expect((await knock(room, { token })).status).toBe(101);
  });
});

describe("messages", () => {
  it("are 20 in 10 seconds for one user on all sockets, also after hibernation and on new sockets", async () => {
    stopClock();
    const room = newRoom();
    const a = await join(room);
    const token = a.token ?? "";
    const b = await join(room, { token });
    for (let i = 0; i < 10; i++) {
      await a.say(`a${i}`);
      await b.say(`b${i}`);
    }
    for (const socket of [a, b, await join(room, { token })]) {
      socket.send({ type: "chat", text: "too much" });
      expect(await socket.nextOf("error")).toMatchObject({ code: "rate-limited", retryAfter: 1 });
    }
    await evictDurableObject(roomObject(room));
    const c = await join(room, { token });
    c.send({ type: "chat", text: "too much" });
    expect(await c.nextOf("error")).toMatchObject({ code: "rate-limited" });
    pass(500);
    expect(await c.say("again")).toMatchObject({ seq: 21 });
  });

  it("are limited for one address to half of the room's limit, and for the room", async () => {
    await withSettings({ messagesPerSecond: 6 });
    stopClock();
    const room = newRoom();
    const near = { headers: { "CF-Connecting-IP": "10.7.7.7" } };
    const [a, b, c, d] = [await join(room, near), await join(room, near), await join(room), await join(room)];
    await a.say("1");
    await b.say("2");
    await a.say("3");
    b.send({ type: "chat", text: "4" });
    expect(await b.nextOf("error")).toMatchObject({ error: expect.stringContaining("your network address") });
    await c.say("4");
    await c.say("5");
    await d.say("6");
    d.send({ type: "chat", text: "7" });
    expect(await d.nextOf("error")).toMatchObject({
      error: expect.stringContaining("this room takes at most 6 in 1 s"),
    });
    pass(1_000);
    expect(await d.say("7")).toMatchObject({ seq: 7 });
  });
});

describe("typing and presence", () => {
  it("one user's typing is passed on once a second, for all their sockets together", async () => {
    stopClock();
    const room = newRoom();
    const a = await join(room);
    const [again, watcher] = [await join(room, { token: a.token ?? "" }), await join(room)];
    for (let i = 0; i < 5; i++) for (const socket of [a, again]) socket.send({ type: "typing" });
    await a.settled();
    await again.settled();
    expect(typesOf(await watcher.settled())).toEqual(["typing"]);
  });

  it("many joins at once are one frame", async () => {
    stopClock();
    const room = newRoom();
    const watcher = await enter(roomObject(room), "watcher");
    await enterAll(room, 40);
    const gathered = await watcher.nextOf("presence");
    expect(gathered).toMatchObject({ users: { length: 41 } });
    expect(await watcher.settled()).toEqual([]);
  });

  it("many moves at once are told as changes to those who take them, even of somebody who came and went", async () => {
    stopClock();
    const room = newRoom();
    const [changing, batched] = [
      await enter(roomObject(room), "c", { subprotocol: "chat.changes" }),
      await enter(roomObject(room), "b", { subprotocol: "chat.batched" }),
    ];
    await changing.nextOf("user_joined");
    const crowd = await enterAll(room, 40);
    crowd[39]?.close();
    await crowd[39]?.closed;
    const { joined, left } = await changing.nextOf("presence_changed");
    expect(left).toEqual(["user-39"]);
    expect(joined).toHaveLength(21);
    expect(joined).toContain("user-38");
    expect(await batched.nextOf("presence")).toMatchObject({ users: { length: 41 } });
    expect(await changing.settled()).toEqual([]);
  });

  it("are off above 100 people, who get the count, and on again below", async () => {
    stopClock();
    const room = newRoom();
    const members = await enterAll(room, 100);
    const [first] = members;
    if (!first) throw new Error("nobody there");
    pass(1_000);
    await first.nextOf("presence");
    const extra = await enter(roomObject(room), "one-too-many");
    expect(extra.greeting.at(-1)).toMatchObject({ type: "presence", users: { length: 100 }, count: 101 });
    expect(await first.nextOf("presence")).toMatchObject({ count: 101 });
    pass(1_000);
    const another = await enter(roomObject(room), "another");
    members[1]?.send({ type: "typing" });
    await members[1]?.settled();
    expect(await first.settled()).toEqual([]);
    for (const member of [another, extra]) {
      member.close();
      await member.closed;
    }
    const back = await first.nextOf("presence");
    expect(back).toMatchObject({ users: { length: 100 } });
    expect(back).not.toHaveProperty("count");
    pass(1_000);
    members[1]?.send({ type: "typing" });
    expect(await first.nextOf("typing")).toMatchObject({ userId: "user-1" });
  });
});

describe("a reader", () => {
  it("that gives no sign is closed with 1013 after 200 messages, and resumes exactly there", async () => {
    const room = newRoom();
    const reader = await join(room);
    await fill(room, 150);
    await evictDurableObject(roomObject(room));
    // Messages since the attachment was last written do not count: fewer than 20.
    await fill(room, 80);
    expect(await reader.closed).toMatchObject({ code: 1013, reason: expect.stringContaining("?after=") });
    let last = 0;
    for (let frame = await reader.next(); last < 200; frame = await reader.next()) {
      if (frame.type === "message") last = frame.message.seq;
    }
    const resumed = await join(room, { after: last, token: reader.token ?? "" });
    expect(typesOf(resumed.greeting)).toEqual(["history", "presence"]);
    expect(resumed.history.map(({ seq }) => seq)).toEqual(Array.from({ length: 230 - last }, (_, i) => last + 1 + i));
  }, 60_000);

  it("that gives no sign is closed after 256 KiB", async () => {
    const room = newRoom();
    const reader = await join(room);
    const text = "\u00e9".repeat(4_000);
    for (let i = 0; i < 3; i++) {
      const speaker = await join(room);
      for (let j = 0; j < 16 && reader.socket.readyState === WebSocket.OPEN; j++) await speaker.say(text);
      speaker.close();
    }
    expect(await reader.closed).toMatchObject({ code: 1013 });
    expect((await join(room)).history).toHaveLength(34);
  });

  it("of the plain protocol stays while it pings", async () => {
    const room = newRoom();
    const reader = await join(room);
    for (let i = 0; i < 2; i++) {
      await fill(room, 150);
      reader.send('{"type":"ping"}');
      await reader.nextOf("pong");
    }
    await fill(room, 10);
    expect(reader.socket.readyState).toBe(WebSocket.OPEN);
  }, 60_000);

  it("that sends `seen` stays; its other frames no longer count as signs", async () => {
    const room = newRoom();
    const reader = await join(room);
    await fill(room, 150);
    reader.send({ type: "seen", seq: 150 });
    await reader.settled();
    await fill(room, 150);
    expect(reader.socket.readyState).toBe(WebSocket.OPEN);
    reader.send({ type: "seen", seq: 200 });
    // 100 behind from here.
    reader.send('{"type":"ping"}');
    await reader.settled();
    await fill(room, 110);
    expect(await reader.closed).toMatchObject({ code: 1013 });
  }, 60_000);

  it("cannot have seen a message that was not sent", async () => {
    const member = await join(newRoom());
    await member.say("one");
    member.send({ type: "seen", seq: 2 });
    expect(await member.nextOf("error")).toMatchObject({ code: "invalid", error: expect.stringContaining("seq") });
  });
});

describe("greetings of 2.4 MB", () => {
  /** A room whose history is as long. */
  async function longRoom(): Promise<string> {
    const room = newRoom();
    await runInDurableObject(roomObject(room), async (it) => {
      if (!(it instanceof ChatRoomDO)) throw new Error("no room");
      const text = `x${"\u0001".repeat(3_999)}`;
      for (let i = 0; i < 100; i++) await it.say({ userId: `writer-${i % 10}` }, { type: "chat", text });
    });
    return room;
  }

  /** Asks to join, and never reads from the socket. */
  async function ask(room: string, joining: Joining): Promise<[status: number, retryAfter: string | null]> {
    const { status, headers, body, webSocket } = await roomObject(room).fetch(joinRequest(joining));
    await body?.cancel();
    // So that it stays: nobody else holds it.
    if (webSocket) onTestFinished(() => webSocket.accept());
    return [status, headers.get("Retry-After")];
  }

  it("are unread until a sign comes or the socket closes; above 32 MiB of them, nobody else is let in", async () => {
    stopClock();
    const room = await longRoom();
    const mute = await enterAll(room, 14);
    const answer = () => ask(room, { userId: "late" });
    for (const wakes of [false, true]) {
      if (wakes) await evictDurableObject(roomObject(room));
      expect(await answer()).toEqual([503, "20"]);
    }
    // The close was seen once the other was told.
    const watcher = mute[13];
    mute[0]?.close();
    await watcher?.nextOf("user_left");
    pass(1_000);
    await enter(roomObject(room), "in the place of the first");
    expect(await answer()).toEqual([503, "20"]);
    for (const reader of mute.slice(1, 3)) await reader.settled();
    await evictDurableObject(roomObject(room));
    await enter(roomObject(room), "in the place of the second");
    await enter(roomObject(room), "in the place of the third");
    expect(await answer()).toEqual([503, "20"]);
    // The runtime's clock is the real one, which goes on.
    mute[3]?.send('{"type":"ping"}');
    await mute[3]?.nextOf("pong");
    pass(1_000);
    await enter(roomObject(room), "in the place of the fourth");
  });

  it("are unread for 55 s at most: who gives no sign is asked for one, and put out, in a crowd too", async () => {
    stopClock();
    vi.spyOn(Audience.prototype, "isCompany").mockReturnValue(false);
    const room = await longRoom();
    const reader = await enter(roomObject(room), "reader");
    for (let i = 1; i < 14; i++) expect(await ask(room, { userId: `mute-${i}` })).toEqual([101, null]);
    pass(45_000);
    expect(await ask(room, { userId: "late" })).toEqual([503, "20"]);
    await reader.nextOf("ping");
    await reader.settled();
    pass(10_000);
    // As much again, though the sockets that were put out wait for their clients.
    for (let i = 0; i < 13; i++) expect(await ask(room, { userId: `late-${i}` })).toEqual([101, null]);
    expect(reader.socket.readyState).toBe(WebSocket.OPEN);
  });

  it("are counted once a second, and not for those who knock too often", async () => {
    stopClock();
    const room = await longRoom();
    await enterAll(room, 14);
    const looked = await runInDurableObject(roomObject(room), (_, ctx) =>
      vi.spyOn(ctx, "getWebSocketAutoResponseTimestamp"),
    );
    pass(1_000);
    for (let i = 0; i < 60; i++) expect(await ask(room, { userId: "late" })).toEqual([503, "20"]);
    expect(looked).toHaveBeenCalledTimes(14);
    pass(1_000);
    expect(await ask(room, { userId: "late" })).toEqual([503, "20"]);
    expect(looked).toHaveBeenCalledTimes(28);
    for (let i = 0; i < 9; i++) {
      pass(100);
      expect(await ask(room, { userId: "late" })).toEqual([429, "10"]);
    }
  });

  it("are noted once for each socket, when it has been greeted", async () => {
    const room = await longRoom();
    const noted = vi.spyOn(WebSocket.prototype, "serializeAttachment");
    await enter(roomObject(room), "reader");
    expect(noted.mock.calls).toMatchObject([[{ userId: "reader", reading: { greeted: expect.any(Number) } }]]);
  });

  it.each([
    { what: "one user", mute: {}, late: { userId: "mute" } },
    { what: "one network address", mute: { address: "here" }, late: { userId: "near", address: "here" } },
  ])("that $what did not read keep out the same only: 429, also after they were put out", async ({ mute, late }) => {
    stopClock();
    const room = await longRoom();
    for (let i = 0; i < 7; i++) await ask(room, { userId: "mute", ...mute });
    expect(await ask(room, late)).toEqual([429, "10"]);
    const readers = [await enter(roomObject(room), "far"), await enter(roomObject(room), "wide")];
    pass(45_000);
    expect(await ask(room, late)).toEqual([429, "10"]);
    for (const reader of readers) await reader.settled();
    pass(10_000);
    expect(await ask(room, late)).toEqual([429, "10"]);
  });
});

it("the alarm is set for the soonest time of those that are asked for at once", async () => {
  await runInDurableObject(roomObject(newRoom()), async (_, { storage }) => {
    const soon = Date.now() + 5_000;
    const wake = new Wake(storage, "room");
    // The second call asks before the first sets it, and is answered after that.
    const { promise, resolve: answer } = Promise.withResolvers<null>();
    vi.spyOn(storage, "getAlarm").mockResolvedValueOnce(null).mockReturnValueOnce(promise);
    const [first, second] = [0, 40_000].map((later) => wake.arm(soon + later));
    await first;
    answer(null);
    await second;
    expect(await storage.getAlarm()).toBe(soon);
  });
});

describe("a dead connection", () => {
  it("gets a ping, and is closed within a minute; a client that answers stays", async () => {
    stopClock();
    const room = newRoom();
    const [here, gone, quiet] = [await join(room), await join(room), await join(room)];
    await here.settled();
    await evictDurableObject(roomObject(room));
    pass(45_000);
    here.send({ type: "typing" });
    await here.settled();
    await runDurableObjectAlarm(roomObject(room));
    expect(await quiet.nextOf("ping")).toEqual({ type: "ping" });
    expect(await gone.nextOf("ping")).toEqual({ type: "ping" });
    quiet.send({ type: "typing" });
    await quiet.settled();
    await evictDurableObject(roomObject(room));
    pass(10_000);
    await runDurableObjectAlarm(roomObject(room));
    expect(await gone.closed).toMatchObject({ code: 1013 });
    expect((await here.settled()).at(-1)).toMatchObject({ type: "user_left", userId: gone.userId });
    expect(quiet.socket.readyState).toBe(WebSocket.OPEN);
    expect((await join(room)).greeting.at(-1)).toMatchObject({ users: { length: 3 } });
  });

  it("is looked for by an alarm in a room of two, and not in a room of one", async () => {
    const room = newRoom();
    const alarm = () => runInDurableObject(roomObject(room), (_, { storage }) => storage.getAlarm());
    await join(room);
    expect(await alarm()).toBeNull();
    const before = Date.now();
    const other = await join(room);
    expect(await alarm()).toBeGreaterThanOrEqual(before + 45_000);
    expect(await alarm()).toBeLessThanOrEqual(Date.now() + 45_000);
    other.close();
    await other.closed;
    await runDurableObjectAlarm(roomObject(room));
    expect(await alarm()).toBeNull();
  });

  it("is looked for again once a crowd has gone", async () => {
    stopClock();
    const room = newRoom();
    const crowd = await enterAll(room, 102);
    pass(46_000);
    await runDurableObjectAlarm(roomObject(room));
    const [first, second, ...others] = crowd;
    for (const member of others) member.close();
    await Promise.all(others.map(({ closed }) => closed));
    for (let looks = 0; looks < 2; looks++) {
      await expect.poll(() => runDurableObjectAlarm(roomObject(room))).toBe(true);
      pass(10_000);
    }
    expect(await first?.closed).toMatchObject({ code: 1_013 });
    expect(await second?.closed).toMatchObject({ code: 1_013 });
  });

  it("is looked for again once a crowd has gone while the room slept", async () => {
    const room = newRoom();
    const crowd = await enterAll(room, 101);
    const alarm = () => runInDurableObject(roomObject(room), (_, { storage }) => storage.getAlarm());
    await runDurableObjectAlarm(roomObject(room));
    expect(await alarm()).toBeNull();
    await evictDurableObject(roomObject(room));
    crowd[0]?.close();
    await expect.poll(() => alarm()).not.toBeNull();
  });

  it("is not looked for where no socket is open, though there are people elsewhere", async () => {
    await runInDurableObject(roomObject(newRoom()), (_, ctx) => {
      const elsewhere = () => ({ ...NOWHERE, count: 2 });
      const audience = new Audience(ctx, new Budgets(100, () => []), { elsewhere, leftCompany: () => undefined });
      expect(audience.isCompany()).toBe(true);
      expect(audience.lookForSilent(Date.now())).toBeUndefined();
    });
  });

  it.each(["was alone", "was in a crowd"])(
    "is told from a quiet client that %s, by a ping before the close",
    async (how) => {
      stopClock();
      const room = newRoom();
      const quiet = await join(room);
      const crowd = how === "was alone" ? [] : await enterAll(room, 101);
      pass(600_000);
      const gone = crowd[0] ?? (await join(room));
      for (const member of crowd.slice(1)) member.close();
      await Promise.all(crowd.slice(1).map(({ closed }) => closed));
      pass(45_000);
      for (const asked of [true, false]) {
        await expect.poll(() => runDurableObjectAlarm(roomObject(room))).toBe(true);
        if (!asked) break;
        await quiet.nextOf("ping");
        quiet.send({ type: "typing" });
        await quiet.settled();
        await evictDurableObject(roomObject(room));
        pass(10_000);
      }
      expect(await gone.closed).toMatchObject({ code: 1_013 });
      expect((await quiet.settled()).map(({ type }) => type)).not.toContain("ping");
      expect(quiet.socket.readyState).toBe(WebSocket.OPEN);
    },
  );

  it("costs one alarm in 25 seconds if everybody pings every 20", async () => {
    stopClock();
    const room = newRoom();
    const [a, b] = [await join(room), await join(room)];
    const begin = Date.now();
    let looks = 0;
    const alarm = () => runInDurableObject(roomObject(room), (_, { storage }) => storage.getAlarm());
    for (let second = 20; second <= 300; second += 20) {
      vi.setSystemTime(begin + second * 1_000);
      for (const member of [a, b]) member.send('{ "type": "ping" }');
      for (const member of [a, b]) await member.nextOf("pong");
      while (((await alarm()) ?? 0) < begin + (second + 20) * 1_000) {
        vi.setSystemTime((await alarm()) ?? 0);
        await runDurableObjectAlarm(roomObject(room));
        looks++;
      }
    }
    expect(looks).toBeGreaterThan(5);
    expect(looks / 300).toBeLessThanOrEqual(cost.operations.company.alarms.ours / (30 * 86_400));
  });

  it("is not one whose pings the runtime answers", async () => {
    const room = newRoom();
    const [a, b] = [await join(room), await join(room)];
    stopClock(Date.now() + 30_000);
    // The runtime notes the time by its own clock, which is behind the test's by 30 s from here on.
    for (const member of [a, b]) {
      member.send('{"type":"ping"}');
      await member.nextOf("pong");
    }
    pass(20_000);
    await runDurableObjectAlarm(roomObject(room));
    expect([a, b].map(({ socket }) => socket.readyState)).toEqual([WebSocket.OPEN, WebSocket.OPEN]);
  });
});

describe("patience", () => {
  it.each([
    ["invalid frames", () => "{", "error"],
    ["a message that is sent again and again", () => ({ type: "chat", text: "x", clientId: "x" }), "ack"],
    ["a message under a used id", (i: number) => ({ type: "chat", text: `${i}`, clientId: "x" }), "error"],
  ] as const)(
    "for %s ends with 1008 for its sender, on any socket, and others notice nothing",
    async (...[, frame, answer]) => {
      stopClock();
      const room = newRoom();
      const [victim, other] = [await join(room), await join(room)];
      await victim.say("x", { clientId: "x" });
      await other.settled();
      for (let i = 0; i < 70; i++) victim.send(frame(i));
      expect(await victim.closed).toMatchObject({ code: 1008 });
      expect(await victim.nextOf(answer)).toBeDefined();
      expect(typesOf(await other.settled())).toEqual(["user_left"]);
      await evictDurableObject(roomObject(room));
      expect(await other.say("well")).toMatchObject({ seq: 2 });
    },
  );

  it("is the user's, not the socket's: a user who comes back at once is refused, and let in later", async () => {
    stopClock();
    const room = newRoom();
    const victim = await join(room);
    const token = victim.token ?? "";
    const second = await join(room, { token });
    for (let i = 0; i < 70; i++) victim.send("{");
    expect(await victim.closed).toMatchObject({ code: 1008 });
    expect((await knock(room, { token })).status).toBe(429);
    second.send("{");
    expect(await second.closed).toMatchObject({ code: 1008 });
    pass(10_000);
    expect((await knock(room, { token })).status).toBe(101);
  });

  it("is larger for pings that wake the room and for typing signs, and ends too", async () => {
    stopClock();
    for (const frame of ['{ "type": "ping" }', '{"type":"typing"}']) {
      const member = await join(newRoom());
      for (let i = 0; i < 580; i++) member.send(frame);
      await member.settled();
      for (let i = 0; i < 20; i++) member.send(frame);
      expect(await member.closed).toMatchObject({ code: 1008 });
    }
  });
});

describe("who joins", () => {
  it("is not in the URL", () => {
    const request = joinRequest({ userId: "alice", address: "10.0.0.1", session: "s" });
    expect(request.url).toBe("https://room/");
  });

  it("may have a name of the most bytes; a longer one is refused with 400 where it is given", async () => {
    const tooLong = { userId: "é".repeat(126) };
    expect((await call("/session", { json: tooLong, headers: ADMIN })).status).toBe(400);
    const userId = `${unique().slice(0, 8)}${"é".repeat(116)}`;
    const member = await join(newRoom(), { headers: await logIn(userId) });
    expect(member.userId).toBe(userId);
    expect(await member.say("hello")).toMatchObject({ seq: 1 });
    // The longest name, as the server lengthens it for a guest.
    const guest = await fetchApp("/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ userId }),
    });
    const begun = await guest.json<{ token: string; userId: string }>();
    const visitor = await join(newRoom(), { headers: { Authorization: `Bearer ${begun.token}` } });
    expect(visitor.userId).toBe(`guest-${userId}`);
  });

  it("keeps the socket's attachment below 2 KiB", async () => {
    const room = newRoom();
    const { webSocket } = await roomObject(room).fetch(
      joinRequest({
        userId: "é".repeat(120),
        address: "2001:db8:aaaa:bbbb::/64",
        session: "s".repeat(200),
        undecided: { kind: "user", id: "é".repeat(120) },
      }),
    );
    webSocket?.accept();
    const bytes = await runInDurableObject(roomObject(room), (_, ctx) =>
      ctx.getWebSockets().map((socket) => JSON.stringify(socket.deserializeAttachment()).length * 2),
    );
    expect(bytes[0]).toBeLessThan(2_048);
    webSocket?.close();
  });
});
