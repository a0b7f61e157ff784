/**
 * Whether ports are free, asked before anything is begun: all that are not are told at once, and nothing is left of a
 * start that could not be. For a debugger's port that is in use workerd waits without an end, and says nothing.
 */
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { codeOf } from "./errors.ts";
import { UserError } from "./user-error.ts";

/** A port, and the option that chooses it. */
export interface Wanted {
  readonly port: number;
  readonly option: string;
}

/** @throws UserError naming each port that is in use, or that two of them want. */
export async function mustBeFree(wanted: readonly Wanted[]): Promise<void> {
  const held: Server[] = [];
  const problems: string[] = [];
  for (const one of wanted) {
    const tried = await hold(one);
    if (typeof tried === "string") problems.push(tried);
    else held.push(tried);
  }
  await Promise.all(held.map((server) => server[Symbol.asyncDispose]()));
  if (problems.length > 0) throw new UserError(problems.join("\n"));
}

/** A server on the port, or why there is none. */
async function hold({ port, option }: Wanted): Promise<Server | string> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch (cause) {
    const code = codeOf(cause);
    const wrong = code === "EADDRINUSE" ? "is in use" : `cannot be used (${code ?? cause})`;
    return `Port ${port} ${wrong}. Choose another with ${option}, or 0 for any free one.`;
  }
  return server;
}
