/** Readers at relays because they are far away, or because the room is full. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { AT_RELAY, joinRequest, readRelay } from "../../../worker/chat/joining.ts";
import { ChatRoomDO } from "../../../worker/chat/room.ts";
import app from "../../../worker/index.ts";
import { stackOf } from "../../../worker/stack.ts";
import { relayObject } from "./relay-support.ts";
import { enter, join, letIn, type Member, newRoom, roomObject, stays, withSettings } from "./support.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("callers in another region", () => {
  const us = { id: "us", prefix: "us", locationHint: "enam", continents: ["NA"] };
  const eu = { id: "eu", prefix: "eu", locationHint: "weur", continents: ["EU"] };

  async function joinFrom(continent: string, room: string, { law = {} }: { law?: object } = {}): Promise<Member> {
    const { chat } = stackOf(env).settings;
    const regions = { environmentPrefix: "dev-", home: "eu", regions: [{ ...eu, ...law }, us] };
    const settings = { ...env.SETTINGS, chat: { ...chat, regionalRelays: true } };
    const request = new Request(`https://stack.test/room/${room}/ws`, {
      headers: { Upgrade: "websocket", "CF-Connecting-IP": "10.1.2.3" },
      cf: { continent },
    });
    return letIn(await app.fetch(request, { ...env, REGIONS: regions, SETTINGS: settings }));
  }
  const socketsAt = (name: string) =>
    runInDurableObject(env.CHAT_ROOM.getByName(name), (_, ctx) => ctx.getWebSockets().length);

  it("read through a relay there, which lets in the next one without asking the room", async () => {
    const room = newRoom();
    const far = await joinFrom("NA", room);
    const near = await joinFrom("EU", room);
    await near.say("hello over there");
    expect(await far.nextOf("message")).toMatchObject({ message: { text: "hello over there" } });
    expect(await socketsAt(`dev-us:chat:eu:${room}:0`)).toBe(1);
    expect(await socketsAt(`dev-eu:chat:${room}`)).toBe(1);
    const attach = vi.spyOn(ChatRoomDO.prototype, "attach");
    const logged = vi.spyOn(console, "log").mockImplementation(() => undefined);
    const next = await joinFrom("NA", room);
    expect(next.history).toMatchObject([{ text: "hello over there" }]);
    expect(attach).not.toHaveBeenCalled();
    expect(JSON.parse(String(logged.mock.lastCall))).toMatchObject({ class: "chat", region: "us", status: 101 });
  });

  it("read in the room itself if the law keeps it in its region", async () => {
    const room = newRoom();
    await joinFrom("NA", room, { law: { jurisdiction: "eu" } });
    expect(await socketsAt(`dev-us:chat:eu:${room}:0`)).toBe(0);
    expect(await socketsAt(`dev-eu:chat:${room}`)).toBe(1);
  });
});

describe("a room that is full", () => {
  it("sends further callers to relays, the first with a place, and takes 1,000 without any", async () => {
    const room = newRoom();
    await withSettings({ relays: 2, socketsPerAddress: 1_000 });
    await stays(room);
    const sockets = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) => roomObject(room).fetch(joinRequest({ userId: `user-${i}` }))),
    );
    expect(sockets.map(({ status }) => status)).toEqual(sockets.map(() => 101));
    for (const { webSocket } of sockets) webSocket?.accept();
    const answer = await roomObject(room).fetch(joinRequest({ userId: "one-more" }));
    expect(answer.status).toBe(AT_RELAY);
    const { relay, granted } = readRelay(answer);
    expect(relay).toBe(1);
    const member = await enter(relayObject(room, relay), "one-more", { granted });
    expect(member.greeting.at(-1)).toMatchObject({ type: "presence", count: 1_001 });
    const whole = await join(room);
    expect(whole.greeting.at(-1)).toMatchObject({ type: "presence", count: expect.any(Number) });
    expect(await whole.say("hello all")).toMatchObject({ seq: 1 });
    expect(await member.nextOf("message")).toMatchObject({ message: { text: "hello all" } });
    for (const { webSocket } of sockets) webSocket?.close();
  }, 60_000);
});
