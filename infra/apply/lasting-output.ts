/**
 * The outputs of a program that must end in order, where a pipe leads away from this command. A reader that is gone ends
 * such a program at its next line: `| head -1`, or a `| tee log` that the same Ctrl-C has ended.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { fstatSync } from "node:fs";

/** Passes on what it reads. Where nobody takes that any more, it reads on: it ends with the program alone. */
const PASS_ON = 'trap "" HUP INT TERM PIPE; cat 2>/dev/null; exec cat >/dev/null';

type Descriptor = 1 | 2;

interface Reader {
  /** Undefined where the machine has no process or no descriptor left for it. */
  readonly input: ChildProcess["stdin"] | undefined;
  readonly ended: Promise<void>;
}

export class LastingOutput {
  readonly #readers = new Map<number, Reader>();

  /**
   * What a program gets for this output, for the `stdio` of `spawn`: two that are one pipe stay one, and in order. Where
   * nothing can be put in between, it gets the output itself.
   */
  of(descriptor: Descriptor): ChildProcess["stdin"] | "inherit" {
    const target = fstatSync(descriptor);
    if (!target.isFIFO() && !target.isSocket()) return "inherit";
    const reader = this.#readers.get(target.ino) ?? readerTo(descriptor);
    this.#readers.set(target.ino, reader);
    return reader.input ?? "inherit";
  }

  /** To be called at the program's end: waits until all that it printed is passed on. */
  async passedOn(): Promise<void> {
    const readers = [...this.#readers.values()];
    for (const { input } of readers) input?.destroy();
    await Promise.all(readers.map(({ ended }) => ended));
  }
}

function readerTo(descriptor: Descriptor): Reader {
  const reader = spawn("sh", ["-c", PASS_ON], { stdio: ["pipe", descriptor, 2] });
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  reader.once("close", () => resolve());
  reader.once("error", () => resolve());
  return { input: reader.pid === undefined ? undefined : reader.stdin, ended };
}
