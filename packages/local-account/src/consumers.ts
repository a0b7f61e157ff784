/** Who consumes a queue. A refusal throws before the draft is committed. */
import { now } from "./clock.ts";
import { ApiError, noSuchWorker } from "./errors.ts";
import { newTag } from "./ids.ts";
import type { Binding, Consumer, Queue, State, Version, Worker } from "./model.ts";
import { consumerOf, queueNamed, servingVersions, workerNamed } from "./queries.ts";
import type { Draft } from "./store.ts";

/** What a client says about a consumer. Cloudflare's defaults stand for the rest. */
export interface ConsumerWish {
  readonly type: Consumer["type"];
  readonly script?: string | undefined;
  readonly deadLetterQueue?: string | undefined;
  readonly settings: Partial<
    Pick<Consumer, "batchSize" | "maxRetries" | "maxWaitMs" | "maxConcurrency" | "retryDelay" | "visibilityTimeoutMs">
  >;
}

/** The settings of a queue that a client says nothing about. */
export const DEFAULT_SETTINGS = {
  deliveryDelay: 0,
  deliveryPaused: false,
  retentionSeconds: 345_600,
} as const satisfies Partial<Queue>;

/** A queue as `POST …/queues` makes it, with Cloudflare's defaults. */
export function createQueue(draft: Draft, name: string, settings: Partial<Queue> = {}): Queue {
  if (queueNamed(draft.state, name) !== undefined)
    throw new ApiError(409, 11009, `Queue name '${name}' is already taken. Please use a different name and try again.`);
  const createdOn = now();
  return draft.put("queues", {
    id: newTag(),
    name,
    createdOn,
    modifiedOn: createdOn,
    purgedOn: null,
    ...DEFAULT_SETTINGS,
    ...settings,
  });
}

/** Changes a queue. Bindings and dead letter queues, which have its name, follow a new one. */
export function changeQueue(draft: Draft, before: Queue, change: Partial<Queue>): Queue {
  const queue = draft.put("queues", { ...before, ...change, modifiedOn: now() });
  if (queue.name === before.name) return queue;
  if ([...draft.state.queues.values()].some(({ id, name }) => name === queue.name && id !== queue.id))
    throw new ApiError(409, 11009, `Queue name '${queue.name}' is already taken.`);
  for (const consumer of [...draft.state.consumers.values()])
    if (consumer.deadLetterQueue === before.name) draft.put("consumers", { ...consumer, deadLetterQueue: queue.name });
  const sendsTo = ({ type, queue_name }: Binding) => type === "queue" && queue_name === before.name;
  for (const version of [...draft.state.versions.values()])
    if (version.bindings.some(sendsTo))
      draft.put("versions", {
        ...version,
        bindings: version.bindings.map((binding) =>
          sendsTo(binding) ? { ...binding, queue_name: queue.name } : binding,
        ),
      });
  return queue;
}

/** Sets the consumer of a queue. As at Cloudflare, a dead letter queue that is missing is made. */
export function putConsumer(draft: Draft, queue: Queue, wish: ConsumerWish, before: Consumer | undefined): Consumer {
  if (before === undefined && consumerOf(draft.state, queue.id) !== undefined)
    throw new ApiError(400, 11004, `Queue '${queue.name}' already has a consumer. Remove it first: a queue has one.`);
  const worker = wish.type === "worker" ? consuming(draft.state, wish.script ?? "") : undefined;
  const { deadLetterQueue } = wish;
  if (deadLetterQueue !== undefined && queueNamed(draft.state, deadLetterQueue) === undefined)
    createQueue(draft, deadLetterQueue);
  return draft.put("consumers", {
    id: before?.id ?? newTag(),
    queueId: queue.id,
    type: wish.type,
    workerId: worker?.id ?? null,
    deadLetterQueue: deadLetterQueue ?? null,
    batchSize: 10,
    maxRetries: 3,
    maxWaitMs: 5_000,
    maxConcurrency: null,
    retryDelay: 0,
    visibilityTimeoutMs: 30_000,
    createdOn: before?.createdOn ?? now(),
    ...wish.settings,
  });
}

/** The Worker, if its serving versions can consume. */
function consuming(state: State, name: string): Worker {
  const worker = workerNamed(state, name);
  if (worker === undefined) throw noSuchWorker(name);
  for (const { version } of servingVersions(state, worker.id)) refuseWithoutHandler(worker, version);
  return worker;
}

/** Refuses (11001) a version that has no `queue` handler, if its Worker consumes a queue. */
export function refuseIdleConsumer(state: State, worker: Worker, version: Version): void {
  if ([...state.consumers.values()].some(({ workerId }) => workerId === worker.id))
    refuseWithoutHandler(worker, version);
}

function refuseWithoutHandler({ name }: Worker, { code }: Version): void {
  if (code.handlers.includes("queue")) return;
  throw new ApiError(
    400,
    11001,
    `Queue handler is missing: '${name}' consumes a queue, and its code has no \`queue\` handler. Add the handler, or remove the consumer first (wrangler queues consumer remove <queue> ${name}).`,
  );
}
