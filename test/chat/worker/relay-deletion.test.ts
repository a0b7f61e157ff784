/** A room with relays that is deleted. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { joinRequest } from "../../../worker/chat/joining.ts";
import { ChatRoomDO } from "../../../worker/chat/room.ts";
import { loseCalls, relayObject, roomWithRelay, textsOf } from "./relay-support.ts";
import { enter, newRoom, roomObject, stays } from "./support.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a room with relays that is deleted", () => {
  const eve = { userId: "eve", undecided: { kind: "user" as const, id: "eve" } };
  const stored = (object: DurableObjectStub) =>
    runInDurableObject(object, async (_, { storage }) => [[...storage.kv.list()], await storage.getAlarm()]);
  /** Calls to end a relay get lost. Returns how to end that. */
  const loseEnds = () => {
    const ends = loseCalls("endRelay");
    return () => ends.mockRestore();
  };
  /** Deletes the room while calls to its relays get lost. */
  const destroyUnheard = async (room: string) => {
    const heal = loseEnds();
    // Caught inside, because the runtime reports an error that leaves an object.
    await runInDurableObject(roomObject(room), async (it: ChatRoomDO) => {
      await expect(it.destroy()).rejects.toThrow("lost");
    });
    heal();
  };

  it("is not served by a relay that somebody joins meanwhile", async () => {
    const { room, far } = await roomWithRelay();
    const slow = await enter(relayObject(room, 2), "slow");
    const end = ChatRoomDO.prototype.endRelay;
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    Reflect.set(ChatRoomDO.prototype, "endRelay", async function (this: ChatRoomDO, current?: string) {
      if (Reflect.get(this, "ctx").id.name.endsWith(":2")) await answered;
      return end.call(this, current);
    });
    onTestFinished(() => {
      ChatRoomDO.prototype.endRelay = end;
    });
    const deleting = roomObject(room).destroy();
    await far.closed;
    const back = await enter(relayObject(room), "far");
    expect(back.history).toEqual([]);
    answer();
    await deleting;
    await slow.closed;
    const writer = await enter(roomObject(room), "writer");
    await writer.say("new");
    expect(await textsOf(back, 1)).toEqual(["new"]);
    await roomObject(room).setDoor({ rule: "members", owner: "boss" });
    expect((await relayObject(room).fetch(joinRequest(eve))).status).toBe(403);
  });

  it("is not served by a relay that was starting, and hears of the deletion before it hears how the room was", async () => {
    const room = newRoom();
    await stays(room);
    const near = await enter(roomObject(room), "near");
    await near.say("secret");
    const whole = ChatRoomDO.prototype.attach;
    const attach = vi.spyOn(ChatRoomDO.prototype, "attach").mockImplementationOnce(async function (
      this: ChatRoomDO,
      ...args
    ) {
      const push = await whole.apply(this, args);
      await this.destroy();
      return push;
    });
    const far = await enter(relayObject(room), "far");
    expect(attach).toHaveBeenCalledTimes(2);
    expect(far.history).toEqual([]);
    const writer = await enter(roomObject(room), "writer");
    await writer.say("new");
    expect(await textsOf(far, 1)).toEqual(["new"]);
  });

  it("and made anew sets the alarm again for what its relays must be sent", async () => {
    const room = newRoom();
    await stays(room);
    const before = await enter(relayObject(room), "far");
    await roomObject(room).setDoor({ rule: "public" });
    await roomObject(room).destroy();
    await before.closed;
    await stays(room);
    await enter(relayObject(room), "far");
    const take = loseCalls("take");
    await roomObject(room).setDoor({ rule: "members", owner: "boss" });
    take.mockRestore();
    const [, alarm] = await stored(roomObject(room));
    expect(Number(alarm) - Date.now()).toBeLessThanOrEqual(5_000);
  });

  it("is empty at once, and tells its relays again by the alarm, also after a crash", async () => {
    const { room, far } = await roomWithRelay();
    await destroyUnheard(room);
    expect(await roomObject(room).messages({ limit: 10 })).toMatchObject({ messages: [] });
    await evictDurableObject(roomObject(room), { webSockets: "close" });
    expect(await runDurableObjectAlarm(roomObject(room))).toBe(true);
    expect(await far.closed).toMatchObject({ code: 1001 });
    for (let i = 0; i < 2; i++) await runDurableObjectAlarm(roomObject(room));
    for (const object of [roomObject(room), relayObject(room)]) expect(await stored(object)).toEqual([[], null]);
  });

  it.each(["says something", "joins", "who is there joins"])(
    "is forgotten by a relay that did not hear of it when somebody %s",
    async (what) => {
      const { room, far } = await roomWithRelay();
      await destroyUnheard(room);
      // The alarm does not tell it either.
      loseEnds();
      await roomObject(room).setDoor({ rule: "members", owner: "boss" });
      if (what !== "says something") await enter(relayObject(room), what === "joins" ? "other" : "far");
      else far.send({ type: "chat", text: "into the new room" });
      expect(await far.closed).toMatchObject({ code: 1001 });
      expect((await relayObject(room).fetch(joinRequest(eve))).status).toBe(403);
      expect(await roomObject(room).messages({ limit: 10 })).toMatchObject({ messages: [] });
    },
  );

  it("is forgotten by a relay that lost its memory and the answer that started it anew", async () => {
    const { room, far } = await roomWithRelay();
    await destroyUnheard(room);
    await evictDurableObject(relayObject(room));
    const whole = ChatRoomDO.prototype.attach;
    vi.spyOn(ChatRoomDO.prototype, "attach").mockImplementationOnce(async function (this: ChatRoomDO, ...args) {
      await whole.apply(this, args);
      throw new Error("the answer is lost");
    });
    await stays(room);
    await expect(relayObject(room).fetch(joinRequest({ userId: "other" }))).rejects.toThrow("lost");
    const writer = await enter(roomObject(room), "writer");
    for (let i = 0; i < 3; i++) await writer.say(`new ${i}`);
    expect(await far.closed).toMatchObject({ code: 1001 });
    expect((await far.closed).reason).toBe("The room was deleted");
    expect((await enter(relayObject(room), "other")).history).toHaveLength(3);
  });

  it("and made anew keeps the readers of a relay that is ended late", async () => {
    const { room } = await roomWithRelay();
    await destroyUnheard(room);
    await evictDurableObject(relayObject(room), { webSockets: "close" });
    const anew = await enter(relayObject(room), "anew");
    expect(anew.history).toEqual([]);
    await runDurableObjectAlarm(roomObject(room));
    const writer = await enter(roomObject(room), "writer");
    await writer.say("new");
    expect(await textsOf(anew, 1)).toEqual(["new"]);
  });
});
