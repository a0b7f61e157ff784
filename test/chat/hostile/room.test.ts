/**
 * A room and hostile clients, over real WebSockets, with the Worker in workerd. The measures are printed. They are
 * compared within one run, because machines differ.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { workerdMemory } from "../../bench/memory.ts";
import { inTime } from "../../in-time.ts";
import { Guest } from "./guest.ts";
import { type Hostile, startWorker } from "./worker.ts";

let worker: Hostile;
/** Begun before all else: it is a minute's wait, and next to no work beside what is measured. */
let leaving: Promise<number>;
beforeAll(async () => {
  worker = await startWorker();
  leaving = leavesPresence();
  // It may fail before its test awaits it.
  leaving.catch(() => {});
});
afterAll(() => worker?.close());

const report = (line: string) => console.log(`hostile: ${line}`);
const socketsOf = async (room: string, count: number, token?: string): Promise<Guest[]> => {
  const guests: Guest[] = [];
  for (let i = 0; i < count; i++) guests.push(await Guest.join(worker.url, room, token === undefined ? {} : { token }));
  return guests;
};
const at = (sorted: readonly number[], share: number) =>
  sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? 0;
/** A room of its own for each attempt. */
const named = (name: string) => `${name}-${crypto.randomUUID().slice(0, 8)}`;
/** Other load on the machine may spoil one attempt. */
const MEASURED = { retry: 2 };
const shown = (ms: number) => `${Math.round(ms * 10) / 10} ms`;

/** The milliseconds from the end of a connection, of which nothing tells the room, until its user has left presence. */
async function leavesPresence(): Promise<number> {
  const watcher = await Guest.join(worker.url, "half-open");
  const dead = await Guest.join(worker.url, "half-open");
  dead.send('{"type":"ping"}');
  const since = performance.now();
  dead.stopReading();
  const beat = setInterval(() => watcher.send('{"type":"ping"}'), 20_000);
  try {
    await inTime(85_000, watcher.next("user_left"), () => "no user_left came");
    return performance.now() - since;
  } finally {
    clearInterval(beat);
    watcher.leave();
    dead.leave();
  }
}

describe("one user with 300 sockets", () => {
  const SOCKETS = 300;
  /** Ten others, each at the limit of messages for one user. */
  const SPEAKERS = 10;
  const EACH = 18;

  /** The milliseconds from sending to the ack, of people who take turns. */
  async function acks(room: string): Promise<number[]> {
    const speakers = await socketsOf(room, SPEAKERS);
    const times: number[] = [];
    for (let i = 0; i < EACH; i++) {
      for (const speaker of speakers) {
        const since = performance.now();
        await speaker.say(`${i}`);
        times.push(performance.now() - since);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    for (const speaker of speakers) speaker.leave();
    return times.sort((a, b) => a - b);
  }

  it("gets ten of them, and slows nobody", MEASURED, async () => {
    const crowded = named("crowded");
    // The first run warms up, and does not count.
    await acks(named("warm-up"));
    const quiet = await acks(named("quiet"));

    const first = await Guest.join(worker.url, crowded);
    const attempts = await Promise.all(
      Array.from({ length: SOCKETS - 1 }, () => Guest.attempt(worker.url, crowded, { token: first.token })),
    );
    const admitted = [first, ...attempts.filter((attempt) => attempt instanceof Guest)];
    const refused = attempts.filter((attempt) => attempt === 429);
    expect(admitted.length).toBe(10);
    expect(refused.length).toBe(SOCKETS - 10);

    let frames = 0;
    const attack = setInterval(() => {
      for (const socket of admitted) {
        socket.send({ type: "typing" });
        socket.send({ type: "chat", text: `noise ${frames}` });
        frames += 2;
      }
    }, 100);
    // Sockets that are closed for it reconnect as often as they are let in.
    const returning = setInterval(() => {
      void Guest.attempt(worker.url, crowded, { token: first.token }).then((back) => {
        if (back instanceof Guest) admitted.push(back);
      });
    }, 100);
    const pressed = await acks(crowded);
    clearInterval(attack);
    clearInterval(returning);
    // At 0.99 two of all acks would decide, and any machine delays two. A quiet room's few ms are no measure either.
    const ratio = at(pressed, 0.9) / Math.max(at(quiet, 0.9), 10);
    report(
      `one user, ${SOCKETS} sockets tried, 10 admitted, ${frames} frames sent: another's ack p50 ` +
        `${shown(at(pressed, 0.5))}, p90 ${shown(at(pressed, 0.9))}; in the quiet room p50 ${shown(at(quiet, 0.5))}, ` +
        `p90 ${shown(at(quiet, 0.9))}; ratio ${ratio.toFixed(1)}`,
    );
    for (const socket of admitted) socket.leave();
    expect(ratio).toBeLessThan(3);
  });
});

describe("thirty sockets that never read", () => {
  /** How many messages a room keeps by default. */
  const HISTORY_LIMIT = 100;
  const SPEAKERS = 10;
  const EACH = 19;
  /** Two bytes per character in UTF-8: 8 KB per message. */
  const TEXT = "é".repeat(4_000);

  async function talk(room: string): Promise<number> {
    const speakers = await socketsOf(room, SPEAKERS);
    let last = 0;
    for (let i = 0; i < EACH; i++) {
      for (const speaker of speakers) {
        last = (await speaker.say(TEXT)).seq;
        speaker.send({ type: "seen", seq: last });
      }
      // One address may send half of the room's 100 messages a second.
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    for (const speaker of speakers) speaker.leave();
    return last;
  }

  /** Opens thirty sockets of three people, half of which ping. Returns the last number, and one socket of each kind. */
  async function attack(room: string): Promise<{ last: number; silent: Guest; pinging: Guest }> {
    const owners = await socketsOf(room, 3);
    const rest = await Promise.all(owners.map(({ token }) => socketsOf(room, 9, token)));
    const deaf = [...owners, ...rest.flat()];
    const [silent, pinging] = [deaf[0], deaf.at(-1)];
    if (!silent || !pinging) throw new Error("nobody there");
    for (const guest of deaf) guest.stopReading();
    const pings = setInterval(() => {
      for (const guest of deaf.slice(15)) guest.send('{"type":"ping"}');
    }, 1_000);
    const last = await talk(room);
    clearInterval(pings);
    for (const guest of deaf) guest.readOn();
    const closed = await Promise.all(
      deaf.map((guest, i) => inTime(60_000, guest.closed, () => `socket ${i} is open, and has had ${guest.last}`)),
    );
    expect(new Set(closed.map(({ code }) => code))).toEqual(new Set([1013]));
    return { last, silent, pinging };
  }

  it(
    "are closed with 1013, pinging or not, resume where they were, and leave workerd's memory as it was",
    MEASURED,
    async () => {
      const unread = named("unread");
      // The runtime keeps the memory of the first attack for the next.
      await attack(named("before"));
      const before = workerdMemory();
      const { last, silent, pinging } = await attack(unread);
      const after = workerdMemory();
      if (before === undefined || after === undefined) throw new Error("workerd's memory is not known here");
      const change = (after - before) / before;
      report(
        `30 sockets that never read, ${last} messages of 8 KB: workerd ${before} MiB before, ${after} MiB after ` +
          `(${(change * 100).toFixed(1)} %); a silent socket was sent ${silent.last}, a pinging one ${pinging.last}`,
      );
      const resumed = await Guest.join(worker.url, unread, { token: silent.token, after: silent.last });
      const first = Math.max(silent.last + 1, last - HISTORY_LIMIT + 1);
      expect(resumed.seqs).toEqual(Array.from({ length: last - first + 1 }, (_, i) => first + i));
      resumed.leave();
      // The attack sends 45 MiB, and what a machine's allocator keeps is less.
      expect(after - before).toBeLessThan(30);
    },
  );
});

describe.concurrent("a client", () => {
  it("whose connection is dead leaves presence within a minute", async () => {
    const took = await leaving;
    report(`a dead connection left presence after ${shown(took)}`);
    // By its own clock in 55 to 60 seconds; the rest is what a busy machine adds.
    expect(took).toBeLessThan(80_000);
  });

  it.each([1000, 1001, 1008, 1011, 3000, 4999])("that closes with %s gets it back", async (code) => {
    const guest = await Guest.join(worker.url, `closing-${code}`);
    guest.close(code);
    expect(await guest.closed).toMatchObject({ code });
  });

  it.each([
    ["wrong frames", "{"],
    ["binary frames", Buffer.from([1, 2, 3])],
    ["pings that wake the room", '{ "type": "ping" }'],
    ["one message again and again", '{"type":"chat","text":"x","clientId":"x"}'],
    ["frames of 100 KB", "x".repeat(100_000)],
  ])("that floods with %s ends in 1008, and the room answers others", async (what, frame) => {
    const room = `flood-${what.replaceAll(" ", "-")}`;
    const [other, guest] = [await Guest.join(worker.url, room), await Guest.join(worker.url, room)];
    const since = performance.now();
    let sent = 0;
    const flood = setInterval(() => {
      for (let i = 0; i < 20; i++) guest.send(frame);
      sent += 20;
    }, 5);
    const { code } = await inTime(60_000, guest.closed, () => `still open after ${sent} frames`);
    clearInterval(flood);
    report(`${what}: closed with ${code} after ${shown(performance.now() - since)}, ${sent} frames sent`);
    expect(code).toBe(1008);
    expect((await other.say("well")).seq).toBeGreaterThan(0);
    other.leave();
  });
});
