/** Deletion: of a message, of a room, and of rooms that unknown callers have left unused. */

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { joinRequest } from "../../../worker/chat/joining.ts";
import { ChatRoomDO } from "../../../worker/chat/room.ts";
import { Uploads } from "../../../worker/chat/uploads.ts";
import { patterns } from "../../../worker/patterns.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { ADMIN, call, fetchApp, unique } from "../../worker/helpers.ts";
import { hasSessions, logIn } from "../../worker/log-in.ts";
import { ask } from "../../worker/tries.ts";
import { fill, isEmptyFile, join, knock, type Member, newRoom, roomObject, stays } from "./support.ts";

const DAY = 24 * 60 * 60 * 1_000;
const folders: readonly string[] = patterns.map(({ folder }) => folder);

beforeEach(() => {
  stopClock();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Everything that a room stores. */
const stored = (room: string) =>
  runInDurableObject(roomObject(room), async (_, { storage }) => ({
    tables: storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'").toArray()
      .length,
    keys: [...storage.kv.list()].length,
    alarm: await storage.getAlarm(),
  }));
const NOTHING = { tables: 0, keys: 0, alarm: null };
const blobs = async (room: string) => (await env.BLOBS.list({ prefix: `dev-eu:chat:${room}/` })).objects.length;

async function attach(room: string, { token }: Member): Promise<string> {
  const response = await fetchApp(`/room/${room}/attachments`, {
    method: "POST",
    headers: { "Content-Type": "text/plain", "Content-Length": "2", Authorization: `Bearer ${token}` },
    body: "hi",
  });
  return (await response.json<{ key: string }>()).key;
}
const remove = (path: string, headers: Record<string, string> = ADMIN) => ask(path, { method: "DELETE", headers });

/** Calls the room in its own isolate, so that calls come in the same moment. */
const inside = <T>(room: string, act: (it: ChatRoomDO) => Promise<T>): Promise<T> =>
  runInDurableObject(roomObject(room), (it) => {
    if (!(it instanceof ChatRoomDO)) throw new Error("no room");
    return act(it);
  });

it("a file that was not sent yet stays for an hour, also in a room without messages", async () => {
  const room = newRoom();
  const a = await join(room);
  const attachment = await attach(room, a);
  a.close();
  await a.closed;
  pass(50 * 60_000);
  await runDurableObjectAlarm(roomObject(room));
  const again = await join(room, { token: String(a.token) });
  expect(await again.say("look", { attachment })).toMatchObject({ seq: 1 });
});

describe("messages that are on their way", () => {
  const ann = { userId: "ann", known: true } as const;

  it("do not come back into a room that is deleted meanwhile", async () => {
    const room = newRoom();
    await roomObject(room).setDoor({ rule: "members", owner: "ann" });
    const { answers, page } = await inside(room, async (it) => {
      await it.say(ann, { type: "chat", text: "before" });
      const said = ["1", "2", "3"].map((clientId) => it.say(ann, { type: "chat", text: "secret", clientId }));
      await it.destroy();
      return { answers: await Promise.all(said), page: await it.messages({ limit: 100 }) };
    });
    expect(page).toMatchObject({ messages: [] });
    // The first was in its write.
    for (const answer of answers.slice(1)) expect(answer).toMatchObject({ type: "error", code: "not-stored" });
  });

  it("are answered again if they come again after they were refused", async () => {
    const room = newRoom();
    await stays(room);
    const bad = { type: "chat", text: "x", clientId: "x", attachment: "nope" } as const;
    const again = await inside(room, async (it) => {
      const frames = [
        it.say(ann, { type: "chat", text: "a", clientId: "a" }),
        it.say(ann, bad),
        it.say(ann, { type: "chat", text: "b", clientId: "b" }),
      ];
      await frames[1];
      const repeated = it.say(ann, bad);
      await Promise.all(frames);
      return repeated;
    });
    expect(again).toMatchObject({ type: "error", code: "no-attachment" });
  });
});

describe("a message that is deleted", () => {
  it("is shown before its deletion is told, if it was on its way", async () => {
    const room = newRoom();
    await stays(room);
    const reader = await join(room);
    for (let seq = 1; seq <= 10; seq++) {
      const deleted = await inside(room, async (it) => {
        const said = it.say({ userId: `user-${seq}` }, { type: "chat", text: "oops" });
        // In the table, and not on disk yet.
        const last = () => {
          const page = it.messages({ limit: 1 });
          return page === "denied" ? 0 : page.last;
        };
        while (last() < seq) await Promise.resolve();
        const answer = await it.deleteMessage(seq);
        await said;
        return answer;
      });
      expect(deleted).toBe("deleted");
      expect(await reader.next()).toMatchObject({ type: "message", message: { seq } });
      expect(await reader.next()).toEqual({ type: "deleted", seq });
    }
  });

  it("is a repetition when it comes again under its id, also after the room slept", async () => {
    const room = newRoom();
    const a = await join(room);
    await a.say("oops", { clientId: "c1" });
    expect((await remove(`/room/${room}/messages/1`)).status).toBe(200);
    for (const sleeps of [false, true]) {
      if (sleeps) await evictDurableObject(roomObject(room), { webSockets: "hibernate" });
      expect(await a.say("oops", { clientId: "c1" })).toMatchObject({ duplicate: true, seq: 1 });
    }
  });

  it("loses its text and its file, keeps its number, and everybody is told", async () => {
    const room = newRoom();
    const [a, b] = [await join(room), await join(room)];
    await a.say("one");
    await a.say("two", { attachment: await attach(room, a) });
    await a.say("three");
    await b.settled();
    expect(await remove(`/room/${room}/messages/2`)).toMatchObject({ status: 200, body: { ok: true } });
    expect(await b.nextOf("deleted")).toEqual({ type: "deleted", seq: 2 });
    const blanked = expect.objectContaining({ seq: 2, text: "", deleted: true });
    const { body } = await call(`/room/${room}/messages`);
    expect(body).toMatchObject({ messages: [{ seq: 1, text: "one" }, blanked, { seq: 3, text: "three" }] });
    expect(JSON.stringify(body)).not.toContain("two");
    expect((await join(room, { after: 1 })).history).toEqual([blanked, expect.objectContaining({ seq: 3 })]);
    await runDurableObjectAlarm(roomObject(room));
    expect(await blobs(room)).toBe(0);
    expect((await remove(`/room/${room}/messages/4`)).status).toBe(404);
    expect((await remove(`/room/${newRoom()}/messages/1`)).status).toBe(404);
    expect((await remove(`/room/${room}/messages/x`)).status).toBe(400);
  });

  it.runIf(hasSessions)("may be deleted by the room's owner too, and by nobody else", async () => {
    const room = newRoom();
    const [ann, ben] = [await logIn(unique()), await logIn("ben")];
    await call(`/room/${room}/access`, { method: "PUT", json: { rule: "users", owner: "ben" }, headers: ADMIN });
    await (await join(room)).say("one");
    expect((await remove(`/room/${room}/messages/1`, ann)).status).toBe(403);
    expect((await remove(`/room/${room}`, ben)).status).toBe(403);
    expect((await remove(`/room/${room}/messages/1`, ben)).status).toBe(200);
  });
});

describe("a room that is deleted", () => {
  it("is gone with its messages, files, rule and people, and may begin anew", async () => {
    const room = newRoom();
    await stays(room);
    const member = await join(room);
    await member.say("one", { attachment: await attach(room, member) });
    for (let times = 0; times < 2; times++) expect((await remove(`/room/${room}`)).status).toBe(200);
    expect(await member.closed).toMatchObject({ code: 1_001 });
    expect((await call(`/room/${room}/messages`)).body).toMatchObject({ messages: [], last: 0 });
    await runDurableObjectAlarm(roomObject(room));
    expect(await blobs(room)).toBe(0);
    expect(await stored(room)).toEqual(NOTHING);
    const again = await join(room, { after: 1 });
    expect(again.greeting[0]).toMatchObject({ type: "gap" });
    expect((await call(`/room/${room}/messages?after=1`)).body).toMatchObject({ gap: true });
    expect(await again.say("anew")).toMatchObject({ seq: 1 });
  });

  it("and begun anew is told to who resumes with the id of their last message, however many it has by then", async () => {
    const room = newRoom();
    await fill(room, 3);
    const [, second] = (await join(room)).history;
    if (!second) throw new Error("no second message");
    const resume = () => join(room, { after: 2, afterId: second.id });
    expect((await resume()).history.map(({ text }) => text)).toEqual(["message 3"]);
    await remove(`/room/${room}`);
    await fill(room, 4);
    const late = await resume();
    expect(late.greeting[0]).toEqual({ type: "gap", after: 2, first: 1 });
    expect(late.history.map(({ text }) => text)).toEqual(["message 1", "message 2", "message 3", "message 4"]);
  });

  it("waits a minute before each new attempt while R2 fails, and writes no row of its files again", async () => {
    const room = newRoom();
    const member = await join(room);
    await member.say("one", { attachment: await attach(room, member) });
    member.close();
    await member.closed;
    await remove(`/room/${room}`);
    await runInDurableObject(roomObject(room), async (instance, { storage }) => {
      const failing = vi.spyOn(Reflect.get(instance, "env").BLOBS, "delete").mockRejectedValue(new Error("R2 is down"));
      const rowsOf = async (act: () => Promise<unknown>) => {
        const exec = vi.spyOn(storage.sql, "exec");
        await act();
        const rows = exec.mock.results.reduce((sum, { value }) => sum + value.rowsWritten, 0);
        exec.mockRestore();
        return rows;
      };
      for (let times = 0; times < 3; times++) {
        await storage.deleteAlarm();
        expect(await rowsOf(async () => instance.alarm?.())).toBe(0);
        expect(await storage.getAlarm()).toBe(Date.now() + 60_000);
        pass(60_000);
      }
      failing.mockRestore();
      if (!(instance instanceof ChatRoomDO)) throw new Error("no room");
      expect(await rowsOf(() => instance.destroy())).toBe(0);
    });
    expect(await blobs(room)).toBe(1);
    for (let i = 0; i < 2; i++) await runDurableObjectAlarm(roomObject(room));
    expect(await blobs(room)).toBe(0);
    expect(await stored(room)).toEqual(NOTHING);
  });

  it("that only had a rule leaves nothing", async () => {
    const room = newRoom();
    await stays(room);
    await remove(`/room/${room}`);
    expect(await stored(room)).toEqual(NOTHING);
  });
});

describe("a room of unknown callers", () => {
  it("is deleted thirty days after its last message, if nobody is in it", async () => {
    const room = newRoom();
    const member = await join(room);
    await member.say("one", { attachment: await attach(room, member) });
    pass(20 * DAY);
    await evictDurableObject(roomObject(room), { webSockets: "hibernate" });
    await member.say("two");
    pass(29 * DAY);
    await runDurableObjectAlarm(roomObject(room));
    expect((await call(`/room/${room}/messages`)).body).toMatchObject({ last: 2 });
    pass(DAY);
    await runDurableObjectAlarm(roomObject(room));
    expect((await call(`/room/${room}/messages`)).body).toMatchObject({ last: 2 });
    member.close();
    await member.closed;
    pass(DAY);
    // The alarm forgets the messages, then deletes the files, then what is left.
    for (let i = 0; i < 2; i++) await runDurableObjectAlarm(roomObject(room));
    expect(await blobs(room)).toBe(0);
    expect(await stored(room)).toEqual(NOTHING);
  });

  it("is deleted at last, however often its alarm has failed", async () => {
    const room = newRoom();
    const member = await join(room);
    await member.say("one");
    member.close();
    await member.closed;
    pass(31 * DAY);
    await runInDurableObject(roomObject(room), async (instance, { storage }) => {
      const failing = vi.spyOn(Uploads.prototype, "leaving").mockImplementation(() => {
        throw new Error("SQL fails");
      });
      for (let times = 0; times < 8; times++) {
        await storage.deleteAlarm();
        await instance.alarm?.();
        expect(await storage.getAlarm()).toBe(Date.now() + 60_000);
      }
      failing.mockRestore();
    });
    await runDurableObjectAlarm(roomObject(room));
    expect(await stored(room)).toEqual(NOTHING);
  });

  it("is kept once a known user has sent a message", async () => {
    const room = newRoom();
    const [stranger, admin] = [await join(room), await join(room, { headers: ADMIN })];
    await stranger.say("one");
    await admin.say("two");
    for (const member of [stranger, admin]) {
      member.close();
      await member.closed;
    }
    pass(400 * DAY);
    await evictDurableObject(roomObject(room));
    await runDurableObjectAlarm(roomObject(room));
    expect((await call(`/room/${room}/messages`)).body).toMatchObject({ last: 2 });
    expect(await stored(room)).toMatchObject({ alarm: null });
  });

  it("that was only joined and read stores nothing", async () => {
    const room = newRoom();
    const member = await join(room);
    await call(`/room/${room}/messages`);
    member.close();
    await member.closed;
    expect(await stored(room)).toEqual(NOTHING);
  });

  it("goes again if its only message was refused", async () => {
    const room = newRoom();
    const member = await join(room);
    member.send({ type: "chat", text: "look", attachment: "none" });
    expect(await member.nextOf("error")).toMatchObject({ code: "no-attachment" });
    member.close();
    await member.closed;
    expect(await runDurableObjectAlarm(roomObject(room))).toBe(true);
    expect(await isEmptyFile(roomObject(room))).toBe(true);
  });

  it("is not made by removing a member that it does not have", async () => {
    const room = newRoom();
    expect(await remove(`/room/${room}/members/bob`)).toMatchObject({ status: 200, body: { members: [] } });
    expect(await isEmptyFile(roomObject(room))).toBe(true);
  });

  it("that two have joined, one after the other has left, leaves not even an empty database", async () => {
    const room = newRoom();
    const [stays, leaves] = [await join(room), await join(room)];
    leaves.close();
    await stays.nextOf("user_left");
    expect(await runDurableObjectAlarm(roomObject(room))).toBe(true);
    stays.close();
    await stays.closed;
    expect(await isEmptyFile(roomObject(room))).toBe(true);
  });
});

describe.runIf(folders.includes("rate-limit"))("new rooms", () => {
  it("cost their makers more than existing rooms", async () => {
    const from = { "CF-Connecting-IP": "203.0.113.78" };
    const rooms = Array.from({ length: 62 }, newRoom);
    const statuses = [];
    for (const room of rooms) {
      const { status, webSocket } = await knock(room, { headers: from });
      webSocket?.accept();
      statuses.push(status);
    }
    expect(statuses.filter((status) => status === 101)).toHaveLength(60);
    expect(statuses.slice(-2)).toEqual([429, 429]);
    const there = await knock(rooms[0] ?? "", { headers: from });
    there.webSocket?.accept();
    expect(there.status).toBe(101);
  });
});

it("a socket that a token opened closes when the token expires, at its next frame or the room's", async () => {
  const room = newRoom();
  const { webSocket } = await roomObject(room).fetch(
    joinRequest({ userId: "auth0|1", known: true, until: Date.now() + 60_000 }),
  );
  if (!webSocket) throw new Error("not joined");
  const closed = new Promise<number>((resolve) => webSocket.addEventListener("close", ({ code }) => resolve(code)));
  webSocket.accept();
  const other = await join(room);
  await other.say("one");
  pass(60_000);
  await other.say("two");
  expect(await closed).toBe(1_008);
});
