/** `/accounts/:account/queues/:queue`: its messages, for clients that send and pull, and for people who look. */
import { type Context, Hono } from "hono";
import * as v from "valibot";
import { DELAY_SECONDS } from "../bindings.ts";
import { now } from "../clock.ts";
import { ApiError, invalid } from "../errors.ts";
import type { Queue } from "../model.ts";
import { consumerOf } from "../queries.ts";
import { body, param } from "./body.ts";
import type { Api } from "./context.ts";
import { ok } from "./envelope.ts";
import { queueAt, shownQueue } from "./queues.ts";

const Sent = v.looseObject({
  body: v.unknown(),
  content_type: v.optional(v.picklist(["text", "json"])),
  delay_seconds: v.optional(DELAY_SECONDS),
});
const SentBatch = v.looseObject({
  messages: v.pipe(v.array(Sent), v.maxLength(100)),
  delay_seconds: v.optional(DELAY_SECONDS),
});
const count = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100));
const Pull = v.looseObject({
  batch_size: v.optional(count, 5),
  visibility_timeout_ms: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(43_200_000))),
});
const Peek = v.looseObject({ batch_size: v.optional(count, 5) });
const lease = v.looseObject({ lease_id: v.string(), delay_seconds: v.optional(DELAY_SECONDS) });
const Ack = v.looseObject({ acks: v.optional(v.array(lease), []), retries: v.optional(v.array(lease), []) });
const Refs = v.looseObject({ refs: v.array(v.looseObject({ ref: v.string() })) });
const Purge = v.looseObject({
  delete_messages_permanently: v.literal(true, "must be true: purged messages are gone for good"),
});

const Metrics = v.object({ backlogCount: v.number(), backlogBytes: v.number(), oldestMessageTimestamp: v.number() });
const Accepted = v.object({ metadata: v.object({ metrics: Metrics }) });
const Pulled = v.object({ messages: v.array(v.looseObject({})), metrics: Metrics });

export const queueMessages = ({ account }: Api) => {
  const queueOf = (c: Context): Queue => queueAt(account.state, param(c, "queue"));
  const ask = (queue: Queue, call: string, sent: object = {}) => account.runtime.calls.askQueue(queue.id, call, sent);
  const send = async (c: Context, messages: readonly v.InferOutput<typeof Sent>[], delay: number | undefined) => {
    const queue = queueOf(c);
    const encoded = messages.map((message) => encode(message, delay));
    const { metadata } = v.parse(Accepted, await ask(queue, "batch", { messages: encoded }));
    return ok(c, { metadata: { metrics: shownMetrics(metadata.metrics) } });
  };
  return new Hono()
    .get("/metrics", async (c) => ok(c, shownMetrics(v.parse(Metrics, await ask(queueOf(c), "metrics")))))
    .post("/messages", async (c) => send(c, [await body(c, Sent)], undefined))
    .post("/messages/batch", async (c) => {
      const { messages, delay_seconds } = await body(c, SentBatch);
      return send(c, messages, delay_seconds);
    })
    .post("/messages/pull", async (c) => {
      const queue = queueOf(c);
      const consumer = consumerOf(account.state, queue.id);
      if (consumer?.type !== "http_pull")
        throw new ApiError(
          400,
          11011,
          `Queue '${queue.name}' has no consumer that pulls. Add it: wrangler queues consumer http add ${queue.name}`,
        );
      if (queue.deliveryPaused)
        throw new ApiError(
          409,
          11012,
          `queue_delivery_paused: Queue '${queue.name}' is paused. To resume it, run: wrangler queues resume-delivery ${queue.name}`,
        );
      const { batch_size, visibility_timeout_ms } = await body(c, Pull);
      const visibilityMs = visibility_timeout_ms ?? consumer.visibilityTimeoutMs;
      const { messages, metrics } = v.parse(Pulled, await ask(queue, "pull", { batchSize: batch_size, visibilityMs }));
      return ok(c, {
        message_backlog_count: metrics.backlogCount,
        messages,
        metadata: { metrics: shownMetrics(metrics) },
      });
    })
    .post("/messages/ack", async (c) => {
      const { acks, retries } = await body(c, Ack);
      const queue = queueOf(c);
      const delay = consumerOf(account.state, queue.id)?.retryDelay ?? 0;
      return ok(
        c,
        await ask(queue, "ack", {
          acks: acks.map(({ lease_id }) => lease_id),
          retries: retries.map(({ lease_id, delay_seconds }) => ({ lease: lease_id, delay: delay_seconds ?? delay })),
        }),
      );
    })
    .post("/messages/peek", async (c) => {
      const { batch_size } = await body(c, Peek);
      return ok(c, await ask(queueOf(c), "peek", { batchSize: batch_size }));
    })
    .post("/messages/purge", async (c) => {
      const { refs } = await body(c, Refs);
      await ask(queueOf(c), "purge", { refs: refs.map(({ ref }) => ref) });
      return ok(c, {});
    })
    .get("/purge", (c) => {
      const { purgedOn } = queueOf(c);
      return ok(c, purgedOn === null ? {} : { started_at: purgedOn, completed: "complete" });
    })
    .post("/purge", async (c) => {
      await body(c, Purge);
      await ask(queueOf(c), "purge", { refs: null });
      const queue = await account.change((draft) =>
        draft.put("queues", { ...queueAt(draft.state, param(c, "queue")), purgedOn: now() }),
      );
      return ok(c, shownQueue(account.state, queue));
    });
};

/** A message as the queue's object takes it. Without a content type, text is text, and all else JSON. */
function encode({ body: value, content_type, delay_seconds }: v.InferOutput<typeof Sent>, delay: number | undefined) {
  const contentType = content_type ?? (typeof value === "string" ? "text" : "json");
  if (contentType === "text" && typeof value !== "string") throw invalid("body: must be text for content type 'text'.");
  const text = contentType === "text" ? String(value) : JSON.stringify(value ?? null);
  const delaySecs = delay_seconds ?? delay;
  return {
    contentType,
    body: Buffer.from(text).toString("base64"),
    ...(delaySecs !== undefined && { delaySecs }),
  };
}

const shownMetrics = (metrics: v.InferOutput<typeof Metrics>) => ({
  backlog_count: metrics.backlogCount,
  backlog_bytes: metrics.backlogBytes,
  oldest_message_timestamp_ms: metrics.oldestMessageTimestamp,
});
