/**
 * The workerd of `npm run dev`, one after the other. Whatever of it does not start is ended whole, so that the next one
 * begins with nothing of it.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { styleText } from "node:util";
import { Watchdog } from "@durable-stack/local-account/watchdog";
import { Miniflare, MiniflareCoreError, type MiniflareOptions } from "miniflare";
import { BuildError } from "../release/build-error.ts";
import type { Bundle } from "../release/bundle.ts";
import { WORKER } from "./options.ts";
import { Places } from "./places.ts";

/** How long a Worker may take to start, in seconds. Miniflare would wait without an end. */
const LIMIT = 20;

/** What it prints, a message at a time. */
interface Printed {
  readonly level: string;
  readonly message: string;
}

export class Runtime {
  readonly #watchdog = new Watchdog(() => {});
  #miniflare: Miniflare | undefined;
  #child: ChildProcess | undefined;
  /** What it has printed since it began to start; undefined: it runs. */
  #held: Printed[] | undefined;
  /** Those of what runs, or begins to. */
  #places: Places | undefined;

  /** Whether a Worker runs. */
  get isRunning(): boolean {
    return this.#miniflare !== undefined;
  }

  /**
   * Runs that, which is made of `bundle`, in the place of what ran.
   * @throws BuildError where the Worker does not start: nothing runs then.
   */
  async run(options: MiniflareOptions, bundle: Bundle): Promise<URL> {
    this.#held = [];
    this.#places = new Places(bundle);
    const own = { ...options, handleStructuredLogs: (printed: Printed) => this.#onPrinted(printed) };
    try {
      const url = await inTime(
        this.#watchdog.watch(
          (child) => {
            this.#child = child;
          },
          () => this.#start(own),
        ),
      );
      this.#tell(() => true);
      return url;
    } catch (error) {
      if (this.#child) await hasSpoken(this.#child);
      await this.#end();
      const said = this.#tell(({ message }) => !REASON.test(message) && !FOLLOWS.test(message));
      if (!(error instanceof MiniflareCoreError)) throw error;
      throw new BuildError(`The Worker does not start:\n${said ?? error.message}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    await this.#end();
    this.#watchdog.close();
  }

  async #start(options: MiniflareOptions): Promise<URL> {
    const before = this.#miniflare;
    const miniflare = before ?? new Miniflare(options);
    this.#miniflare = miniflare;
    await before?.setOptions(options);
    return miniflare.ready;
  }

  async #end(): Promise<void> {
    const miniflare = this.#miniflare;
    this.#miniflare = undefined;
    // Of one that did not start it tells the same again.
    await miniflare?.dispose().catch(() => {});
  }

  #onPrinted({ level, message }: Printed): void {
    const printed = { level, message: this.#places?.in(message) ?? message };
    if (this.#held) this.#held.push(printed);
    else print(printed);
  }

  /** Prints what was held back. Returns why the Worker did not start, where workerd said that. */
  #tell(isWanted: (printed: Printed) => boolean): string | undefined {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const printed of held.filter(isWanted)) print(printed);
    const reasons = held.flatMap(({ message }) => REASON.exec(message)?.[1] ?? []);
    return reasons.length > 0 ? reasons.map((reason) => reason.replace(/^/gm, "  ")).join("\n") : undefined;
  }
}

/** Why a Worker did not start, as workerd says it. */
const REASON = new RegExp(`^service core:user:${WORKER}: (.*)$`, "s");
/** What is so only because of it: a module that has thrown exports nothing. */
const FOLLOWS = /^A DurableObjectNamespace in the config referenced the class/;

/** Waits until what a process that has ended wrote last was read. */
async function hasSpoken(child: ChildProcess): Promise<void> {
  if (child.exitCode === null || child.stderr === null || child.stderr.readableEnded) return;
  await once(child.stderr, "end");
}

/** Waits for a start. @throws BuildError where it takes too long. */
async function inTime(start: Promise<URL>): Promise<URL> {
  const { promise: over, reject } = Promise.withResolvers<never>();
  // Second by second: while a computer sleeps, nothing could have started.
  let left = LIMIT;
  const timer = setInterval(() => {
    left -= 1;
    if (left === 0) reject(new BuildError(ENDLESS));
  }, 1_000);
  try {
    return await Promise.race([start, over]);
  } finally {
    clearInterval(timer);
    // It ends in an error when nobody waits any more.
    start.catch(() => {});
  }
}

const ENDLESS = `The Worker has not started for ${LIMIT} s, and was ended. Look for what computes without an end at the top of a module, such as a loop, and move it into a handler. Where nothing does, this machine was too busy: save a file to try again.`;

function print({ level, message }: Printed): void {
  if (level === "error" || level === "warn") console.error(styleText("red", message, { stream: process.stderr }));
  else console.log(message);
}
