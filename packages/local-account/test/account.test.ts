/** The account as a whole: access, restarts, the runtime, and the front door. */
import { once } from "node:events";
import fs, { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { syncBuiltinESMExports } from "node:module";
import { connect, Server } from "node:net";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it, onTestFinished, vi } from "vitest";
import { WebSocket } from "ws";
import { isOfFullRuntime } from "../src/disk.ts";
import { CannotStart, PortInUse, startAccount } from "../src/index.ts";
import { listening } from "./listening.ts";
import { account, live, refusal, type TestAccount, temporaryDirectory } from "./support.ts";

const COUNTER = { classes: ["Counter"], bound: ["Counter"], exports: live("Counter"), tag: "one" };

/** The status of a call with these headers, without the SDK. */
function status(test: TestAccount, at: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const url = new URL(test.running.apiUrl + at);
    request(url, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on("error", reject)
      .end();
  });
}

it("accepts its own token on loopback names, and answers unknown calls with 501", async () => {
  const test = await account();
  const bearer = { authorization: `Bearer ${test.running.token}` };
  expect(await status(test, "/user", bearer)).toBe(200);
  expect(await status(test, "/user", {})).toBe(401);
  expect(await status(test, "/user", { authorization: "Bearer guess" })).toBe(401);
  expect(await status(test, "/user", { ...bearer, host: "evil.example.com" })).toBe(403);
  expect(await status(test, "/accounts/ffffffffffffffffffffffffffffffff/workers/workers", bearer)).toBe(404);
  expect(await refusal(test.call("post", "/pipelines", {}))).toMatchObject({
    status: 501,
    message: expect.stringContaining(`POST /client/v4/accounts/${test.id}/pipelines`),
  });
});

it("takes a call of a client that wishes for HTTP/2", async () => {
  const test = await account();
  const wish = { connection: "Upgrade, HTTP2-Settings", upgrade: "h2c", "http2-settings": "AAMAAABkAAQ" };
  expect(await status(test, "/user", { ...wish, authorization: `Bearer ${test.running.token}` })).toBe(200);
});

it("outlives a client that resets the connection of a tail that is none", async () => {
  const test = await account();
  // An error of a connection that nobody listens for would fail this run, and end an account.
  for (let tries = 0; tries < 5; tries++) {
    const socket = connect(test.running.apiPort, "127.0.0.1");
    socket.write("GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1.1 404 /);
    socket.resetAndDestroy();
    expect(await test.workers()).toEqual({ names: [] });
  }
});

it("keeps everything over a restart, and nothing with `fresh`", async () => {
  const dir = temporaryDirectory();
  const first = await account({ dir });
  const { id: kv } = await first.sdk.kv.namespaces.create({ account_id: first.id, title: "reads" });
  await first.deploy("app", { ...COUNTER, bindings: [{ type: "kv_namespace", name: "KV", namespace_id: kv }] });
  await first.ask("app", "/Counter/x");
  const address: unknown = JSON.parse(readFileSync(path.join(dir, "account.json"), "utf8"));
  expect(address).toMatchObject({ accountId: first.id, token: first.running.token, pid: process.pid });
  await first.close();

  const second = await account({ dir });
  expect([second.id, second.running.token]).toEqual([first.id, first.running.token]);
  expect((await second.ask("app", "/Counter/x")).json()).toMatchObject({ count: 2, tag: "one" });
  await second.close();

  const third = await account({ dir, fresh: true });
  expect(third.id).not.toBe(first.id);
  expect(await third.workers()).toEqual({ names: [] });
});

it("begins anew where a start with `fresh` was ended in the middle", async () => {
  const dir = temporaryDirectory();
  const first = await account({ dir });
  await first.deploy("app", { tag: "one" });
  await first.close();
  const remove = fs.rmSync;
  const spy = vi.spyOn(fs, "rmSync").mockImplementation((target, options) => {
    if (String(target).startsWith(path.join(dir, "data"))) throw new Error("killed");
    remove(target, options);
  });
  const undo = () => {
    spy.mockRestore();
    syncBuiltinESMExports();
  };
  onTestFinished(undo);
  syncBuiltinESMExports();
  await expect(startAccount({ dir, port: 0, apiPort: 0, fresh: true })).rejects.toThrow("killed");
  undo();
  const second = await account({ dir, fresh: true });
  expect((await second.workers()).names).toEqual([]);
});

it("cannot be started twice on one directory, not even afresh", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  await test.deploy("app", COUNTER);
  for (const fresh of [false, true])
    await expect(startAccount({ dir, port: 0, apiPort: 0, fresh })).rejects.toThrow(
      `in use by another account (process ${process.pid}, ${test.running.apiUrl})`,
    );
  expect((await test.ask("app", "/Counter/x")).status).toBe(200);
});

it("says which port is taken and how to choose another", async () => {
  const taken = createServer();
  const port = await listening(taken);
  onTestFinished(() => void taken.close());
  const dir = temporaryDirectory();
  await expect(startAccount({ dir, port, apiPort: 0 })).rejects.toThrow(PortInUse);
  await expect(startAccount({ dir, port: 0, apiPort: port })).rejects.toThrow(
    `Port ${port} is in use. Choose another with --api-port`,
  );
  // The failed starts let go of the directory.
  await account({ dir });
});

it("says which port this user may not have and how to choose another", async () => {
  // Whoever runs the test may have any port.
  const { listen } = Server.prototype;
  vi.spyOn(Server.prototype, "listen").mockImplementation(function (this: Server, ...args: unknown[]) {
    if (args[0] !== 80) return Reflect.apply(listen, this, args);
    queueMicrotask(() => this.emit("error", Object.assign(new Error("listen EACCES"), { code: "EACCES" })));
    return this;
  });
  onTestFinished(() => void vi.restoreAllMocks());
  await expect(startAccount({ dir: temporaryDirectory(), port: 80, apiPort: 0 })).rejects.toThrow(
    new CannotStart("Port 80 cannot be used (EACCES). Choose another with --port, or 0 for any free one."),
  );
});

it("gives a Worker its address, its client and its version, and hides the Worker's exceptions", async () => {
  const test = await account();
  const { id } = await test.deploy("app", { tag: "hello", bindings: [{ type: "version_metadata", name: "VERSION" }] });
  const url = `http://app.local.localhost:${test.running.port}/path?x=1`;
  expect((await test.ask("app", "/path?x=1", { "cf-connecting-ip": "6.6.6.6" })).json()).toMatchObject({
    tag: "hello",
    url,
    ip: "127.0.0.1",
    version: { id },
  });
  expect((await test.visit("127.0.0.1")).json()).toMatchObject({ tag: "hello" });
  expect((await test.ask("nobody")).status).toBe(404);
  expect((await test.ask("app", "/cdn-cgi/local/explorer")).status).toBe(404);

  await test.deploy("app", { fetch: "throw new Error('the secret of the shop');" });
  const thrown = await test.ask("app");
  expect([thrown.status, thrown.text]).toEqual([500, "error code: 1101\n"]);
});

it("passes WebSockets on", async () => {
  const test = await account();
  await test.deploy("echo", {
    fetch: `
      const [client, server] = Object.values(new WebSocketPair());
      server.accept();
      server.addEventListener("message", ({ data }) => server.send("echo " + data));
      return new Response(null, { status: 101, webSocket: client });`,
  });
  const socket = new WebSocket(`ws://127.0.0.1:${test.running.port}/`);
  onTestFinished(() => socket.terminate());
  const answer = await new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("open", () => socket.send("hello"));
    socket.on("message", (data) => resolve(String(data)));
  });
  expect(answer).toBe("echo hello");
});

it("lets requests wait while a deployment restarts the runtime: none fails", async () => {
  const test = await account();
  await test.deploy("app", { ...COUNTER, tag: "one" });
  let deployed = false;
  const answers: number[] = [];
  const asking = (async () => {
    while (!deployed) answers.push((await test.ask("app", "/Counter/x")).status);
  })();
  for (const tag of ["two", "three"]) await test.deploy("app", { ...COUNTER, tag });
  deployed = true;
  await asking;
  expect(new Set(answers)).toEqual(new Set([200]));
  const { count, tag } = (await test.ask("app", "/Counter/x")).json();
  expect([count, tag]).toEqual([answers.length + 1, "three"]);
});

it("refuses code that does not start, and the old one keeps serving", async () => {
  const test = await account();
  await test.deploy("app", { tag: "works" });
  expect(await refusal(test.deploy("app", { fetch: "this is not JavaScript" }))).toMatchObject({
    status: 400,
    code: 10021,
    message: expect.stringContaining("SyntaxError"),
  });
  expect((await test.ask("app")).json()).toMatchObject({ tag: "works" });
});

it("refuses code that exports nothing to call, and takes a class alone", async () => {
  const test = await account();
  for (const code of ["const unused = 1;", "export default {};", "export const text = 'no function';"]) {
    expect(await refusal(test.deploy("app", { code }))).toMatchObject({
      status: 400,
      code: 10068,
      message: expect.stringContaining("no registered event handlers"),
    });
  }
  const { id } = await test.deploy("app", { code: "export class Alone {}" });
  expect(id).toBeDefined();
});

it("refuses code that loops when it starts, with the time, and other Workers answer meanwhile", async () => {
  const test = await account();
  await test.deploy("other", { tag: "works" });
  await test.ensure("loops");
  const looping = refusal(
    test.call("post", "/workers/workers/loops/versions?deploy=true", {
      main_module: "index.js",
      compatibility_date: "2026-11-01",
      modules: [
        {
          name: "index.js",
          content_type: "application/javascript+module",
          content_base64: Buffer.from("while (true) {}").toString("base64"),
        },
      ],
    }),
  );
  let refused = false;
  void looping.finally(() => {
    refused = true;
  });
  let answers = 0;
  do {
    expect((await test.ask("other")).json()).toMatchObject({ tag: "works" });
    answers++;
  } while (!refused);
  // Had they waited for it, one or two would have come.
  expect(answers).toBeGreaterThan(5);
  expect(await looping).toMatchObject({
    status: 400,
    code: 10021,
    message: expect.stringMatching(/^Script startup exceeded CPU time limit: it took \d+ ms/),
  });
  // The process that was stuck is replaced.
  await test.deploy("loops", { tag: "repaired" });
  expect((await test.ask("loops")).json()).toMatchObject({ tag: "repaired" });
});

it.runIf(process.platform === "linux")("refuses code that takes too much memory when it starts", async () => {
  const test = await account();
  const code = `
    globalThis.kept = [];
    for (let i = 0; i < 60; i++) kept.push(new Uint8Array(10_000_000).fill(1));
    for (;;);`;
  expect(await refusal(test.deploy("app", { code }))).toMatchObject({
    code: 10021,
    message: expect.stringContaining("exceeded memory limits"),
  });
});

it("says of an error of its own that it is not the caller's, with a code that no client takes for a wrong token", async () => {
  let isBroken = false;
  const test = await account({
    onWrite: () => {
      if (isBroken) throw new Error("this is a bug");
    },
  });
  isBroken = true;
  const failed = await refusal(test.ensure("app"));
  isBroken = false;
  expect(failed).toMatchObject({ status: 500, code: 10013 });
  expect(failed.message).toContain("not a mistake of yours: this is a bug. Please file an issue");
});

/** Fails as SQLite does on a full disk. */
function writeTooMuch(): void {
  const db = new DatabaseSync(":memory:");
  try {
    db.exec("PRAGMA max_page_count = 2; CREATE TABLE t (b); INSERT INTO t VALUES (randomblob(100000))");
  } finally {
    db.close();
  }
}

it("says that the disk is full, when a change cannot be written, and goes on when there is room", async () => {
  let isFull = false;
  const test = await account({
    onWrite: () => {
      if (isFull) writeTooMuch();
    },
  });
  isFull = true;
  const failed = await refusal(test.ensure("app"));
  isFull = false;
  expect(failed.message).toMatch(/the disk of its folder is full .*Make room there, and send the call again/);
  await test.ensure("app");
  expect((await test.workers()).names).toEqual(["app"]);
});

it.each([
  ["it may only be read", { code: "EROFS" }],
  ["it may only be read", { code: "ERR_SQLITE_ERROR", errcode: 8 }],
  ["this user may not", { code: "EACCES" }],
  ["the disk does not work", { code: "EIO" }],
])("says what is wrong with the disk, and blames no program for it: %s %o", async (why, fields) => {
  let isBroken = false;
  const test = await account({
    onWrite: () => {
      if (isBroken) throw Object.assign(new Error("as the system says it"), fields);
    },
  });
  isBroken = true;
  const failed = await refusal(test.ensure("app"));
  isBroken = false;
  expect(failed.message).toMatch(
    new RegExp(`because of the disk of its folder: ${why}: as the system says it\\. Correct that there, and send`),
  );
  await test.ensure("app");
});

it.runIf(existsSync("/dev/full"))("says in words that it cannot start on a full disk", async () => {
  const dir = temporaryDirectory();
  symlinkSync("/dev/full", path.join(dir, "account.json"));
  const start = startAccount({ dir, port: 0, apiPort: 0 });
  await expect(start).rejects.toThrow(/account\.json cannot be written \(the disk is full: .*Make room there/);
  await expect(start).rejects.toThrow(CannotStart);
});

it("knows a full disk by what the Workers runtime prints that cannot start", () => {
  const failure = (text: string) => Object.assign(new Error(text), { code: "ERR_RUNTIME_FAILURE" });
  const printed = "The Workers runtime failed to start.\nRuntime stderr:\n";
  expect(isOfFullRuntime(failure(`${printed}database or disk is full: SQLITE_FULL`))).toBe(true);
  expect(isOfFullRuntime(failure(`${printed}write(fd): No space left on device`))).toBe(true);
  expect(isOfFullRuntime(failure(`${printed}Address already in use`))).toBe(false);
  expect(isOfFullRuntime(new Error("SQLITE_FULL"))).toBe(false);
});

it.each([
  ["account.db", "mkdir", /account\.db cannot be opened \(it is a folder: .*Choose another --dir/],
  ["account.json", "mkdir", /account\.json cannot be written \(it is a folder: .*choose another --dir/],
  ["data", "write", /cannot be the folder of an account \(.*Choose another --dir/],
  ["assets", "write", /cannot be the folder of an account \(.*Choose another --dir/],
])("says in words that it cannot start where something else is in the place of %s", async (name, how, told) => {
  const dir = temporaryDirectory();
  const file = path.join(dir, name);
  rmSync(file, { recursive: true, force: true });
  if (how === "mkdir") mkdirSync(file);
  else writeFileSync(file, "");
  const start = startAccount({ dir, port: 0, apiPort: 0 });
  await expect(start).rejects.toThrow(told);
  await expect(start).rejects.toThrow(CannotStart);
  expect(existsSync(file)).toBe(true);
});
