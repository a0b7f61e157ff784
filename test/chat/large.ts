/**
 * `node test/chat/large.ts`: what a join into a room of 1,000 costs, beside a room that accepts sockets and does nothing;
 * and a room of 10,000 on ten objects, with a check of what each socket got. `--sockets 3000` makes it smaller.
 *
 * CPU time is workerd's, with all that a join needs, its HTTP included. The clients run on the same machine.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import * as v from "valibot";
import { WebSocket } from "ws";
import { chat } from "../../worker/chat/pattern.ts";
import { workerdMemory } from "../bench/memory.ts";
import { type Bench, startEntry } from "../bench/runtime.ts";

const SOCKETS = 1_000;
const AT_ONCE = 25;
const SPEAKERS = 10;
const MESSAGES_PER_SPEAKER = 4;
/** Linux counts CPU time in hundredths of a second. */
const TICK_MS = 10;

/** Readers beside them, inside workerd: it opens two files for a socket, and a process often may open only 20,000. */
const INSIDERS = 1_000;

const { values } = parseArgs({ options: { sockets: { type: "string", default: "9000" } } });

async function inBench(run: (bench: Bench) => Promise<void>): Promise<void> {
  const bench = await startEntry({
    entry: 'export * from "./chat/worker/large.ts"; export { default } from "./chat/worker/large.ts";',
    bindings: { [chat.binding]: chat.class, IDLE_ROOM: "IdleRoom", INSIDERS: "Insiders" },
    settings: { environment: "bench", access: "open", chat: { messagesPerSecond: 10_000, relays: 10 } },
  });
  try {
    await run(bench);
  } finally {
    await bench.close();
  }
}

/** Opens sockets, and measures each quarter of them. */
async function fill(url: string, count: number): Promise<{ sockets: Reader[]; steps: string[] }> {
  const sockets: Reader[] = [];
  const steps: string[] = [];
  let before = cpu();
  while (sockets.length < count) {
    const joining = Array.from({ length: AT_ONCE }, (_, i) => Reader.join(`${url}?user=user-${sockets.length + i}`));
    sockets.push(...(await Promise.all(joining)));
    if (sockets.length % (count / 4) !== 0) continue;
    const now = cpu();
    steps.push(((now - before) / (count / 4)).toFixed(2));
    before = now;
  }
  return { sockets, steps };
}

const Insiders = v.object({ received: v.number(), wrong: v.number() });

/** One socket, and what it got. */
class Reader {
  readonly socket: WebSocket;
  readonly seqs: number[] = [];
  readonly latencies: number[] = [];
  #stored = () => {};
  #wake = () => {};

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data) => {
      const frame = String(data);
      if (frame.startsWith('{"type":"ack"')) this.#stored();
      if (!frame.startsWith('{"type":"message"')) return;
      const { message } = JSON.parse(frame);
      this.seqs.push(message.seq);
      this.latencies.push(performance.now() - Number(message.text));
      this.#wake();
    });
  }

  static join(url: string): Promise<Reader> {
    const socket = new WebSocket(url);
    const reader = new Reader(socket);
    return new Promise((resolve, reject) => {
      socket.on("open", () => resolve(reader));
      socket.on("error", reject);
    });
  }

  /** Sends a message with the time of sending, and waits until it is stored. */
  say(): Promise<void> {
    this.socket.send(JSON.stringify({ type: "chat", text: String(performance.now()) }));
    return new Promise((resolve) => {
      this.#stored = resolve;
    });
  }

  /** Resolves when so many messages have arrived, or after a while without one. */
  heard(count: number): Promise<void> {
    return new Promise((resolve) => {
      let patience = setTimeout(resolve, 30_000);
      this.#wake = () => {
        clearTimeout(patience);
        if (this.seqs.length >= count) resolve();
        else patience = setTimeout(resolve, 30_000);
      };
      this.#wake();
    });
  }
}

/** The CPU time of this process's workerd, in ms. */
function cpu(): number {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8").split(" ").filter(Boolean);
  const ticks = children.map((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return Number(fields[11]) + Number(fields[12]);
  });
  return Math.max(...ticks) * TICK_MS;
}

for (const side of ["idle", "room"]) {
  await inBench(async ({ url }) => {
    const { sockets, steps } = await fill(`${url.replace(/^http/, "ws")}${side}`, SOCKETS);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    console.log(`${side}: CPU ms a join, by quarter: ${steps.join(", ")}; workerd ${workerdMemory() ?? "?"} MiB`);
    for (const { socket } of sockets) socket.terminate();
  });
}
await inBench(async ({ url }) => {
  const { sockets, steps } = await fill(`${url.replace(/^http/, "ws")}room`, Number(values.sockets));
  for (let joined = 0; joined < INSIDERS; joined += 100) await fetch(`${url}insiders?join=100`);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const before = cpu();
  const messages = SPEAKERS * MESSAGES_PER_SPEAKER;
  const start = performance.now();
  // Speakers at all objects, each of whom waits for their own message.
  const speakers = Array.from({ length: SPEAKERS }, (_, i) => sockets[Math.floor((i * sockets.length) / SPEAKERS)]);
  await Promise.all(
    speakers.map(async (speaker) => {
      for (let i = 0; i < MESSAGES_PER_SPEAKER; i++) await speaker?.say();
    }),
  );
  await Promise.all(sockets.map((reader) => reader.heard(messages)));
  const insiders = v.parse(Insiders, await (await fetch(`${url}insiders?messages=${messages}`)).json());
  const seconds = (performance.now() - start) / 1_000;
  const latencies = sockets.flatMap((reader) => reader.latencies).sort((a, b) => a - b);
  const at = (share: number) => Math.round(latencies[Math.floor(latencies.length * share)] ?? 0);
  const isWrong = ({ seqs }: Reader) => seqs.length !== messages || seqs.some((seq, i) => seq !== i + 1);
  const wrong = sockets.filter(isWrong).length + insiders.wrong;
  const all = sockets.length + INSIDERS;
  const received = latencies.length + insiders.received;
  console.log(
    `${all} sockets: CPU ms a join, by quarter: ${steps.join(", ")}; workerd ${workerdMemory() ?? "?"} MiB; ` +
      `${messages} messages, ${received} of ${all * messages} received in ${seconds.toFixed(1)} s, ` +
      `${wrong} sockets with a gap, a repetition or another order; latency p50 ${at(0.5)} ms, p99 ${at(0.99)} ms; ` +
      `CPU µs a delivery: ${(((cpu() - before) * 1_000) / received).toFixed(1)}`,
  );
  if (wrong > 0) process.exitCode = 1;
  for (const { socket } of sockets) socket.terminate();
});
