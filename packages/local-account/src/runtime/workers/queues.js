/**
 * A queue in workerd: its messages are rows, so none is lost when workerd restarts. `alarm` delivers them to the
 * consumer. Miniflare's own queues are in memory only. What a queue is like comes in `env.QUEUES` (projection.ts).
 */

import { DurableObject } from "cloudflare:workers";
import { Buffer } from "node:buffer";

/** Cloudflare's limits, in bytes. */
const MOST_MESSAGE_BYTES = 128 * 1_000;
const MOST_BATCH_BYTES = 256 * 1_000;
const MOST_BATCH = 100;
/** A delivered batch has up to this many bytes. */
const MOST_DELIVERED_BYTES = 256 * 1_000;

/** How often a queue looks at its messages while its consumer works, or while it cannot deliver them. */
const LOOK_AGAIN_MS = 1_000;

export class QueueBrokerObject extends DurableObject {
  #sql = this.ctx.storage.sql;
  /** The ids of the messages that the consumer works on, and how many batches they are in. */
  #inHand = new Set();
  #batches = 0;

  constructor(ctx, env) {
    super(ctx, env);
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS messages (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, timestamp INTEGER NOT NULL,
        content_type TEXT NOT NULL, body BLOB NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
        visible_at INTEGER NOT NULL, lease TEXT
      );
      CREATE INDEX IF NOT EXISTS messages_by_time ON messages (visible_at, sequence);
      CREATE TABLE IF NOT EXISTS self (queue TEXT NOT NULL);
    `);
  }

  async fetch(request) {
    this.#remember(request.headers.get("Account-Queue"));
    if (this.#settings === undefined) return refuse(404, "the queue was deleted");
    this.#dropExpired();
    const answer = await this.#answer(request);
    await this.#schedule();
    return answer;
  }

  #answer(request) {
    switch (new URL(request.url).pathname) {
      case "/message":
        return this.#message(request);
      case "/batch":
        return this.#batch(request);
      case "/metrics":
        return Response.json(this.#metrics());
      case "/deliver":
        return this.#take(request);
      case "/pull":
        return this.#pull(request);
      case "/ack":
        return this.#ack(request);
      case "/peek":
        return this.#peek(request);
      case "/purge":
        return this.#purge(request);
      case "/settings":
        return Response.json({});
      default:
        return refuse(404, "no such call");
    }
  }

  /** One message of a producer. */
  async #message(request) {
    const body = Buffer.from(await request.arrayBuffer());
    if (body.length > MOST_MESSAGE_BYTES) return tooLarge(body.length);
    const delay = delayOf(request.headers.get("X-Msg-Delay-Secs"));
    this.#add([{ contentType: request.headers.get("X-Msg-Fmt") ?? "v8", body, delay }]);
    return this.#accepted();
  }

  /** A batch of a producer, all or none. */
  async #batch(request) {
    const { messages } = await request.json();
    const delay = delayOf(request.headers.get("X-Msg-Delay-Secs"));
    const sent = messages.map(({ contentType = "v8", body, delaySecs }) => ({
      contentType,
      body: Buffer.from(body, "base64"),
      delay: delaySecs ?? delay,
    }));
    const largest = Math.max(0, ...sent.map(({ body }) => body.length));
    if (largest > MOST_MESSAGE_BYTES) return tooLarge(largest);
    if (sent.length > MOST_BATCH) return refuse(413, `a batch has up to ${MOST_BATCH} messages, not ${sent.length}`);
    const bytes = sent.reduce((sum, { body }) => sum + body.length, 0);
    if (bytes > MOST_BATCH_BYTES) return refuse(413, `a batch has up to ${MOST_BATCH_BYTES} bytes, not ${bytes}`);
    this.#add(sent);
    return this.#accepted();
  }

  #accepted() {
    return Response.json({ metadata: { metrics: this.#metrics() } });
  }

  /** The failed messages of another queue, for which this is the dead letter queue. They keep id and time. */
  async #take(request) {
    const messages = await request.json();
    this.#add(messages.map((message) => ({ ...message, body: Buffer.from(message.body, "base64"), delay: 0 })));
    return Response.json({});
  }

  /** Leases messages to a client that pulls. */
  async #pull(request) {
    const { batchSize, visibilityMs } = await request.json();
    const { consumer } = this.#settings;
    const { retries } = consumer;
    const now = Date.now();
    const ready = this.#ready(now, batchSize);
    const spent = ready.filter(({ attempts }) => attempts > retries);
    await this.#bury(spent, consumer);
    const messages = ready
      .filter(({ attempts }) => attempts <= retries)
      .map((message) => {
        const lease = crypto.randomUUID();
        this.#sql.exec(
          "UPDATE messages SET lease = ?, attempts = attempts + 1, visible_at = ? WHERE id = ?",
          lease,
          now + visibilityMs,
          message.id,
        );
        return { ...shown(message), attempts: message.attempts + 1, lease_id: lease };
      });
    return Response.json({ messages, metrics: this.#metrics() });
  }

  /** Ends leases: acknowledged messages go, others come again after a delay. */
  async #ack(request) {
    const { acks, retries } = await request.json();
    const warnings = {};
    let [ackCount, retryCount] = [0, 0];
    for (const lease of acks) {
      if (this.#sql.exec("DELETE FROM messages WHERE lease = ? RETURNING id", lease).toArray().length > 0) ackCount++;
      else warnings[lease] = "there is no message with this lease";
    }
    for (const { lease, delay } of retries) {
      const found = this.#sql
        .exec("UPDATE messages SET lease = NULL, visible_at = ? WHERE lease = ? RETURNING id", later(delay), lease)
        .toArray();
      if (found.length > 0) retryCount++;
      else warnings[lease] = "there is no message with this lease";
    }
    return Response.json({ ackCount, retryCount, warnings });
  }

  async #peek(request) {
    const { batchSize } = await request.json();
    const rows = this.#sql.exec("SELECT * FROM messages ORDER BY sequence LIMIT ?", batchSize).toArray();
    return Response.json({ messages: rows.map((row) => ({ ...shown(row), ref: row.id })) });
  }

  /** Removes the messages with these ids, or all. */
  async #purge(request) {
    const { refs } = await request.json();
    if (refs === null) this.#sql.exec("DELETE FROM messages");
    else for (const ref of refs) this.#sql.exec("DELETE FROM messages WHERE id = ?", ref);
    return Response.json({});
  }

  /** Delivers what is due. After six failures workerd would set no other alarm, and messages would stay here. */
  async alarm() {
    try {
      if (this.#settings === undefined) return;
      await this.#deliverDue();
      await this.#schedule();
    } catch (error) {
      console.error(`queue ${this.#settings.name}: ${error}`);
      await this.ctx.storage.setAlarm(Date.now() + LOOK_AGAIN_MS);
    }
  }

  /** Delivers what is due to the consumer, as many batches at a time as it may have. */
  async #deliverDue() {
    this.#dropExpired();
    const { consumer, paused } = this.#settings;
    if (consumer?.type !== "worker" || paused) return;
    while (this.#batches < consumer.concurrency && (this.#due() ?? Number.POSITIVE_INFINITY) <= Date.now()) {
      const ready = this.#ready(Date.now(), consumer.batchSize);
      await this.#bury(
        ready.filter(({ attempts }) => attempts > consumer.retries),
        consumer,
      );
      const batch = fitting(ready.filter(({ attempts }) => attempts <= consumer.retries));
      if (batch.length === 0) continue;
      // An attempt counts from its begin: a handler that ends workerd does not do so for ever.
      for (const { id } of batch) this.#sql.exec("UPDATE messages SET attempts = attempts + 1 WHERE id = ?", id);
      this.ctx.waitUntil(this.#deliver(batch));
    }
  }

  async #deliver(batch) {
    const { consumer, name } = this.#settings;
    for (const { id } of batch) this.#inHand.add(id);
    this.#batches++;
    try {
      await this.#settle(batch, await this.#dispatch(name, consumer, batch));
    } finally {
      for (const { id } of batch) this.#inHand.delete(id);
      this.#batches--;
      await this.#schedule();
    }
  }

  async #dispatch(name, { service }, batch) {
    const { backlogCount, backlogBytes, oldestMessageTimestamp } = this.#metrics();
    const metrics = { backlogCount, backlogBytes, oldestMessageTimestamp: new Date(oldestMessageTimestamp) };
    const task = crypto.randomUUID();
    this.#tell("batch-begun", task, service, name);
    try {
      const messages = batch.map(({ id, timestamp, attempts, ...message }) => ({
        id,
        timestamp: new Date(timestamp),
        attempts: attempts + 1,
        ...bodyOf(message),
      }));
      return await this.env[`worker:${service}`].queue(name, messages, { metrics });
    } catch (error) {
      console.error(`queue ${name}: ${error}`);
      return { outcome: "exception", retryBatch: { retry: false }, ackAll: false, explicitAcks: [], retryMessages: [] };
    } finally {
      this.#tell("batch-ended", task);
    }
  }

  /** Tells the account, which knows it even if workerd is stuck after that (internal.js, `tell`). */
  #tell(news, task, ...names) {
    console.debug([this.env.SECRET, news, task, ...names.map(encodeURIComponent)].join(" "));
  }

  /** Removes what was acknowledged, and brings the rest again after its delay, or to the dead letter queue. */
  async #settle(batch, { outcome, retryBatch, ackAll, explicitAcks, retryMessages }) {
    const { consumer } = this.#settings;
    const retried = new Map((retryMessages ?? []).map(({ msgId, delaySeconds }) => [msgId, delaySeconds]));
    const acked = new Set(explicitAcks ?? []);
    const hasFailed = (id) =>
      !acked.has(id) && (retried.has(id) || (!ackAll && (outcome !== "ok" || retryBatch?.retry === true)));
    const dead = [];
    for (const message of batch) {
      if (!hasFailed(message.id)) this.#sql.exec("DELETE FROM messages WHERE id = ?", message.id);
      else if (message.attempts >= consumer.retries) dead.push(message);
      else {
        const delay = retried.get(message.id) ?? retryBatch?.delaySeconds ?? consumer.retryDelay;
        this.#sql.exec("UPDATE messages SET visible_at = ? WHERE id = ?", later(delay), message.id);
      }
    }
    await this.#bury(dead, consumer);
  }

  /** Moves messages to the dead letter queue; without one they are gone. Says so where there should be one. */
  async #bury(messages, { deadLetter, missingLetter }) {
    if (messages.length === 0) return;
    if (missingLetter !== undefined) this.#tellLost(messages.length, `queue ${missingLetter}`);
    if (deadLetter !== undefined) {
      const sent = messages.map(({ id, timestamp, content_type, body }) => ({
        id,
        timestamp,
        contentType: content_type,
        body: Buffer.from(body).toString("base64"),
      }));
      const { OBJECTS } = this.env;
      const answer = await OBJECTS.get(OBJECTS.idFromName(deadLetter)).fetch("http://account/deliver", {
        method: "POST",
        headers: { "Account-Queue": deadLetter },
        body: JSON.stringify(sent),
      });
      if (answer.status === 404) this.#tellLost(messages.length, "queue");
      else if (!answer.ok) throw new Error(`the dead letter queue: ${await answer.text()}`);
    }
    // By their rows, not their ids: a queue that is its own dead letter queue has taken them as new rows.
    for (const { sequence } of messages) this.#sql.exec("DELETE FROM messages WHERE sequence = ?", sequence);
  }

  #tellLost(count, deadLetter) {
    const what = `${count} failed message${count === 1 ? " is" : "s are"} lost`;
    console.error(
      `queue ${this.#settings.name}: ${what}, because its dead letter ${deadLetter} was deleted. Make that again, or name another at the consumer.`,
    );
  }

  /** A message that is here already, because its queue sends it again or is this one, begins anew. */
  #add(messages) {
    const now = Date.now();
    for (const { id, timestamp, contentType, body, delay } of messages)
      this.#sql.exec(
        "INSERT OR REPLACE INTO messages (id, timestamp, content_type, body, visible_at) VALUES (?, ?, ?, ?, ?)",
        id ?? crypto.randomUUID().replaceAll("-", ""),
        timestamp ?? now,
        contentType,
        body,
        now + 1_000 * (delay ?? this.#settings.delay),
      );
  }

  #ready(now, most) {
    return this.#free("visible_at <= ?", [now], most);
  }

  /** Messages that no consumer works on. */
  #free(where, values, most) {
    return this.#sql
      .exec(
        `SELECT * FROM messages WHERE ${where} ORDER BY visible_at, sequence LIMIT ?`,
        ...values,
        most + this.#inHand.size,
      )
      .toArray()
      .filter(({ id }) => !this.#inHand.has(id))
      .slice(0, most);
  }

  /** When the next batch is due: as soon as it is full, or once its first message has waited. */
  #due() {
    const { batchSize, waitMs } = this.#settings.consumer;
    const times = this.#free("TRUE", [], batchSize).map(({ visible_at }) => visible_at);
    if (times.length === 0) return undefined;
    const waited = times[0] + waitMs;
    return times.length === batchSize ? Math.min(waited, times[batchSize - 1]) : waited;
  }

  async #schedule() {
    const { consumer, paused } = this.#settings;
    const isFull = this.#batches >= (consumer?.concurrency ?? 1);
    const next = consumer?.type === "worker" && !paused && !isFull ? this.#due() : undefined;
    // If workerd ends meanwhile, the next one has to bring again what is in hand.
    const due = this.#batches > 0 ? Math.min(next ?? Number.POSITIVE_INFINITY, Date.now() + LOOK_AGAIN_MS) : next;
    if (due === undefined) await this.ctx.storage.deleteAlarm();
    else await this.ctx.storage.setAlarm(due);
  }

  #dropExpired() {
    this.#sql.exec("DELETE FROM messages WHERE timestamp < ?", Date.now() - 1_000 * this.#settings.retention);
  }

  #metrics() {
    const { count, bytes, oldest } = this.#sql
      .exec("SELECT count(*) AS count, total(length(body)) AS bytes, min(timestamp) AS oldest FROM messages")
      .one();
    return { backlogCount: count, backlogBytes: bytes, oldestMessageTimestamp: oldest ?? 0 };
  }

  /** An alarm does not tell the object its name. */
  #remember(queue) {
    if (this.#sql.exec("SELECT queue FROM self").toArray().length === 0)
      this.#sql.exec("INSERT INTO self VALUES (?)", queue);
  }

  get #settings() {
    const [self] = this.#sql.exec("SELECT queue FROM self").toArray();
    return this.env.QUEUES[self?.queue];
  }
}

/** As many messages from the start as fit into a delivery, at least one. */
function fitting(messages) {
  let bytes = 0;
  return messages.filter(({ body }, index) => {
    bytes += body.byteLength;
    return index === 0 || bytes <= MOST_DELIVERED_BYTES;
  });
}

/** The body as workerd takes it. */
function bodyOf({ content_type, body }) {
  switch (content_type) {
    case "v8":
      return { serializedBody: body };
    case "json":
      return { body: JSON.parse(Buffer.from(body).toString()) };
    case "text":
      return { body: Buffer.from(body).toString() };
    default:
      return { body };
  }
}

/** A message as the REST API shows it: JSON and bytes in base64, as Cloudflare does. */
const shown = ({ id, timestamp, attempts, content_type, body }) => ({
  id,
  timestamp_ms: timestamp,
  attempts,
  body: Buffer.from(body).toString(content_type === "text" ? "utf8" : "base64"),
  metadata: { "CF-Content-Type": content_type },
});

const later = (seconds) => Date.now() + 1_000 * seconds;
const delayOf = (header) => (header === null ? undefined : Number(header));
const refuse = (status, why) => new Response(why, { status, statusText: why });
const tooLarge = (bytes) => refuse(413, `a message has up to ${MOST_MESSAGE_BYTES} bytes, not ${bytes}`);
