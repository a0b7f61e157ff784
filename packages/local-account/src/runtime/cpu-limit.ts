/**
 * Ends a workerd that is stuck in a Worker, says whose fault it was, and starts it again.
 *
 * What counts is computing without a pause, because that stops every other Worker. A Worker that waits in between,
 * for storage or another service, has no limit here.
 */
import type { State, Version } from "../model.ts";
import { namespacesOf, servingVersions } from "../queries.ts";
import { Activity, type DueAlarm, type Suspect, type Task } from "./activity.ts";
import { type AlarmOf, Retries } from "./alarms.ts";
import type { Running } from "./generation.ts";
import type { ObjectFiles } from "./objects.ts";
import { Pulse, type Silence } from "./pulse.ts";

/**
 * The limit of a Worker that sets none. Cloudflare's is 30 s, but there nobody else waits. With this, other Workers
 * answer again within two seconds, where nothing else began with what loops (MOST_TOGETHER_MS).
 */
export const DEFAULT_LIMIT_MS = 750;
/** A Worker's own limit counts between these: this machine may be slower than Cloudflare's. */
const [LEAST_LIMIT_MS, MOST_LIMIT_MS] = [250, 30_000];

/** The limit of the account's own work, such as the import of a database. */
export const OWN_LIMIT_MS = MOST_LIMIT_MS;

/**
 * The most that several tasks may compute together, if each is within its limit. After that, one of them loops. Tasks
 * that only wait count, too: nobody can tell them from those that compute.
 */
const MOST_TOGETHER_MS = 10_000;

/** How long a version may compute without a pause, in milliseconds: `limits.cpu_ms`, within bounds. */
export function cpuLimitOf({ extras }: Version): number {
  const { limits } = extras;
  const own = typeof limits === "object" && limits !== null && "cpu_ms" in limits ? limits.cpu_ms : undefined;
  return typeof own === "number" ? Math.min(Math.max(own, LEAST_LIMIT_MS), MOST_LIMIT_MS) : DEFAULT_LIMIT_MS;
}

/** A Worker that was ended, or was running when workerd crashed: for the person at the terminal and for `wrangler tail`. */
export interface Overrun {
  /** The Worker's name; undefined if it is not known, or it was the account's own work. */
  readonly worker: string | undefined;
  /** What it was doing. */
  readonly what: string;
  /** If it computed without a pause. If workerd has crashed, this and the next one are missing. */
  readonly silence?: Silence;
  /** How many MiB all Workers had taken, if that was too much. */
  readonly mebibytes?: number;
  readonly limitMs: number;
  /** The event as tails get it. */
  readonly event?: Task["event"];
  /** For an alarm: when it is tried again, in milliseconds from now; null if never. */
  readonly retryMs?: number | null;
}

const UNKNOWN = "an unknown task";

/** An alarm that is due, and whose it is. */
export interface AlarmTask extends DueAlarm, AlarmOf {}

interface Parts {
  /** workerd's process; undefined while it is being replaced. */
  readonly process: () => Running | undefined;
  readonly ping: (signal: AbortSignal) => Promise<unknown>;
  /** How many requests may run past the account: at the addresses that Workers have of their own. */
  readonly unseen: () => number;
  readonly state: () => State;
  readonly objects: ObjectFiles;
  /** Ends workerd, calls `whenEnded`, and starts it again. */
  readonly replace: (whenEnded: () => void) => Promise<void>;
  readonly onOverrun: (overrun: Overrun) => void;
}

export class CpuLimit {
  readonly activity = new Activity<AlarmTask>();
  readonly #parts: Parts;
  readonly #pulse: Pulse;
  readonly #retries: Retries;
  #isJudging = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#retries = new Retries(parts.objects);
    this.#pulse = new Pulse({
      pid: () => (this.#isJudging ? undefined : parts.process()?.child.pid),
      isBusy: () => this.activity.isBusy,
      ends: () => this.activity.ends,
      ping: parts.ping,
      onSilence: (silence) => void this.#judge(silence).catch(failed),
    });
  }

  start(): void {
    this.#pulse.start();
  }

  stop(): void {
    this.#pulse.stop();
  }

  /** workerd has ended by itself. */
  crashed(): void {
    const { ticket, task } = this.activity.newest() ?? {};
    this.activity.interrupt(ticket, "crashed");
    this.#tell({
      worker: task?.worker,
      what: task?.what ?? UNKNOWN,
      limitMs: task?.limitMs ?? DEFAULT_LIMIT_MS,
      ...(task?.event && { event: task.event }),
    });
  }

  /** Ends workerd because of its memory, which this Worker has taken, as far as is known. */
  async endForMemory(worker: string | undefined, mebibytes: number): Promise<void> {
    if (this.#isJudging) return;
    this.#isJudging = true;
    try {
      const task = { worker, what: "its requests", limitMs: DEFAULT_LIMIT_MS };
      await this.#end(this.activity.newest(worker) ?? { task }, { mebibytes, limitMs: DEFAULT_LIMIT_MS });
    } catch (error) {
      failed(error);
    } finally {
      this.#isJudging = false;
    }
  }

  async #judge(silence: Silence): Promise<void> {
    const { spentMs, askedAt, ends } = silence;
    if (spentMs < LEAST_LIMIT_MS) return;
    const due = await this.#due().catch((error: unknown) => {
      console.error("The account cannot read which alarms are due:", error);
      return [];
    });
    const unseen = this.#parts.unseen();
    const found = this.activity.suspect(due);
    // What has ended is the least likely to go on, and is not named for what may be another's.
    const suspect = unseen > 0 && !found?.ticket && !found?.alarm ? undefined : found;
    const limitMs = suspect?.task.limitMs ?? DEFAULT_LIMIT_MS;
    // Both at one moment: what ends between two would count in neither.
    const begun = this.activity.together(askedAt, due) + this.activity.ends - ends + unseen;
    const togetherMs = limitMs * begun;
    if (spentMs < Math.max(limitMs, Math.min(togetherMs, MOST_TOGETHER_MS)) || this.#isJudging || !this.#pulse.isSilent)
      return;
    this.#isJudging = true;
    try {
      await this.#end(suspect, { silence, limitMs });
    } finally {
      this.#isJudging = false;
    }
  }

  async #end(
    suspect: Suspect<AlarmTask> | undefined,
    spent: Pick<Overrun, "silence" | "mebibytes" | "limitMs">,
  ): Promise<void> {
    const { alarm, ticket, task } = suspect ?? {};
    const retryMs = alarm && this.#retries.next(alarm);
    this.activity.interrupt(ticket, "ended");
    this.#tell({
      worker: task?.worker,
      what: task?.what ?? UNKNOWN,
      ...spent,
      ...(task?.event && { event: task.event }),
      ...(alarm && { retryMs: retryMs ?? null }),
    });
    await this.#parts
      .replace(() => {
        try {
          if (alarm) this.#retries.write(alarm, retryMs);
        } catch (error) {
          console.error(`${task?.worker}: ${task?.what} cannot be put off, so it is due at once:`, error);
        }
      })
      .catch((error: unknown) => console.error("The account's runtime does not start again:", error));
  }

  /** Whoever is told of it, it is ended. */
  #tell(overrun: Overrun): void {
    try {
      this.#parts.onOverrun(overrun);
    } catch (error) {
      failed(error);
    }
  }

  /** The alarms that are due, of all Workers. */
  async #due(): Promise<AlarmTask[]> {
    const state = this.#parts.state();
    const sinceEpoch = Date.now() - performance.now();
    const startedAt = this.#parts.process()?.startedAt ?? 0;
    const found = [...state.workers.values()].flatMap((worker) =>
      namespacesOf(state, worker.id).map(async ({ id, className }): Promise<AlarmTask[]> => {
        const alarms = await this.#parts.objects.alarms(id);
        const limitMs = Math.max(...servingVersions(state, worker.id).map(({ version }) => cpuLimitOf(version)));
        return [...alarms].flatMap(([objectId, { at, name }]) =>
          at > Date.now()
            ? []
            : [
                {
                  worker: worker.name,
                  what: `the alarm of the object '${name ?? objectId}' of ${className}`,
                  limitMs: Number.isFinite(limitMs) ? limitMs : DEFAULT_LIMIT_MS,
                  event: { scheduledTime: new Date(at).toISOString() },
                  dueAt: Math.max(at - sinceEpoch, startedAt),
                  namespaceId: id,
                  objectId,
                },
              ],
        );
      }),
    );
    return (await Promise.all(found)).flat();
  }
}

/** The account goes on. */
const failed = (error: unknown) =>
  console.error("The account's limit of CPU time and memory failed; this is a bug:", error);
