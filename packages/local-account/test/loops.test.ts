/** A Worker that computes without an end: it is ended with 1102, and the other Workers answer again. */
import path from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { Activity } from "../src/runtime/activity.ts";
import { Retries } from "../src/runtime/alarms.ts";
import { ObjectFiles } from "../src/runtime/objects.ts";
import { Tails } from "../src/tails.ts";
import { servingAlone } from "./processes.ts";
import { account, live, type Program, refusal, type TestAccount, temporaryDirectory, versionBody } from "./support.ts";

/** CPU time in ms that ends a Worker: 750 is its limit, and a machine with much to do looks late. */
const MOST_CPU_MS = 5_000;

const LOOP = "for (let i = 0; ; i++) if (i < 0) break;";

interface Looping {
  readonly test: TestAccount;
  /** What the account has said of Workers that it ended. */
  readonly said: readonly string[];
}

/** An account with a Worker `app` that loops somewhere, and another one. */
async function withLoop(program: Program): Promise<Looping> {
  const said: string[] = [];
  const spy = vi.spyOn(console, "error").mockImplementation((line: unknown) => void said.push(String(line)));
  onTestFinished(() => spy.mockRestore());
  const test = await account();
  await test.deploy("other", { tag: "other" });
  await test.deploy("app", program);
  await test.ask("other");
  return { test, said };
}

/**
 * Waits until the other Worker answers. Returns what the account says of the one that it ended, and fails if that had
 * more CPU time than it should have. (By the clock nothing can be said: other processes may have the processor.)
 */
async function othersAnswer({ test, said }: Looping): Promise<string> {
  const before = said.length;
  expect((await test.ask("other")).json()).toMatchObject({ tag: "other" });
  await expect.poll(() => said.length).toBeGreaterThan(before);
  const line = said[before] ?? "";
  const [, spent] = /used (\d+) ms of CPU time without a pause/.exec(line) ?? [];
  expect(Number(spent)).toBeLessThan(MOST_CPU_MS);
  return line;
}

it("ends a loop in a request with 1102, and other Workers answer again", async () => {
  const looping = await withLoop({
    fetch: `if (new URL(request.url).pathname === "/loop") { ${LOOP} } return new Response("ok");`,
  });
  const { test } = looping;
  const answer = test.ask("app", "/loop");
  expect(await othersAnswer(looping)).toContain("app: GET /loop used");
  expect(await answer).toMatchObject({ status: 503, text: "error code: 1102\n" });
  // The rest of the same Worker works.
  expect((await test.ask("app")).text).toBe("ok");
});

it("ends no Worker whose requests come together and each compute for less than the limit", async () => {
  const test = await account();
  // About 100 ms of CPU time.
  const busy = "let sum = 0; for (let i = 0; i < 2e7; i++) sum = (sum * 31 + i) | 0; return new Response(String(sum));";
  await test.deploy("app", { fetch: busy });
  const answers = await Promise.all(Array.from({ length: 16 }, () => test.ask("app")));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
});

it("names the request that loops, and not the account's own call before it", async () => {
  const looping = await withLoop({
    fetch: `if (new URL(request.url).search === "?loop") { console.log("it loops"); ${LOOP} } return new Response("ok");`,
  });
  const { test } = looping;
  const logged = vi.spyOn(console, "log").mockImplementation(() => {});
  onTestFinished(() => logged.mockRestore());
  await test.ask("app");
  const { id } = await test.sdk.kv.namespaces.create({ account_id: test.id, title: "kv" });
  await test.call("put", `/storage/kv/namespaces/${id}/values/a`, "x");
  await test.call("post", "/workers/scripts/app/tails", {});
  const answer = test.ask("app", "/?loop");
  // Of two known requests that begin together, either may be the cause.
  await expect.poll(() => logged.mock.calls.flat().join()).toContain("it loops");
  expect(await othersAnswer(looping)).toContain("app: GET / used");
  expect(await answer).toMatchObject({ status: 503 });
});

const OBJECT = `
import { DurableObject } from "cloudflare:workers";
export class Thing extends DurableObject {
  add() { this.ctx.storage.kv.put("n", (this.ctx.storage.kv.get("n") ?? 0) + 1); return this.ctx.storage.kv.get("n"); }
  count() { return this.ctx.storage.kv.get("n") ?? 0; }
  loop() { ${LOOP} }
  async wake() { await this.ctx.storage.setAlarm(Date.now()); }
  alarm() { this.add(); if (this.ctx.storage.kv.get("n") > 0) { ${LOOP} } }
}
export default {
  async fetch(request, env) {
    const [, name, method] = new URL(request.url).pathname.split("/");
    return new Response(String(await env.Thing.getByName(name)[method]()));
  }
};`;

it("ends a loop in an object, which keeps what it has stored", async () => {
  const looping = await withLoop({ code: OBJECT, bound: ["Thing"], exports: live("Thing") });
  const { test } = looping;
  expect((await test.ask("app", "/x/add")).text).toBe("1");
  const answer = test.ask("app", "/x/loop");
  expect(await othersAnswer(looping)).toContain("app: GET /x/loop used");
  expect(await answer).toMatchObject({ status: 503, text: "error code: 1102\n" });
  expect((await test.ask("app", "/x/add")).text).toBe("2");
});

/** What the account says of the alarm that loops. */
const triedAgain = (seconds: number) =>
  expect.stringMatching(
    new RegExp(`^app: the alarm of the object 'x' of Thing used [^]*It is tried again in ${seconds} s\\.`),
  );

it("ends a loop in an alarm, and puts the alarm off", async () => {
  const { test, said } = await withLoop({ code: OBJECT, bound: ["Thing"], exports: live("Thing") });
  await test.ask("app", "/x/wake");
  await expect.poll(() => said).toContainEqual(triedAgain(2));
  expect((await test.ask("other")).json()).toMatchObject({ tag: "other" });
  await expect.poll(() => said).toContainEqual(triedAgain(4));
  // Between two tries, the rest of the same Worker works.
  await expect.poll(async () => (await test.ask("app", "/y/count")).text).toBe("0");
});

it("gives an alarm all its tries, whatever became of the object's alarms before it", async () => {
  const code = OBJECT.replace(/alarm\(\) .*/, `alarm() { if (this.count() === 1) this.add(); else { ${LOOP} } }`);
  const { test, said } = await withLoop({ code, bound: ["Thing"], exports: live("Thing") });
  await test.ask("app", "/x/wake");
  await expect.poll(() => said).toContainEqual(triedAgain(2));
  // Now it succeeds, and so it counts on.
  await expect.poll(async () => (await test.ask("app", "/x/add")).text).toBe("1");
  await expect.poll(async () => (await test.ask("app", "/x/count")).text).toBe("2");
  const before = said.length;
  await test.ask("app", "/x/wake");
  await expect.poll(() => said.slice(before)).toContainEqual(triedAgain(2));
});

it("serves on if the alarm that loops cannot be put off", async () => {
  const looping = await withLoop({ code: OBJECT, bound: ["Thing"], exports: live("Thing") });
  const { test, said } = looping;
  vi.spyOn(Retries.prototype, "write").mockImplementationOnce(() => {
    throw new Error("database or disk is full");
  });
  onTestFinished(() => void vi.restoreAllMocks());
  await test.ask("app", "/x/wake");
  // It is due again at once, and is ended once more.
  const twice = expect.stringContaining("It is tried again in 4 s.");
  await expect.poll(() => said).toContainEqual(twice);
  expect(said).toContain("app: the alarm of the object 'x' of Thing cannot be put off, so it is due at once:");
  expect((await test.ask("app", "/y/add")).text).toBe("1");
});

it("ends a loop even if nobody can be told, or the alarms cannot be read", async () => {
  const looping = await withLoop({ code: OBJECT, bound: ["Thing"], exports: live("Thing") });
  const { test, said } = looping;
  const fail = () => {
    throw new Error("not now");
  };
  vi.spyOn(Tails.prototype, "publish").mockImplementation(fail);
  vi.spyOn(ObjectFiles.prototype, "alarms").mockImplementation(fail);
  onTestFinished(() => void vi.restoreAllMocks());
  expect(await test.ask("app", "/x/loop")).toMatchObject({ status: 503, text: "error code: 1102\n" });
  expect((await test.ask("app", "/x/add")).text).toBe("1");
  expect([...new Set(said)]).toEqual([
    "The account cannot read which alarms are due:",
    "The account's limit of CPU time and memory failed; this is a bug:",
  ]);
});

it("ends a loop in the tail handler of a consumer", async () => {
  const looping = await withLoop({ fetch: `return new Response("ok");` });
  const { test } = looping;
  await test.deploy("watcher", { code: `export default { tail() { ${LOOP} } };` });
  await test.call("patch", "/workers/scripts/app/script-settings", { tail_consumers: [{ service: "watcher" }] });
  await test.ask("other");
  const answer = test.ask("app", "/a");
  expect(await othersAnswer(looping)).toContain(
    "app: what goes on after GET /a (waitUntil, or its tail consumer watcher) used",
  );
  // Its answer had not left workerd yet.
  expect((await answer).status).toBe(503);
});

it("ends a loop in a cron trigger, and reports its outcome", async () => {
  const looping = await withLoop({ code: `export default { scheduled() { ${LOOP} } };` });
  const { test } = looping;
  await test.call("put", "/workers/scripts/app/schedules", [{ cron: "5 4 * * *" }]);
  const fired = test.sdk.post<{ result: unknown }>("/local/cron", { body: { worker: "app" } });
  await expect.poll(() => looping.said).toHaveLength(1);
  expect((await test.ask("other")).json()).toMatchObject({ tag: "other" });
  expect(looping.said[0]).toContain("app: the cron trigger '5 4 * * *' used");
  expect((await fired).result).toEqual([{ cron: "5 4 * * *", outcome: "exceededCpu" }]);
});

it("ends a loop in the consumer of a queue, whose messages have their retries and no more", async () => {
  const code = `export default {
    async fetch(request, env) { await env.JOBS.send("job"); return new Response("sent"); },
    queue() { ${LOOP} },
  };`;
  const looping = await withLoop({ code: "export default { fetch() {} };" });
  const { test, said } = looping;
  const { queue_id: id = "" } = await test.sdk.queues.create({ account_id: test.id, queue_name: "jobs" });
  await test.deploy("app", { code, bindings: [{ type: "queue", name: "JOBS", queue_name: "jobs" }] });
  const settings = { max_wait_time_ms: 0, max_retries: 1, batch_size: 1 };
  await test.call("post", `/queues/${id}/consumers`, { type: "worker", script_name: "app", settings });
  expect((await test.ask("app")).text).toBe("sent");
  await expect.poll(() => test.call("get", `/queues/${id}/metrics`)).toMatchObject({ backlog_count: 0 });
  const ended = said.filter((line) => line.includes("CPU time"));
  expect(ended.map((line) => line.split(" used", 1)[0])).toEqual(Array(2).fill("app: a batch of the queue 'jobs'"));
  expect((await test.ask("other")).json()).toMatchObject({ tag: "other" });
});

it("refuses a version that loops at its start with its real bindings, and serves the one before", async () => {
  const looping = await withLoop({ fetch: `return new Response("before");` });
  const { test } = looping;
  const { id } = await test.sdk.kv.namespaces.create({ account_id: test.id, title: "kv" });
  const code = `import { env } from "cloudflare:workers"; if (env.KV) { ${LOOP} } export default { fetch: () => new Response("after") };`;
  const bindings = [{ type: "kv_namespace", name: "KV", namespace_id: id }];
  const refused = refusal(test.deploy("app", { code, bindings }));
  expect(await refused).toMatchObject({ code: 10021, message: expect.stringContaining("Script startup exceeded CPU") });
  expect((await test.ask("app")).text).toBe("before");
  expect((await test.ask("other")).json()).toMatchObject({ tag: "other" });
});

/** Computes for a while. */
function spin(rounds: number): number {
  let x = 0;
  for (let i = 0; i < rounds; i++) x = (x * 31 + i) | 0;
  return x;
}

/** How many rounds of `spin` take a millisecond. */
function calibrated(): number {
  const rounds = 100_000_000;
  spin(rounds / 10);
  const began = process.cpuUsage();
  spin(rounds);
  return (1_000 * rounds) / process.cpuUsage(began).user;
}

it.runIf(process.platform === "linux")("ends a Worker that takes all memory, and names it", async () => {
  const looping = await withLoop({
    fetch: `
      const kept = [];
      for (;;) { kept.push(new Uint8Array(10_000_000).fill(1)); await scheduler.wait(1); }`,
  });
  const { test, said } = looping;
  const answer = test.ask("app", "/leak");
  while (said.length === 0) expect((await test.ask("other")).json()).toMatchObject({ tag: "other" });
  expect(said[0]).toMatch(/^app: GET \/leak was ended \(1102\), because all Workers had taken \d+ MiB/);
  expect(await answer).toMatchObject({ status: 503, text: "error code: 1102\n" });
});

it("leaves a Worker in peace that computes long with pauses, or within the limit that it sets itself", async () => {
  const code = `
    ${spin}
    export default {
      async fetch(request) {
        const [pieces, rounds] = new URL(request.url).pathname.slice(1).split("/").map(Number);
        for (let piece = 0; piece < pieces; piece++) { spin(rounds); await scheduler.wait(1); }
        return new Response("done");
      }
    };`;
  const { test, said } = await withLoop({ code });
  const perMs = calibrated();
  expect((await test.ask("app", `/5/${Math.round(250 * perMs)}`)).text).toBe("done");
  expect(said).toEqual([]);
  const limited = { ...versionBody({ code }), limits: { cpu_ms: 10_000 } };
  await test.call("post", "/workers/workers/app/versions?deploy=true", limited);
  expect((await test.ask("app", `/1/${Math.round(1_500 * perMs)}`)).text).toBe("done");
  expect(said).toEqual([]);
});

it.runIf(process.platform === "linux")("serves on after workerd has crashed, and names what was running", async () => {
  const { test, said } = await withLoop({
    fetch: `
      if (new URL(request.url).pathname !== "/crash") return new Response("ok");
      await scheduler.wait(60_000);`,
  });
  const answer = test.ask("app", "/crash");
  await test.ask("other");
  process.kill(await servingAlone(), "SIGSEGV");
  expect(await answer).toMatchObject({ status: 503, text: "error code: 1102\n" });
  expect((await test.ask("other")).json()).toMatchObject({ tag: "other" });
  expect(said.join("\n")).toContain("app: GET /crash was running when workerd crashed");
});

it.runIf(process.platform === "linux")("names no batch after a snapshot that was handled before it", async () => {
  const dir = temporaryDirectory();
  const code = `export default {
    async fetch(request, env) {
      if (request.url.endsWith("/send")) await env.JOBS.send("job");
      return new Response((await env.KV.list()).keys.map(({ name }) => name).join(" "));
    },
    async queue({ messages }, env) {
      const [{ attempts }] = messages;
      await env.KV.put("attempt " + attempts, "");
      if (attempts === 1) await scheduler.wait(600_000);
    },
  };`;
  const { test, said } = await withLoop({ code: "export default { fetch() {} };" });
  const { queue_id: id = "" } = await test.sdk.queues.create({ account_id: test.id, queue_name: "jobs" });
  const { id: kv } = await test.sdk.kv.namespaces.create({ account_id: test.id, title: "kv" });
  const bindings = [
    { type: "queue", name: "JOBS", queue_name: "jobs" },
    { type: "kv_namespace", name: "KV", namespace_id: kv },
  ];
  await test.deploy("app", { code, bindings });
  await test.call("post", `/queues/${id}/consumers`, {
    type: "worker",
    script_name: "app",
    settings: { max_wait_time_ms: 0, batch_size: 1 },
  });
  await test.ask("app", "/send");
  await expect.poll(async () => (await test.ask("app")).text).toBe("attempt 1");
  await test.sdk.post("/local/snapshot", { body: { folder: path.join(dir, "copy") } });
  const backlog = () => test.call("get", `/queues/${id}/metrics`);
  await expect.poll(backlog).toMatchObject({ backlog_count: 0 });
  process.kill(await servingAlone(), "SIGSEGV");
  await expect.poll(() => said.join("\n")).toContain("was running when workerd crashed");
  expect(said.join("\n")).not.toContain("a batch of the queue");
});

it("ends a query of a database by the API, and names the database", async () => {
  const { test, said } = await withLoop({ fetch: `return new Response("ok");` });
  const { uuid } = await test.sdk.d1.database.create({ account_id: test.id, name: "numbers" });
  const query = (sql: string) => test.call("post", `/d1/database/${uuid}/query`, { sql });
  const endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";
  expect(await refusal(query(endless))).toMatchObject({
    status: 400,
    message: expect.stringContaining("CPU time limit"),
  });
  expect(said).toEqual([expect.stringMatching(/a query of the D1 database numbers used .* The limit is 750 ms; /)]);
  expect((await test.ask("other")).json()).toMatchObject({ tag: "other" });
  expect(await query("SELECT 1 AS n")).toMatchObject([{ results: [{ n: 1 }] }]);
});

it.runIf(process.platform === "linux").each([
  { what: "has begun", begins: true },
  { what: "waits to begin", begins: false },
])("says that a query's outcome is not known, if workerd crashed while it $what", async ({ begins }) => {
  const { test } = await withLoop({ fetch: `return new Response("ok");` });
  const { uuid } = await test.sdk.d1.database.create({ account_id: test.id, name: "numbers" });
  const query = (sql: string) => test.call("post", `/d1/database/${uuid}/query`, { sql });
  await query("SELECT 1");
  const workerd = await servingAlone();
  const sent = vi.spyOn(Activity.prototype, begins ? "begin" : "send");
  onTestFinished(() => void vi.restoreAllMocks());
  if (!begins) process.kill(workerd, "SIGSTOP");
  const refused = refusal(
    query("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"),
  );
  await expect.poll(() => sent, { interval: 1 }).toHaveBeenCalled();
  process.kill(workerd, "SIGKILL");
  expect(await refused).toMatchObject({
    status: 503,
    message: expect.stringContaining("during a query of the D1 database numbers, so the outcome is not known"),
  });
  expect(await query("SELECT 1 AS n")).toMatchObject([{ results: [{ n: 1 }] }]);
});

it("names the Workers that a Worker calls, because a loop in one of them looks like its own", async () => {
  const looping = await withLoop({ fetch: LOOP });
  const { test } = looping;
  await test.deploy("front", {
    bindings: [{ type: "service", name: "APP", service: "app" }],
    fetch: "return env.APP.fetch(request);",
  });
  await test.ask("other");
  const answer = test.ask("front", "/in");
  expect(await othersAnswer(looping)).toContain("front: GET /in, or the Worker app that it calls, used");
  expect(await answer).toMatchObject({ status: 503 });
});
