/** Fires the cron triggers of all Workers when they are due, once a minute, as Cloudflare does. */
import type { Account } from "./account.ts";
import { isDue } from "./cron.ts";
import { ApiError } from "./errors.ts";
import type { Worker } from "./model.ts";
import { servingVersions } from "./queries.ts";
import { cpuLimitOf } from "./runtime/cpu-limit.ts";
import { serviceName } from "./runtime/names.ts";

const MINUTE_MS = 60_000;
/** How long before a minute a timer that was set for it may come. */
const EARLY_MS = 1_000;

/**
 * Fires one trigger of a Worker, due `at` (ms since the epoch), and returns the outcome of its handler.
 * @throws ApiError if it has no deployment
 */
export async function fire(account: Account, worker: Worker, cron: string, at: number): Promise<string> {
  const serves = () => {
    const [serving] = servingVersions(account.state, worker.id);
    if (serving === undefined) throw new ApiError(400, 10222, `'${worker.name}' has no deployment.`);
    return serving.version;
  };
  const limitMs = cpuLimitOf(serves());
  const event = { cron, scheduledTime: at };
  const what = `the cron trigger '${cron}'`;
  const service = () => serviceName(account.state, worker, serves());
  return account.runtime.calls.scheduled(service, event, { worker: worker.name, what, limitMs, event });
}

type Scheduled = Pick<Worker, "name" | "schedules">;

interface Parts<W extends Scheduled> {
  readonly workers: () => Iterable<W>;
  /** Fires a trigger of a Worker, due `at` (ms since the epoch), and returns the outcome. */
  readonly fire: (worker: W, cron: string, at: number) => Promise<string>;
  /** Told of what went wrong. */
  readonly onProblem: (line: string) => void;
}

export class Clockwork<W extends Scheduled> {
  readonly #parts: Parts<W>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The last minute that was fired (ms since the epoch). */
  #fired: number | undefined;

  constructor(parts: Parts<W>) {
    this.#parts = parts;
  }

  /** Begins with the next full minute. It keeps no process alive. */
  start(): void {
    const next = () => {
      this.start();
      // A timer may come a little early, or late after a sleep of the machine. And the clock may have been set back by a
      // moment: no minute is fired twice.
      const minute = Math.floor((Date.now() + EARLY_MS) / MINUTE_MS) * MINUTE_MS;
      if (minute === this.#fired) return;
      this.#fired = minute;
      void this.#tick(minute);
    };
    this.#timer = setTimeout(next, MINUTE_MS - (Date.now() % MINUTE_MS));
    this.#timer.unref?.();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Fires what is due in the minute that begins `at`. What one Worker does stops no other. */
  async #tick(at: number): Promise<void> {
    const { workers, fire, onProblem } = this.#parts;
    const due = [...workers()].flatMap((worker) =>
      worker.schedules.filter(({ cron }) => isDue(cron, new Date(at))).map(({ cron }) => ({ worker, cron })),
    );
    await Promise.all(
      due.map(async ({ worker, cron }) => {
        const what = `${worker.name}: the cron trigger '${cron}'`;
        try {
          const outcome = await fire(worker, cron, at);
          if (outcome !== "ok") onProblem(`${what} ended with ${outcome}`);
        } catch (error) {
          onProblem(`${what} could not be fired: ${error}`);
        }
      }),
    );
  }
}
