/**
 * Work that must end in order: it notes what it has done and gives its lock back. A command that is asked to end by a
 * signal outlives it, so that nobody takes it for ended before, and says afterwards what has become of it.
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { END_SIGNALS, type EndSignal, Interrupted } from "../stack/interrupted.ts";

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
 * Runs a program in this terminal and returns its exit code, or 1 where a signal has ended it. A terminal sends Ctrl-C
 * to the program itself: it is not passed on, because a second one means to many that they end at once. TERM and HUP,
 * which may have come to this process alone, are passed on as one TERM.
 * @throws Interrupted after its end, where a signal came.
 */
export function inForeground(program: string, args: readonly string[], options: SpawnOptions): Promise<number> {
  let child: ChildProcess | undefined;
  let isAsked = false;
  const passOn = (signal: EndSignal) => {
    if (signal === "SIGINT" || isAsked) return;
    isAsked = true;
    child?.kill("SIGTERM");
  };
  const run = () => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    child = spawn(program, args, options);
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
    return promise;
  };
  return outlive(run, passOn, (code) => code === 0);
}
