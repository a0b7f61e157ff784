/** Signals that ask a command to end: Ctrl-C, a job that is cancelled, a terminal that closes. */
import { constants } from "node:os";

export const END_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
export type EndSignal = (typeof END_SIGNALS)[number];

/** The exit code after a signal, as shells have it: 130 after Ctrl-C. */
export const exitCodeOf = (signal: EndSignal): number => 128 + constants.signals[signal];

/** This command was asked to end, and what it waited for has ended since. The message is for the person; it may be empty. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly signal: EndSignal;
  /** Whether what it waited for came to its good end all the same. */
  readonly isDone: boolean;

  constructor(signal: EndSignal, isDone: boolean, message = "") {
    super(message);
    this.signal = signal;
    this.isDone = isDone;
  }
}

/** Waits for work, and says what it means where that was interrupted: `words` is told whether it came to its good end. */
export async function saying<T>(words: (isDone: boolean) => string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Interrupted) throw new Interrupted(error.signal, error.isDone, words(error.isDone));
    throw error;
  }
}

/**
 * The signal that has ended a program which we wait for, or this command; undefined where the error is another. In a
 * terminal all get Ctrl-C, and the program's end may be known before the signal is.
 */
export function interruptionOf(error: unknown): EndSignal | undefined {
  if (!(error instanceof Error) || !("signal" in error)) return undefined;
  return END_SIGNALS.find((signal) => signal === error.signal);
}
