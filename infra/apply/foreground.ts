/**
 * Work that must end in order: it notes what it has done and gives its lock back. A command that is asked to end by a
 * signal outlives it, so that nobody takes it for ended before, and says afterwards what has become of it.
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { END_SIGNALS, type EndSignal, Interrupted } from "../common/interrupted.ts";

let waiting = 0;
let wasInterrupted = false;

/** Whether such work is under way, or an interruption of it is being told: no other handler ends the command then. */
export const endsInOrder = (): boolean => waiting > 0 || wasInterrupted;

/**
 * Does work, and waits for its end whatever signal comes. `onSignal` is told of each; `isDone`: whether a result is a good end.
 * @throws Interrupted after its end, where a signal came.
 */
export async function outlive<T>(
  work: () => Promise<T>,
  onSignal: (signal: EndSignal) => void,
  isDone: (result: T) => boolean,
): Promise<T> {
  let came: EndSignal | undefined;
  const listener = (signal: EndSignal) => {
    came ??= signal;
    onSignal(signal);
  };
  // Before it begins: a program that was just started may be asked to end at once.
  for (const signal of END_SIGNALS) process.on(signal, listener);
  waiting++;
  try {
    const result = await work();
    if (came !== undefined) throw new Interrupted(came, isDone(result));
    return result;
  } finally {
    waiting--;
    wasInterrupted ||= came !== undefined;
    // After an interruption the listeners stay: what is printed of it is not cut off by a second Ctrl-C.
    if (came === undefined) for (const signal of END_SIGNALS) process.off(signal, listener);
  }
}

/**
 * Runs a program in this terminal and returns its exit code, or 1 where a signal has ended it. It gets each wish to end
 * once, because a second one means to many that they end at once: Ctrl-C and `timeout` signal the whole group, and so
 * the program itself; what came to this process alone is passed on. HUP is passed on as TERM (pulumi-cli.ts). `after`:
 * work that belongs to it, once it has ended.
 * @throws Interrupted after its end, where a signal came.
 */
export function inForeground(
  program: string,
  args: readonly string[],
  options: SpawnOptions,
  after = async () => {},
): Promise<number> {
  const group = new Group();
  let child: ChildProcess | undefined;
  const asked = new Set<EndSignal>();
  const passOn = async (signal: EndSignal) => {
    if (asked.has(signal)) return;
    asked.add(signal);
    if (signal === "SIGHUP") child?.kill("SIGTERM");
    else if (!(await group.hasGot(signal))) child?.kill(signal);
  };
  const run = async () => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    try {
      child = spawn(program, args, options);
      child.once("error", reject);
      child.once("close", (code) => resolve(code ?? 1));
      return await promise;
    } finally {
      await after();
    }
  };
  return outlive(
    run,
    (signal) => void passOn(signal),
    (code) => code === 0,
  ).finally(() => group.leave());
}

/** A signal to a group reaches all of it within this time. */
const TOGETHER_MS = 200;

/**
 * The process group of this command. A process in it that does nothing tells whether the whole group got a signal. It
 * reads a pipe from here, so it ends with this command, however that ends.
 */
class Group {
  readonly #idle = process.platform === "win32" ? undefined : spawn("cat", [], { stdio: ["pipe", "ignore", "ignore"] });
  readonly #ended = Promise.withResolvers<boolean>();

  constructor() {
    this.#idle?.once("exit", () => this.#ended.resolve(true));
    this.#idle?.once("error", () => this.#ended.resolve(false));
  }

  async hasGot(signal: EndSignal): Promise<boolean> {
    // Where nobody tells, Ctrl-C is taken for the group's, as it is at a terminal.
    if (this.#idle?.pid === undefined) return signal === "SIGINT";
    return Promise.race([this.#ended.promise, pause(TOGETHER_MS, false)]);
  }

  leave(): void {
    this.#idle?.kill();
  }
}
