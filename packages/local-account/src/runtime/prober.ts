/**
 * Starts uploaded modules once, to find out what they export, in a workerd of its own. A bundle that loops or takes
 * too much memory when it starts ends that process and nothing else.
 *
 * The process starts with the first upload, and ends when it was idle for a minute.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { ApiError, closing } from "../errors.ts";
import type { Binding } from "../model.ts";
import { bareType, MODULE_TYPES, type Upload } from "../upload.ts";
import type { Inspection } from "../versions.ts";
import { cpuMsOf, memoryOf } from "./process.ts";
import type { Watchdog } from "./watchdog.ts";
import { knownDate, WORKERD } from "./workerd.ts";

/** https://developers.cloudflare.com/workers/platform/limits/#worker-startup-time, in milliseconds of CPU time. */
const STARTUP_LIMIT_MS = 1_000;
/** The limit by the clock where the CPU time cannot be read. */
const CLOCK_LIMIT_MS = 3 * STARTUP_LIMIT_MS;
/** The same where it can: for a bundle that waits and does not compute. Other processes may have the processor. */
const WAIT_LIMIT_MS = 10 * STARTUP_LIMIT_MS;
/** How long the process itself may take to start. */
const READY_LIMIT_MS = 20_000;
/** Cloudflare's limit for a Worker is 128 MB. Garbage counts here, and what the upload itself takes. */
const MEMORY_LIMIT = 512 * 2 ** 20;
/** How long after its connections a process may end. */
const ENDING_MS = 500;
const IDLE_MS = 60_000;
const LOOK_MS = 25;

/** The isolates of earlier uploads stay in the process, so it is replaced after this many. */
const MOST_UPLOADS = 50;

const Probed = v.union([
  v.object({
    code: v.object({
      handlers: v.array(v.string()),
      named: v.record(v.string(), v.picklist(["durable-object", "worker", "workflow", "function"])),
    }),
    milliseconds: v.number(),
  }),
  v.object({ error: v.string() }),
]);

const Listening = v.object({ event: v.literal("listen"), port: v.number() });

/**
 * The parts of an upload or a version that are needed to start its modules. Its bindings are all that it will have, also
 * those of earlier versions.
 */
export type Inspected = Pick<
  Upload,
  "mainModule" | "compatibilityDate" | "compatibilityFlags" | "bindings" | "modules"
>;

interface Process {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
  readonly port: number;
}

/** Thrown if the process has ended. */
class Lost extends Error {}

export class Prober {
  readonly #watchdog: Watchdog;
  /** By which the process knows the account. In its environment, which other users of the machine cannot read. */
  readonly #secret = randomBytes(16).toString("hex");
  readonly #headers = { "account-secret": this.#secret };
  #process: Promise<Process> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #idle: NodeJS.Timeout | undefined;
  #uploads = 0;
  #isClosed = false;

  constructor(watchdog: Watchdog) {
    this.#watchdog = watchdog;
  }

  /**
   * One after the other. @throws ApiError 10021 if the modules throw, or take longer than a Worker may; 10068 if they
   * export nothing that can be called; 503 once it is closed.
   */
  inspect(upload: Inspected): Promise<Inspection> {
    const turn = this.#last.then(() => this.#inspect(upload)).catch(this.#failed);
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** Whatever has failed: after `close` that is why. */
  readonly #failed = (error: unknown): never => {
    throw this.#isClosed ? closing() : error;
  };

  /** Ends it for good, with the looks that have begun and those that wait. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#stop();
    await this.#last;
  }

  async #inspect(upload: Inspected, isRepeated = false): Promise<Inspection> {
    if (upload.mainModule === null) return { code: { handlers: [], named: {} }, startupTimeMs: 1 };
    if (++this.#uploads % MOST_UPLOADS === 0) await this.#stop();
    clearTimeout(this.#idle);
    const process = await this.#running();
    const abort = new AbortController();
    try {
      const result = await this.#result(process, upload, abort.signal);
      if ("error" in result) throw refused(result.error.replace(/^Failed to start Worker:\n/, ""));
      const { handlers, named } = result.code;
      if (handlers.length === 0 && Object.keys(named).length === 0) throw doesNothing();
      return { code: result.code, startupTimeMs: Math.max(1, Math.round(result.milliseconds)) };
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
      // Somebody else ended the process, or the system did.
      if (process.child.signalCode === "SIGKILL" && !isRepeated && !this.#isClosed) return this.#inspect(upload, true);
      throw refused("the runtime ended when it started the modules; they may take more memory than there is.");
    } finally {
      abort.abort();
      this.#restUntilIdle();
    }
  }

  /** @throws Lost if the process ends, or ApiError if the modules take too much. Then the process is stopped. */
  async #result(process: Process, upload: Inspected, signal: AbortSignal): Promise<v.InferOutput<typeof Probed>> {
    const lost = process.ended.then(() => {
      throw new Lost();
    });
    try {
      return await Promise.race([
        this.#send(process, upload, signal).then(() =>
          Promise.race([this.#ask(process, signal), this.#overtime(process, signal)]),
        ),
        lost,
      ]);
    } catch (error) {
      // A connection may end a moment before its process. Without an answer it may be stuck.
      try {
        if (!(error instanceof ApiError)) await Promise.race([lost, sleep(ENDING_MS)]);
        throw error;
      } finally {
        await this.#stop();
      }
    }
  }

  /** Sends the modules. */
  async #send({ port }: Process, upload: Inspected, signal: AbortSignal): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${port}/`, {
      method: "PUT",
      headers: this.#headers,
      signal,
      body: JSON.stringify({
        mainModule: upload.mainModule,
        compatibilityDate: knownDate(upload.compatibilityDate),
        compatibilityFlags: upload.compatibilityFlags,
        ...boundIn(upload.bindings),
        modules: upload.modules.flatMap(({ name, contentType, contents }) => {
          const type = MODULE_TYPES.get(bareType(contentType));
          return type === undefined ? [] : [{ name, type, base64: Buffer.from(contents).toString("base64") }];
        }),
      }),
    });
    if (!response.ok) throw new Error(`the account's own Worker failed: ${await response.text()}`);
  }

  /** Starts the modules that were sent. */
  async #ask({ port }: Process, signal: AbortSignal): Promise<v.InferOutput<typeof Probed>> {
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", headers: this.#headers, signal });
    return v.parse(Probed, await response.json());
  }

  /** Throws once the modules have had their time. */
  async #overtime({ child }: Process, signal: AbortSignal): Promise<never> {
    const began = performance.now();
    const cpuBefore = cpuMsOf(child.pid);
    const memoryBefore = memoryOf(child.pid);
    for (;;) {
      await sleep(LOOK_MS, undefined, { signal }).catch(() => new Promise<never>(() => {}));
      const clock = performance.now() - began;
      const memory = (memoryOf(child.pid) ?? 0) - (memoryBefore ?? 0);
      if (memory > MEMORY_LIMIT)
        throw refused(
          `Script startup exceeded memory limits: it took ${Math.round(memory / 2 ** 20)} MiB and was stopped; a Worker may take 128 MB. Move work from the top level of the modules into a handler.`,
        );
      const now = cpuMsOf(child.pid);
      const cpu = now === undefined || cpuBefore === undefined ? undefined : now - cpuBefore;
      if (cpu === undefined ? clock < CLOCK_LIMIT_MS : cpu < STARTUP_LIMIT_MS && clock < WAIT_LIMIT_MS) continue;
      const taken = cpu === undefined ? `${Math.round(clock)} ms` : `${Math.round(cpu)} ms of CPU time`;
      throw refused(
        `Script startup exceeded CPU time limit: it took ${taken} and was stopped; a Worker may take ${STARTUP_LIMIT_MS} ms to start. Move work from the top level of the modules into a handler.`,
      );
    }
  }

  #running(): Promise<Process> {
    if (this.#isClosed) throw closing();
    if (this.#process !== undefined) return this.#process;
    const starting = this.#start();
    this.#process = starting;
    const forget = () => {
      if (this.#process === starting) this.#process = undefined;
    };
    starting.then(({ ended }) => ended.then(forget), forget);
    return starting;
  }

  async #start(): Promise<Process> {
    const config = path.join(import.meta.dirname, "workers/prober.capnp");
    const child = spawn(WORKERD, ["serve", "--experimental", "--control-fd=3", config], {
      stdio: ["ignore", "ignore", "ignore", "pipe"],
      env: { ...process.env, ACCOUNT_SECRET: this.#secret },
    });
    const ended = new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    this.#watchdog.guard(child);
    const control = child.stdio[3];
    const port = control && "read" in control ? await Promise.race([portOf(control), ended, late()]) : undefined;
    if (port === undefined) {
      child.kill("SIGKILL");
      throw new Error("the workerd that starts uploads does not start");
    }
    return { child, ended, port };
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#idle);
    const process = await this.#process?.catch(() => undefined);
    this.#process = undefined;
    process?.child.kill("SIGKILL");
    await process?.ended;
  }

  #restUntilIdle(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.#stop(), IDLE_MS);
    this.#idle.unref();
  }
}

/** The values of bindings where an upload is looked at, and the names of those that only a stand-in can be there for. */
function boundIn(bindings: readonly Binding[]): { vars: Record<string, unknown>; standIns: readonly string[] } {
  const vars = new Map<string, unknown>();
  const standIns: string[] = [];
  for (const { name, type, text, json } of bindings) {
    if (type === "plain_text" || type === "secret_text") vars.set(name, text);
    else if (type === "json") vars.set(name, json);
    else if (type === "version_metadata") vars.set(name, NO_VERSION);
    else if (type === "hyperdrive") vars.set(name, NO_DATABASE);
    else standIns.push(name);
  }
  return { vars: Object.fromEntries(vars), standIns };
}

/** The version that an upload will be has no id yet. */
const NO_VERSION = { id: "00000000-0000-0000-0000-000000000000", tag: "", timestamp: "2026-11-01T00:00:00.000Z" };

/** Texts too: code takes them apart. Of those that need a request, the real start says so. */
const NO_DATABASE = {
  connectionString: "postgresql://user:password@localhost:5432/database",
  host: "localhost",
  port: 5_432,
  user: "user",
  password: "password",
  database: "database",
};

const refused = (message: string) => new ApiError(400, 10021, message);

/** Cloudflare's refusal of a bundle without a handler and without a class. */
const doesNothing = () => new ApiError(400, 10068, "The uploaded script has no registered event handlers.");

const late = () => sleep(READY_LIMIT_MS, undefined, { ref: false });

/** The port that workerd reports once it listens. */
async function portOf(control: Readable): Promise<number | undefined> {
  for await (const line of createInterface(control)) {
    const message = v.safeParse(Listening, JSON.parse(line));
    if (message.success) return message.output.port;
  }
  return undefined;
}
