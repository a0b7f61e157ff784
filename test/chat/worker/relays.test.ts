/** Relays: readers at other objects see the room as those at home do, whatever is lost between them. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { Audience } from "../../../worker/chat/audience.ts";
import { Copy } from "../../../worker/chat/copy.ts";
import { MAX_MEMBERS } from "../../../worker/chat/door.ts";
import { AT_RELAY, joinRequest, readRelay } from "../../../worker/chat/joining.ts";
import { addNewest, MAX_SOCKETS, MESSAGES_PER_FRAME } from "../../../worker/chat/limits.ts";
import { NOBODY, type Push, relayAddress, relayPlace } from "../../../worker/chat/relaying.ts";
import { Relays } from "../../../worker/chat/relays.ts";
import { ChatRoomDO } from "../../../worker/chat/room.ts";
import { NOT_THERE } from "../../../worker/http/joining.ts";
import app from "../../../worker/index.ts";
import { objectName } from "../../../worker/objects/names.ts";
import { stackOf } from "../../../worker/stack.ts";
import { enter, isEmptyFile, join, Member, newRoom, roomObject, stays, withSettings } from "./support.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const relayObject = (room: string, number = 1) => env.CHAT_ROOM.getByName(`dev-eu:chat:eu:${room}:${number}`);

/** A room with a message, a reader at home and one at a relay. */
async function roomWithRelay() {
  const room = newRoom();
  await stays(room);
  const near = await enter(roomObject(room), "near");
  await near.say("first");
  const far = await enter(relayObject(room), "far");
  await near.nextOf("user_joined");
  return { room, near, far };
}

/** Rooms of this test keep more messages than go into one frame. */
const keepMore = () => withSettings({ historyLimit: 1_000 });

const textsOf = async (member: Member, count: number) => {
  const texts: string[] = [];
  while (texts.length < count) texts.push((await member.nextOf("message")).message.text);
  return texts;
};

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
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const { room } = await roomWithRelay();
    const attach = vi.spyOn(ChatRoomDO.prototype, "attach");
    for (const after of [Number.MAX_SAFE_INTEGER, 99, 2]) {
      const lost = await enter(relayObject(room), "far", { after });
      expect(lost.greeting[0]).toEqual({ type: "gap", after, first: 1 });
    }
    expect(attach).toHaveBeenCalledTimes(1);
    vi.setSystemTime(Date.now() + 5_000);
    await enter(relayObject(room), "far", { after: 2 });
    expect(attach).toHaveBeenCalledTimes(2);
  });

  it("resumes without a gap if the home sent them, also after one who named a number that there is not", async () => {
    const { room, near } = await roomWithRelay();
    await enter(relayObject(room), "lost", { after: 99 });
    vi.spyOn(ChatRoomDO.prototype, "take").mockImplementation(() => {
      throw new Error("lost");
    });
    await near.say("read at home");
    const back = await enter(relayObject(room), "back", { after: 2, granted: 0 });
    expect(back.greeting.map(({ type }) => type)).toEqual(["history", "presence"]);
  });

  it("resumes without a gap and sees nothing twice, if the relay is behind what they have", async () => {
    const { room, near } = await roomWithRelay();
    const take = vi.spyOn(ChatRoomDO.prototype, "take").mockImplementation(() => {
      throw new Error("lost");
    });
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
    const take = vi.spyOn(ChatRoomDO.prototype, "take").mockImplementation(() => {
      throw new Error("lost");
    });
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
    const take = vi.spyOn(ChatRoomDO.prototype, "take").mockImplementation(() => {
      throw new Error("lost");
    });
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
    const { room, near } = await roomWithRelay();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
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

  it("who may no longer be in the room is put out, and let in by the newest door only", async () => {
    const { room } = await roomWithRelay();
    const caller = { kind: "user" as const, id: "eve" };
    const eve = await enter(relayObject(room), "eve", { undecided: caller });
    await roomObject(room).setDoor({ rule: "members" });
    expect(await eve.closed).toMatchObject({ code: 1008 });
    const refused = await relayObject(room).fetch(joinRequest({ userId: "eve", undecided: caller }));
    expect(refused.status).toBe(403);
    await roomObject(room).invite("eve");
    await enter(relayObject(room), "eve", { undecided: caller });
  });

  it("hears of a change of the door, however many there were, of a room with the most members and the longest names", async () => {
    const { room, far } = await roomWithRelay();
    const members = Array.from({ length: MAX_MEMBERS }, (_, i) => `${i}`.padStart(120, "ж"));
    await runInDurableObject(roomObject(room), (_, { storage }) => storage.kv.put("door", { rule: "public", members }));
    await evictDurableObject(roomObject(room));
    const caller = { kind: "user" as const, id: "eve" };
    const eve = await enter(relayObject(room), "eve", { undecided: caller });
    for (const member of members.slice(0, 10)) {
      await roomObject(room).remove(member);
      await roomObject(room).invite(member);
    }
    const stored = await runInDurableObject(roomObject(room), (_, { storage }) => [...storage.kv.list()]);
    // Cloudflare takes 2 MB for a key and its value; the local runtime takes more.
    for (const each of stored) expect(new TextEncoder().encode(JSON.stringify(each)).byteLength).toBeLessThan(500_000);
    await roomObject(room).deleteMessage(1);
    await far.nextOf("deleted");
    await roomObject(room).setDoor({ rule: "members" });
    expect(await eve.closed).toMatchObject({ code: 1008 });
  });

  it("who is removed gets nothing that is written after that, although calls to the relay were lost", async () => {
    await keepMore();
    const { room, near } = await roomWithRelay();
    const caller = { kind: "user" as const, id: "eve" };
    const eve = await enter(relayObject(room), "eve", { undecided: caller });
    const take = vi.spyOn(ChatRoomDO.prototype, "take").mockImplementation(() => {
      throw new Error("lost");
    });
    await roomObject(room).setDoor({ rule: "members" });
    await runInDurableObject(roomObject(room), async (it: ChatRoomDO) => {
      for (let i = 0; i < MESSAGES_PER_FRAME + 1; i++) {
        await it.say({ userId: `user-${i}` }, { type: "chat", text: `${i}` });
      }
    });
    // The orders after this wait for its message, and the newest door stands for those before.
    await roomObject(room).deleteMessage(MESSAGES_PER_FRAME + 2);
    await roomObject(room).setDoor({ rule: "members", owner: "near" });
    take.mockRestore();
    await near.say("between us");
    expect(await eve.closed).toMatchObject({ code: 1008 });
    expect(eve.frames().map(({ type }) => type)).not.toContain("message");
  });

  it("who is invited several times at once is a member once, and so is everybody else who is", async () => {
    const { room } = await roomWithRelay();
    await runInDurableObject(roomObject(room), (it: ChatRoomDO) =>
      Promise.all(["eve", "eve", "adam"].map((userId) => it.invite(userId))),
    );
    expect(await roomObject(room).door()).toMatchObject({ members: ["eve", "adam"] });
  });

  it("whose session ends is put out, although the first call was lost", async () => {
    const { room } = await roomWithRelay();
    const session = "s".repeat(64);
    const holder = await enter(relayObject(room), "holder", { session });
    expect(await roomObject(room).holdsSession(session)).toBe(true);
    const take = vi.spyOn(ChatRoomDO.prototype, "take").mockImplementation(() => {
      throw new Error("lost");
    });
    await roomObject(room).sessionEnded(session);
    take.mockRestore();
    await runDurableObjectAlarm(roomObject(room));
    expect(await holder.closed).toMatchObject({ code: 1008 });
    expect((await relayObject(room).fetch(joinRequest({ userId: "holder", session }))).status).toBe(401);
  });

  it("whose session ends gets no message that is written after that, although the first call was lost", async () => {
    const { room, near } = await roomWithRelay();
    const session = "s".repeat(64);
    const holder = await enter(relayObject(room), "holder", { session });
    const take = vi.spyOn(ChatRoomDO.prototype, "take").mockImplementation(() => {
      throw new Error("lost");
    });
    await roomObject(room).sessionEnded(session);
    take.mockRestore();
    await near.say("between us");
    expect(await holder.closed).toMatchObject({ code: 1008 });
    expect(holder.frames().map(({ type }) => type)).not.toContain("message");
  });

  it("whose session ended before the relay began is refused", async () => {
    const room = newRoom();
    await stays(room);
    const session = "t".repeat(64);
    await roomObject(room).sessionEnded(session);
    expect((await relayObject(room).fetch(joinRequest({ userId: "late", session }))).status).toBe(401);
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
      const take = vi.spyOn(ChatRoomDO.prototype, "take").mockImplementation(() => {
        throw new Error("lost");
      });
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
    const take = vi.spyOn(ChatRoomDO.prototype, "take").mockImplementation(() => {
      throw new Error("lost");
    });
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
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
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
    vi.setSystemTime(Date.now() + 46_000);
    await runDurableObjectAlarm(relayObject(room));
    await far.nextOf("ping");
    vi.setSystemTime(Date.now() + 10_000);
    await runDurableObjectAlarm(relayObject(room));
    expect(await far.closed).toMatchObject({ code: 1013 });
  });

  it("that is silent is asked and closed although the relay slept", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const { room, far } = await roomWithRelay();
    for (const passed of [46_000, 10_000]) {
      vi.setSystemTime(Date.now() + passed);
      await evictDurableObject(relayObject(room));
      await runDurableObjectAlarm(relayObject(room));
      if (passed > 10_000) await far.nextOf("ping");
    }
    expect(await far.closed).toMatchObject({ code: 1013 });
  });

  it("that is silent in a crowd is not asked, although the relay slept and has few of it", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const room = newRoom();
    await stays(room);
    const readers = await Promise.all(["a", "b"].map((userId) => enter(relayObject(room), userId)));
    await Promise.all(Array.from({ length: 100 }, (_, i) => enter(roomObject(room), `user-${i}`)));
    const take = vi.spyOn(ChatRoomDO.prototype, "take");
    await expect.poll(() => take.mock.lastCall?.[0].others.count).toBe(100);
    vi.setSystemTime(Date.now() + 46_000);
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

describe("who is here, at a relay", () => {
  it("is not announced to who came later, and has the name from the greeting", async () => {
    const { room, far } = await roomWithRelay();
    const first = await enter(relayObject(room), "first");
    const second = await enter(relayObject(room), "second");
    expect(second.greeting.at(-1)).toMatchObject({ type: "presence", users: ["far", "first", "second", "near"] });
    for (const userId of ["first", "second"]) expect(await far.nextOf("user_joined")).toMatchObject({ userId });
    expect(await first.settled()).toMatchObject([{ type: "user_joined", userId: "second" }]);
    expect(await second.settled()).toEqual([]);
  });

  it("is announced once for somebody who is at two relays", async () => {
    const { room, near } = await roomWithRelay();
    const second = await enter(relayObject(room, 2), "far");
    const said = vi.spyOn(ChatRoomDO.prototype, "relaySaid");
    await expect.poll(() => said).toHaveBeenCalled();
    second.close();
    await expect.poll(() => said).toHaveBeenCalledTimes(2);
    expect((await near.settled()).map(({ type }) => type)).toEqual([]);
  });

  it("is kept true by looking for silent sockets, also after a crowd has gone", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const room = newRoom();
    await stays(room);
    const crowd = await Promise.all(Array.from({ length: 101 }, (_, i) => enter(relayObject(room), `user-${i}`)));
    const near = await enter(roomObject(room), "near");
    await near.say("hello");
    vi.setSystemTime(Date.now() + 46_000);
    for (const object of [roomObject(room), relayObject(room)]) await runDurableObjectAlarm(object);
    for (const member of crowd.slice(0, 50)) member.close();
    await near.nextOf("presence");
    for (const object of [roomObject(room), relayObject(room)]) {
      const alarm = await runInDurableObject(object, (_, { storage }) => storage.getAlarm());
      expect((alarm ?? Number.POSITIVE_INFINITY) - Date.now()).toBeLessThanOrEqual(45_000);
    }
  });

  /** A reader at a relay, of a room that others have joined and left while calls to the relay were lost. */
  async function misinformed() {
    const { room, near, far } = await roomWithRelay();
    const third = await enter(roomObject(room), "third");
    await far.nextOf("user_joined");
    const take = vi.spyOn(ChatRoomDO.prototype, "take").mockImplementation(() => {
      throw new Error("lost");
    });
    third.close();
    await near.nextOf("user_left");
    await expect.poll(() => take).toHaveBeenCalledTimes(1);
    await enter(roomObject(room), "fourth");
    await expect.poll(() => take).toHaveBeenCalledTimes(2);
    take.mockRestore();
    return { room, near, far };
  }
  const expectTruth = async (member: Member) => {
    const { users } = await member.nextOf("presence");
    expect(users.toSorted()).toEqual(["far", "fourth", "near"]);
  };

  it("is told although the call that said so was lost, by the alarm", async () => {
    const { room, far } = await misinformed();
    const alarm = await runInDurableObject(roomObject(room), (_, { storage }) => storage.getAlarm());
    expect((alarm ?? 0) - Date.now()).toBeLessThanOrEqual(5_000);
    await runDurableObjectAlarm(roomObject(room));
    await expectTruth(far);
  });

  const came = (userId: string) => ({ type: "user_joined", userId, timestamp: 0 }) as const;

  /** The home's side of a relay that takes everything but the first `lost` calls, and what was sent to it. */
  function homeSide(storage: DurableObjectStorage, lost: number, arm: () => void = () => undefined) {
    const pushes: Push[] = [];
    const relays = new Relays({
      storage,
      stub: () => ({
        take: async (push) => {
          if (pushes.push(push) <= lost) throw new Error("lost");
          return { ...push, have: push.last, turn: push.lastTurn, sockets: 1, people: NOBODY };
        },
        endRelay: async () => undefined,
        holdsSession: async () => false,
        hasUser: async () => false,
      }),
      history: () => undefined,
      people: () => NOBODY,
      moved: () => undefined,
      turned: () => undefined,
      arm: async () => arm(),
    });
    const attach = () => relays.attach("relay", { door: { rule: "public", members: [] }, ended: [] });
    return { relays, attach, pushes, frames: () => pushes.flatMap((push) => push.frames) };
  }

  it.each(["has readers", "has forgotten the room"])(
    "is asked of a relay that %s and did not hear of its newest epoch, so that nobody stays who has left",
    async (how) => {
      const { epochs, anew } = await runInDurableObject(roomObject(newRoom()), async (_, { storage }) => {
        const { relays, attach, pushes } = homeSide(storage, 0);
        const { epoch } = attach();
        const anew = attach().epoch;
        const state = { have: 0, turn: 0, sockets: 0, people: NOBODY };
        relays.said("relay", { ...state, epoch: how === "has readers" ? epoch : undefined }, epoch);
        await relays.send();
        return { epochs: pushes.map((push) => push.epoch), anew };
      });
      expect(epochs).toEqual([anew]);
    },
  );

  it("is told if it changes while the home takes note that a call was lost", async () => {
    const frames = await runInDurableObject(roomObject(newRoom()), async (_, { storage }) => {
      const home = homeSide(storage, 1, () => home.relays.tell(came("second")));
      home.attach();
      home.relays.tell(came("first"));
      for (let sends = 0; sends < 2; sends++) await home.relays.send();
      return home.frames();
    });
    expect(frames).toMatchObject([{ userId: "first" }, { userId: "second" }]);
  });

  it("is told once if the relay is given everything anew meanwhile", async () => {
    const frames = await runInDurableObject(roomObject(newRoom()), async (_, { storage }) => {
      const { relays, attach, frames } = homeSide(storage, 0);
      attach();
      relays.tell(came("first"));
      const anew = attach();
      await relays.send();
      return [...anew.frames, ...frames()];
    });
    expect(frames).toMatchObject([{ userId: "first" }]);
  });

  it("is told with the next message, also if both sides slept meanwhile", async () => {
    const { room, near, far } = await misinformed();
    for (const object of [roomObject(room), relayObject(room)]) await evictDurableObject(object);
    await near.say("hello");
    expect(await far.next()).toMatchObject({ type: "message" });
    await expectTruth(far);
  });

  it("is told if somebody comes while the first message after the home's sleep is on its way", async () => {
    const { room, near, far } = await roomWithRelay();
    await evictDurableObject(roomObject(room));
    near.send({ type: "chat", text: "second" });
    await enter(roomObject(room), "third");
    expect(await far.nextOf("user_joined")).toMatchObject({ userId: "third" });
  });

  it("is what the newest report says, although an older one is repeated later", async () => {
    const { room, near } = await roomWithRelay();
    const whole = ChatRoomDO.prototype.relaySaid;
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const said = vi.fn<typeof whole>();
    // An async function, because the calls must not wait for each other.
    Reflect.set(
      ChatRoomDO.prototype,
      "relaySaid",
      async function (this: ChatRoomDO, ...args: Parameters<typeof whole>) {
        said(...args);
        if (said.mock.calls.length === 1) {
          await released;
          throw new Error("Not written: lost");
        }
        return whole.apply(this, args);
      },
    );
    onTestFinished(() => {
      ChatRoomDO.prototype.relaySaid = whole;
    });
    await enter(relayObject(room), "one");
    await expect.poll(() => said).toHaveBeenCalledTimes(1);
    await enter(relayObject(room), "two");
    await expect.poll(() => said).toHaveBeenCalledTimes(2);
    release();
    await expect.poll(() => said).toHaveBeenCalledTimes(3);
    expect((await near.settled()).map(({ type }) => type)).toEqual(["user_joined", "user_joined"]);
  });

  it("is what the newest report says, although an answer from before it comes later", async () => {
    const { room, near, far } = await roomWithRelay();
    await near.say("on its way");
    await far.nextOf("message");
    const whole = ChatRoomDO.prototype.take;
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    vi.spyOn(ChatRoomDO.prototype, "take").mockImplementationOnce(async function (this: ChatRoomDO, push) {
      const state = await whole.call(this, push);
      answer();
      await released;
      return state;
    });
    await near.say("hello");
    await answered;
    await enter(relayObject(room), "other");
    await near.nextOf("user_joined");
    release();
    await near.say("again");
    expect(await textsOf(far, 2)).toEqual(["hello", "again"]);
    expect((await near.settled()).map(({ type }) => type)).toEqual([]);
  });

  it("is not told again if the readers know it, also after sleep", async () => {
    const { room, near, far } = await roomWithRelay();
    const third = await enter(relayObject(room, 2), "third");
    await far.nextOf("user_joined");
    third.close();
    await far.nextOf("user_left");
    for (const object of [roomObject(room), relayObject(room)]) await evictDurableObject(object);
    const setTimer = vi.spyOn(globalThis, "setTimeout");
    await near.say("hello");
    await near.say("again");
    expect(await textsOf(far, 2)).toEqual(["hello", "again"]);
    expect(setTimer.mock.calls.map(([, ms]) => ms)).not.toContain(2_000);
    expect(await far.settled()).toEqual([]);
  });
});

describe("a relay", () => {
  it("is asked by a room that wakes again and again once an hour, and as soon as it may lack something", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const { room, far } = await roomWithRelay();
    const take = vi.spyOn(ChatRoomDO.prototype, "take");
    const calls = async (passed: number) => {
      take.mockClear();
      vi.setSystemTime(Date.now() + passed);
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
    expect((await relayObject(room).fetch(joinRequest({ userId: "a", ifThere: true }))).status).toBe(NOT_THERE);
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
    const said = vi.spyOn(ChatRoomDO.prototype, "relaySaid").mockImplementation(() => {
      throw new Error("lost");
    });
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

describe("a room with relays that is deleted", () => {
  const eve = { userId: "eve", undecided: { kind: "user" as const, id: "eve" } };
  const stored = (object: DurableObjectStub) =>
    runInDurableObject(object, async (_, { storage }) => [[...storage.kv.list()], await storage.getAlarm()]);
  /** Calls to end a relay get lost. Returns how to end that. */
  const loseEnds = () => {
    const ends = vi.spyOn(ChatRoomDO.prototype, "endRelay").mockImplementation(() => {
      throw new Error("lost");
    });
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
    const take = vi.spyOn(ChatRoomDO.prototype, "take").mockImplementation(() => {
      throw new Error("lost");
    });
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
    const response = await app.fetch(request, { ...env, REGIONS: regions, SETTINGS: settings });
    if (!response.webSocket) throw new Error(`${response.status}: ${await response.text()}`);
    const member = new Member(response.webSocket);
    onTestFinished(() => member.close());
    await member.welcome();
    return member;
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
    const next = await joinFrom("NA", room);
    expect(next.history).toMatchObject([{ text: "hello over there" }]);
    expect(attach).not.toHaveBeenCalled();
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
