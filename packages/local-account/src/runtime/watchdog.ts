/**
 * Makes sure that every workerd ends with the account, even after kill -9: a second workerd on the same data would
 * corrupt it. A small helper process holds a pipe from the account. When the pipe breaks, the helper ends them.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { ChildProcess, spawn } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";

/** The helper's program. Each line it reads is the id of a process to end; with a minus, of one that has ended. */
const HELPER = `
let rest = "";
const pids = new Set();
process.stdin.on("data", (chunk) => {
  const lines = (rest + chunk).split("\\n");
  rest = lines.pop();
  for (const line of lines) if (line.startsWith("-")) pids.delete(line.slice(1)); else pids.add(line);
});
process.stdin.on("end", () => {
  for (const pid of pids) try { process.kill(Number(pid), "SIGKILL"); } catch {}
});
`;

export class Watchdog {
  readonly #helper = spawn(process.execPath, ["-e", HELPER], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  /** Tells the children of this account's Miniflare from those of other accounts in this process. */
  readonly #own = new AsyncLocalStorage<(child: ChildProcess) => void>();
  readonly #onChild = (message: unknown) => {
    const child = childOf(message);
    const onSpawn = this.#own.getStore();
    if (child === undefined || onSpawn === undefined) return;
    child.once("spawn", () => {
      if (!child.spawnfile.includes("workerd")) return;
      this.guard(child);
      onSpawn(child);
      child.once("exit", () => this.#onExit(child));
    });
  };

  readonly #onExit: (child: ChildProcess) => void;

  /** `onExit` is told of every workerd of Miniflare that ends, before Miniflare starts another. */
  constructor(onExit: (child: ChildProcess) => void) {
    this.#onExit = onExit;
    this.#helper.unref();
    this.#helper.stdin.on("error", () => {});
    subscribe("child_process", this.#onChild);
  }

  /** Runs what starts a workerd through Miniflare. `onSpawn` gets it, and those that Miniflare starts after crashes. */
  watch<T>(onSpawn: (child: ChildProcess) => void, work: () => T): T {
    return this.#own.run(onSpawn, work);
  }

  /** Ends the process with the account. */
  guard(child: ChildProcess): void {
    const { pid } = child;
    if (pid === undefined) return;
    this.#helper.stdin.write(`${pid}\n`);
    child.once("exit", () => this.#helper.stdin.write(`-${pid}\n`));
  }

  close(): void {
    unsubscribe("child_process", this.#onChild);
    this.#helper.stdin.end();
  }
}

/** Node publishes `{ process }` on this channel for each new child process, before it has an id. */
function childOf(message: unknown): ChildProcess | undefined {
  if (typeof message !== "object" || message === null || !("process" in message)) return undefined;
  return message.process instanceof ChildProcess ? message.process : undefined;
}
