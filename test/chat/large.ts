/**
 * `node test/chat/large.ts`: what a join into a large room costs, beside a room that accepts sockets and does nothing.
 * Joins come one after another, and CPU time is that of workerd with all that a join needs, its HTTP included.
 */
import { readFileSync } from "node:fs";
import { WebSocket } from "ws";
import { chat } from "../../worker/chat/pattern.ts";
import { workerdMemory } from "../bench/memory.ts";
import { startEntry } from "../bench/runtime.ts";

const SOCKETS = 1_000;
const AT_ONCE = 25;
/** Linux counts CPU time in hundredths of a second. */
const TICK_MS = 10;

for (const side of ["idle", "room"]) {
  const bench = await startEntry({
    entry: 'export * from "./chat/worker/large.ts"; export { default } from "./chat/worker/large.ts";',
    bindings: { [chat.binding]: chat.class, IDLE_ROOM: "IdleRoom" },
    settings: { environment: "bench", access: "open", chat: { messagesPerSecond: 10_000 } },
  });
  try {
    const url = `${bench.url.replace(/^http/, "ws")}${side}`;
    const sockets: WebSocket[] = [];
    const steps: string[] = [];
    let before = cpu();
    while (sockets.length < SOCKETS) {
      const joining = Array.from({ length: AT_ONCE }, (_, i) => join(`${url}?user=user-${sockets.length + i}`));
      sockets.push(...(await Promise.all(joining)));
      if (sockets.length % 250 === 0) {
        const now = cpu();
        steps.push(((now - before) / 250).toFixed(2));
        before = now;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    console.log(`${side}: CPU ms a join, by quarter: ${steps.join(", ")}; workerd ${workerdMemory() ?? "?"} MiB`);
    for (const socket of sockets) socket.terminate();
  } finally {
    await bench.close();
  }
}

function join(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url);
  return new Promise((resolve, reject) => {
    socket.on("open", () => resolve(socket));
    socket.on("error", reject);
  });
}

/** The CPU time of this process's children, in ms. */
function cpu(): number {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8").split(" ").filter(Boolean);
  const ticks = children.map((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return Number(fields[11]) + Number(fields[12]);
  });
  return Math.max(...ticks) * TICK_MS;
}
