/**
 * One workerd with the account's Workers, through Miniflare. It can be held when its Workers have started, before it
 * opens any data. So the workerd before it serves until then, and two never have the same data open.
 *
 * workerd starts its Workers one after the other, and opens files only after the last. So the last one prints more than
 * a pipe takes: workerd waits in the middle of this text, and there it is stopped.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Miniflare, type MiniflareOptions } from "miniflare";
import * as v from "valibot";
import { END_SIGNALS } from "../end-signals.ts";
import { ApiError } from "../errors.ts";
import { readInBatches } from "./in-batches.ts";
import { INTERNAL } from "./names.ts";
import { startWithin } from "./start-limit.ts";
import type { Watchdog } from "./watchdog.ts";

/** The Worker that starts last. No client can give a Worker this name. */
const LAST = "account:last";

/** More than the pipe and its reader hold, which is some hundreds of KiB. */
const TEXT_BYTES = 2 ** 20;

const ENDING_MS = 500;

/** Windows cannot stop a process: there, the workerd before must end before the next one starts. */
export const CAN_HOLD = process.platform !== "win32";

interface GenerationOptions {
  readonly watchdog: Watchdog;
  /** How long the Workers may compute when they start, all together, in milliseconds. */
  readonly limitMs: number;
  /** What the last Worker prints first. No other Worker may know it. */
  readonly mark: string;
  /** Whether to stop before any data is opened, until `release`. */
  readonly hold: boolean;
  /** The services with addresses of their own. */
  readonly direct: readonly string[];
}

/** Where workerd answers, on loopback. */
export interface Addresses {
  /** The account's own Worker. */
  readonly internal: string;
  /** Miniflare's Worker in front of all, which has the S3 API. */
  readonly miniflare: string;
  /** What a Worker gets as `request.cf`, but for what depends on the client. JSON. */
  readonly cf: string;
  /** Of services that have their own. */
  readonly direct: ReadonlyMap<string, string>;
}

/** A process of workerd. */
export interface Running {
  readonly child: ChildProcess;
  /** When it began to serve, by `performance.now()`. */
  readonly startedAt: number;
}

export class Generation {
  readonly #options: GenerationOptions;
  readonly #miniflare: Miniflare;
  readonly #held = Promise.withResolvers<void>();
  #toHold: boolean;
  #isHeld = false;
  #hasServed = false;
  #running: Running | undefined;
  #isGone: Promise<void> | undefined;

  /** Starts. `miniflare` are its options without the last Worker. */
  constructor(options: GenerationOptions, miniflare: MiniflareOptions) {
    this.#options = options;
    this.#toHold = options.hold;
    this.#miniflare = options.watchdog.watch(
      (child) => this.#onSpawn(child),
      () => new Miniflare({ ...miniflare, workers: [...miniflare.workers, lastWorker(options.mark)] }),
    );
    this.#miniflare.ready.then(() => this.#held.resolve(), this.#held.reject);
    this.#held.promise.catch(() => {});
  }

  /** Its process. It may have ended. */
  get running(): Running | undefined {
    return this.#running;
  }

  /** Whether this is its process, and it has served: if it ends by itself, it has crashed. */
  servesBy(child: ChildProcess): boolean {
    return this.#hasServed && this.#isGone === undefined && this.#running?.child === child;
  }

  /** Whether somebody else has killed it, such as the system or Ctrl-C, so that it did not start. */
  async wasKilled(error: unknown): Promise<boolean> {
    const child = this.#running?.child;
    if (child === undefined || this.#isGone !== undefined || error instanceof ApiError) return false;
    // Its pipes may end a moment before it.
    if (!hasEnded(child)) await once(child, "exit", { signal: AbortSignal.timeout(ENDING_MS) }).catch(() => {});
    return child.signalCode === "SIGKILL" || isOfTerminal(child);
  }

  /** Resolves when it is held, or serves if it is not to be held. @throws ApiError 10021, or the error of its start. */
  async begun(): Promise<void> {
    await this.#within(() => this.#held.promise);
  }

  /** Lets it go on if it is held, and returns its addresses when it serves. @throws like `begun`. */
  async serve(): Promise<Addresses> {
    if (this.#isHeld && this.#running !== undefined) {
      this.#isHeld = false;
      this.#running = { ...this.#running, startedAt: performance.now() };
      this.#running.child.kill("SIGCONT");
    }
    const { href: miniflare } = await this.#within(() => this.#miniflare.ready);
    this.#hasServed = true;
    const { stdout } = this.#running?.child ?? {};
    if (this.#options.direct.length > 0 && stdout) readInBatches(stdout);
    const directOf = async (service: string) => (await this.#miniflare.unsafeGetDirectURL(service)).origin;
    const direct = new Map<string, string>();
    for (const service of this.#options.direct) direct.set(service, await directOf(service));
    return {
      internal: await directOf(INTERNAL),
      miniflare,
      cf: JSON.stringify(await this.#miniflare.getCf()),
      direct,
    };
  }

  /** Ends it. When this resolves, it has no data open; the rest ends with `gone`. */
  async end(): Promise<void> {
    const child = this.#running?.child;
    // Until its Miniflare knows that this is the end, it would start another workerd.
    this.#isGone ??= this.#miniflare.dispose().catch(() => {});
    if (child === undefined || hasEnded(child)) return this.#isGone;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGKILL");
    await ended;
  }

  /** Resolves when nothing of it is left. */
  async gone(): Promise<void> {
    await this.#isGone;
  }

  #onSpawn(child: ChildProcess): void {
    this.#running = { child, startedAt: performance.now() };
    // Miniflare's second workerd follows a crash of the first.
    if (!this.#toHold) return;
    this.#toHold = false;
    let seen = "";
    const look = (chunk: Buffer) => {
      seen = seen.slice(-this.#options.mark.length) + chunk.toString("latin1");
      if (!seen.includes(this.#options.mark)) return;
      child.stdout?.off("data", look);
      this.#isHeld = child.kill("SIGSTOP");
      // What was written to the other pipe is read before.
      setImmediate(() => this.#held.resolve());
    };
    child.stdout?.on("data", look);
    if (child.stderr === null) return;
    // After an error workerd goes on, opens the data, and ends. The error comes before the mark.
    createInterface(child.stderr).on("line", (line) => {
      const error = startErrorOf(line);
      if (error !== undefined) this.#held.reject(error);
    });
  }

  #within<T>(start: () => Promise<T>): Promise<T> {
    return startWithin(this.#options.limitMs, () => this.#running?.child, start);
  }
}

const Line = v.pipe(
  v.string(),
  v.parseJson(),
  // What Workers log has no source.
  v.object({ level: v.literal("error"), source: v.string(), message: v.pipe(v.string(), v.startsWith("service ")) }),
);

/** The error if the line reports that a Worker, or a part of the runtime, did not start. */
function startErrorOf(line: string): Error | undefined {
  const { success, output } = v.safeParse(Line, line);
  if (!success) return undefined;
  const [, worker, text] = /^service core:user:([^:@]+)[^:]*: (.*)$/s.exec(output.message) ?? [];
  // The account's own are `account:…`. A Worker may be called `account`.
  const isOwn = /^service core:user:account:\S/.test(output.message);
  if (worker === undefined || isOwn) return new Error(`workerd did not start: ${output.message}`);
  return new ApiError(400, 10021, `The Worker '${worker}' did not start with its bindings: ${text}`);
}

/** Whether a process was ended by what a terminal sends to all of its own, at Ctrl-C or when it is closed. */
export const isOfTerminal = ({ signalCode }: ChildProcess): boolean =>
  END_SIGNALS.some((signal) => signal === signalCode);

const hasEnded = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null;

const lastWorker = (mark: string): MiniflareOptions["workers"][number] => ({
  config: {
    name: LAST,
    compatibilityDate: "2026-11-01",
    manifest: {
      mainModule: "last.js",
      modules: {
        "last.js": {
          type: "esm",
          contents: `console.debug(${JSON.stringify(mark)} + "-".repeat(${TEXT_BYTES}));\nexport default {};`,
        },
      },
    },
  },
});
