/** Who gets what a Worker logs: tails with their filters, and tail consumers. */
import { once } from "node:events";
import { createServer, type OutgoingHttpHeaders, request } from "node:http";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import * as v from "valibot";
import { expect, it, onTestFinished, vi } from "vitest";
import { WebSocket } from "ws";
import { Listener } from "../src/listener.ts";
import { Generation } from "../src/runtime/generation.ts";
import { OwnCalls } from "../src/runtime/own-calls.ts";
import { Tails } from "../src/tails.ts";
import { listening } from "./listening.ts";
import { account, refusal, type TestAccount } from "./support.ts";

const Made = v.object({ id: v.string() });

const LOGGING = `
  console.log("at " + new URL(request.url).pathname);
  if (request.url.endsWith("/throw")) throw new Error("thrown on purpose");
  return new Response("ok");`;

/** The WebSocket of a tail with these filters. */
async function open(test: TestAccount, filters: readonly object[]): Promise<WebSocket> {
  const made = await test.call("post", "/workers/scripts/app/tails", { filters });
  const url = typeof made === "object" && made !== null && "url" in made ? String(made.url) : "";
  const socket = new WebSocket(url, "trace-v1");
  onTestFinished(() => socket.terminate());
  await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
  return socket;
}

/** The paths of the events that a tail with these filters gets, as they come. */
async function tail(test: TestAccount, filters: readonly object[]): Promise<readonly string[]> {
  const paths: string[] = [];
  (await open(test, filters)).on("message", (data) => {
    const { event } = JSON.parse(String(data));
    paths.push(new URL(event.request.url).pathname);
  });
  return paths;
}

it("sends an event to the tails whose filters it passes", async () => {
  const test = await account();
  vi.spyOn(console, "error").mockReturnValue();
  onTestFinished(() => void vi.restoreAllMocks());
  const { id } = await test.deploy("app", { fetch: LOGGING });
  const tails = {
    all: await tail(test, []),
    thrown: await tail(test, [{ outcome: ["exception", "unknown"] }]),
    post: await tail(test, [{ method: ["POST"] }]),
    header: await tail(test, [{ header: { key: "X-Who", query: "me" } }]),
    self: await tail(test, [{ client_ip: ["self"] }]),
    other: await tail(test, [{ client_ip: ["6.6.6.6"] }]),
    text: await tail(test, [{ query: "at /b" }]),
    both: await tail(test, [{ query: "at /" }, { outcome: ["exception"] }]),
    never: await tail(test, [{ sampling_rate: 0 }]),
    version: await tail(test, [{ scriptVersion: id }]),
    another: await tail(test, [{ scriptVersion: "another" }]),
  };
  await test.ask("app", "/a", { "x-who": "it is me" });
  await test.ask("app", "/b");
  await test.ask("app", "/throw");
  const every = ["/a", "/b", "/throw"];
  const expected = {
    all: every,
    thrown: ["/throw"],
    post: [],
    header: ["/a"],
    self: every,
    other: [],
    text: ["/b"],
    both: ["/throw"],
    never: [],
    version: every,
    another: [],
  };
  await expect.poll(() => tails).toEqual(expected);
  expect(
    await refusal(test.call("post", "/workers/scripts/app/tails", { filters: [{ colour: "red" }] })),
  ).toMatchObject({
    status: 400,
    code: 10021,
    message: expect.stringMatching(/colour.*filters sampling_rate, outcome/),
  });
});

it("ends a tail when the time is over that its client was told", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  onTestFinished(() => void vi.useRealTimers());
  const tails = new Tails(() => {});
  const { id, expiresAt } = tails.open("app", []);
  const server = createServer().on("upgrade", (incoming, socket) => tails.accept(id, incoming, socket));
  onTestFinished(() => void server.close());
  const port = await listening(server);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, "trace-v1");
  onTestFinished(() => socket.terminate());
  await once(socket, "open");
  const closed = once(socket, "close");
  vi.advanceTimersByTime(expiresAt.getTime() - Date.now() - 1);
  expect(tails.of("app")).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(tails.of("app")).toEqual([]);
  expect((await closed)[0]).toBe(1_000);
});

it("drops events that nobody reads, and tells the tail so", async () => {
  const test = await account();
  await test.deploy("app", { fetch: `console.log("x".repeat(200_000)); return new Response("ok");` });
  const socket = await open(test, []);
  const other = await tail(test, []);
  const types: string[] = [];
  socket.on("message", (data) => types.push(JSON.parse(String(data)).event.type ?? "request"));
  socket.pause();
  const sent = vi.spyOn(Listener.prototype, "send");
  onTestFinished(() => void vi.restoreAllMocks());
  let seen = 0;
  const isOverloaded = () => {
    const news = sent.mock.calls.slice(seen);
    seen += news.length;
    return news.some(([message]) => message.includes('"type":"overload"'));
  };
  // How much the system takes for a connection is its own affair; 200 MB is too much for any.
  let requests = 0;
  for (; !isOverloaded() && requests < 1_000; requests++) await test.ask("app", "/");
  await expect.poll(() => other.length).toBe(requests);
  socket.resume();
  await expect.poll(() => types.at(-1)).toBe("overload-stop");
  const read = types.indexOf("overload");
  expect(types).toEqual([...Array(read).fill("request"), "overload", "overload-stop"]);
  expect(read).toBeLessThan(requests);
  await test.ask("app", "/");
  await expect.poll(() => types.at(-1)).toBe("request");
});

it("ends a tail whose client sends a frame that is too large", async () => {
  const test = await account();
  await test.deploy("app", { fetch: LOGGING });
  const socket = await open(test, []);
  const closed = new Promise((resolve) => socket.on("close", resolve).on("error", () => {}));
  socket.send("x".repeat(2 ** 20));
  await closed;
});

it("has workerd tell all events of a Worker while it has a tail, and no longer", async () => {
  const test = await account();
  vi.spyOn(console, "error").mockReturnValue();
  const published = vi.spyOn(Tails.prototype, "publish");
  const told = vi.spyOn(OwnCalls.prototype, "tail");
  onTestFinished(() => void vi.restoreAllMocks());
  await test.deploy("app", { fetch: LOGGING });
  const at = "/workers/scripts/app/tails";
  const opened = async () => v.parse(Made, await test.call("post", at, { filters: [] })).id;
  const [one, two] = [await opened(), await opened()];
  /** The paths of the events that the account was told of, of a request that ended well and one that threw. */
  const events = async () => {
    published.mockClear();
    await test.ask("app", "/a");
    await test.ask("app", "/throw");
    const paths = () => published.mock.calls.map(([{ event }]) => new URL(event.request?.url ?? "").pathname);
    await expect.poll(paths).toContain("/throw");
    return paths();
  };
  await test.call("delete", `${at}/${one}`);
  expect(await events()).toEqual(["/a", "/throw"]);
  const before = told.mock.results.length;
  await test.call("delete", `${at}/${two}`);
  await told.mock.results[before]?.value;
  expect(await events()).toEqual(["/throw"]);
  await test.deploy("app", { fetch: `// Another.${LOGGING}` });
  expect(await events()).toEqual(["/throw"]);
});

it("sends events to a tail that was opened while the next workerd started", async () => {
  const test = await account();
  await test.deploy("app", { fetch: LOGGING });
  const paths: string[] = [];
  const { begun } = Generation.prototype;
  vi.spyOn(Generation.prototype, "begun").mockImplementationOnce(async function (this: Generation) {
    await begun.call(this);
    (await open(test, [])).on("message", (data) =>
      paths.push(new URL(JSON.parse(String(data)).event.request.url).pathname),
    );
  });
  const told = vi.spyOn(OwnCalls.prototype, "tail");
  onTestFinished(() => void vi.restoreAllMocks());
  await test.deploy("app", { fetch: `// Another.${LOGGING}` });
  await Promise.all(told.mock.results.map(({ value }) => value));
  await test.ask("app", "/a");
  await expect.poll(() => paths).toEqual(["/a"]);
});

it("tells a tail of a request that was ended because it computed for too long", async () => {
  const test = await account();
  vi.spyOn(console, "error").mockReturnValue();
  onTestFinished(() => void vi.restoreAllMocks());
  await test.deploy("app", { fetch: "for (let i = 0; ; i++) if (i < 0) break;" });
  const ended = await tail(test, [{ outcome: ["exceededCpu"] }, { header: { key: "Set-Cookie", query: "a=b" } }]);
  // Node makes an array of this one.
  expect((await test.ask("app", "/loop", { "set-cookie": "a=b" })).text).toBe("error code: 1102\n");
  await expect.poll(() => ended).toEqual(["/loop"]);
});

const WATCHING = `
  const seen = [];
  export default {
    tail(events) { seen.push(...events.map(({ event, outcome, logs }) => [new URL(event.request.url).pathname, outcome, ...logs.flatMap(({ message }) => message)])); },
    fetch: () => Response.json(seen),
  };`;

const script = (test: TestAccount, settings: object) =>
  test.call("patch", "/workers/scripts/app/script-settings", settings);

it("runs the tail handler of a consumer, until it is no more one or is deleted", async () => {
  const test = await account();
  vi.spyOn(console, "error").mockReturnValue();
  onTestFinished(() => void vi.restoreAllMocks());
  await test.deploy("app", { fetch: LOGGING });
  expect(await refusal(script(test, { tail_consumers: [{ service: "watcher" }] }))).toMatchObject({
    status: 400,
    code: 10203,
    message: "Tail Worker 'watcher' does not exist on this account. Check the Worker name and try again.",
  });
  await test.deploy("watcher", { code: WATCHING });
  await script(test, { tail_consumers: [{ service: "watcher" }] });
  const seen = async (by = "watcher") => JSON.parse((await test.ask(by)).text);
  await test.ask("app", "/a");
  await test.ask("app", "/throw");
  await expect
    .poll(() => seen())
    .toEqual([
      ["/a", "ok", "at /a"],
      ["/throw", "exception", "at /throw"],
    ]);
  await test.deploy("witness", { code: WATCHING });
  await script(test, { tail_consumers: [{ service: "witness" }] });
  await test.ask("app", "/b");
  await expect.poll(() => seen("witness")).toEqual([["/b", "ok", "at /b"]]);
  expect(await seen()).toEqual([]);
  await script(test, { tail_consumers: [{ service: "watcher" }] });
  await test.sdk.workers.beta.workers.delete("watcher", { account_id: test.id });
  expect((await test.ask("app", "/c")).text).toBe("ok");
});

it("leaves a consumer without a tail handler in peace", async () => {
  const lines: string[] = [];
  const test = await account({ onLog: (line) => lines.push(line) });
  await test.deploy("watcher", {
    code: `export default { fetch() { console.log("end"); return new Response("ok"); } };`,
  });
  await test.deploy("app", { fetch: LOGGING });
  await script(test, { tail_consumers: [{ service: "watcher" }] });
  await test.ask("app", "/a");
  await test.ask("watcher");
  await expect.poll(() => lines).toContain("end");
  expect(lines).toEqual(["at /a", "end"]);
});

it("shows no exception of a Worker that passes on a body which nobody reads", async () => {
  const test = await account();
  const printed = vi.spyOn(console, "error").mockReturnValue();
  onTestFinished(() => void vi.restoreAllMocks());
  const ignoring = createServer((_, answer) => answer.end("ok"));
  const port = await listening(ignoring);
  onTestFinished(() => {
    ignoring.closeAllConnections();
    ignoring.close();
  });
  await test.deploy("other", { fetch: `return new Response("ok");` });
  await test.deploy("app", {
    fetch: `
      if (url.pathname === "/worker") return env.OTHER.fetch(request);
      if (url.pathname === "/server") return fetch("http://127.0.0.1:${port}/", { method: "POST", body: request.body });
      if (url.pathname === "/copy") return env.OTHER.fetch(new Request(request, { body: request.clone().body }));
      return new Response("ok");`,
    bindings: [{ type: "service", name: "OTHER", service: "other" }],
  });
  const events: string[] = [];
  (await open(test, [])).on("message", (data) => {
    const { event, outcome, exceptions } = JSON.parse(String(data));
    const told = exceptions.map(({ message }: { message: string }) => message);
    events.push([new URL(event.request.url).pathname, outcome, ...told].join(" "));
  });
  const paths = ["/none", "/worker", "/server", "/copy"];
  const expected: string[] = [];
  for (const at of paths)
    for (const length of [100, 3_000_000]) {
      const url = `http://127.0.0.1:${test.running.port}${at}`;
      const headers = { host: "app.local.localhost" };
      for (const body of [new Uint8Array(length), new Blob([new Uint8Array(length)]).stream()]) {
        const answer = await sent(url, headers, body);
        expect(`${at} ${answer}`).toBe(`${at} 200 ok`);
        expected.push(`${at} ok`);
      }
    }
  await expect.poll(() => events.toSorted()).toEqual(expected.toSorted());
  expect(printed.mock.calls).toEqual([]);
});

/** Sends a body, whole or in chunks, and returns the status and the text of the answer. */
function sent(url: string, headers: OutgoingHttpHeaders, body: Uint8Array | ReadableStream): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const outgoing = request(url, { method: "POST", headers }, (answer) => {
    text(answer).then((told) => resolve(`${answer.statusCode} ${told}`), reject);
  });
  outgoing.on("error", reject);
  if (body instanceof Uint8Array) outgoing.end(body);
  else pipeline(Readable.fromWeb(body), outgoing).catch(reject);
  return promise;
}
