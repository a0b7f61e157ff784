/** Queues: producers, consumers, retries, dead letters, pulling, and what a restart leaves. */
import { readdirSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import { QUEUES_KEY } from "../src/runtime/parts.ts";
import { account, refusal, type TestAccount, temporaryDirectory } from "./support.ts";

/** Sends to QUEUE, and writes each batch that it gets into KV; `fail` in a body is tried again. */
const CODE = `export default {
  async fetch(request, { QUEUE, KV }) {
    const { pathname, searchParams } = new URL(request.url);
    const body = searchParams.get("body");
    const delaySeconds = searchParams.has("delay") ? Number(searchParams.get("delay")) : undefined;
    if (pathname === "/send") await QUEUE.send(body, { delaySeconds });
    if (pathname === "/batch") await QUEUE.sendBatch([
      { body: { n: 1 }, contentType: "json" }, { body: "two", contentType: "text" },
      { body: new TextEncoder().encode("three"), contentType: "bytes" }, { body: new Map([[4, "four"]]), contentType: "v8" },
    ]);
    return Response.json((await KV.get("batches", "json")) ?? []);
  },
  async queue(batch, { KV }) {
    const batches = (await KV.get("batches", "json")) ?? [];
    const told = (body) => body instanceof ArrayBuffer ? new TextDecoder().decode(body) : body instanceof Map ? [...body] : body;
    batches.push({ queue: batch.queue, bodies: batch.messages.map(({ body, attempts }) => [told(body), attempts]) });
    await KV.put("batches", JSON.stringify(batches));
    for (const message of batch.messages) {
      if (message.body === "fail") message.retry();
      if (message.body === "acked") message.ack();
    }
    if (batch.messages.some(({ body }) => body === "throw")) throw new Error("on purpose");
  },
};`;

const SETTINGS = { batch_size: 4, max_wait_time_ms: 0, max_retries: 1, retry_delay: 0 };

async function withQueue(dir = temporaryDirectory(), onLog?: (line: string) => void) {
  const test = await account({ dir, ...(onLog && { onLog }) });
  const { id: kv } = await test.sdk.kv.namespaces.create({ account_id: test.id, title: "kv" });
  const { queue_id: id = "" } = await test.sdk.queues.create({ account_id: test.id, queue_name: "mails" });
  await test.deploy("app", {
    code: CODE,
    bindings: [
      { type: "queue", name: "QUEUE", queue_name: "mails" },
      { type: "kv_namespace", name: "KV", namespace_id: kv },
    ],
  });
  const consume = (settings: object = {}, more: object = {}) =>
    test.call("post", `/queues/${id}/consumers`, {
      type: "worker",
      script_name: "app",
      settings: { ...SETTINGS, ...settings },
      ...more,
    });
  return { test, id, kv, consume };
}

interface Batch {
  readonly queue: string;
  readonly bodies: readonly (readonly [unknown, number])[];
}

const batches = async (test: TestAccount): Promise<Batch[]> => JSON.parse((await test.ask("app")).text);
const bodies = async (test: TestAccount) => (await batches(test)).flatMap((batch) => batch.bodies);

/** Waits until the consumer has got so many messages. */
const got = (test: TestAccount, messages: number) =>
  expect.poll(async () => (await bodies(test)).length).toBe(messages);

it("delivers messages of every content type to the consumer, as one batch", async () => {
  const { test, consume } = await withQueue();
  await consume();
  await test.ask("app", "/batch");
  await got(test, 4);
  expect(await batches(test)).toEqual([
    {
      queue: "mails",
      bodies: [
        [{ n: 1 }, 1],
        ["two", 1],
        ["three", 1],
        [[[4, "four"]], 1],
      ],
    },
  ]);
});

it("tries failed messages again, and moves them to the dead letter queue in the end", async () => {
  const { test, id, consume } = await withQueue();
  await consume({ batch_size: 2, max_wait_time_ms: 1_000 }, { dead_letter_queue: "dead" });
  await test.ask("app", "/send?body=fail");
  await test.ask("app", "/send?body=fine");
  await got(test, 3);
  expect((await bodies(test)).toSorted()).toEqual([
    ["fail", 1],
    ["fail", 2],
    ["fine", 1],
  ]);
  const [dead] = (await test.sdk.queues.list({ account_id: test.id })).result.filter(
    ({ queue_name }) => queue_name === "dead",
  );
  const at = `/queues/${dead?.queue_id}`;
  const peek = () => test.call("post", `${at}/messages/peek`, {});
  await expect.poll(peek).toMatchObject({ messages: [{ attempts: 0, metadata: { "CF-Content-Type": "json" } }] });
  expect(await test.call("get", `/queues/${id}/metrics`)).toMatchObject({ backlog_count: 0 });
});

const peekAt = (test: TestAccount, id: string | undefined) => test.call("post", `/queues/${id}/messages/peek`, {});

it("keeps failed messages and producers when a queue is renamed", async () => {
  const { test, id, consume } = await withQueue();
  const account_id = test.id;
  const { queue_id: dead = "" } = await test.sdk.queues.create({ account_id, queue_name: "dead" });
  await consume({ max_retries: 0 }, { dead_letter_queue: "dead" });
  await test.call("patch", `/queues/${dead}`, { queue_name: "buried" });
  await test.sdk.queues.edit(id, { account_id, queue_name: "letters" });
  expect(await test.call("get", `/queues/${id}`)).toMatchObject({
    queue_name: "letters",
    producers: [{ script: "app" }],
    consumers: [{ dead_letter_queue: "buried" }],
  });
  await test.ask("app", "/send?body=fail");
  await got(test, 1);
  expect(await batches(test)).toMatchObject([{ queue: "letters" }]);
  await expect.poll(() => peekAt(test, dead)).toMatchObject({ messages: [{ attempts: 0 }] });
  expect(await refusal(test.call("patch", `/queues/${dead}`, { queue_name: "letters" }))).toMatchObject({
    status: 409,
    code: 11009,
  });
  expect(await test.call("get", "/workers/scripts/app/settings")).toMatchObject({
    bindings: expect.arrayContaining([{ type: "queue", name: "QUEUE", queue_name: "letters" }]),
  });
});

it("says in the log which failed messages are lost with a deleted dead letter queue, and none once it is there again", async () => {
  const lines: string[] = [];
  const { test, consume } = await withQueue(undefined, (line) => lines.push(line));
  const make = () => test.sdk.queues.create({ account_id: test.id, queue_name: "dead" });
  const { queue_id: dead } = await make();
  await consume({ max_retries: 0 }, { dead_letter_queue: "dead" });
  await test.call("delete", `/queues/${dead}`);
  await test.ask("app", "/send?body=fail");
  await expect
    .poll(() => lines)
    .toEqual([
      "queue mails: 1 failed message is lost, because its dead letter queue dead was deleted. Make that again, or name another at the consumer.",
    ]);
  const { queue_id: again } = await make();
  await test.ask("app", "/send?body=fail");
  await expect.poll(() => peekAt(test, again)).toMatchObject({ messages: [{ attempts: 0 }] });
  expect(lines).toHaveLength(1);
});

it("loses no message of a queue that is its own dead letter queue", async () => {
  const { test, id, consume } = await withQueue();
  await consume({ max_retries: 0 }, { dead_letter_queue: "mails" });
  await test.ask("app", "/send?body=fail");
  await expect.poll(async () => (await bodies(test)).length).toBeGreaterThan(2);
  expect(new Set((await bodies(test)).map(String))).toEqual(new Set(["fail,1"]));
  await test.call("patch", `/queues/${id}`, { settings: { delivery_paused: true } });
  expect(await peekAt(test, id)).toMatchObject({ messages: [{ metadata: { "CF-Content-Type": "json" } }] });
});

it("overwrites all settings of a queue by PUT, and by PATCH only those that are sent", async () => {
  const { test, id } = await withQueue();
  const settings = { delivery_delay: 5, delivery_paused: true, message_retention_period: 60 };
  await test.call("patch", `/queues/${id}`, { settings });
  expect(await test.call("patch", `/queues/${id}`, { settings: { delivery_delay: 6 } })).toMatchObject({
    settings: { ...settings, delivery_delay: 6 },
  });
  expect(await test.call("put", `/queues/${id}`, { settings: { delivery_delay: 7 } })).toMatchObject({
    queue_name: "mails",
    settings: { delivery_delay: 7, delivery_paused: false, message_retention_period: 345_600 },
  });
});

it("tries all of a batch again when its handler throws, except what was acknowledged", async () => {
  const { test, consume } = await withQueue();
  await test.ask("app", "/send?body=throw");
  await test.ask("app", "/send?body=acked");
  await consume();
  await got(test, 3);
  expect(await batches(test)).toMatchObject([
    {
      bodies: [
        ["throw", 1],
        ["acked", 1],
      ],
    },
    { bodies: [["throw", 2]] },
  ]);
});

/** Writes into KV how many batches it has had at the same time, when all four messages are done. Each takes `ms`. */
const together = (ms: number) => `
let [running, most, done] = [0, 0, 0];
export default {
  async fetch(request, { QUEUE, KV }) {
    if (request.url.endsWith("/send")) await QUEUE.sendBatch([1, 2, 3, 4].map((body) => ({ body })));
    return new Response(await KV.get("most"));
  },
  async queue(batch, { KV }) {
    most = Math.max(most, ++running);
    await scheduler.wait(${ms});
    running--;
    if (++done === 4) await KV.put("most", String(most));
  },
};`;

it.each([
  { settings: { batch_size: 1 }, ms: 100, most: "1" },
  // Long enough for all to meet on a busy machine.
  { settings: { batch_size: 1, max_concurrency: 3 }, ms: 2_000, most: "3" },
])("gives the consumer as many batches at a time as it may have: $most", async ({ settings, ms, most }) => {
  const { test, kv, consume } = await withQueue();
  await test.deploy("app", {
    code: together(ms),
    bindings: [
      { type: "queue", name: "QUEUE", queue_name: "mails" },
      { type: "kv_namespace", name: "KV", namespace_id: kv },
    ],
  });
  await consume(settings);
  await test.ask("app", "/send");
  await expect.poll(async () => (await test.ask("app")).text).toBe(most);
});

it("keeps messages over a restart and a deployment, and delivers what a pause or a delay held back", async () => {
  const dir = temporaryDirectory();
  const { test, id, consume } = await withQueue(dir);
  await consume();
  await test.call("patch", `/queues/${id}`, { settings: { delivery_paused: true } });
  await test.ask("app", "/send?body=paused");
  await test.ask("app", "/send?body=late&delay=1");
  await test.deploy("other", { tag: "another" });
  expect(await test.call("get", `/queues/${id}/metrics`)).toMatchObject({ backlog_count: 2 });
  await test.close();

  const again = await account({ dir });
  expect(await bodies(again)).toEqual([]);
  await again.call("patch", `/queues/${id}`, { settings: { delivery_paused: false } });
  await got(again, 2);
  // A message that waits for its time when the account ends is delivered by the next.
  await again.ask("app", "/send?body=tomorrow&delay=1");
  await again.close();
  const last = await account({ dir });
  await got(last, 3);
});

/** Runs SQL on the file of each queue, or on the one that says when workerd fires alarms. No account may run. */
function onDisk(dir: string, which: "queues" | "alarms", sql: string): void {
  const folder = path.join(dir, "data/queues", QUEUES_KEY);
  const files = readdirSync(folder).filter((name) => name.endsWith(".sqlite"));
  const wanted = files.filter((name) => (name === "metadata.sqlite") === (which === "alarms"));
  expect(wanted).not.toEqual([]);
  for (const name of wanted) {
    const db = new DatabaseSync(path.join(folder, name));
    db.exec(sql);
    db.close();
  }
}

it("tries again for as long as messages cannot be moved to the dead letter queue", async () => {
  const dir = temporaryDirectory();
  const { test, consume } = await withQueue(dir);
  const { queue_id: dead = "" } = await test.sdk.queues.create({ account_id: test.id, queue_name: "dead" });
  await consume({ max_retries: 0 }, { dead_letter_queue: "dead" });
  await peekAt(test, dead);
  await test.close();
  onDisk(
    dir,
    "queues",
    `CREATE TRIGGER fault BEFORE INSERT ON messages WHEN (SELECT queue FROM self) = '${dead}'
     BEGIN SELECT RAISE(FAIL, 'on purpose'); END`,
  );

  const lines: string[] = [];
  const again = await account({ dir, onLog: (line) => lines.push(line) });
  await again.ask("app", "/send?body=fail");
  // workerd itself tries an alarm seven times at most.
  const tries = () => lines.filter((line) => line.startsWith("queue mails: Error: on purpose")).length;
  await expect.poll(tries).toBeGreaterThan(7);
  await again.close();
  onDisk(dir, "queues", "DROP TRIGGER fault");

  const last = await account({ dir });
  await expect.poll(() => peekAt(last, dead)).toMatchObject({ messages: [{ attempts: 0 }] });
  expect(await bodies(last)).toEqual([["fail", 1]]);
});

it("delivers what is due when it starts, if workerd no longer knows of it", async () => {
  const dir = temporaryDirectory();
  const { test, consume } = await withQueue(dir);
  await consume();
  await test.ask("app", "/send?body=late&delay=60");
  await test.close();
  // As it is when workerd has given up an alarm.
  const due = Date.now() - 60_000;
  onDisk(dir, "alarms", "DELETE FROM _cf_ALARM");
  onDisk(
    dir,
    "queues",
    `UPDATE messages SET visible_at = ${due}; UPDATE _cf_METADATA SET value = ${due}000000 WHERE key = 1`,
  );
  const again = await account({ dir });
  await got(again, 1);
});

it("lets a client pull, and acknowledge or return what it got", async () => {
  const { test, id } = await withQueue();
  const at = `/queues/${id}`;
  expect(await refusal(test.call("post", `${at}/messages/pull`, {}))).toMatchObject({ status: 400 });
  await test.call("post", `${at}/consumers`, { type: "http_pull", settings: { max_retries: 1 } });
  await test.call("post", `${at}/messages/batch`, { messages: [{ body: "a" }, { body: { b: 1 } }] });
  const pull = async () =>
    (await test.sdk.queues.messages.pull(id, { account_id: test.id, batch_size: 10 })).messages ?? [];
  const [a, b] = await pull();
  expect(a).toMatchObject({ body: "a", attempts: 1 });
  expect(Buffer.from(b?.body ?? "", "base64").toString()).toBe('{"b":1}');
  expect(await pull()).toEqual([]);
  const ended = await test.call("post", `${at}/messages/ack`, {
    acks: [{ lease_id: a?.lease_id }],
    retries: [{ lease_id: b?.lease_id }, { lease_id: "nothing" }],
  });
  expect(ended).toMatchObject({ ackCount: 1, retryCount: 1, warnings: { nothing: expect.any(String) } });
  expect(await pull()).toMatchObject([{ id: b?.id, attempts: 2 }]);
});

it("lets no client pull from a queue while it is paused", async () => {
  const { test, id } = await withQueue();
  const at = `/queues/${id}`;
  await test.call("post", `${at}/consumers`, { type: "http_pull" });
  await test.call("post", `${at}/messages`, { body: "a" });
  const pull = () => test.call("post", `${at}/messages/pull`, {});
  await test.call("patch", at, { settings: { delivery_paused: true } });
  expect(await refusal(pull())).toMatchObject({
    status: 409,
    message: expect.stringContaining("queue_delivery_paused"),
  });
  await test.call("patch", at, { settings: { delivery_paused: false } });
  expect(await pull()).toMatchObject({ messages: [{ body: "a", attempts: 1 }] });
});

it("refuses what Cloudflare refuses, by its codes", async () => {
  const { test, id, consume } = await withQueue();
  const code = async (call: Promise<unknown>) => (await refusal(call)).code;
  const queue = { type: "queue", name: "QUEUE", queue_name: "nothing" };
  expect(await code(test.deploy("app", { code: CODE, bindings: [queue] }))).toBe(11000);
  expect(await code(test.call("post", "/queues", { queue_name: "mails" }))).toBe(11009);
  await test.deploy("idle", { tag: "no handler" });
  expect(await code(consume({}, { script_name: "idle" }))).toBe(11001);
  await consume();
  expect(await code(consume())).toBe(11004);
  expect(await code(test.deploy("app", { tag: "no handler any more" }))).toBe(11001);
  expect(await code(test.call("delete", `/queues/${id}`))).toBe(11005);
  expect(await refusal(test.call("delete", "/workers/scripts/app"))).toMatchObject({
    code: 10064,
    message: expect.stringContaining("a consumer for a queue (mails)"),
  });
  await test.call("delete", "/workers/scripts/app?force=true");
  expect(await test.call("get", `/queues/${id}/consumers`)).toEqual([]);
  await test.call("delete", `/queues/${id}`);
});
