/** Who may be at a relay, by the room's door and by their session, whatever is lost between it and the home. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { MAX_MEMBERS } from "../../../worker/chat/door.ts";
import { joinRequest } from "../../../worker/chat/joining.ts";
import { MESSAGES_PER_FRAME } from "../../../worker/chat/limits.ts";
import type { ChatRoomDO } from "../../../worker/chat/room.ts";
import { keepMore, loseCalls, relayObject, roomWithRelay } from "./relay-support.ts";
import { enter, newRoom, roomObject, stays } from "./support.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a reader at a relay", () => {
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
    const take = loseCalls("take");
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
    const take = loseCalls("take");
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
    const take = loseCalls("take");
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
});
