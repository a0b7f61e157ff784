/** `/accounts/:account/queues`: queues, and who consumes them. */
import { type Context, Hono } from "hono";
import * as v from "valibot";
import { DELAY_SECONDS } from "../bindings.ts";
import { changeQueue, createQueue, DEFAULT_SETTINGS, putConsumer } from "../consumers.ts";
import { ApiError, noSuchQueue } from "../errors.ts";
import type { Consumer, Queue, State } from "../model.ts";
import { consumerOf, producersOf } from "../queries.ts";
import { body, param } from "./body.ts";
import type { Api } from "./context.ts";
import { ok, paged } from "./envelope.ts";

const within = (least: number, most: number) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most)));

const Name = v.pipe(
  v.string(),
  v.regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i,
    "must be 1 to 63 letters, digits and '-', and not begin or end with '-'",
  ),
);

const Settings = v.looseObject({
  delivery_delay: v.optional(DELAY_SECONDS),
  delivery_paused: v.optional(v.boolean()),
  message_retention_period: within(60, 1_209_600),
});

const NewQueue = v.looseObject({ queue_name: Name, settings: v.optional(Settings, {}) });
const ChangedQueue = v.looseObject({ queue_name: v.optional(Name), settings: v.optional(Settings, {}) });

const NewConsumer = v.looseObject({
  type: v.picklist(["worker", "http_pull"]),
  script_name: v.optional(v.string()),
  dead_letter_queue: v.optional(v.nullable(v.string())),
  settings: v.optional(
    v.looseObject({
      batch_size: within(1, 100),
      max_retries: within(0, 100),
      max_wait_time_ms: within(0, 60_000),
      max_concurrency: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(250)))),
      retry_delay: v.optional(DELAY_SECONDS),
      visibility_timeout_ms: within(0, 43_200_000),
    }),
    {},
  ),
});

/** The queue that a path names by its id. */
export function queueAt(state: State, id: string): Queue {
  const queue = state.queues.get(id);
  if (queue === undefined) throw noSuchQueue(id);
  return queue;
}

export const queues = ({ account }: Api) => {
  /** `defaults`: the settings that the call does not send. */
  const change = async (c: Context, defaults: Partial<Queue>) => {
    const { queue_name, settings } = await body(c, ChangedQueue);
    const queue = await account.change((draft) =>
      changeQueue(draft, queueAt(draft.state, param(c, "queue")), {
        ...defaults,
        ...(queue_name !== undefined && { name: queue_name }),
        ...settingsOf(settings),
      }),
    );
    // A queue that is no longer paused delivers now.
    await account.runtime.calls.askQueue(queue.id, "settings", {});
    return ok(c, shownQueue(account.state, queue));
  };
  return new Hono()
    .get("/", (c) => {
      const names = c.req.queries("name") ?? [];
      const all = [...account.state.queues.values()].filter(({ name }) => names.length === 0 || names.includes(name));
      return paged(c, all, (queue) => shownQueue(account.state, queue));
    })
    .post("/", async (c) => {
      const { queue_name, settings } = await body(c, NewQueue);
      const queue = await account.change((draft) => createQueue(draft, queue_name, settingsOf(settings)));
      return ok(c, shownQueue(account.state, queue));
    })
    .get("/:queue", (c) => ok(c, shownQueue(account.state, queueAt(account.state, param(c, "queue")))))
    .put("/:queue", (c) => change(c, DEFAULT_SETTINGS))
    .patch("/:queue", (c) => change(c, {}))
    .delete("/:queue", async (c) => {
      await account.change((draft) => {
        const queue = queueAt(draft.state, param(c, "queue"));
        const producers = producersOf(draft.state, queue.name);
        if (producers.length > 0)
          throw new ApiError(
            400,
            11005,
            `Queue '${queue.name}' cannot be deleted: Workers send to it (${producers.join(", ")}). Deploy them without the binding first.`,
          );
        const consumer = consumerOf(draft.state, queue.id);
        if (consumer !== undefined) draft.delete("consumers", consumer.id);
        draft.delete("queues", queue.id);
      });
      return ok(c, {});
    });
};

/** `…/queues/:queue/consumers`. */
export const queueConsumers = ({ account }: Api) => {
  const consumerAt = (state: State, c: Context): Consumer => {
    const queue = queueAt(state, param(c, "queue"));
    const consumer = state.consumers.get(param(c, "consumer"));
    if (consumer === undefined || consumer.queueId !== queue.id)
      throw new ApiError(404, 11003, `Queue '${queue.name}' has no consumer '${param(c, "consumer")}'`);
    return consumer;
  };
  const put = async (c: Context, find: (state: State) => Consumer | undefined) => {
    const { type, script_name, dead_letter_queue, settings } = await body(c, NewConsumer);
    const consumer = await account.change((draft) => {
      const queue = queueAt(draft.state, param(c, "queue"));
      const wish = {
        type,
        script: script_name,
        deadLetterQueue: dead_letter_queue || undefined,
        settings: {
          ...(settings.batch_size !== undefined && { batchSize: settings.batch_size }),
          ...(settings.max_retries !== undefined && { maxRetries: settings.max_retries }),
          ...(settings.max_wait_time_ms !== undefined && { maxWaitMs: settings.max_wait_time_ms }),
          ...(settings.max_concurrency !== undefined && { maxConcurrency: settings.max_concurrency }),
          ...(settings.retry_delay !== undefined && { retryDelay: settings.retry_delay }),
          ...(settings.visibility_timeout_ms !== undefined && { visibilityTimeoutMs: settings.visibility_timeout_ms }),
        },
      };
      return putConsumer(draft, queue, wish, find(draft.state));
    });
    // What waited for a consumer is delivered now.
    await account.runtime.calls.askQueue(consumer.queueId, "settings", {});
    return ok(c, shownConsumer(account.state, consumer));
  };
  return new Hono()
    .get("/", (c) => {
      const consumer = consumerOf(account.state, queueAt(account.state, param(c, "queue")).id);
      return ok(c, consumer === undefined ? [] : [shownConsumer(account.state, consumer)]);
    })
    .post("/", (c) => put(c, () => undefined))
    .get("/:consumer", (c) => ok(c, shownConsumer(account.state, consumerAt(account.state, c))))
    .put("/:consumer", (c) => put(c, (state) => consumerAt(state, c)))
    .delete("/:consumer", async (c) => {
      await account.change((draft) => draft.delete("consumers", consumerAt(draft.state, c).id));
      return ok(c, {});
    });
};

function settingsOf(sent: v.InferOutput<typeof Settings>): Partial<Queue> {
  return {
    ...(sent.delivery_delay !== undefined && { deliveryDelay: sent.delivery_delay }),
    ...(sent.delivery_paused !== undefined && { deliveryPaused: sent.delivery_paused }),
    ...(sent.message_retention_period !== undefined && { retentionSeconds: sent.message_retention_period }),
  };
}

export function shownQueue(state: State, queue: Queue) {
  const consumer = consumerOf(state, queue.id);
  const producers = producersOf(state, queue.name);
  return {
    queue_id: queue.id,
    queue_name: queue.name,
    created_on: queue.createdOn,
    modified_on: queue.modifiedOn,
    settings: {
      delivery_delay: queue.deliveryDelay,
      delivery_paused: queue.deliveryPaused,
      message_retention_period: queue.retentionSeconds,
    },
    producers: producers.map((script) => ({ type: "worker", script })),
    producers_total_count: producers.length,
    consumers: consumer === undefined ? [] : [shownConsumer(state, consumer)],
    consumers_total_count: consumer === undefined ? 0 : 1,
  };
}

function shownConsumer(state: State, consumer: Consumer) {
  const { batchSize, maxRetries, maxWaitMs, maxConcurrency, retryDelay, visibilityTimeoutMs } = consumer;
  const shared = {
    consumer_id: consumer.id,
    created_on: consumer.createdOn,
    queue_name: state.queues.get(consumer.queueId)?.name ?? "",
    dead_letter_queue: consumer.deadLetterQueue ?? "",
  };
  if (consumer.workerId === null)
    return {
      ...shared,
      type: consumer.type,
      settings: {
        batch_size: batchSize,
        max_retries: maxRetries,
        retry_delay: retryDelay,
        visibility_timeout_ms: visibilityTimeoutMs,
      },
    };
  const script = state.workers.get(consumer.workerId)?.name ?? "";
  return {
    ...shared,
    type: consumer.type,
    script_name: script,
    // By this, wrangler finds the consumer of a Worker.
    script,
    settings: {
      batch_size: batchSize,
      max_retries: maxRetries,
      max_wait_time_ms: maxWaitMs,
      ...(maxConcurrency !== null && { max_concurrency: maxConcurrency }),
      retry_delay: retryDelay,
    },
  };
}
