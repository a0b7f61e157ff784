/**
 * From one workerd to the next. A change starts a new workerd, up to where it would open the data. The old one serves
 * until then. If the new one does not start, nothing has happened. Then the gate is closed: new requests wait and do not
 * fail, the old workerd ends, and the new one goes on. Running requests may finish before.
 */
import type { ChildProcess } from "node:child_process";
import type { AssetFiles, AssetSet } from "../assets/files.ts";
import { manifestOf } from "../assets/sessions.ts";
import { messageOf } from "../errors.ts";
import type { State } from "../model.ts";
import { servingVersions } from "../queries.ts";
import { tidied } from "../tidy.ts";
import type { Inspection } from "../versions.ts";
import { compose, digestOf, directServices, type Host, storageOf, type Workload } from "./composition.ts";
import type { Gate } from "./gate.ts";
import { type Addresses, CAN_HOLD, Generation, type Running } from "./generation.ts";
import { visited } from "./previews.ts";
import type { Inspected } from "./prober.ts";
import { type Extra, project, type Service } from "./projection.ts";
import { startLimitOf } from "./start-limit.ts";
import type { Watchdog } from "./watchdog.ts";

/** What every workerd has around it. */
interface Surroundings {
  readonly host: Host;
  readonly assets: AssetFiles;
  readonly watchdog: Watchdog;
  /** What every request to workerd passes. */
  readonly gate: Gate;
  /** Starts modules alone. @throws Error where they do not start. */
  readonly inspect: (upload: Inspected) => Promise<Inspection>;
  /** Told where a workerd answers, before the gate is open to it. */
  readonly onServe: (addresses: Addresses) => void;
  /** Told that a workerd has ended for another one, or for work on its files. */
  readonly onEnd: () => void;
  /** Told that another workerd has taken over. */
  readonly onTakenOver: () => void;
}

export class Turnover {
  readonly #around: Surroundings;
  #workload: Workload;
  /** Undefined before the start. */
  #generation: Generation | undefined;
  /** The digest of what serves; undefined while nothing does. */
  #running: string | undefined;
  #starts = 0;
  #storage: ReadonlySet<string>;
  #addresses: Addresses | undefined;
  /** The assets of a workerd that is being started beside the one that serves. */
  #coming: readonly AssetSet[] = [];
  #previews: ReadonlySet<string> = new Set();
  /** Versions that did not start with the account, and why. */
  readonly #broken = new Map<string, string>();

  constructor(around: Surroundings, workload: Workload) {
    this.#around = around;
    this.#workload = workload;
    this.#storage = storageOf(workload.state);
  }

  /** Starts the workload's Workers, and resolves when they serve. If one does not start, the others serve. */
  async start(): Promise<void> {
    const workload = this.#workload;
    const services = project(workload.state, this.#extra);
    await this.#layOut(services, workload);
    this.#running = digestOf(services, workload.state);
    await this.#serve(this.#generationOf(services, workload, false)).catch((error: unknown) =>
      this.#startWithoutBroken(workload, error),
    );
  }

  /** The state that runs. */
  get state(): State {
    return this.#workload.state;
  }

  /** How many Workers run, with those at preview addresses. */
  get workers(): number {
    return this.state.workers.size + this.#previews.size;
  }

  /** How often workerd was started. */
  get starts(): number {
    return this.#starts;
  }

  /** The process that serves. */
  get process(): Running | undefined {
    return this.#generation?.running;
  }

  /** Where workerd answers. @throws Error before the start. */
  get addresses(): Addresses {
    if (this.#addresses === undefined) throw new Error("the runtime has not started");
    return this.#addresses;
  }

  /** Whether the workerd that serves is this process. */
  servesBy(child: ChildProcess): boolean {
    return this.#generation?.servesBy(child) ?? false;
  }

  /** The workerd that serves has ended by itself. Another one takes its place; meanwhile requests wait. */
  replaceCrashed(): void {
    this.#starts++;
    // At once: its Miniflare would start another one, and not say so if that fails.
    void this.#generation?.end();
    this.whileStopped(nothing, 0).catch(notAgain);
  }

  /**
   * Runs the workload, and calls `commit` before the first request reaches it. If the same is running already, nothing
   * restarts. If the workload does not start or `commit` throws, runs what ran before and throws the error.
   */
  async change(workload: Workload, commit: () => void): Promise<void> {
    const services = project(workload.state, this.#extra);
    const digest = digestOf(services, workload.state);
    if (digest === this.#running) {
      commit();
      this.#workload = workload;
      // A new bucket of a deleted one's name needs a new workerd: this one has the files of the deleted one open.
      const kept = storageOf(workload.state);
      this.#storage = new Set([...this.#storage].filter((id) => kept.has(id)));
      return;
    }
    await this.#handOver(services, workload, commit);
  }

  /** Makes every KV namespace, bucket and database of the workload's state reachable. */
  async reachStorage(workload: Workload): Promise<void> {
    const wanted = storageOf(workload.state);
    if (this.#running !== undefined && [...wanted].every((id) => this.#storage.has(id))) return;
    await this.#handOver(project(workload.state, this.#extra), workload);
  }

  /** Whether workerd has this KV namespace, bucket or database. */
  isReachable(storageId: string): boolean {
    return this.#storage.has(storageId);
  }

  /** Runs a version beside the serving ones, for its preview address. If it does not start, nothing has happened. */
  async preview(versionId: string, workload: Workload): Promise<void> {
    const previews = visited(this.#previews, versionId, workload.state.versions);
    const services = project(workload.state, { ...this.#extra, previews });
    const commit = () => {
      this.#previews = previews;
    };
    if (digestOf(services, workload.state) === this.#running) commit();
    else await this.#handOver(services, workload, commit);
  }

  /** Ends workerd, does `work`, and starts it again. Requests wait. `drainMs`: how long those that run may take to finish. */
  whileStopped(work: () => Promise<void> | void, drainMs?: number): Promise<void> {
    return this.#around.gate.closed(async () => {
      const workload = this.#workload;
      await this.#end();
      try {
        await work();
      } finally {
        await this.#restore(workload);
      }
    }, drainMs);
  }

  /** Ends workerd for good. */
  async close(): Promise<void> {
    await this.#generation?.end();
    await this.#generation?.gone();
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
  async #startWithoutBroken({ state, blob }: Workload, cause: unknown): Promise<void> {
    const hadPreviews = this.#previews.size > 0;
    this.#previews = new Set();
    await this.#end();
    await this.#serve(this.#generationOf([], { state, blob }, false));
    for (const worker of state.workers.values()) {
      for (const { version } of servingVersions(state, worker.id)) {
        const modules = version.modules.map((module) => ({ ...module, contents: blob(module.sha256) }));
        const reason = await this.#around.inspect({ ...version, modules }).then(() => undefined, messageOf);
        if (reason !== undefined) this.#broken.set(version.id, reason);
      }
    }
    if (this.#broken.size === 0 && !hadPreviews) throw cause;
    await this.#restart(project(state, this.#extra), { state, blob });
  }

  /**
   * Starts a workerd for the services beside the one that serves, and lets it take over with the gate closed. `commit` is
   * called before the first request reaches it. If it does not serve or `commit` throws, what ran before runs again.
   */
  async #handOver(services: readonly Service[], workload: Workload, commit = nothing): Promise<void> {
    const before = this.#starts;
    this.#coming = setsOf(services);
    try {
      await this.#layOut(services, workload);
      const held = CAN_HOLD ? await this.#begun(services, workload) : undefined;
      await this.#around.gate.closed(async () => {
        const previous = this.#workload;
        // A workerd that crashed has been replaced: the folders have the assets of that one again.
        const isOutdated = this.#starts !== before;
        await this.#end();
        try {
          if (isOutdated) {
            await held?.end();
            await this.#restart(services, workload);
          } else await this.#takeOver(held ?? this.#generationOf(services, workload, false), services, workload);
          commit();
        } catch (error) {
          await this.#restore(previous).catch(notAgain);
          throw error;
        }
      });
    } finally {
      this.#coming = [];
    }
    await this.#prune(services);
  }

  /** Lets a workerd serve; if somebody kills it, another one. None other may run, and the gate must be closed. */
  async #takeOver(next: Generation, services: readonly Service[], workload: Workload): Promise<void> {
    try {
      await this.#adopt(next, services, workload);
    } catch (error) {
      if (!(await next.wasKilled(error))) throw error;
      await this.#restart(services, workload);
    }
  }

  /** A workerd that is held. If somebody kills it, another one. */
  async #begun(services: readonly Service[], workload: Workload, isRepeated = false): Promise<Generation> {
    const next = this.#generationOf(services, workload, true);
    try {
      await next.begun();
      return next;
    } catch (error) {
      const again = !isRepeated && (await next.wasKilled(error));
      await next.end();
      if (!again) throw error;
      return this.#begun(services, workload, true);
    }
  }

  /** Replaces the workerd that serves; if somebody kills the new one, that too. The gate must be closed. */
  async #restart(services: readonly Service[], workload: Workload, isRepeated = false): Promise<void> {
    await this.#layOut(services, workload);
    await this.#end();
    const next = this.#generationOf(services, workload, false);
    try {
      await this.#adopt(next, services, workload);
    } catch (error) {
      if (isRepeated || !(await next.wasKilled(error))) throw error;
      return this.#restart(services, workload, true);
    }
    await this.#prune(services);
  }

  /** Runs the workload again, or what of it starts. The gate must be closed. */
  async #restore(workload: Workload): Promise<void> {
    try {
      await this.#restart(project(workload.state, this.#extra), workload);
    } catch (error) {
      await this.#startWithoutBroken(workload, error);
    }
  }

  /** Ends the workerd that serves. */
  async #end(): Promise<void> {
    this.#starts++;
    this.#running = undefined;
    await this.#generation?.end();
    this.#around.onEnd();
  }

  /** Lets a workerd serve. None other may run. */
  async #adopt(generation: Generation, services: readonly Service[], workload: Workload): Promise<void> {
    await this.#serve(generation);
    this.#running = digestOf(services, workload.state);
    this.#workload = workload;
    this.#storage = storageOf(workload.state);
    this.#around.onTakenOver();
  }

  /** Lets the generation serve. */
  async #serve(generation: Generation): Promise<void> {
    this.#generation = generation;
    this.#addresses = await generation.serve();
    this.#around.onServe(this.#addresses);
  }

  #generationOf(services: readonly Service[], workload: Workload, hold: boolean): Generation {
    const { watchdog, host } = this.#around;
    return new Generation(
      {
        watchdog,
        limitMs: startLimitOf(services, workload.state),
        mark: `${host.secret} last `,
        hold,
        direct: directServices(services, host),
      },
      compose(services, workload, host),
    );
  }

  /** Makes the folders of the services' assets. */
  #layOut(services: readonly Service[], { state, blob }: Workload): Promise<void> {
    return this.#around.assets.layOut(setsOf(services), (manifest) =>
      manifestOf({ blob }, { manifest }).map(([at, id]) => {
        const file = state.assetFiles.get(id);
        if (file === undefined) throw new Error(`account.db has no file ${id} for the asset ${at}`);
        return [at, file.sha256] as const;
      }),
    );
  }

  /** Removes the folders of all other assets, but for those of a workerd that is being started. */
  async #prune(services: readonly Service[]): Promise<void> {
    await tidied(() => this.#around.assets.prune([...setsOf(services), ...this.#coming]));
  }
}

/** The folders of the services' assets. */
const setsOf = (services: readonly Service[]): AssetSet[] =>
  services.flatMap(({ name, assets }) => (assets === undefined ? [] : [{ service: name, ...assets }]));

const nothing = () => {};

const notAgain = (reason: unknown) => console.error("The account's runtime does not start again:", reason);
