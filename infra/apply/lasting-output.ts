/**
 * The outputs of a program that must end in order, where a pipe leads away from this command. A reader that is gone ends
 * such a program at its next line: `| head -1`, or a `| tee log` that the same Ctrl-C has ended.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fstatSync } from "node:fs";

/** Passes on what it reads. Where nobody takes that any more, it reads on: it ends with the program alone. */
const PASS_ON = 'trap "" HUP INT TERM PIPE; cat 2>/dev/null; exec cat >/dev/null';

type Descriptor = 1 | 2;

export class LastingOutput {
  readonly #readers = new Map<number, ChildProcess>();

  /** What a program gets for this output, for the `stdio` of `spawn`: two that are one pipe stay one, and in order. */
  of(descriptor: Descriptor): ChildProcess["stdin"] | "inherit" {
    const target = fstatSync(descriptor);
    if (!target.isFIFO() && !target.isSocket()) return "inherit";
    const reader = this.#readers.get(target.ino) ?? spawn("sh", ["-c", PASS_ON], { stdio: ["pipe", descriptor, 2] });
    this.#readers.set(target.ino, reader);
    return reader.stdin;
  }

  /** To be called once the program has begun: then it alone holds its outputs. Waits until all that it prints is passed on. */
  async passedOn(): Promise<void> {
    await Promise.all(
      [...this.#readers.values()].map(async (reader) => {
        const ended = once(reader, "close");
        reader.stdin?.destroy();
        await ended;
      }),
    );
  }
}
