/** The browser's client against the real room: no cut loses, doubles or reorders a message. */
import { evictDurableObject } from "cloudflare:test";
import { describe, expect, it, onTestFinished } from "vitest";
import { ChatClient, type ChatEvent, type Connect, type Unsent } from "../../../worker/chat/panel/client.ts";
import { fc } from "../../properties.ts";
import { fill, join, lineTo, newRoom, roomObject } from "./support.ts";

/** Cuts a connection after so many frames, counted in both directions, and the next one after so many more. */
function cutting(room: string, cuts: number[]): { connect: Connect; cutsDone: () => number } {
  const left = [...cuts];
  let frames = 0;
  const passes = () => {
    if (left[0] === undefined || frames++ < left[0]) return true;
    left.shift();
    frames = 0;
    return false;
  };
  return { connect: lineTo(room, passes), cutsDone: () => cuts.length - left.length };
}

/** A client whose events are collected and can be waited for. */
function client(room: string, cuts: number[] = [], waiting: readonly Unsent[] = [], by?: Connect) {
  const { connect, cutsDone } = cutting(room, cuts);
  const events: ChatEvent[] = [];
  let wake: (() => void) | undefined;
  const chat = new ChatClient({
    url: `wss://stack.test/room/${room}/ws`,
    connect: by ?? connect,
    firstRetryMs: 1,
    waiting,
    onEvent: (event) => {
      events.push(event);
      wake?.();
    },
  });
  onTestFinished(() => void chat.close());
  const until = async (done: () => boolean) => {
    while (!done()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const texts = () => events.flatMap((event) => (event.type === "message" ? event.message.text : []));
  const stored = () => events.filter(({ type }) => type === "stored").length;
  const opened = () => events.filter((event) => event.type === "connection" && event.state === "open").length;
  return { chat, events, until, texts, stored, opened, cutsDone };
}

const MINE = ["one", "two", "three", "four"];
const THEIRS = ["uno", "due", "tre"];

/** Two clients talk, the first over a connection that is cut. Both must see every message once. */
async function conversation(cuts: number[]): Promise<number> {
  const room = newRoom();
  const other = client(room);
  await other.until(() => other.opened() > 0);
  const mine = client(room, cuts);
  await mine.until(() => mine.opened() > 0);
  for (const text of MINE) mine.chat.send(text);
  for (const text of THEIRS) other.chat.send(text);
  const all = MINE.length + THEIRS.length;
  await Promise.all([
    mine.until(() => mine.stored() === MINE.length && mine.texts().length >= all),
    other.until(() => other.stored() === THEIRS.length && other.texts().length >= all),
  ]);
  const { history } = await join(room);
  expect(mine.texts()).toEqual(history.map(({ text }) => text));
  expect(other.texts()).toEqual(mine.texts());
  expect(mine.texts().filter((text) => MINE.includes(text))).toEqual(MINE);
  expect(mine.texts().filter((text) => THEIRS.includes(text))).toEqual(THEIRS);
  return mine.cutsDone();
}

describe("the client", () => {
  it("loses and repeats nothing, wherever its connection is cut", async () => {
    let cutAt = 0;
    // Until the conversation ends before the cut.
    while ((await conversation([cutAt])) > 0) cutAt++;
    expect(cutAt).toBeGreaterThan(MINE.length * 2 + THEIRS.length);
  }, 60_000);

  it("loses and repeats nothing, cut again and again", async () => {
    const cuts = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 2, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(cuts, async (several) => {
        await conversation(several);
      }),
      { numRuns: 10 },
    );
  }, 60_000);

  it("stays the same anonymous user over reconnections, and learns its id", async () => {
    const room = newRoom();
    const one = client(room, [3, 2, 2]);
    await one.until(() => one.cutsDone() < 3 && one.opened() > 0);
    one.chat.send("hello");
    one.chat.send("again");
    await one.until(() => one.stored() === 2);
    expect(one.events.filter(({ type }) => type === "identity")).toHaveLength(1);
    expect(one.chat.authorization).toMatch(/^Bearer anon\./);
  });

  it("resumes after the room's eviction, with the missed messages", async () => {
    const room = newRoom();
    const one = client(room);
    await one.until(() => one.opened() === 1);
    one.chat.send("before");
    await one.until(() => one.stored() === 1);
    await evictDurableObject(roomObject(room), { webSockets: "close" });
    one.chat.send("after");
    await fill(room, 3);
    await one.until(() => one.stored() === 2 && one.texts().length === 5);
    expect((await join(room)).history.map(({ text }) => text)).toEqual(one.texts());
  });

  it("is told of a gap, and goes on behind it", async () => {
    const room = newRoom();
    await fill(room, 2);
    const one = client(room, [3]);
    await one.until(() => one.texts().length === 2);
    await fill(room, 110);
    await one.until(() => one.texts().length >= 102);
    expect(one.events).toContainEqual({ type: "gap", after: 2, first: 13 });
    const shown = one.events.flatMap((event) => (event.type === "message" ? event.message.seq : []));
    expect(new Set(shown).size).toBe(shown.length);
    expect(shown.at(-1)).toBe(112);
  });

  it("shows a room that was deleted and begun anew from its first message", async () => {
    const room = newRoom();
    await fill(room, 2);
    const one = client(room);
    await one.until(() => one.texts().length === 2);
    await roomObject(room).destroy();
    await fill(room, 3);
    await one.until(() => one.texts().length === 5);
    expect(one.events).toContainEqual({ type: "gap", after: 2, first: 1 });
    expect(one.texts().slice(2)).toEqual(["message 1", "message 2", "message 3"]);
  });

  it("sends `seen`, and so does not count as a client that does not read", async () => {
    const room = newRoom();
    const one = client(room);
    await one.until(() => one.opened() === 1);
    await fill(room, 260);
    await one.until(() => one.texts().length === 260);
    expect(one.opened()).toBe(1);
  });

  it("answers the room's ping", () => {
    const said: string[] = [];
    let ask = (_: string) => {};
    const chat = new ChatClient({
      url: "wss://stack.test/room/r/ws",
      onEvent: () => {},
      connect: (_, __, events) => {
        ask = events.received;
        return { send: (frame) => said.push(frame), close: () => {} };
      },
    });
    onTestFinished(() => void chat.close());
    ask('{"type":"ping"}');
    expect(said).toEqual(['{"type":"ping"}']);
  });

  it("reports a refused message, and sends the next ones", async () => {
    const one = client(newRoom());
    const bad = one.chat.send("x".repeat(5_000));
    const good = one.chat.send("fine");
    await one.until(() => one.stored() === 1);
    expect(one.events).toContainEqual({ type: "refused", clientId: bad, error: expect.stringContaining("4000") });
    expect(one.events).toContainEqual({ type: "stored", clientId: good, seq: 1 });
  });

  it("reports a message that is too large for a frame, and sends the next ones", async () => {
    const one = client(newRoom());
    const bad = one.chat.send("x".repeat(60_000));
    const good = one.chat.send("fine");
    await one.until(() => one.stored() === 1);
    expect(one.events).toContainEqual({ type: "refused", clientId: bad, error: expect.stringContaining("bytes") });
    expect(one.events).toContainEqual({ type: "stored", clientId: good, seq: 1 });
  });

  it("sends the longest text, whatever characters it has", async () => {
    const one = client(newRoom());
    const long = ["\u0001", "\\", "😀"].map((character) => `x${character.repeat(3_999)}`);
    for (const text of long) one.chat.send(text);
    await one.until(() => one.stored() === long.length);
    expect(one.texts()).toEqual(long);
  });

  it("waits when it has sent too much, and keeps the order", async () => {
    const room = newRoom();
    const one = client(room);
    const said = Array.from({ length: 22 }, (_, i) => `${i}`);
    for (const text of said) one.chat.send(text);
    await one.until(() => one.stored() === said.length);
    expect(one.texts()).toEqual(said);
  }, 10_000);

  it("follows who is here, and who is typing", async () => {
    const room = newRoom();
    const one = client(room);
    await one.until(() => one.opened() === 1);
    const two = client(room);
    await two.until(() => two.opened() === 1);
    two.chat.typing();
    await one.until(() => one.events.some(({ type }) => type === "typing"));
    const present = () => one.events.findLast((event) => event.type === "presence");
    expect(present()?.users).toHaveLength(2);
    two.chat.close();
    await one.until(() => present()?.users.length === 1);
  });

  it("leaves what is not stored to the room's next client, who is another user, and nothing comes twice", async () => {
    // Cut at every frame: also between a message and its answer.
    for (let cutAt = 0; cutAt < 8; cutAt++) {
      const room = newRoom();
      const first = client(room, [cutAt]);
      for (const text of MINE) first.chat.send(text);
      await first.until(() => first.cutsDone() > 0);
      const next = client(room, [], await first.chat.close());
      await next.until(() => next.texts().length >= MINE.length);
      next.chat.send("last");
      await next.until(() => next.texts().includes("last"));
      expect(next.texts()).toEqual([...MINE, "last"]);
      expect(await next.chat.close()).toEqual([]);
    }
  });

  it("waits for the answer to the message that is on its way before it leaves, and sends no other", async () => {
    const room = newRoom();
    const line = lineTo(room, () => true);
    let arrive = () => {};
    const first = client(room, [], [], (url, protocols, events) => {
      const { send, close } = line(url, protocols, events);
      return { send: (frame) => (arrive = () => send(frame)), close };
    });
    await first.until(() => first.opened() === 1);
    for (const text of ["on its way", "waits"]) first.chat.send(text);
    const left = first.chat.close();
    arrive();
    const next = client(room, [], await left);
    await next.until(() => next.texts().includes("waits"));
    expect(next.texts()).toEqual(["on its way", "waits"]);
  });

  it("opens no connection after it was closed", async () => {
    const one = client(newRoom());
    await one.until(() => one.opened() === 1);
    one.chat.close();
    one.chat.send("nobody hears this");
    expect(one.events.at(-1)).toEqual({ type: "connection", state: "closed" });
  });
});
