/** Who is here, as readers at relays are told. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { NOBODY, type Push } from "../../../worker/chat/relay-protocol.ts";
import { Relays } from "../../../worker/chat/relays.ts";
import { ChatRoomDO } from "../../../worker/chat/room.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { loseCalls, relayObject, roomWithRelay, textsOf } from "./relay-support.ts";
import { enter, type Member, newRoom, roomObject, stays } from "./support.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
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
    stopClock();
    const room = newRoom();
    await stays(room);
    const crowd = await Promise.all(Array.from({ length: 101 }, (_, i) => enter(relayObject(room), `user-${i}`)));
    const near = await enter(roomObject(room), "near");
    await near.say("hello");
    pass(46_000);
    for (const object of [roomObject(room), relayObject(room)]) await runDurableObjectAlarm(object);
    for (const member of crowd.slice(0, 50)) member.close();
    await near.nextOf("presence");
    for (const object of [roomObject(room), relayObject(room)]) {
      const alarm = await runInDurableObject(object, (_, { storage }) => storage.getAlarm());
      expect((alarm ?? Number.POSITIVE_INFINITY) - Date.now()).toBeLessThanOrEqual(45_000);
    }
  });

  /** The relay reports who came and went when `report` is called, and not a moment later. */
  function holdReports(): { report: () => void } {
    const whole = globalThis.setTimeout;
    const { promise: released, resolve: report } = Promise.withResolvers<void>();
    const hold = (work: () => void, ms?: number) =>
      ms === 250 ? whole(() => void released.then(work), 0) : whole(work, ms);
    vi.spyOn(globalThis, "setTimeout").mockImplementation(hold);
    return { report };
  }
  const isGone = (room: string, userId: string) => expect.poll(() => relayObject(room).hasUser(userId)).toBe(false);

  it("is told to who came while somebody was gone, too shortly for the room to notice", async () => {
    const { room, far } = await roomWithRelay();
    const second = await enter(relayObject(room), "second");
    await far.nextOf("user_joined");
    const { report } = holdReports();
    second.close();
    await isGone(room, "second");
    const newcomer = await enter(relayObject(room), "newcomer");
    expect(newcomer.greeting.at(-1)).toMatchObject({ users: ["far", "newcomer", "near"] });
    await enter(relayObject(room), "second");
    report();
    expect((await newcomer.nextOf("presence")).users.toSorted()).toEqual(["far", "near", "newcomer", "second"]);
  });

  it("is not taken from who came once somebody was back, by word of their leaving that comes late", async () => {
    const { room, near, far } = await roomWithRelay();
    const second = await enter(relayObject(room), "second");
    await far.nextOf("user_joined");
    const { take } = ChatRoomDO.prototype;
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const late = vi.spyOn(ChatRoomDO.prototype, "take").mockImplementation(async function (this: ChatRoomDO, push) {
      await released;
      return take.call(this, push);
    });
    second.close();
    await near.nextOf("user_left");
    await expect.poll(() => late).toHaveBeenCalled();
    await enter(relayObject(room), "second");
    const newcomer = await enter(relayObject(room), "newcomer");
    expect(newcomer.greeting.at(-1)).toMatchObject({ users: expect.arrayContaining(["second"]) });
    release();
    await near.say("hello");
    const heard: string[] = [];
    for (let { type } = await newcomer.next(); type !== "message"; { type } = await newcomer.next()) heard.push(type);
    expect(heard).not.toContain("user_left");
  });

  it("is told to who came while somebody was there, too shortly for the room to notice", async () => {
    const { room } = await roomWithRelay();
    const { report } = holdReports();
    const visitor = await enter(relayObject(room), "visitor");
    const newcomer = await enter(relayObject(room), "newcomer");
    visitor.close();
    await isGone(room, "visitor");
    report();
    expect((await newcomer.nextOf("presence")).users.toSorted()).toEqual(["far", "near", "newcomer"]);
  });

  /** A reader at a relay, of a room that others have joined and left while calls to the relay were lost. */
  async function misinformed() {
    const { room, near, far } = await roomWithRelay();
    const third = await enter(roomObject(room), "third");
    await far.nextOf("user_joined");
    const take = loseCalls("take");
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
