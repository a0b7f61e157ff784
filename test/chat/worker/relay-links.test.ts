/** What a relay and its home know of each other, and what a relay keeps. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Copy } from "../../../worker/chat/copy.ts";
import { joinRequest } from "../../../worker/chat/joining.ts";
import { addNewest, MAX_SOCKETS } from "../../../worker/chat/limits.ts";
import { relayAddress, relayPlace } from "../../../worker/chat/relay-places.ts";
import { ChatRoomDO } from "../../../worker/chat/room.ts";
import { isNotThere } from "../../../worker/http/joining.ts";
import { objectName } from "../../../worker/objects/names.ts";
import { stackOf } from "../../../worker/stack.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { loseCalls, relayObject, roomWithRelay, textsOf } from "./relay-support.ts";
import { enter, isEmptyFile, newRoom, roomObject } from "./support.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a relay without readers", () => {
  it("looks for silent sockets again once it has some", async () => {
    const { room, near, far } = await roomWithRelay();
    far.close();
    await near.nextOf("user_left");
    await enter(relayObject(room), "again");
    await near.nextOf("user_joined");
    const alarm = await runInDurableObject(relayObject(room), (_, { storage }) => storage.getAlarm());
    expect((alarm ?? 0) - Date.now()).toBeLessThan(60_000);
  });
});

describe("a relay", () => {
  it("is asked by a room that wakes again and again once an hour, and as soon as it may lack something", async () => {
    stopClock();
    const { room, far } = await roomWithRelay();
    const take = vi.spyOn(ChatRoomDO.prototype, "take");
    const calls = async (passed: number) => {
      take.mockClear();
      pass(passed);
      await evictDurableObject(roomObject(room));
      await runDurableObjectAlarm(roomObject(room));
      return take.mock.calls.length;
    };
    await calls(0);
    expect([await calls(20_000), await calls(20_000)]).toEqual([0, 0]);
    expect([await calls(3_600_000), await calls(20_000)]).toEqual([1, 0]);
    await roomObject(room).say({ userId: "near" }, { type: "chat", text: "hello" });
    expect(await textsOf(far, 1)).toEqual(["hello"]);
    expect([await calls(20_000), await calls(20_000)]).toEqual([1, 0]);
    await enter(roomObject(room), "third");
    await far.nextOf("user_joined");
    expect([await calls(20_000), await calls(20_000)]).toEqual([1, 0]);
  });

  it("is known by its name, which no room has, in its own region", () => {
    const { regions } = stackOf(env);
    const [home] = regions.regions;
    if (!home) throw new Error("no region");
    const address = { home: { region: home, id: "lobby" }, region: home, number: 3 };
    const { name, place } = relayPlace("chat", address);
    const written = objectName(regions, name, place);
    expect(written).toBe(`dev-${home.prefix}:chat:${home.id}:lobby:3`);
    expect(relayAddress(regions, written)).toEqual(address);
    expect(relayAddress(regions, `dev-${home.prefix}:chat:lobby`)).toBeUndefined();
  });

  it("of a room that does not exist is not made", async () => {
    const room = newRoom();
    expect(isNotThere(await relayObject(room).fetch(joinRequest({ userId: "a", ifThere: true })))).toBe(true);
    const stored = await runInDurableObject(roomObject(room), (_, { storage }) => [...storage.kv.list()]);
    expect(stored).toEqual([]);
  });

  it("that carries nobody leaves nothing behind, at home neither", async () => {
    const { room, near, far } = await roomWithRelay();
    far.close();
    await near.nextOf("user_left");
    const left = await runInDurableObject(relayObject(room), (_, { storage }) => [...storage.kv.list()]);
    expect(left).toEqual([]);
    const links = await runInDurableObject(roomObject(room), (_, { storage }) => [
      ...storage.kv.list({ prefix: "relay:" }),
    ]);
    expect(links).toEqual([]);
  });

  it("that carries nobody and cannot say so leaves not even an empty database", async () => {
    const { room } = await roomWithRelay();
    await evictDurableObject(relayObject(room), { webSockets: "close" });
    const said = loseCalls("relaySaid");
    expect(await runDurableObjectAlarm(relayObject(room))).toBe(true);
    said.mockRestore();
    expect(await runDurableObjectAlarm(relayObject(room))).toBe(true);
    expect(await isEmptyFile(relayObject(room))).toBe(true);
  });

  it("whose sockets were dropped is forgotten by the next alarm", async () => {
    const { room } = await roomWithRelay();
    await evictDurableObject(relayObject(room), { webSockets: "close" });
    await evictDurableObject(roomObject(room));
    await runDurableObjectAlarm(roomObject(room));
    const links = await runInDurableObject(roomObject(room), (_, { storage }) => [
      ...storage.kv.list({ prefix: "relay:" }),
    ]);
    expect(links).toEqual([]);
  });

  it("stores the number of what it has shown, and who its readers know is here, and no messages", async () => {
    const { room, near, far } = await roomWithRelay();
    await near.say("one");
    await far.nextOf("message");
    const stored = await runInDurableObject(relayObject(room), (_, { storage }) => [...storage.kv.list()]);
    expect(stored).toMatchObject([["relay", { have: 2, others: 1, told: ["near", "far"] }]]);
    expect(JSON.stringify(stored)).not.toContain("one");
  });
});

describe("a link that an older release made", () => {
  const unnamed =
    (key: string) =>
    (_: unknown, { storage }: DurableObjectState) => {
      for (const [each, value] of storage.kv.list<{ link?: string }>({ prefix: key })) {
        storage.kv.put(each, { ...value, link: undefined });
      }
    };

  it("is named when the relay asks the home again", async () => {
    const { room } = await roomWithRelay();
    await runInDurableObject(roomObject(room), unnamed("relay:"));
    await runInDurableObject(relayObject(room), unnamed("relay"));
    for (const object of [roomObject(room), relayObject(room)]) await evictDurableObject(object);
    await enter(relayObject(room), "second");
    const numbers = await runInDurableObject(relayObject(room), (_, { storage }) => storage.kv.get("relay"));
    expect(numbers).toMatchObject({ link: expect.any(String) });
  });

  it("keeps its readers if the home has lost the name, and the relay has not", async () => {
    const { room, far } = await roomWithRelay();
    await runInDurableObject(roomObject(room), unnamed("relay:"));
    await evictDurableObject(roomObject(room));
    expect(await far.say("hello")).toMatchObject({ seq: 2 });
    expect(await textsOf(far, 1)).toEqual(["hello"]);
  });
});

it("what a room or a relay notes of those who are gone has an end", () => {
  const set = new Set<string>();
  for (let i = 0; i <= MAX_SOCKETS; i++) addNewest(set, `session-${i}`);
  expect(set.size).toBe(MAX_SOCKETS);
  expect([...set].at(0)).toBe("session-1");
});

describe("a relay's copy of the history", () => {
  const message = (seq: number) => ({ id: `id-${seq}`, seq, userId: "a", text: `message ${seq}`, timestamp: seq });

  it("holds no more than the room keeps, also while nobody reads it", () => {
    const copy = new Copy({ historyLimit: 10, retentionMs: undefined });
    for (let seq = 1; seq <= 50; seq++) copy.add([message(seq)], { first: 1, last: seq });
    expect(copy.size).toBe(10);
    expect(copy.page({ limit: 0 }, 0)).toEqual({ messages: [], first: 41, last: 50 });
    copy.add([], { first: 46, last: 50 });
    expect(copy.size).toBe(5);
  });

  it("shows no message that is too old, and no text that was deleted", () => {
    const copy = new Copy({ historyLimit: 10, retentionMs: 100 });
    for (let seq = 1; seq <= 5; seq++) copy.add([message(seq)], { first: 1, last: seq });
    copy.blank(4);
    const { messages, first } = copy.page({ after: 0, limit: 10 }, 103);
    expect(first).toBe(4);
    expect(messages).toMatchObject([{ seq: 4, text: "", deleted: true }, { seq: 5 }]);
  });
});
