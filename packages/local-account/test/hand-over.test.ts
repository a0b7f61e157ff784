/** From one workerd to the next: others hardly wait, and never have two the same data open. */

import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setImmediate as turn } from "node:timers/promises";
import { expect, it, onTestFinished, vi } from "vitest";
import { WebSocket } from "ws";
import { Account } from "../src/account.ts";
import { AssetFiles } from "../src/assets/files.ts";
import { startAccount } from "../src/index.ts";
import { Gate } from "../src/runtime/gate.ts";
import { CAN_HOLD, Generation } from "../src/runtime/generation.ts";
import { Prober } from "../src/runtime/prober.ts";
import { project } from "../src/runtime/projection.ts";
import { startLimitOf } from "../src/runtime/start-limit.ts";
import { Upstream } from "../src/upstream.ts";
import { listening } from "./listening.ts";
import { databasesOf, serving, servingAlone, workerds } from "./processes.ts";
import { account, live, type Program, refusal, type TestAccount, temporaryDirectory } from "./support.ts";

const COUNTER = { classes: ["Counter"], bound: ["Counter"], exports: live("Counter") };

/** On a slow machine, a new workerd takes seconds. */
const PATIENT = { timeout: 60_000, interval: 5 };

/** Takes a while to start. */
const SLOW_START = `
let x = 0;
for (let i = 0; i < 40_000_000; i++) x = (x * 31 + i) | 0;
export default { fetch: () => new Response("slow " + x) };`;

/** Calls `look` again and again while `work` is done. */
async function meanwhile<T>(work: Promise<T>, look: () => Promise<void> | void): Promise<T> {
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  while (!isDone) await look();
  return done;
}

it.runIf(CAN_HOLD)("serves others while a Worker starts, for a look at what it exports and to serve", async () => {
  const test = await account();
  await test.deploy("other", { tag: "other" });
  const served: string[] = [];
  /** Has another Worker answer before what starts has started. */
  const othersFirst = async <T>(what: string, start: () => Promise<T>) => {
    const started = start();
    expect((await test.ask("other")).json()).toMatchObject({ tag: "other" });
    served.push(what);
    return started;
  };
  const { inspect } = Prober.prototype;
  vi.spyOn(Prober.prototype, "inspect").mockImplementation(function (this: Prober, upload) {
    return othersFirst("inspected", () => inspect.call(this, upload));
  });
  const { begun } = Generation.prototype;
  vi.spyOn(Generation.prototype, "begun").mockImplementation(function (this: Generation) {
    return othersFirst("begun", () => begun.call(this));
  });
  onTestFinished(() => void vi.restoreAllMocks());
  await test.deploy("slow", { code: SLOW_START });
  expect(served).toEqual(["inspected", "begun"]);
  expect((await test.ask("slow")).text).toMatch(/^slow/);
});

/** A server that a Worker asks when it has begun, and that lets it end. */
async function holding() {
  const held: ServerResponse[] = [];
  let isHolding = true;
  const server = createServer((_, answer) => {
    if (isHolding) held.push(answer);
    else answer.end();
  });
  const port = await listening(server);
  const release = () => {
    isHolding = false;
    for (const answer of held.splice(0)) answer.end();
  };
  onTestFinished(() => {
    release();
    server.closeAllConnections();
    server.close();
  });
  return {
    /** Of a Worker that answers `late` once it may. */
    fetch: `await fetch("http://127.0.0.1:${port}/"); return new Response('late');`,
    /** Resolves when so many wait. */
    waiting: (count: number) => expect.poll(() => held.length, { interval: 5 }).toBe(count),
    hold: () => {
      isHolding = true;
    },
    /** Lets those that wait end, and all that come. */
    release,
    /** The same for those that come, where those that wait will never hear of it. */
    abandon: () => {
      held.splice(0);
      isHolding = false;
    },
  };
}

it("has others wait for a change only once the requests that run have ended, or had their time", async () => {
  for (const [drainMs, hasEnd] of [
    [600_000, true],
    [1, false],
  ] as const) {
    const gate = new Gate();
    const { promise, resolve } = Promise.withResolvers<void>();
    gate.track(promise);
    const closed = gate.closed(async () => gate.isOpen, drainMs);
    await turn();
    expect(gate.isOpen).toBe(true);
    if (hasEnd) resolve();
    expect(await closed).toBe(false);
    expect(gate.isOpen).toBe(true);
  }
});

it.runIf(process.platform === "linux")("lets a long request end, and others be answered meanwhile", async () => {
  const test = await account();
  const other = await holding();
  await test.deploy("app", { tag: "one" });
  await test.deploy("other", { fetch: other.fetch });
  const late = test.ask("other");
  await other.waiting(1);
  await meanwhile(test.deploy("app", { tag: "two" }), async () => {
    expect((await test.ask("app")).status).toBe(200);
    if (workerds().length > 1) other.release();
  });
  expect((await late).text).toBe("late");
  expect((await test.ask("app")).json()).toMatchObject({ tag: "two" });
});

it.runIf(process.platform === "linux")("opens data only when the workerd before has ended", async () => {
  const test = await account();
  await test.deploy("app", { ...COUNTER, tag: "one" });
  await test.ask("app", "/Counter/x");
  const seen = new Set<string>();
  const look = async () => {
    const open = workerds().map(databasesOf);
    seen.add(`${open.length} of which ${open.filter((files) => files > 0).length} with data`);
    await turn();
  };
  for (const tag of ["two", "three"])
    await meanwhile(test.deploy("app", { ...COUNTER, tag } satisfies Program), async () => {
      await test.ask("app", "/Counter/x");
      await look();
    });
  expect([...seen].some((line) => line.startsWith("2 ") || line.startsWith("3 "))).toBe(true);
  expect([...seen].filter((line) => !/[01] with data$/.test(line))).toEqual([]);
});

it.runIf(process.platform === "linux").each([
  { what: "serves", nth: 0 },
  { what: "is about to serve", nth: 1 },
])("completes a deployment if somebody kills the workerd that $what", async ({ nth }) => {
  const test = await account();
  await test.deploy("app", { ...COUNTER, tag: "one" });
  const counts = async () => Number((await test.ask("app", "/Counter/x")).json().count);
  expect(await counts()).toBe(1);
  await servingAlone();
  vi.spyOn(console, "error").mockReturnValue();
  onTestFinished(() => void vi.restoreAllMocks());
  let killed: number | undefined;
  const deployed = test.deploy("app", { ...COUNTER, tag: "two" });
  await meanwhile(deployed, async () => {
    const pids = serving();
    const pid = pids[nth];
    if (killed === undefined && pids.length === 2 && pid !== undefined) {
      killed = pid;
      process.kill(pid, "SIGKILL");
    }
    await turn();
  });
  expect(killed).toBeDefined();
  expect(await counts()).toBe(2);
  expect((await test.ask("app")).json()).toMatchObject({ tag: "two" });
});

it.runIf(process.platform === "linux")("tries requests again that ran when somebody killed workerd", async () => {
  const test = await account();
  const server = await holding();
  await test.deploy("app", { fetch: server.fetch });
  vi.spyOn(console, "error").mockReturnValue();
  onTestFinished(() => void vi.restoreAllMocks());
  for (let kill = 0; kill < 4; kill++) {
    server.hold();
    const asking = Array.from({ length: 8 }, () => test.ask("app"));
    await server.waiting(8);
    server.abandon();
    for (const pid of serving()) process.kill(pid, "SIGKILL");
    const answers = (await Promise.all(asking)).map(({ status, text }) => `${status} ${text}`);
    // The one that began last may have been the cause of the crash, so it is not tried again.
    expect(answers.toSorted()).toEqual([...Array.from({ length: 7 }, () => "200 late"), "503 error code: 1102\n"]);
  }
});

it.runIf(process.platform === "linux")("knows that workerd has crashed while a change waits for requests", async () => {
  const account = await Account.open({ dir: temporaryDirectory(), plan: "paid", hasCpuLimit: false });
  onTestFinished(() => account.close());
  const { runtime } = account;
  const pid = await servingAlone();
  const { starts } = runtime;
  expect(await runtime.hasEnded(starts)).toBe(false);
  await runtime.gate.closed(async () => {
    process.kill(pid, "SIGKILL");
    expect(await runtime.hasEnded(starts)).toBe(true);
  }, 0);
});

it.runIf(process.platform === "linux")(
  "serves on, or ends, when Ctrl-C ends workerd and the one after it",
  async () => {
    const test = await account();
    await test.deploy("app", { tag: "one" });
    const said = vi.spyOn(console, "error").mockReturnValue();
    onTestFinished(() => void vi.restoreAllMocks());
    await servingAlone();
    const end = async (before: readonly number[]) => {
      const found = await vi.waitFor(() => serving().find((pid) => !before.includes(pid)) ?? expect.fail(), PATIENT);
      process.kill(found, "SIGINT");
      return found;
    };
    const first = await end([]);
    const second = await end([first]);
    expect((await test.ask("app")).json()).toMatchObject({ tag: "one" });
    const third = await end([first, second]);
    await end([first, second, third]);
    const began = performance.now();
    await test.running.close();
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(said).not.toHaveBeenCalled();
  },
);

it.runIf(process.platform === "linux")("sends no part of a body that it no longer keeps", async () => {
  const test = await account();
  await test.deploy("app", { fetch: "return new Response((await request.arrayBuffer()).byteLength);" });
  vi.spyOn(console, "error").mockReturnValue();
  onTestFinished(() => void vi.restoreAllMocks());
  const send = vi.spyOn(Upstream.prototype, "send");
  const hasBegunToSend = () => {
    const body = send.mock.calls[0]?.[1].body;
    return body instanceof Readable && body.readableDidRead;
  };
  const workerd = await servingAlone();
  process.kill(workerd, "SIGSTOP");
  const outgoing = request({ port: test.running.port, method: "POST", headers: { host: "app.local.localhost" } });
  const answered = new Promise<IncomingMessage>((resolve) => outgoing.once("response", resolve));
  outgoing.write(Buffer.alloc(500_000));
  await expect.poll(hasBegunToSend).toBe(true);
  // The request has not begun there, so it is to be sent again. While it waits for that, more comes than is kept, and
  // more than the system takes of what nobody reads.
  vi.spyOn(Gate.prototype, "open").mockImplementationOnce(
    () => new Promise((resolve) => outgoing.end(Buffer.alloc(16_000_000), () => resolve())),
  );
  process.kill(workerd, "SIGKILL");
  const response = await answered;
  expect(`${response.statusCode} ${await text(response)}`).toMatch(/^503 The account restarted its runtime/);
  await test.deploy("app", { tag: "next" });
  expect((await test.ask("app")).json()).toMatchObject({ tag: "next" });
});

it.each(["app", "account"])("cuts nothing if the new workerd does not start with a Worker '%s'", async (name) => {
  const test = await account();
  await test.deploy("echo", {
    fetch: `
      const [client, server] = Object.values(new WebSocketPair());
      server.accept();
      server.addEventListener("message", ({ data }) => server.send(data));
      return new Response(null, { status: 101, webSocket: client });`,
  });
  const socket = await connected(test, "echo");
  const { id } = await test.sdk.kv.namespaces.create({ account_id: test.id, title: "kv" });
  const code = notWith("KV");
  const bindings = [{ type: "kv_namespace", name: "KV", namespace_id: id }];
  expect(await refusal(test.deploy(name, { code, bindings }))).toMatchObject({
    code: 10021,
    message: expect.stringContaining(`The Worker '${name}' did not start with its bindings: Uncaught Error: not here`),
  });
  const answer = new Promise((resolve) => socket.once("message", (data) => resolve(String(data))));
  socket.send("still here");
  expect(await answer).toBe("still here");
});

/** Starts where an upload is looked at, where a stand-in has every property, and not with the binding itself. */
const notWith = (binding: string) =>
  `import { env } from "cloudflare:workers"; if (!env.${binding}.nothing) throw new Error("not here"); export default { fetch() {} };`;

it("goes on as before if a version does not start at its preview address, and says why", async () => {
  const test = await account();
  await test.deploy("other", { tag: "one" });
  const { id } = await test.sdk.kv.namespaces.create({ account_id: test.id, title: "kv" });
  const bindings = [{ type: "kv_namespace", name: "KV", namespace_id: id }];
  const broken = await test.upload("app", { code: notWith("KV"), bindings });
  const whole = await test.upload("app", { tag: "whole", bindings });
  for (let visit = 0; visit < 2; visit++)
    expect(await test.ask(`${broken.id.slice(0, 8)}-app`)).toMatchObject({
      status: 500,
      text: expect.stringContaining("did not start with its bindings: Uncaught Error: not here"),
    });
  expect((await test.ask("other")).json()).toMatchObject({ tag: "one" });
  expect((await test.ask(`${whole.id.slice(0, 8)}-app`)).json()).toMatchObject({ tag: "whole" });
  await test.deploy("other", { tag: "two" });
  expect((await test.ask("other")).json()).toMatchObject({ tag: "two" });
});

it.each([
  { what: "what ran before runs again", failures: 1 },
  { what: "the next change starts it, even if it changes nothing", failures: 3 },
])("if the new workerd does not serve and the old one has ended, $what", async ({ failures }) => {
  const test = await account();
  await test.deploy("app", { tag: "one" });
  const { id } = await test.sdk.kv.namespaces.create({ account_id: test.id, title: "kv" });
  vi.spyOn(console, "error").mockReturnValue();
  onTestFinished(() => void vi.restoreAllMocks());
  const serve = vi.spyOn(Generation.prototype, "serve");
  for (let failure = 0; failure < failures; failure++) serve.mockRejectedValueOnce(new Error("no more memory"));
  const put = () => test.call("put", `/storage/kv/namespaces/${id}/values/key`, "value");
  expect((await refusal(put())).status).toBe(500);
  expect(serve).toHaveBeenCalledTimes(failures === 1 ? 2 : failures);
  if (failures > 1) await test.deploy("app", { tag: "one" });
  expect((await test.ask("app")).json()).toMatchObject({ tag: "one" });
  await put();
});

it.runIf(process.platform === "linux").each([
  {
    what: "its files cannot be swept",
    fail: () => void vi.spyOn(AssetFiles.prototype, "sweep").mockRejectedValue(new Error("not now")),
  },
  {
    what: "who wants the addresses throws",
    fail: () => {},
    onDirect: () => {
      throw new Error("not now");
    },
  },
])("leaves no workerd on the data of an account that cannot start: $what", async ({ fail, onDirect }) => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  await test.deploy("app", { ...COUNTER, tag: "one" });
  await test.close();
  fail();
  onTestFinished(() => void vi.restoreAllMocks());
  const direct = onDirect && { direct: true, onDirect };
  await expect(startAccount({ dir, port: 0, apiPort: 0, ...direct })).rejects.toThrow("not now");
  expect(workerds()).toEqual([]);
});

it("gives the versions at preview addresses time to start, as those that serve", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  await test.deploy("app", { tag: "serving" });
  const { id } = await test.upload("app", { tag: "previewed" });
  await test.close();
  const store = Account.lock(dir);
  onTestFinished(() => store.close());
  const { state } = store;
  const limit = (...previews: string[]) =>
    startLimitOf(project(state, { previews: new Set(previews), broken: new Map() }), state);
  expect(limit(id) - limit()).toBe(3 * Number(state.versions.get(id)?.startupTimeMs));
});

async function connected(test: TestAccount, worker: string): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${test.running.port}/`, {
    headers: { host: `${worker}.local.localhost:${test.running.port}` },
  });
  onTestFinished(() => socket.terminate());
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  return socket;
}
