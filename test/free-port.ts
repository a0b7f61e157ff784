/** A port of this machine that a test may close and open again, for servers that come back at the same address. */
import { once } from "node:events";
import { createServer } from "node:net";

/** Below 32,768, where Linux begins to give ports to `port: 0` and to outgoing connections; macOS begins later. */
const FIRST = 20_000;
const END = 32_768;

// Test files run at the same time in processes of their own: each begins somewhere else.
let next = FIRST + ((process.pid * 61) % (END - FIRST));

/** A port of 127.0.0.1 on which nothing listens, and which no other server is given that asks for any free one. */
export async function freePort(): Promise<number> {
  for (let tries = FIRST; tries < END; tries++) {
    const port = next;
    next = port + 1 < END ? port + 1 : FIRST;
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${FIRST} to ${END - 1} is free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const listening = once(server, "listening").then(
    () => true,
    () => false,
  );
  server.listen(port, "127.0.0.1");
  if (!(await listening)) return false;
  server.close();
  await once(server, "close");
  return true;
}
