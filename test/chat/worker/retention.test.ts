/** What goes by age: old messages are hidden, then deleted with their files; their numbers are never used again. */

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { stackOf } from "../../../worker/stack.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { fetchApp } from "../../worker/helpers.ts";
import { join, type Member, newRoom, roomObject, stays } from "./support.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;

/** Changes the stack's chat settings, for rooms that wake from now on: objects have an `env` that is not the test's. */
const chat = await runInDurableObject(roomObject(newRoom()), (room) => stackOf(Reflect.get(room, "env")).settings.chat);

beforeEach(() => {
  stopClock();
  chat.retentionDays = 7;
});
afterEach(() => {
  delete chat.retentionDays;
  vi.useRealTimers();
});

const stored = (room: string) =>
  runInDurableObject(roomObject(room), async (_, { storage }) => ({
    seqs: storage.sql
      .exec("SELECT seq FROM messages ORDER BY seq")
      .toArray()
      .map(({ seq }) => seq),
    alarm: await storage.getAlarm(),
  }));

const page = async (room: string, query = "") => {
  const { messages, first, last, gap } = await (await fetchApp(`/room/${room}/messages${query}`)).json<{
    messages: { seq: number }[];
    first: number;
    last: number;
    gap: boolean;
  }>();
  return { seqs: messages.map(({ seq }) => seq), first, last, gap };
};

/** A room with messages 1 and 2 of one day, and 3 of three days later. */
async function aRoom(): Promise<{ room: string; member: Member }> {
  const room = newRoom();
  const member = await join(room);
  await member.say("one");
  await member.say("two");
  pass(3 * DAY_MS);
  await member.say("three");
  return { room, member };
}

it("a message is shown until it is too old, and not a moment longer, whenever the alarm runs", async () => {
  const { room } = await aRoom();
  pass(4 * DAY_MS - 1);
  expect(await page(room)).toEqual({ seqs: [1, 2, 3], first: 1, last: 3, gap: false });
  pass(1);
  expect(await page(room)).toEqual({ seqs: [3], first: 3, last: 3, gap: false });
  expect(await page(room, "?after=1")).toEqual({ seqs: [3], first: 3, last: 3, gap: true });
  expect((await join(room)).history.map(({ seq }) => seq)).toEqual([3]);
  expect((await join(room, { after: 1 })).greeting[0]).toEqual({ type: "gap", after: 1, first: 3 });
});

it("the alarm deletes it: nothing early, all of it late, no more twice, and sets itself for the next", async () => {
  const { room } = await aRoom();
  expect((await stored(room)).alarm).toBe(Date.now() + 4 * DAY_MS);
  await runDurableObjectAlarm(roomObject(room));
  expect(await stored(room)).toEqual({ seqs: [1, 2, 3], alarm: Date.now() + 4 * DAY_MS });
  pass(5 * DAY_MS);
  for (let times = 0; times < 2; times++) {
    await runDurableObjectAlarm(roomObject(room));
    expect(await stored(room)).toEqual({ seqs: [3], alarm: Date.now() + 2 * DAY_MS });
  }
});

it("a room whose messages are all deleted sets no alarm, and continues its numbers after an eviction", async () => {
  const { room, member } = await aRoom();
  await stays(room);
  pass(8 * DAY_MS);
  await runDurableObjectAlarm(roomObject(room));
  expect(await stored(room)).toEqual({ seqs: [], alarm: null });
  await evictDurableObject(roomObject(room), { webSockets: "hibernate" });
  expect(await page(room)).toEqual({ seqs: [], first: 4, last: 3, gap: false });
  expect((await join(room, { after: 3 })).greeting[0]).toMatchObject({ type: "history", messages: [] });
  expect((await join(room, { after: 2 })).greeting[0]).toEqual({ type: "gap", after: 2, first: 4 });
  expect(await member.say("four")).toMatchObject({ seq: 4 });
  expect(await stored(room)).toMatchObject({ seqs: [4] });
  // With others in the room the alarm runs sooner, to look for silent sockets.
  await runDurableObjectAlarm(roomObject(room));
  expect(await stored(room)).toMatchObject({ seqs: [4] });
});

it("an attachment is deleted with its message", async () => {
  const room = newRoom();
  const member = await join(room);
  const response = await fetchApp(`/room/${room}/attachments`, {
    method: "POST",
    headers: { "Content-Type": "text/plain", "Content-Length": "2", Authorization: `Bearer ${member.token}` },
    body: "hi",
  });
  const { key } = await response.json<{ key: string }>();
  await member.say("look", { attachment: key });
  const blobs = async () => (await env.BLOBS.list({ prefix: `dev-eu:chat:${room}/` })).objects.length;
  pass(7 * DAY_MS - 1);
  await runDurableObjectAlarm(roomObject(room));
  expect(await blobs()).toBe(1);
  pass(DAY_MS);
  await runDurableObjectAlarm(roomObject(room));
  expect(await blobs()).toBe(0);
});

it("if it is set for a room with old messages, they are deleted when somebody joins", async () => {
  delete chat.retentionDays;
  const { room } = await aRoom();
  await stays(room);
  await runDurableObjectAlarm(roomObject(room));
  pass(30 * DAY_MS);
  expect((await stored(room)).alarm).toBeNull();
  chat.retentionDays = 7;
  await evictDurableObject(roomObject(room), { webSockets: "close" });
  expect((await join(room)).history).toEqual([]);
  await runDurableObjectAlarm(roomObject(room));
  expect(await stored(room)).toEqual({ seqs: [], alarm: null });
});

it("without the setting messages stay, up to the limit", async () => {
  delete chat.retentionDays;
  const { room } = await aRoom();
  pass(3_650 * DAY_MS);
  expect((await page(room)).seqs).toEqual([1, 2, 3]);
});

it("a clock that goes back keeps no message longer and uses no number twice", async () => {
  const { room, member } = await aRoom();
  pass(-2 * DAY_MS);
  await member.say("four, said to be two days older than three");
  pass(7 * DAY_MS);
  expect((await page(room)).seqs).toEqual([]);
  await runDurableObjectAlarm(roomObject(room));
  expect(await member.say("five")).toMatchObject({ seq: 5 });
});

describe("ids of messages that the history may drop", () => {
  beforeEach(() => {
    delete chat.retentionDays;
  });

  const batches = (room: string) =>
    runInDurableObject(
      roomObject(room),
      (_, { storage }) => storage.sql.exec("SELECT batch FROM sent").toArray().length,
    );

  /** A room that keeps its messages, with enough of them for a batch of ids; the last came just now. */
  async function aFullRoom(): Promise<{ room: string; author: Member }> {
    const room = newRoom();
    await stays(room);
    const author = await join(room);
    for (let i = 1; i <= 50; i++) {
      pass(1_000);
      await author.say(`${i}`, { clientId: `${i}` });
    }
    expect(await batches(room)).toBe(1);
    return { room, author };
  }

  it("go by the alarm after a day, though the messages stay", async () => {
    const { room, author } = await aFullRoom();
    await evictDurableObject(roomObject(room), { webSockets: "hibernate" });
    const { alarm, seqs } = await stored(room);
    expect([alarm, seqs.length]).toEqual([Date.now() + DAY_MS, 50]);
    pass(DAY_MS - 1);
    await runDurableObjectAlarm(roomObject(room));
    expect(await batches(room)).toBe(1);
    expect(await author.say("50", { clientId: "50" })).toMatchObject({ seq: 50, duplicate: true });
    pass(60 * 60 * 1_000);
    await runDurableObjectAlarm(roomObject(room));
    expect([await batches(room), await stored(room)]).toEqual([0, { seqs, alarm: null }]);
    expect(await author.say("50", { clientId: "50" })).toMatchObject({ seq: 51 });
  });

  it("go also while others are there, for whom the alarm comes every minute", async () => {
    const { room } = await aFullRoom();
    await join(room);
    pass(DAY_MS + 2 * 60 * 60 * 1_000);
    await runDurableObjectAlarm(roomObject(room));
    expect(await batches(room)).toBe(0);
  });

  it("go also where an older release left them without an alarm, once somebody joins", async () => {
    const { room, author } = await aFullRoom();
    author.close();
    await author.closed;
    await runInDurableObject(roomObject(room), (_, { storage }) => storage.deleteAlarm());
    await evictDurableObject(roomObject(room));
    pass(30 * DAY_MS);
    await join(room);
    await runDurableObjectAlarm(roomObject(room));
    expect(await batches(room)).toBe(0);
  });

  it("go without the messages that a lowered limit hides, whose rows know theirs", async () => {
    const { room, author } = await aFullRoom();
    pass(23 * 60 * 60 * 1_000);
    for (let i = 51; i <= 59; i++) {
      pass(1_000);
      await author.say(`${i}`, { clientId: `${i}` });
    }
    chat.historyLimit = 1;
    onTestFinished(() => {
      chat.historyLimit = 100;
    });
    await evictDurableObject(roomObject(room), { webSockets: "hibernate" });
    pass(60 * 60 * 1_000);
    await runDurableObjectAlarm(roomObject(room));
    expect(await batches(room)).toBe(0);
    await evictDurableObject(roomObject(room), { webSockets: "hibernate" });
    expect(await author.say("51", { clientId: "51" })).toMatchObject({ seq: 51, duplicate: true });
  });
});
