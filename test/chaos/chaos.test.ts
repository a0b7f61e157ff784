/** Random operations from many clients, random faults, and a model beside them that knows what must hold. */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ChatClient, type ChatEvent } from "../../worker/chat/client.ts";
import { fetchApp, lineTo, newRoom, roomObject } from "../worker/chat-support.ts";
import { Dice, insist, maybeFault, operations, seed, Tally } from "./chaos.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
});
afterEach(() => {
  vi.useRealTimers();
});

const CLIENTS = 8;
/** Messages; a room keeps the last 100. */
const MAX_BEHIND = 60;

it("the counter loses and doubles no count", async () => {
  const dice = new Dice(seed);
  const tally = new Tally();
  const id = `chaos-${seed}`;
  const stub = () => env.COUNTER.getByName(`dev-eu:counter:${id}`);
  const done = CLIENTS * Math.ceil(operations / CLIENTS);
  let sum = 0;
  let violations = 0;

  const client = async (name: number) => {
    let last = 0;
    for (let i = 0; i < done / CLIENTS; i++) {
      const by = dice.whole(1, 5);
      sum += by;
      const faulting = maybeFault(dice, tally, stub);
      const count = await insist(tally, async () => {
        const response = await fetchApp(`/counter/increment?id=${id}`, {
          method: "POST",
          headers: { "Content-Type": "application/json", "Idempotency-Key": `${name}-${i}` },
          body: JSON.stringify({ by }),
        });
        if (response.status !== 200) throw new Error(`${response.status}`);
        return (await response.json<{ count: number }>()).count;
      });
      if (count <= last || count > sum) violations++;
      last = count;
      // Reads of this kind make the counter publish by its alarm, which is then there to be disturbed.
      if (dice.chance(0.1)) await readCopy();
      await faulting;
    }
  };
  const readCopy = async () => {
    const response = await fetchApp(`/counter/value?id=${id}&consistency=eventual`);
    if (response.status !== 200) return;
    tally.add("eventual reads");
    if ((await response.json<{ count: number }>()).count > sum) violations++;
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, name) => client(name)));
  const response = await insist(tally, () => fetchApp(`/counter/value?id=${id}`));
  const { count } = await response.json<{ count: number }>();
  if (count !== sum) violations++;
  tally.report("counter", done, violations);
  expect(violations).toBe(0);
});

it("the rate limiter never admits more than it may", async () => {
  const dice = new Dice(seed + 1);
  const tally = new Tally();
  const policy = { capacity: 30, periodSeconds: 20 };
  const name = `chaos:limit:${seed}`;
  const stub = () => env.RATE_LIMITER.getByName(name);
  let allowance = policy.capacity;
  let latest = Date.now();
  let violations = 0;
  for (let i = 0; i < operations; i++) {
    await maybeFault(dice, tally, stub);
    vi.setSystemTime(Date.now() + dice.whole(0, 1_500));
    // A clock that is a period behind was wrong before; and a full bucket keeps no memory, not even of the time.
    if (latest - Date.now() > policy.periodSeconds * 1_000 || allowance === policy.capacity) latest = Date.now();
    // What an ideal bucket would have gained: time that was not seen before.
    allowance = Math.min(
      allowance + (Math.max(Date.now() - latest, 0) * policy.capacity) / (policy.periodSeconds * 1_000),
      policy.capacity,
    );
    latest = Math.max(latest, Date.now());
    const cost = dice.whole(1, 4);
    const calls = Array.from({ length: dice.whole(1, 4) }, () =>
      stub()
        .take(policy, cost)
        .catch(() => undefined),
    );
    for (const verdict of await Promise.all(calls)) {
      tally.add(verdict === undefined ? "lost checks" : verdict.allowed ? "admissions" : "denials");
      if (verdict?.allowed) allowance -= cost;
    }
    if (allowance < -1e-6) violations++;
  }
  tally.report("rate limiter", operations, violations);
  expect(violations).toBe(0);
});

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
      // Time goes on, so that who was told to wait may speak.
      vi.setSystemTime(Date.now() + 500);
    }
  };
  // Everybody is there before the first word, so that everybody must see all of them.
  await until(() => clients.every((client) => client.opened()));
  for (let i = 0; i < operations; i++) {
    vi.setSystemTime(Date.now() + 200);
    const speaker = clients[dice.whole(0, clients.length - 1)];
    speaker?.say(`${speaker.name}: ${speaker.sent.length}`);
    tally.add("messages");
    await maybeFault(dice, tally, () => roomObject(room));
    // Nobody is so far behind that the room would not have what they missed any more.
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
