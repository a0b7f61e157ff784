/** The batches that consumers of queues work on. The queues give them out inside workerd, and tell here. */
import type { State } from "../model.ts";
import { servingVersions, workerNamed } from "../queries.ts";
import type { Activity, Ticket } from "./activity.ts";
import { type AlarmTask, cpuLimitOf, DEFAULT_LIMIT_MS } from "./cpu-limit.ts";

export class Batches {
  readonly #activity: Activity<AlarmTask>;
  readonly #state: () => State;
  readonly #running = new Map<string, Ticket>();

  constructor(activity: Activity<AlarmTask>, state: () => State) {
    this.#activity = activity;
    this.#state = state;
  }

  /** A service has got a batch. */
  begun(id: string, service: string, queue: string): void {
    const state = this.#state();
    const [name = ""] = service.split("@", 1);
    const worker = workerNamed(state, name);
    const version = worker && servingVersions(state, worker.id)[0]?.version;
    const ticket = this.#activity.send({
      worker: name,
      what: `a batch of the queue '${queue}'`,
      limitMs: version === undefined ? DEFAULT_LIMIT_MS : cpuLimitOf(version),
      event: { queue },
    });
    this.#activity.begin(ticket.id);
    this.#running.set(id, ticket);
  }

  ended(id: string): void {
    const ticket = this.#running.get(id);
    if (ticket !== undefined) this.#activity.end(ticket, "answered");
    this.#running.delete(id);
  }

  /** workerd has ended, and all batches with it. */
  forget(): void {
    for (const ticket of this.#running.values()) this.#activity.forget(ticket);
    this.#running.clear();
  }
}
