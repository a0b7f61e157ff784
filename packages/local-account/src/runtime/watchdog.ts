/**
 * Makes sure that workerd ends with the account, even after kill -9: a second workerd on the same data would corrupt
 * it. A small helper process holds a pipe from the account. When the pipe breaks, the helper ends workerd.
 */
import { ChildProcess, spawn } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";

/** The helper's program. Each line it reads is the id of the process to end; an empty line means none. */
const HELPER = `
let pid = "", rest = "";
process.stdin.on("data", (chunk) => {
  const lines = (rest + chunk).split("\\n");
  rest = lines.pop();
  if (lines.length > 0) pid = lines.at(-1);
});
process.stdin.on("end", () => {
  if (pid !== "") try { process.kill(Number(pid), "SIGKILL"); } catch {}
});
`;

/** Guards every workerd that this process starts from now on. */
export class Watchdog {
  readonly #helper = spawn(process.execPath, ["-e", HELPER], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  readonly #onChild = (message: unknown) => {
    const child = childOf(message);
    if (child === undefined) return;
    child.once("spawn", () => {
      if (!child.spawnfile.includes("workerd")) return;
      this.#tell(child.pid);
      child.once("exit", () => this.#tell(undefined, child.pid));
    });
  };
  #current: number | undefined;

  constructor() {
    this.#helper.unref();
    this.#helper.stdin.on("error", () => {});
    subscribe("child_process", this.#onChild);
  }

  close(): void {
    unsubscribe("child_process", this.#onChild);
    this.#helper.stdin.end("\n");
  }

  /** Tells the helper which process to end. Forgets a process that has ended, unless another has taken its place. */
  #tell(pid: number | undefined, instead?: number): void {
    if (instead !== undefined && instead !== this.#current) return;
    this.#current = pid;
    this.#helper.stdin.write(`${pid ?? ""}\n`);
  }
}

/** Node publishes `{ process }` on this channel for each new child process, before it has an id. */
function childOf(message: unknown): ChildProcess | undefined {
  if (typeof message !== "object" || message === null || !("process" in message)) return undefined;
  return message.process instanceof ChildProcess ? message.process : undefined;
}
