/**
 * Whether ports are free, asked before workerd starts: for a debugger's port that is in use it waits without an end,
 * and says nothing.
 */
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { UserError } from "../stack/user-error.ts";

/** A port, and the option that chooses it. */
export interface Wanted {
  readonly port: number;
  readonly option: string;
}

/** @throws UserError naming the first port that is in use, or that two of them want. */
export async function mustBeFree(wanted: readonly Wanted[]): Promise<void> {
  const held: Server[] = [];
  try {
    for (const one of wanted) held.push(await hold(one));
  } finally {
    await Promise.all(held.map((server) => server[Symbol.asyncDispose]()));
  }
}

async function hold({ port, option }: Wanted): Promise<Server> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    const wrong = code === "EADDRINUSE" ? "is in use" : `cannot be used (${code ?? cause})`;
    throw new UserError(`Port ${port} ${wrong}. Choose another with ${option}, or 0 for any free one.`, { cause });
  }
  return server;
}
