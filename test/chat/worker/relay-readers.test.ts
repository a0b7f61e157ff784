/** Readers at relays see the room as those at home do, whatever is lost between them. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Audience } from "../../../worker/chat/audience.ts";
import { joinRequest, readRelay } from "../../../worker/chat/joining.ts";
import { MAX_SOCKETS, MESSAGES_PER_FRAME } from "../../../worker/chat/limits.ts";
import { ChatRoomDO } from "../../../worker/chat/room.ts";
import { stackOf } from "../../../worker/stack.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { keepMore, loseCalls, relayObject, roomWithRelay, textsOf } from "./relay-support.ts";
import { enter, newRoom, roomObject, stays, withSettings } from "./support.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a reader at a relay", () => {
  it("gets the history, then what is said at home and at relays, in one order", async () => {
    const { room, near, far } = await roomWithRelay();
    const other = await enter(relayObject(room, 2), "other");
    const readers = [await enter(roomObject(room), "reader"), await enter(relayObject(room, 2), "reader-2")];
    expect(far.history.map(({ text }) => text)).toEqual(["first"]);
    expect(other.history.map(({ text }) => text)).toEqual(["first"]);
    await near.say("from home");
    await far.say("from a relay");
    await other.say("from another");
    const said = ["from home", "from a relay", "from another"];
    for (const reader of readers) expect(await textsOf(reader, 3)).toEqual(said);
    const again = await enter(relayObject(room), "again", { after: 1 });
    expect(again.history.map(({ text }) => text)).toEqual(said);
  });

  it("is told of a message, with its number, once", async () => {
    const { near, far } = await roomWithRelay();
    for (let i = 0; i < 5; i++) await near.say(`message ${i}`);
    const seqs: number[] = [];
    while (seqs.length < 5) seqs.push((await far.nextOf("message")).message.seq);
    expect(seqs).toEqual([2, 3, 4, 5, 6]);
    expect((await far.settled()).map(({ type }) => type)).toEqual([]);
  });

  it("resumes from its last number, and meets the gap where messages are gone", async () => {
    const { room, near } = await roomWithRelay();
    await near.say("second");
    const back = await enter(relayObject(room), "far", { after: 1 });
    expect(back.history.map(({ text }) => text)).toEqual(["second"]);
    const [second] = back.history;
    const same = await enter(relayObject(room), "far", { after: 2, afterId: second?.id ?? "" });
    expect(same.greeting.map(({ type }) => type)).toEqual(["history", "presence"]);
    const anew = await enter(relayObject(room), "far", { after: 2, afterId: "of another room" });
    expect(anew.greeting[0]).toMatchObject({ type: "gap", after: 2, first: 1 });
    const lost = await enter(relayObject(room), "far", { after: 99 });
    expect(lost.greeting[0]).toMatchObject({ type: "gap", after: 99, first: 1 });
  });

  it("whom the home let in and the relay refuses takes no place: the relay says how many it has", async () => {
    const { room } = await roomWithRelay();
    await roomObject(room).setDoor({ rule: "users" });
    const said = vi.spyOn(ChatRoomDO.prototype, "relaySaid");
    const stranger = joinRequest({ userId: "anon", granted: 0, undecided: { kind: "anonymous", id: "anon" } });
    expect((await relayObject(room).fetch(stranger)).status).toBe(401);
    await expect.poll(() => said).toHaveBeenCalledOnce();
    expect(said.mock.lastCall?.[1]).toMatchObject({ sockets: 1 });
  });

  it("who connects too often takes no place at a relay", async () => {
    const { room } = await roomWithRelay();
    await withSettings({ relays: 2 });
    vi.spyOn(Audience.prototype, "isFull").mockReturnValue(true);
    const knock = (userId: string) =>
      runInDurableObject(roomObject(room), async (it) => it.fetch?.(joinRequest({ userId })));
    for (let i = 0; i < MAX_SOCKETS; i++) await knock("hasty");
    const refused = await knock("hasty");
    expect([refused?.status, refused?.headers.get("Retry-After")]).toEqual([429, "10"]);
    const answer = await knock("other");
    expect(answer && readRelay(answer).relay).toBe(1);
  });

  it("is not charged for a knock at a full room without relays", async () => {
    const room = newRoom();
    const full = vi.spyOn(Audience.prototype, "isFull").mockReturnValue(true);
    for (let i = 0; i < 61; i++) {
      expect((await roomObject(room).fetch(joinRequest({ userId: "patient" }))).status).toBe(503);
    }
    full.mockRestore();
    await enter(roomObject(room), "patient");
  });

  it("who names a number that there is not makes the relay ask the home once in five seconds", async () => {
    stopClock();
    const { room } = await roomWithRelay();
    const attach = vi.spyOn(ChatRoomDO.prototype, "attach");
    for (const after of [Number.MAX_SAFE_INTEGER, 99, 2]) {
      const lost = await enter(relayObject(room), "far", { after });
      expect(lost.greeting[0]).toEqual({ type: "gap", after, first: 1 });
    }
    expect(attach).toHaveBeenCalledTimes(1);
    pass(5_000);
    await enter(relayObject(room), "far", { after: 2 });
    expect(attach).toHaveBeenCalledTimes(2);
  });

  it("resumes without a gap if the home sent them, also after one who named a number that there is not", async () => {
    const { room, near } = await roomWithRelay();
    await enter(relayObject(room), "lost", { after: 99 });
    loseCalls("take");
    await near.say("read at home");
    const back = await enter(relayObject(room), "back", { after: 2, granted: 0 });
    expect(back.greeting.map(({ type }) => type)).toEqual(["history", "presence"]);
  });

  it("resumes without a gap and sees nothing twice, if the relay is behind what they have", async () => {
    const { room, near } = await roomWithRelay();
    const take = loseCalls("take");
    await near.say("read at home");
    await expect.poll(() => take).toHaveBeenCalled();
    const back = await enter(relayObject(room), "back", { after: 2 });
    expect(back.greeting.map(({ type }) => type)).toEqual(["history", "presence"]);
    expect(back.history).toEqual([]);
    take.mockRestore();
    await near.say("new");
    expect(await textsOf(back, 1)).toEqual(["new"]);
  });

  it("stays, and misses nothing, if a message overtakes the answer that starts the relay", async () => {
    const room = newRoom();
    await stays(room);
    const near = await enter(roomObject(room), "near");
    await near.say("first");
    const whole = ChatRoomDO.prototype.attach;
    const take = vi.spyOn(ChatRoomDO.prototype, "take");
    vi.spyOn(ChatRoomDO.prototype, "attach").mockImplementationOnce(async function (this: ChatRoomDO, ...args) {
      const push = await whole.apply(this, args);
      await this.say({ userId: "near" }, { type: "chat", text: "second" });
      await expect.poll(() => take).toHaveBeenCalled();
      return push;
    });
    const far = await enter(relayObject(room), "far");
    await near.say("third");
    expect(await textsOf(far, 2)).toEqual(["second", "third"]);
  });

  it("stays if a message overtakes the answer that gives the relay everything anew", async () => {
    const { room, near, far } = await roomWithRelay();
    const whole = ChatRoomDO.prototype.attach;
    vi.spyOn(ChatRoomDO.prototype, "attach").mockImplementationOnce(async function (this: ChatRoomDO, ...args) {
      const push = await whole.apply(this, args);
      const take = vi.spyOn(ChatRoomDO.prototype, "take");
      await this.say({ userId: "near" }, { type: "chat", text: "second" });
      await expect.poll(() => take).toHaveBeenCalled();
      return push;
    });
    const other = await enter(relayObject(room), "other", { after: 9 });
    await near.say("third");
    for (const reader of [far, other]) expect(await textsOf(reader, 2)).toEqual(["second", "third"]);
  });

  it("joins a relay that is behind by more than is kept, whose readers meet the gap", async () => {
    const { room, far } = await roomWithRelay();
    const take = loseCalls("take");
    const { historyLimit } = stackOf(env).settings.chat;
    await runInDurableObject(roomObject(room), async (it: ChatRoomDO) => {
      for (let i = 0; i < historyLimit + 1; i++) await it.say({ userId: `user-${i}` }, { type: "chat", text: `${i}` });
    });
    await evictDurableObject(relayObject(room));
    const other = await enter(relayObject(room), "other");
    expect(other.history.at(-1)).toMatchObject({ seq: historyLimit + 2 });
    expect(await far.nextOf("gap")).toMatchObject({ after: 1, first: 3 });
    take.mockRestore();
  });

  it("misses nothing that was sent while the relay slept, or while calls to it were lost", async () => {
    const { room, near, far } = await roomWithRelay();
    await evictDurableObject(relayObject(room));
    await near.say("to a sleeper");
    expect(await textsOf(far, 1)).toEqual(["to a sleeper"]);
    const take = loseCalls("take");
    await near.say("lost one");
    await near.say("lost two");
    await expect.poll(() => take).toHaveBeenCalled();
    take.mockRestore();
    await runDurableObjectAlarm(roomObject(room));
    expect(await textsOf(far, 2)).toEqual(["lost one", "lost two"]);
  });

  it("sees a message once although the answer of the relay was lost", async () => {
    const { room, near, far } = await roomWithRelay();
    const take = vi.spyOn(ChatRoomDO.prototype, "take");
    const whole = ChatRoomDO.prototype.take;
    take.mockImplementationOnce(function (this: ChatRoomDO, push) {
      take.mockRestore();
      whole.call(this, push);
      ChatRoomDO.prototype.take.call(this, push);
      throw new Error("the answer is lost");
    });
    await near.say("once");
    await runDurableObjectAlarm(roomObject(room));
    await near.say("next");
    expect(await textsOf(far, 2)).toEqual(["once", "next"]);
  });

  it("gets what was stored right before the home crashed", async () => {
    const { room, near, far } = await roomWithRelay();
    const take = vi.spyOn(ChatRoomDO.prototype, "take").mockImplementation(() => {
      throw new Error("the home is gone");
    });
    await near.say("last words");
    await expect.poll(() => take).toHaveBeenCalled();
    await evictDurableObject(roomObject(room), { webSockets: "close" });
    take.mockRestore();
    expect(await runDurableObjectAlarm(roomObject(room))).toBe(true);
    expect(await textsOf(far, 1)).toEqual(["last words"]);
  });

  it("shares the user's budget with their sockets at home, and hears of the limit", async () => {
    stopClock();
    const { room, near } = await roomWithRelay();
    const same = await enter(relayObject(room), "near");
    for (let i = 0; i < 19; i++) await near.say(`message ${i}`);
    same.send({ type: "chat", text: "one too many", clientId: "x" });
    expect(await same.nextOf("error")).toMatchObject({ code: "rate-limited", clientId: "x" });
  });

  it("that sends a message twice has it stored once", async () => {
    const { far } = await roomWithRelay();
    const first = await far.say("hello", { clientId: "a" });
    expect(await far.say("hello", { clientId: "a" })).toMatchObject({ seq: first.seq, duplicate: true });
    far.send({ type: "chat", text: "other", clientId: "a" });
    expect(await far.nextOf("error")).toMatchObject({ code: "conflict" });
  });

  it("answers bad frames there, and passes on typing in a small room", async () => {
    const { near, far } = await roomWithRelay();
    far.send("{");
    expect(await far.nextOf("error")).toMatchObject({ code: "invalid" });
    far.send({ type: "typing" });
    expect(await near.nextOf("typing")).toMatchObject({ userId: "far" });
  });

  it("sees that a message is deleted, and so does who joins later", async () => {
    const { room, far } = await roomWithRelay();
    await roomObject(room).deleteMessage(1);
    expect(await far.nextOf("deleted")).toMatchObject({ seq: 1 });
    const later = await enter(relayObject(room), "later");
    expect(later.history).toMatchObject([{ seq: 1, text: "", deleted: true }]);
  });

  it("sees a deletion soon although a call was lost, and the alarm ran while the message was on its way", async () => {
    const { room, far } = await roomWithRelay();
    await runInDurableObject(roomObject(room), async (it: ChatRoomDO, { storage }) => {
      const { promise: onDisk, resolve: write } = Promise.withResolvers<void>();
      vi.spyOn(storage, "sync").mockReturnValueOnce(onDisk);
      const said = it.say({ userId: "near" }, { type: "chat", text: "oops" });
      await expect.poll(() => it.messages({ limit: 1 })).toMatchObject({ last: 2 });
      const deleted = it.deleteMessage(2);
      await storage.deleteAlarm();
      await it.alarm();
      const take = loseCalls("take");
      write();
      expect(await deleted).toBe("deleted");
      await said;
      take.mockRestore();
      expect(Number(await storage.getAlarm()) - Date.now()).toBeLessThanOrEqual(5_000);
    });
    await runDurableObjectAlarm(roomObject(room));
    expect(await far.nextOf("deleted")).toMatchObject({ seq: 2 });
  });

  it("gets a message before its deletion, however far the relay is behind", async () => {
    await keepMore();
    const { room, far } = await roomWithRelay();
    const take = loseCalls("take");
    await runInDurableObject(roomObject(room), async (it: ChatRoomDO) => {
      for (let i = 0; i < MESSAGES_PER_FRAME + 1; i++) {
        await it.say({ userId: `user-${i}` }, { type: "chat", text: `${i}` });
      }
    });
    const last = MESSAGES_PER_FRAME + 2;
    await roomObject(room).deleteMessage(last);
    await expect.poll(() => take).toHaveBeenCalled();
    take.mockRestore();
    await runDurableObjectAlarm(roomObject(room));
    const seqs: number[] = [];
    for (let frame = await far.next(); frame.type !== "deleted"; frame = await far.next()) {
      if (frame.type === "message") seqs.push(frame.message.seq);
    }
    expect(seqs.at(-1)).toBe(last);
  });

  it("is closed when the room is deleted, and starts anew with it", async () => {
    const { room, far } = await roomWithRelay();
    await roomObject(room).destroy();
    expect(await far.closed).toMatchObject({ code: 1001 });
    const again = await enter(relayObject(room), "far");
    expect(again.history).toEqual([]);
    expect(await again.say("a new room")).toMatchObject({ seq: 1 });
  });

  it("that is silent is asked, and closed within a minute, also if it was there alone before", async () => {
    stopClock();
    const room = newRoom();
    await stays(room);
    const far = await enter(relayObject(room), "far");
    const near = await enter(roomObject(room), "near");
    await near.say("hello");
    await far.nextOf("message");
    const alarmIn = (object: DurableObjectStub) =>
      runInDurableObject(object, async (_, { storage }) => ((await storage.getAlarm()) ?? 0) - Date.now());
    for (const object of [roomObject(room), relayObject(room)])
      expect(await alarmIn(object)).toBeLessThanOrEqual(45_000);
    pass(46_000);
    await runDurableObjectAlarm(relayObject(room));
    await far.nextOf("ping");
    pass(10_000);
    await runDurableObjectAlarm(relayObject(room));
    expect(await far.closed).toMatchObject({ code: 1013 });
  });

  it("that is silent is asked and closed although the relay slept", async () => {
    stopClock();
    const { room, far } = await roomWithRelay();
    for (const passed of [46_000, 10_000]) {
      pass(passed);
      await evictDurableObject(relayObject(room));
      await runDurableObjectAlarm(relayObject(room));
      if (passed > 10_000) await far.nextOf("ping");
    }
    expect(await far.closed).toMatchObject({ code: 1013 });
  });

  it("that is silent in a crowd is not asked, although the relay slept and has few of it", async () => {
    stopClock();
    const room = newRoom();
    await stays(room);
    const readers = await Promise.all(["a", "b"].map((userId) => enter(relayObject(room), userId)));
    await Promise.all(Array.from({ length: 100 }, (_, i) => enter(roomObject(room), `user-${i}`)));
    const take = vi.spyOn(ChatRoomDO.prototype, "take");
    await expect.poll(() => take.mock.lastCall?.[0].others.count).toBe(100);
    pass(46_000);
    await evictDurableObject(relayObject(room));
    await runDurableObjectAlarm(relayObject(room));
    for (const reader of readers) {
      expect((await reader.settled()).map(({ type }) => type)).not.toContain("ping");
    }
  });

  it("is in the presence of everybody, and leaves it", async () => {
    const { room, near, far } = await roomWithRelay();
    expect(far.greeting.at(-1)).toMatchObject({ type: "presence", users: ["far", "near"] });
    const third = await enter(roomObject(room), "third");
    expect(third.greeting.at(-1)).toMatchObject({ type: "presence", users: ["near", "third", "far"] });
    expect(await far.nextOf("user_joined")).toMatchObject({ userId: "third" });
    far.close();
    expect(await near.nextOf("user_left")).toMatchObject({ userId: "far" });
  });
});
