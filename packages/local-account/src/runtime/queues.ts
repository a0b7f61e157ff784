/** The account's queues as workers/queues.js needs them. Pure. */
import type { Consumer, State } from "../model.ts";
import { consumerOf, queueNamed } from "../queries.ts";

/** A queue's settings. Times without a unit in their name are in seconds. */
export interface QueueSettings {
  readonly name: string;
  readonly paused: boolean;
  readonly delay: number;
  readonly retention: number;
  readonly consumer?: ConsumerSettings;
}

interface ConsumerSettings {
  readonly type: Consumer["type"];
  /** The service in the runtime, if the consumer is a Worker. */
  readonly service?: string;
  readonly batchSize: number;
  readonly waitMs: number;
  readonly retries: number;
  readonly retryDelay: number;
  /** How many batches it may work on at the same time. */
  readonly concurrency: number;
  /** The id of the dead letter queue. */
  readonly deadLetter?: string;
  /** The name of the dead letter queue, which was deleted: failed messages are lost. */
  readonly missingLetter?: string;
}

/** What brings the queues to the runtime. */
export interface Queues {
  readonly settings: Readonly<Record<string, QueueSettings>>;
  /** The services that bindings of producers reach (`queueEntryName`). */
  readonly entries: readonly string[];
}

/** The name under which a producer reaches a queue: its id, and the delay of the producer's binding. */
export const queueEntryName = (id: string, delay: unknown): string =>
  typeof delay === "number" ? `${id}@${delay}` : id;

/** `queueEntryName` taken apart. */
export function entryParts(entry: string): { readonly queue: string; readonly delay: number | null } {
  const [queue = "", delay] = entry.split("@");
  return { queue, delay: delay === undefined ? null : Number(delay) };
}

/** All queues by id. `serviceOf` names the service of a Worker that serves. */
export function queueSettings(state: State, serviceOf: (workerId: string) => string | undefined): Queues["settings"] {
  return Object.fromEntries(
    [...state.queues.values()].map((queue) => {
      const consumer = consumerOf(state, queue.id);
      const settings = consumer && settingsOf(state, consumer, serviceOf);
      return [
        queue.id,
        {
          name: queue.name,
          paused: queue.deliveryPaused,
          delay: queue.deliveryDelay,
          retention: queue.retentionSeconds,
          ...(settings !== undefined && { consumer: settings }),
        },
      ];
    }),
  );
}

/** The ids of the queues whose messages go to a Worker by themselves. */
export const delivering = (state: State): string[] =>
  [...state.queues.keys()].filter((id) => consumerOf(state, id)?.type === "worker");

function settingsOf(
  state: State,
  consumer: Consumer,
  serviceOf: (workerId: string) => string | undefined,
): ConsumerSettings | undefined {
  const service = consumer.workerId === null ? undefined : serviceOf(consumer.workerId);
  // A Worker without a deployment consumes nothing yet.
  if (consumer.type === "worker" && service === undefined) return undefined;
  const deadLetter = consumer.deadLetterQueue === null ? undefined : queueNamed(state, consumer.deadLetterQueue)?.id;
  return {
    type: consumer.type,
    ...(service !== undefined && { service }),
    batchSize: consumer.batchSize,
    waitMs: consumer.maxWaitMs,
    retries: consumer.maxRetries,
    retryDelay: consumer.retryDelay,
    // Cloudflare then goes by the backlog.
    concurrency: consumer.maxConcurrency ?? 1,
    ...(deadLetter !== undefined && { deadLetter }),
    ...(deadLetter === undefined && consumer.deadLetterQueue !== null && { missingLetter: consumer.deadLetterQueue }),
  };
}
