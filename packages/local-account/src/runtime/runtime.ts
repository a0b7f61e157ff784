/**
 * The runtime of the account's Workers: one workerd, through Miniflare. What is sent to it has limits, and the account
 * has calls of its own to it. How one workerd follows another: turnover.ts.
 */
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import path from "node:path";
import type { AssetFiles } from "../assets/files.ts";
import type { State } from "../model.ts";
import type { Inspection } from "../versions.ts";
import type { Task, Ticket } from "./activity.ts";
import { Batches } from "./batches.ts";
import { BucketTurns } from "./bucket-turns.ts";
import { moveBuckets } from "./buckets.ts";
import type { Host, Workload } from "./composition.ts";
import { CpuLimit, type Overrun } from "./cpu-limit.ts";
import { Gate } from "./gate.ts";
import { isOfTerminal } from "./generation.ts";
import { MemoryLimit } from "./memory-limit.ts";
import { ObjectFiles } from "./objects.ts";
import { OwnCalls } from "./own-calls.ts";
import { type Inspected, Prober } from "./prober.ts";
import { clientsOf } from "./process.ts";
import { delivering } from "./queues.ts";
import { sweep } from "./sweep.ts";
import { Tailed } from "./tailed.ts";
import { timeout } from "./timeout.ts";
import { Turnover } from "./turnover.ts";
import { Watchdog } from "./watchdog.ts";
import { isRunnable } from "./workflows.ts";

export interface RuntimeListeners {
  /** Gets the events of tailed Workers, and of others those with exceptions (internal.js, `traceOf`). */
  readonly onTrace: (trace: unknown, state: State) => void;
  /** Gets every line that Workers log. By default the line is printed. */
  readonly onLog?: ((line: string) => void) | undefined;
  /** What is printed of such a line; by default all of it as it is. */
  readonly shown?: (line: string, state: State) => string;
  /** Told of a Worker that computed for too long, when workerd is ended because of it. */
  readonly onOverrun: (overrun: Overrun) => void;
  /**
   * Told the addresses of the services in workerd, whenever they are others. Without it they have none; with it nothing
   * is told of their events.
   */
  readonly onDirect?: ((addresses: ReadonlyMap<string, string>) => void) | undefined;
}

/** Where the runtime finds its data: a directory for objects, KV namespaces and buckets, and the static assets. */
interface RuntimePlaces {
  readonly directory: string;
  readonly assets: AssetFiles;
  /** Whether Workers have limits of CPU time and memory. Without them, a debugger may stop workerd for as long as it likes. */
  readonly hasCpuLimit: boolean;
}

export class Runtime {
  /** What every request to workerd passes. */
  readonly gate = new Gate();
  /** What writes to a bucket from outside of workerd, or deletes it, passes this too. */
  readonly buckets = new BucketTurns();
  /** What the account asks of workerd for itself. */
  readonly calls: OwnCalls;
  readonly #directory: string;
  readonly #secret = randomBytes(16).toString("hex");
  /** By which the account's own Worker knows it. */
  readonly #headers = { "account-secret": this.#secret };
  readonly #watchdog = new Watchdog((child) => this.#onExit(child));
  readonly #prober = new Prober(this.#watchdog);
  readonly #turnover: Turnover;
  readonly #tailed = new Tailed((workers) => this.calls.tail(workers));
  readonly #cpuLimit: CpuLimit;
  readonly #memoryLimit: MemoryLimit;
  readonly #batches: Batches;
  #isClosed = false;
  /** How many workerds have crashed while the gate was closed. */
  #crashes = 0;
  /** Whether workerd was ended since its last start because it was stuck. */
  #hasOverrun = false;

  /** Starts the state's Workers, and resolves when they serve. If one does not start, the others serve. */
  static async start(places: RuntimePlaces, workload: Workload, listeners: RuntimeListeners): Promise<Runtime> {
    moveBuckets(path.join(places.directory, "r2"), workload.state);
    const runtime = new Runtime(places, workload, listeners);
    try {
      await runtime.#turnover.start();
    } catch (error) {
      await runtime.close();
      throw error;
    }
    if (places.hasCpuLimit) {
      runtime.#cpuLimit.start();
      runtime.#memoryLimit.start();
    }
    runtime.#goOn();
    return runtime;
  }

  private constructor({ directory, assets }: RuntimePlaces, workload: Workload, listeners: RuntimeListeners) {
    this.#directory = directory;
    const host: Host = {
      directory,
      secret: this.#secret,
      tailed: () => this.#tailed.workers,
      isDirect: listeners.onDirect !== undefined,
      folderOf: (service) => assets.folderOf(service),
      onTrace: (trace) => listeners.onTrace(trace, this.#turnover.state),
      onNews: (line) => this.#hear(line),
      onLog: listeners.onLog,
      shown: listeners.shown ?? ((line) => line),
    };
    this.#turnover = new Turnover(
      {
        host,
        assets,
        watchdog: this.#watchdog,
        gate: this.gate,
        inspect: (upload) => this.inspect(upload),
        onServe: ({ direct }) => listeners.onDirect?.(direct),
        onEnd: () => this.#batches.forget(),
        onTakenOver: () => {
          this.#tailed.tellAgain();
          this.#goOn();
        },
      },
      workload,
    );
    this.#cpuLimit = new CpuLimit({
      process: () => (this.gate.isOpen ? this.#turnover.process : undefined),
      ping: (signal) => fetch(this.entry, { headers: { ...this.#headers, "account-ping": "1" }, signal }),
      unseen: () => clientsOf(portsOf(this.#turnover.addresses.direct.values())),
      state: () => this.#turnover.state,
      objects: new ObjectFiles(directory),
      replace: (whenEnded) => this.#replace(whenEnded),
      onOverrun: listeners.onOverrun,
    });
    this.#memoryLimit = new MemoryLimit({
      process: () => (this.gate.isOpen ? this.#turnover.process : undefined),
      workers: () => this.#turnover.workers,
      busy: () => this.#cpuLimit.activity.busyWorkers,
      onOver: (worker, mebibytes) => void this.#cpuLimit.endForMemory(worker, mebibytes),
    });
    this.calls = new OwnCalls({
      gate: this.gate,
      activity: this.#cpuLimit.activity,
      entry: () => this.entry,
      headers: this.#headers,
      starts: () => this.starts,
      hasEnded: (starts) => this.hasEnded(starts),
      state: () => this.#turnover.state,
      buckets: this.buckets,
    });
    this.#batches = new Batches(this.#cpuLimit.activity, () => this.#turnover.state);
  }

  /** The address of the account's own Worker in workerd, which passes requests on (`headersFor`). */
  get entry(): string {
    return this.#turnover.addresses.internal;
  }

  /** The address of the S3 API in workerd. */
  get s3(): string {
    return this.#turnover.addresses.miniflare;
  }

  /**
   * Runs the workload, and calls `commit` before the first request reaches it. If the same is running already, nothing
   * restarts. If the workload does not start or `commit` throws, runs what ran before and throws the error.
   */
  change(workload: Workload, commit: () => void): Promise<void> {
    return this.#turnover.change(workload, commit);
  }

  /** Makes every KV namespace, bucket and database of the state reachable through `kv`, `bucket` and `query`. */
  reachStorage(workload: Workload): Promise<void> {
    return this.#turnover.reachStorage(workload);
  }

  /**
   * Whether `kv`, `bucket` or `query` can be used. If not, the storage was made after the last start of workerd, so no
   * Worker has it and it is empty.
   */
  isReachable(storageId: string): boolean {
    return this.#turnover.isReachable(storageId);
  }

  /** Runs a version beside the serving ones, for its preview address. If it does not start, nothing has happened. */
  preview(versionId: string, workload: Workload): Promise<void> {
    return this.#turnover.preview(versionId, workload);
  }

  /** Reports all of the Worker's events from now on, until `untail` was called as often. */
  tail(worker: string): Promise<void> {
    return this.#tailed.begin(worker);
  }

  /** Reports them no longer, if no other tail of the Worker is left. */
  untail(worker: string): void {
    if (!this.#isClosed) this.#tailed.end(worker);
  }

  /** Lets the instances of all workflows and the deliveries of all queues go on, which workerd's end has stopped. */
  #goOn(): void {
    const overran = this.#hasOverrun;
    this.#hasOverrun = false;
    const { state } = this.#turnover;
    for (const workflow of state.workflows.values())
      if (isRunnable(state, workflow)) void this.calls.askWorkflow(workflow, "go-on", { overran }).catch(nothing);
    for (const id of delivering(state)) void this.calls.askQueue(id, "settings", {}).catch(nothing);
  }

  /** Starts the uploaded modules once, in isolation, and returns the exports. @throws ApiError 10021 (prober.ts). */
  inspect(upload: Inspected): Promise<Inspection> {
    return this.#prober.inspect(upload);
  }

  /** Registers a task that is about to be sent to workerd. The caller must `end` it. */
  send(task: Task): Ticket {
    return this.#cpuLimit.activity.send(task);
  }

  /** The task got more data. */
  touch({ id }: Ticket): void {
    this.#cpuLimit.activity.begin(id);
  }

  /** The task is over, or its client has left and nobody knows. */
  end(ticket: Ticket, how: "answered" | "left"): void {
    this.#cpuLimit.activity.end(ticket, how);
  }

  /** How often workerd was started or has crashed. If it changes while a request runs, the request may be lost. */
  get starts(): number {
    return this.#turnover.starts + this.#crashes;
  }

  /** Resolves once it is known that workerd has ended since it was started for the `starts`-th time, or has not. */
  async hasEnded(starts: number): Promise<boolean> {
    // The end of a process is reported a little later than that of its connections.
    const isOver = () => this.#isClosed || this.starts !== starts;
    for (let looks = 0; !isOver() && looks < 10; looks++) await timeout(20);
    return isOver();
  }

  /**
   * Headers that send a request to a deployed service, from a client that takes `encodings`. The caller must drop a
   * client's headers of these names.
   */
  headersFor(service: string, { id }: Ticket, encodings = ""): Record<string, string> {
    // Node has the bytes of a header as Latin-1, and workerd reads this one as UTF-8.
    const clientAcceptEncoding = asciiJson(Buffer.from(encodings, "latin1").toString());
    return {
      "account-dispatch": [this.#secret, id, encodeURIComponent(encodings), service].join(" "),
      "mf-cf-blob": `{"clientAcceptEncoding":${clientAcceptEncoding},${this.#turnover.addresses.cf.slice(1)}`,
    };
  }

  /** Whether an answer reports an exception of the Worker. Then its body is the message. */
  isThrown(headers: Readonly<Record<string, unknown>>): boolean {
    return headers["account-thrown"] === this.#secret;
  }

  /** Removes the data of what the state no longer has. */
  sweep(state: State): Promise<void> {
    return sweep(this.#directory, state);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cpuLimit.stop();
    this.#memoryLimit.stop();
    // A workerd that is being replaced.
    await this.gate.open();
    await Promise.all([this.#turnover.close(), this.#prober.close()]);
    this.#watchdog.close();
  }

  /** Stops workerd while `work` is done, so that no file changes. Requests wait. */
  whileStopped(work: () => Promise<void>): Promise<void> {
    return this.#turnover.whileStopped(work);
  }

  /** A workerd that serves and ends by itself has crashed. Another one takes its place; meanwhile requests wait. */
  #onExit(child: ChildProcess): void {
    if (this.#isClosed || !this.#turnover.servesBy(child)) return;
    if (!this.gate.isOpen) {
      // Who has closed it replaces this one, too.
      this.#crashes++;
      return;
    }
    // At Ctrl-C, workerd may end before the account hears of it.
    if (!isOfTerminal(child)) this.#cpuLimit.crashed();
    this.#turnover.replaceCrashed();
  }

  /** Replaces a workerd that is stuck. A restart that is under way does the same. */
  async #replace(whenEnded: () => void): Promise<void> {
    if (!this.gate.isOpen || this.#isClosed) return;
    this.#hasOverrun = true;
    await this.#turnover.whileStopped(whenEnded, 0);
  }

  /** Reads what the internal Worker or a queue tells of a task. */
  #hear(line: string): void {
    const [, news, task = "", ...more] = line.split(" ");
    const [service = "", queue = ""] = more.map(decodeURIComponent);
    if (news === "begun") this.#cpuLimit.activity.begin(task);
    else if (news === "answered") this.#cpuLimit.activity.answered(task);
    else if (news === "batch-begun") this.#batches.begun(task, service, queue);
    else if (news === "batch-ended") this.#batches.ended(task);
  }
}

/** A text as JSON in ASCII, which is the same in every encoding. */
const asciiJson = (text: string) =>
  JSON.stringify(text).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

const nothing = () => {};

const portsOf = (addresses: Iterable<string>): Set<number> =>
  new Set([...addresses].map((url) => Number(new URL(url).port)));
