/** A room under random faults, checked against a model; and under bad frames of every kind. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";
import { joinRequest } from "../../../worker/chat/joining.ts";
import { ChatClient, type ChatEvent, type Connect } from "../../../worker/chat/panel/client.ts";
import { SUBPROTOCOLS } from "../../../worker/chat/protocol.ts";
import { ChatRoomDO } from "../../../worker/chat/room.ts";
import { Dice, expectFaults, maybeFault, operations, seed, Tally, useOwnClock } from "../../worker/chaos.ts";
import { pass } from "../../worker/clock.ts";
import { join, lineBy, lineTo, newRoom, roomObject, stays } from "./support.ts";

useOwnClock();

/** Messages; a room keeps the last 100. */
const MAX_BEHIND = 60;

it("the chat room loses, doubles and reorders no message for clients that reconnect", async () => {
  const room = newRoom();
  const line = (_: number, passes: () => boolean) => lineTo(room, passes);
  await chat("chat room", new Dice(seed + 2), { line, objects: [() => roomObject(room)] });
});

it("a room and its relays lose, double and reorder no message, whatever is lost between them", async () => {
  const room = newRoom();
  await stays(room);
  const relay = (number: number) => env.CHAT_ROOM.getByName(`dev-eu:chat:eu:${room}:${number}`);
  const dice = new Dice(seed + 3);
  const losses = loseCalls(dice);
  const line = (name: number, passes: () => boolean) =>
    lineBy(({ after, afterId }) => {
      const object = name % 3 === 0 ? roomObject(room) : relay(name % 3);
      const joining = { userId: `user-${name}`, subprotocol: SUBPROTOCOLS[name % 2] ?? "chat" };
      return object.fetch(
        joinRequest({ ...joining, ...(after && { after: Number(after) }), ...(afterId && { afterId }) }),
      );
    }, passes);
  await chat("relays", dice, { line, objects: [() => roomObject(room), () => relay(1), () => relay(2)] });
  expect(losses()).toBeGreaterThan(0);
}, 240_000);

/** Loses calls between the home and its relays: before they arrive, or their answers. Returns how many so far. */
function loseCalls(dice: Dice): () => number {
  let lost = 0;
  for (const name of ["take", "say", "attach", "relaySaid"] as const) {
    const whole: (...args: never[]) => unknown = ChatRoomDO.prototype[name];
    const sometimes = async function (this: ChatRoomDO, ...args: never[]) {
      const fault = dice.whole(1, 20);
      if (fault <= 2) lost++;
      if (fault === 1) throw new Error("the call is lost");
      const answer = await whole.apply(this, args);
      if (fault === 2) throw new Error("the answer is lost");
      return answer;
    };
    Reflect.set(ChatRoomDO.prototype, name, sometimes);
    onTestFinished(() => {
      Reflect.set(ChatRoomDO.prototype, name, whole);
    });
  }
  return () => lost;
}

interface Place {
  line(name: number, passes: () => boolean): Connect;
  /** New stubs of the room's objects, whose alarms run: one that saw a crash is broken. */
  readonly objects: readonly [() => DurableObjectStub, ...(() => DurableObjectStub)[]];
}

/** Six clients talk until everybody has seen everything, while connections are cut and objects fail. */
async function chat(what: string, dice: Dice, { line, objects }: Place): Promise<void> {
  const tally = new Tally();
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
    const url = `wss://stack.test/room/any/ws`;
    const client = new ChatClient({ url, connect: line(name, passes), firstRetryMs: 1, onEvent });
    return {
      name,
      sent: [] as string[],
      opened: () => events.some((event) => event.type === "connection" && event.state === "open"),
      say(text: string) {
        this.sent.push(text);
        client.send(text);
      },
      count,
      shown: () => events.flatMap((event) => (event.type === "message" ? event.message : [])),
      gaps: () => events.filter(({ type }) => type === "gap").length,
      close: () => client.close(),
    };
  });
  const until = async (done: () => boolean) => {
    for (let round = 0; !done(); round++) {
      // A message that a crash kept from a relay comes with the alarm.
      if (objects.length > 1 && round % 10 === 9) await Promise.all(objects.map(runAlarm));
      await Promise.race([new Promise<void>((resolve) => (wake = resolve)), scheduler.wait(100)]);
      // Moves the clock, so that clients that were told to wait may send.
      pass(500);
    }
  };
  // Everybody has joined before the first message, so everybody must see all of them.
  await until(() => clients.every((client) => client.opened()));
  for (let i = 0; i < operations; i++) {
    pass(200);
    const speaker = clients[dice.whole(0, clients.length - 1)];
    speaker?.say(`${speaker.name}: ${speaker.sent.length}`);
    tally.add("messages");
    await maybeFault(dice, tally, dice.pick(objects));
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
  tally.report(what, operations, violations);
  expect(violations).toBe(0);
  expectFaults(tally, operations);
}

/** Runs an object's alarm, if one is set and no fault comes between. */
const runAlarm = (object: () => DurableObjectStub) => runDurableObjectAlarm(object()).catch(() => false);

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
      pass(1_000);
    }),
    { numRuns: Math.ceil(operations / 10), seed },
  );
  expect(await (await join(room)).say("still here")).toMatchObject({ seq: 1 });
  tally.report("WebSocket fuzz", operations, 0);
});
