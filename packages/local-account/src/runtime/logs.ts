/** What Workers log, for the person at the terminal. */
import { styleText } from "node:util";

/** Prints a line: warnings and errors in red, to the error output. */
export function printLog(level: string, line: string): void {
  if (level === "error" || level === "warn") console.error(styleText("red", line, { stream: process.stderr }));
  else console.log(line);
}
