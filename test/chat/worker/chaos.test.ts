/** A room under random faults, checked against a model; and under bad frames of every kind. */
import fc from "fast-check";
import { expect, it, vi } from "vitest";
import { ChatClient, type ChatEvent } from "../../../worker/chat/panel/client.ts";
import { Dice, maybeFault, operations, seed, Tally, useOwnClock } from "../../worker/chaos.ts";
import { join, lineTo, newRoom, roomObject } from "./support.ts";

useOwnClock();

/** Messages; a room keeps the last 100. */
const MAX_BEHIND = 60;

it("the chat room loses, doubles and reorders no message for clients that reconnect", async () => {
  const dice = new Dice(seed + 2);
  const tally = new Tally();
  const room = newRoom();
  let cutting = true;
  let wake = () => {};
  const clients = Array.from({ length: 6 }, (_, name) => {
    const events: ChatEvent[] = [];
    const count = { message: 0, stored: 0 };
    const passes = () => {
      const cut = cutting && dice.chance(0.02);
      if (cut) tally.add("× cut");
      return !cut;
    };
    const onEvent = (event: ChatEvent) => {
      events.push(event);
      if (event.type === "message" || event.type === "stored") count[event.type]++;
      wake();
    };
    const url = `wss://stack.test/room/${room}/ws`;
    const chat = new ChatClient({ url, connect: lineTo(room, passes), firstRetryMs: 1, onEvent });
    return {
      name,
      sent: [] as string[],
      opened: () => events.some((event) => event.type === "connection" && event.state === "open"),
      say(text: string) {
        this.sent.push(text);
        chat.send(text);
      },
      count,
      shown: () => events.flatMap((event) => (event.type === "message" ? event.message : [])),
      gaps: () => events.filter(({ type }) => type === "gap").length,
      close: () => chat.close(),
    };
  });
  const until = async (done: () => boolean) => {
    while (!done()) {
      await Promise.race([new Promise<void>((resolve) => (wake = resolve)), scheduler.wait(100)]);
      // Moves the clock, so that clients that were told to wait may send.
      vi.setSystemTime(Date.now() + 500);
    }
  };
  // Everybody has joined before the first message, so everybody must see all of them.
  await until(() => clients.every((client) => client.opened()));
  for (let i = 0; i < operations; i++) {
    vi.setSystemTime(Date.now() + 200);
    const speaker = clients[dice.whole(0, clients.length - 1)];
    speaker?.say(`${speaker.name}: ${speaker.sent.length}`);
    tally.add("messages");
    await maybeFault(dice, tally, () => roomObject(room));
    // Nobody falls so far behind that the room no longer has the messages that they missed.
    await until(() => clients.every(({ count }) => i - count.message < MAX_BEHIND));
  }
  cutting = false;
  await until(() => clients.every(({ count, sent }) => count.stored === sent.length && count.message >= operations));

  const [first] = clients;
  const order = first?.shown().map(({ text }) => text) ?? [];
  let violations = 0;
  for (const client of clients) {
    const shown = client.shown();
    const wrong = [
      shown.some(({ seq }, index) => seq !== index + 1),
      shown.some(({ text }, index) => text !== order[index]),
      shown.length !== operations,
      client.gaps() > 0,
      order.filter((text) => text.startsWith(`${client.name}:`)).join() !== client.sent.join(),
    ];
    violations += wrong.filter(Boolean).length;
    client.close();
  }
  tally.report("chat room", operations, violations);
  expect(violations).toBe(0);
});

it("WebSocket: bad frames are answered to their sender only, and the room goes on", async () => {
  const tally = new Tally();
  const room = newRoom();
  const bystander = await join(room);
  const frame = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.uint8Array({ maxLength: 200 }),
    fc.constant("[".repeat(8_000)),
    fc.constant("x".repeat(100_000)),
    fc.json(),
    fc
      .record({
        type: fc.constantFrom("chat", "history", "message", "__proto__", ""),
        text: fc.constantFrom("", " ", 1, null, [], {}, "x".repeat(4_001)),
        clientId: fc.jsonValue(),
      })
      .map((value) => JSON.stringify(value)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 20 }), async (frames) => {
      // A new user each time, because a room's patience with one user ends.
      const sender = await join(room);
      for (const bad of frames) sender.socket.send(bad);
      tally.add("frames", frames.length);
      const answers = await sender.settled();
      expect(answers.map(({ type }) => type)).toEqual(frames.map(() => "error"));
      sender.close();
      await sender.closed;
      const seen = new Set((await bystander.settled()).map(({ type }) => type));
      expect(seen.difference(new Set(["user_joined", "user_left", "presence"]))).toEqual(new Set());
      // The bystander's questions use up patience too.
      vi.setSystemTime(Date.now() + 1_000);
    }),
    { numRuns: Math.ceil(operations / 10), seed },
  );
  expect(await (await join(room)).say("still here")).toMatchObject({ seq: 1 });
  tally.report("WebSocket fuzz", operations, 0);
});
