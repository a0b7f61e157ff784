/** Ctrl-C that a program got which we wait for: in a terminal all get it, and its end may be known before the signal is. */

/** Whether an error is the end of such a program. */
export const isInterruption = (error: unknown): boolean =>
  error instanceof Error && "signal" in error && (error.signal === "SIGINT" || error.signal === "SIGTERM");
