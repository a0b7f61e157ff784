/**
 * The runtime of the account's Workers: one workerd, through Miniflare.
 *
 * A change starts a new workerd, up to where it would open the data. The old one serves until then. If the new one does
 * not start, nothing has happened. Then the gate is closed: new requests wait and do not fail, the old workerd ends, and
 * the new one goes on. Running requests may finish before.
 */
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import path from "node:path";
import type { AssetFiles, AssetSet } from "../assets/files.ts";
import { manifestOf } from "../assets/sessions.ts";
import type { State } from "../model.ts";
import { servingVersions } from "../queries.ts";
import { tidied } from "../tidy.ts";
import type { Inspection } from "../versions.ts";
import type { Task, Ticket } from "./activity.ts";
import { Batches } from "./batches.ts";
import { BucketTurns } from "./bucket-turns.ts";
import { moveBuckets } from "./buckets.ts";
import { compose, digestOf, directServices, type Host, type Snapshot, storageOf } from "./composition.ts";
import { CpuLimit, type Overrun } from "./cpu-limit.ts";
import { Gate } from "./gate.ts";
import { type Addresses, CAN_HOLD, Generation, isOfTerminal } from "./generation.ts";
import { MemoryLimit } from "./memory-limit.ts";
import { ObjectFiles } from "./objects.ts";
import { OwnCalls } from "./own-calls.ts";
import { visited } from "./previews.ts";
import { type Inspected, Prober } from "./prober.ts";
import { type Extra, project, type Service } from "./projection.ts";
import { delivering } from "./queues.ts";
import { startLimitOf } from "./start-limit.ts";
import { sweep } from "./sweep.ts";
import { timeout } from "./timeout.ts";
import { Watchdog } from "./watchdog.ts";
import { isRunnable } from "./workflows.ts";

export interface RuntimeListeners {
  /** Gets the events of tailed Workers, and of others those with exceptions (internal.js, `traceOf`). */
  readonly onTrace: (trace: unknown, state: State) => void;
  /** Gets every line that Workers log. By default the line is printed. */
  readonly onLog?: ((line: string) => void) | undefined;
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
  readonly #assets: AssetFiles;
  readonly #host: Host;
  readonly #secret = randomBytes(16).toString("hex");
  /** By which the account's own Worker knows it. */
  readonly #headers = { "account-secret": this.#secret };
  readonly #watchdog = new Watchdog((child) => this.#onExit(child));
  readonly #prober = new Prober(this.#watchdog);
  #generation: Generation;
  readonly #listeners: RuntimeListeners;
  #previews: ReadonlySet<string> = new Set();
  readonly #tailed = new Set<string>();
  /** Versions that did not start with the account, and why. */
  readonly #broken = new Map<string, string>();
  readonly #cpuLimit: CpuLimit;
  readonly #memoryLimit: MemoryLimit;
  readonly #batches: Batches;
  #snapshot: Snapshot;
  /** The digest of what serves; undefined while nothing does. */
  #running: string | undefined;
  #starts = 0;
  #isClosed = false;
  /** Whether workerd was ended since its last start because it was stuck. */
  #hasOverrun = false;
  #storage: ReadonlySet<string>;
  #addresses: Addresses | undefined;

  /** Starts the state's Workers, and resolves when they serve. If one does not start, the others serve. */
  static async start(places: RuntimePlaces, snapshot: Snapshot, listeners: RuntimeListeners): Promise<Runtime> {
    await layOut(places.assets, project(snapshot.state, NOTHING_MORE), snapshot);
    moveBuckets(path.join(places.directory, "r2"), snapshot.state);
    const runtime = new Runtime(places, snapshot, listeners);
    try {
      await runtime.#serve().catch((error: unknown) => runtime.#startWithoutBroken(snapshot, error));
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

  private constructor({ directory, assets }: RuntimePlaces, snapshot: Snapshot, listeners: RuntimeListeners) {
    this.#directory = directory;
    this.#assets = assets;
    this.#listeners = listeners;
    this.#host = {
      directory,
      secret: this.#secret,
      tailed: this.#tailed,
      isDirect: listeners.onDirect !== undefined,
      folderOf: (service) => assets.folderOf(service),
      onTrace: (trace) => listeners.onTrace(trace, this.#snapshot.state),
      onNews: (line) => this.#hear(line),
      onLog: listeners.onLog,
    };
    const services = project(snapshot.state, this.#extra);
    this.#running = digestOf(services, snapshot.state);
    this.#snapshot = snapshot;
    this.#cpuLimit = new CpuLimit({
      process: () => (this.gate.isOpen ? this.#generation.running : undefined),
      ping: (signal) => fetch(this.entry, { headers: { ...this.#headers, "account-ping": "1" }, signal }),
      state: () => this.#snapshot.state,
      objects: new ObjectFiles(directory),
      replace: (whenEnded) => this.#replace(whenEnded),
      onOverrun: listeners.onOverrun,
    });
    this.#memoryLimit = new MemoryLimit({
      process: () => (this.gate.isOpen ? this.#generation.running : undefined),
      workers: () => this.#snapshot.state.workers.size + this.#previews.size,
      busy: () => this.#cpuLimit.activity.busyWorkers,
      onOver: (worker, mebibytes) => void this.#cpuLimit.endForMemory(worker, mebibytes),
    });
    this.calls = new OwnCalls({
      gate: this.gate,
      activity: this.#cpuLimit.activity,
      entry: () => this.entry,
      headers: this.#headers,
      starts: () => this.#starts,
      state: () => this.#snapshot.state,
      buckets: this.buckets,
    });
    this.#batches = new Batches(this.#cpuLimit.activity, () => this.#snapshot.state);
    this.#storage = storageOf(snapshot.state);
    this.#generation = this.#generationOf(services, snapshot, false);
  }

  /** The address of the account's own Worker in workerd, which passes requests on (`headersFor`). */
  get entry(): string {
    return this.#served.internal;
  }

  /** The address of the S3 API in workerd. */
  get s3(): string {
    return this.#served.miniflare;
  }

  get #served(): Addresses {
    if (this.#addresses === undefined) throw new Error("the runtime has not started");
    return this.#addresses;
  }

  /**
   * Runs the snapshot, and calls `commit` before the first request reaches it. If the same is running already, nothing
   * restarts. If the snapshot does not start or `commit` throws, runs what ran before and throws the error.
   */
  async change(snapshot: Snapshot, commit: () => void): Promise<void> {
    const services = project(snapshot.state, this.#extra);
    const digest = digestOf(services, snapshot.state);
    if (digest === this.#running) {
      commit();
      this.#snapshot = snapshot;
      // A new bucket of a deleted one's name needs a new workerd: this one has the files of the deleted one open.
      const kept = storageOf(snapshot.state);
      this.#storage = new Set([...this.#storage].filter((id) => kept.has(id)));
      return;
    }
    await this.#handOver(services, snapshot, commit);
  }

  /** Makes every KV namespace, bucket and database of the state reachable through `kv`, `bucket` and `query`. */
  async reachStorage(snapshot: Snapshot): Promise<void> {
    const wanted = storageOf(snapshot.state);
    if (this.#running !== undefined && [...wanted].every((id) => this.#storage.has(id))) return;
    await this.#handOver(project(snapshot.state, this.#extra), snapshot);
  }

  /**
   * Whether `kv`, `bucket` or `query` can be used. If not, the storage was made after the last start of workerd, so no
   * Worker has it and it is empty.
   */
  isReachable(storageId: string): boolean {
    return this.#storage.has(storageId);
  }

  /** Runs a version beside the serving ones, for its preview address. If it does not start, nothing has happened. */
  async preview(versionId: string, snapshot: Snapshot): Promise<void> {
    const previews = visited(this.#previews, versionId, snapshot.state.versions);
    const services = project(snapshot.state, { ...this.#extra, previews });
    const commit = () => {
      this.#previews = previews;
    };
    if (digestOf(services, snapshot.state) === this.#running) commit();
    else await this.#handOver(services, snapshot, commit);
  }

  /** Reports all of the Worker's events from now on. */
  async tail(worker: string): Promise<void> {
    this.#tailed.add(worker);
    await this.calls.tail(this.#tailed);
  }

  /** Lets the instances of all workflows and the deliveries of all queues go on, which workerd's end has stopped. */
  #goOn(): void {
    const overran = this.#hasOverrun;
    this.#hasOverrun = false;
    const { state } = this.#snapshot;
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

  /** How often workerd was started. If it changes while a request runs, the request may be lost. */
  get starts(): number {
    return this.#starts;
  }

  /** Resolves once it is known that workerd has ended since it was started for the `starts`-th time, or has not. */
  async hasEnded(starts: number): Promise<boolean> {
    // The end of a process is reported a little later than that of its connections.
    for (let looks = 0; this.starts === starts && looks < 10; looks++) await timeout(20);
    return this.starts !== starts;
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
      "mf-cf-blob": `{"clientAcceptEncoding":${clientAcceptEncoding},${this.#served.cf.slice(1)}`,
    };
  }

  /** Whether an answer reports an exception of the Worker. Then its body is the stack. */
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
    await Promise.all([this.#generation.end(), this.#prober.close()]);
    await this.#generation.gone();
    this.#watchdog.close();
  }

  /** What runs in addition to the state. */
  get #extra(): Extra {
    return { previews: this.#previews, broken: this.#broken };
  }

  /**
   * Finds the versions that do not start (a newer workerd may refuse what an older one ran), and starts the rest.
   * Requests to such a Worker get the reason; another version can be deployed over it. Versions at preview addresses
   * are left out: they start again with their next visit.
   */
  async #startWithoutBroken({ state, blob }: Snapshot, cause: unknown): Promise<void> {
    const hadPreviews = this.#previews.size > 0;
    this.#previews = new Set();
    await this.#end();
    this.#generation = this.#generationOf([], { state, blob }, false);
    await this.#serve();
    for (const worker of state.workers.values()) {
      for (const { version } of servingVersions(state, worker.id)) {
        const modules = version.modules.map((module) => ({ ...module, contents: blob(module.sha256) }));
        const reason = await this.inspect({ ...version, modules }).then(
          () => undefined,
          (error: unknown) => (error instanceof Error ? error.message : String(error)),
        );
        if (reason !== undefined) this.#broken.set(version.id, reason);
      }
    }
    if (this.#broken.size === 0 && !hadPreviews) throw cause;
    await this.#restart(project(state, this.#extra), { state, blob });
  }

  /** Stops workerd while `work` is done, so that no file changes. Requests wait. */
  whileStopped(work: () => Promise<void>): Promise<void> {
    return this.gate.closed(async () => {
      const snapshot = this.#snapshot;
      await this.#end();
      try {
        await work();
      } finally {
        await this.#restore(snapshot);
      }
    });
  }

  /** A workerd that ends while the gate is open has crashed. Another one takes its place; meanwhile requests wait. */
  #onExit(child: ChildProcess): void {
    if (!this.gate.isOpen || this.#isClosed || !this.#generation.servesBy(child)) return;
    this.#starts++;
    // At Ctrl-C, workerd may end before the account hears of it.
    if (!isOfTerminal(child)) this.#cpuLimit.crashed();
    // At once: its Miniflare would start another one, and not say so if that fails.
    void this.#generation.end();
    const snapshot = this.#snapshot;
    this.gate
      .closed(async () => {
        await this.#end();
        await this.#restore(snapshot);
      }, 0)
      .catch(notAgain);
  }

  /** Replaces a workerd that is stuck. A restart that is under way does the same. */
  async #replace(whenEnded: () => void): Promise<void> {
    if (!this.gate.isOpen || this.#isClosed) return;
    this.#hasOverrun = true;
    const snapshot = this.#snapshot;
    await this.gate.closed(async () => {
      await this.#end();
      try {
        whenEnded();
      } finally {
        await this.#restore(snapshot);
      }
    }, 0);
  }

  /**
   * Starts a workerd for the services beside the one that serves, and lets it take over with the gate closed. `commit` is
   * called before the first request reaches it. If it does not serve or `commit` throws, what ran before runs again.
   */
  async #handOver(services: readonly Service[], snapshot: Snapshot, commit = nothing): Promise<void> {
    await layOut(this.#assets, services, snapshot);
    const held = CAN_HOLD ? await this.#begun(services, snapshot) : undefined;
    await this.gate.closed(async () => {
      const previous = this.#snapshot;
      await this.#end();
      try {
        const next = held ?? this.#generationOf(services, snapshot, false);
        await this.#adopt(next, services, snapshot).catch(async (error: unknown) => {
          if (!(await next.wasKilled(error))) throw error;
          await this.#restart(services, snapshot);
        });
        commit();
      } catch (error) {
        await this.#restore(previous).catch(notAgain);
        throw error;
      }
    });
    await tidied(() => this.#assets.prune(setsOf(services)));
  }

  /** A workerd that is held. If somebody kills it, another one. */
  async #begun(services: readonly Service[], snapshot: Snapshot, isRepeated = false): Promise<Generation> {
    const next = this.#generationOf(services, snapshot, true);
    try {
      await next.begun();
      return next;
    } catch (error) {
      const again = !isRepeated && (await next.wasKilled(error));
      await next.end();
      if (!again) throw error;
      return this.#begun(services, snapshot, true);
    }
  }

  /** Replaces the workerd that serves; if somebody kills the new one, that too. The gate must be closed. */
  async #restart(services: readonly Service[], snapshot: Snapshot, isRepeated = false): Promise<void> {
    await layOut(this.#assets, services, snapshot);
    await this.#end();
    const next = this.#generationOf(services, snapshot, false);
    try {
      await this.#adopt(next, services, snapshot);
    } catch (error) {
      if (isRepeated || !(await next.wasKilled(error))) throw error;
      return this.#restart(services, snapshot, true);
    }
    await tidied(() => this.#assets.prune(setsOf(services)));
  }

  /** Runs the snapshot again, or what of it starts. The gate must be closed. */
  async #restore(snapshot: Snapshot): Promise<void> {
    try {
      await this.#restart(project(snapshot.state, this.#extra), snapshot);
    } catch (error) {
      await this.#startWithoutBroken(snapshot, error);
    }
  }

  /** Ends the workerd that serves. */
  async #end(): Promise<void> {
    this.#starts++;
    this.#running = undefined;
    await this.#generation.end();
    this.#batches.forget();
  }

  /** Lets a workerd serve. None other may run. */
  async #adopt(generation: Generation, services: readonly Service[], snapshot: Snapshot): Promise<void> {
    this.#generation = generation;
    await this.#serve();
    this.#running = digestOf(services, snapshot.state);
    this.#snapshot = snapshot;
    this.#storage = storageOf(snapshot.state);
    this.#goOn();
  }

  /** Lets the generation serve. */
  async #serve(): Promise<void> {
    this.#addresses = await this.#generation.serve();
    this.#listeners.onDirect?.(this.#addresses.direct);
  }

  #generationOf(services: readonly Service[], snapshot: Snapshot, hold: boolean): Generation {
    return new Generation(
      {
        watchdog: this.#watchdog,
        limitMs: startLimitOf(services, snapshot.state),
        mark: `${this.#secret} last `,
        hold,
        direct: directServices(services, this.#host),
      },
      compose(services, snapshot, this.#host),
    );
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

/** Nothing in addition to the state. */
const NOTHING_MORE: Extra = { previews: new Set(), broken: new Map() };

const setsOf = (services: readonly Service[]): AssetSet[] =>
  services.flatMap(({ name, assets }) => (assets === undefined ? [] : [{ service: name, ...assets }]));

/** Makes the folders of the services' assets. */
function layOut(assets: AssetFiles, services: readonly Service[], { state, blob }: Snapshot): Promise<void> {
  return assets.layOut(setsOf(services), (manifest) =>
    manifestOf({ blob }, { manifest }).map(([at, id]) => {
      const file = state.assetFiles.get(id);
      if (file === undefined) throw new Error(`account.db has no file ${id} for the asset ${at}`);
      return [at, file.sha256] as const;
    }),
  );
}

/** A text as JSON in ASCII, which is the same in every encoding. */
const asciiJson = (text: string) =>
  JSON.stringify(text).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

const nothing = () => {};

const notAgain = (reason: unknown) => console.error("The account's runtime does not start again:", reason);
