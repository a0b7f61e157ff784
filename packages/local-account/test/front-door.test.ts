/** What the front door does to requests and answers, seen from a socket and from a Worker: HTTP's rules, and Cloudflare's. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as timeout } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test as it, onTestFinished } from "vitest";
import { account, startChecked, TestAccount } from "./support.ts";

const LONG = "durable ".repeat(400);

/** Answers as the path says. Every other path tells what came. */
const WORKER = `
const text = ${JSON.stringify(LONG)};
const gzipped = () => new Response(text).body.pipeThrough(new CompressionStream("gzip"));
let [endless, cancelled, atOnce] = [0, 0, 0];
const bodies = {
  "/cookies": () => {
    const headers = new Headers([["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]]);
    return new Response("two", { headers, status: 201, statusText: "Made" });
  },
  "/named": () => new Response("named", { statusText: "日本" }),
  "/throw": () => { throw new Error("an account of secrets"); },
  "/refused": () => new Response(text, { status: 403, headers: { "Content-Type": "text/plain" } }),
  "/unread": () => new Response("unread", { status: 401 }),
  "/empty-unread": () => new Response(null, { status: 401 }),
  "/socket": () => {
    const { 0: client, 1: server } = new WebSocketPair();
    server.accept();
    return new Response(null, { status: 101, webSocket: client, headers: { "X-Long": "a".repeat(20_000) } });
  },
  "/count": () => Response.json({ endless, cancelled }),
  "/endless": () => {
    endless++;
    const piece = new Uint8Array(65_536);
    return new Response(new ReadableStream({ pull: (c) => c.enqueue(piece), cancel: () => void cancelled++ }));
  },
  "/turn": async () => {
    const beside = ++atOnce;
    await scheduler.wait(200);
    atOnce--;
    return new Response("beside " + beside);
  },
  "/empty": () => new Response(null, { status: 204 }),
  "/unchanged": () => new Response(null, { status: 304, headers: { ETag: '"1"' } }),
  "/text": () => new Response(text, { headers: { "Content-Type": "text/plain" } }),
  "/head": () => new Response("long", { headers: { "X-Long": "a".repeat(100_000) } }),
  "/image": () => new Response(text, { headers: { "Content-Type": "image/png" } }),
  "/gzipped": () => new Response(gzipped(), {
    encodeBody: "manual", headers: { "Content-Type": "text/plain", "Content-Encoding": "gzip" },
  }),
  "/slow": () => {
    const { readable, writable } = new TransformStream();
    (async () => {
      const writer = writable.getWriter();
      await scheduler.wait(2_000);
      await writer.write(new TextEncoder().encode("late"));
      await writer.close();
    })();
    return new Response(readable, { headers: { "Content-Type": "text/event-stream" } });
  },
};
export default {
  async fetch(request) {
    const body = bodies[new URL(request.url).pathname];
    if (body !== undefined) return body();
    const { method, url, headers, cf } = request;
    const sent = await request.arrayBuffer();
    return Response.json({ method, url, bytes: sent.byteLength, cf, headers: Object.fromEntries(headers) });
  },
};`;

const dir = mkdtempSync(path.join(tmpdir(), "front-door-"));
let running: TestAccount;
beforeAll(async () => {
  running = new TestAccount(await startChecked({ dir, port: 0, apiPort: 0 }));
  await running.deploy("app", { code: WORKER });
});
afterAll(async () => {
  await running.close();
  rmSync(dir, { recursive: true, force: true });
});

interface Raw {
  readonly head: string;
  readonly body: Buffer;
  /** When the head was complete, and when the connection ended, in milliseconds from the start. */
  readonly at: { readonly head: number; readonly end: number };
}

/** Sends lines and a body on a connection of its own, and reads until the server ends it. */
function send(
  lines: readonly string[],
  body: string | Buffer = "",
  encoding: "utf8" | "latin1" = "utf8",
): Promise<Raw> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let head = 0;
    const socket = connect(running.running.port, "127.0.0.1", () => {
      const end = lines.some((line) => line.startsWith("Connection:")) ? [] : ["Connection: close"];
      socket.write(`${[...lines, ...end].join("\r\n")}\r\n\r\n`, encoding);
      socket.write(body);
    });
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      if (head === 0 && Buffer.concat(chunks).includes("\r\n\r\n")) head = performance.now() - began;
    });
    socket.on("error", reject);
    socket.on("end", () => {
      const all = Buffer.concat(chunks);
      const end = all.indexOf("\r\n\r\n");
      const at = { head, end: performance.now() - began };
      resolve({ head: all.subarray(0, end).toString("latin1"), body: whole(all, end + 4), at });
      socket.end();
    });
  });
}

/** The body of an answer, without the frames of a chunked one. */
function whole(answer: Buffer, start: number): Buffer {
  const rest = answer.subarray(start);
  if (!/\r\ntransfer-encoding: chunked/i.test(answer.subarray(0, start).toString("latin1"))) return rest;
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const line = rest.indexOf("\r\n", at);
    const size = Number.parseInt(rest.subarray(at, line).toString("latin1"), 16);
    if (!(size > 0)) return Buffer.concat(chunks);
    chunks.push(rest.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}

const host = () => `app.${running.running.subdomain}.localhost:${running.running.port}`;
const get = (path: string, ...more: readonly string[]) => send([`GET ${path} HTTP/1.1`, `Host: ${host()}`, ...more]);
const told = ({ body }: Raw) => JSON.parse(body.toString());

describe("a request reaches the Worker", () => {
  it("with its URL, Cloudflare's headers, and nothing of the account's", async () => {
    const raw = await get("/a%20b?c=%2F", "X-Own: yes", "MF-Route-Override: other", "Account-Secret: guess");
    const { url, headers, cf } = told(raw);
    expect(url).toBe(`http://${host()}/a%20b?c=%2F`);
    expect(headers).toMatchObject({
      host: host(),
      "x-own": "yes",
      "accept-encoding": "br, gzip",
      "cf-connecting-ip": "127.0.0.1",
      "x-real-ip": "127.0.0.1",
      "x-forwarded-proto": "http",
    });
    expect(headers["cf-ray"]).toMatch(/^[0-9a-f]{16}-LOC$/);
    expect(Object.keys(headers).filter((name) => /^(mf|account)-/.test(name))).toEqual([]);
    expect(cf).toMatchObject({ country: "US", continent: "NA", clientAcceptEncoding: "" });
  });

  it("with the client's encodings in cf only", async () => {
    const { headers, cf } = told(await get("/", 'Accept-Encoding: identity, "ü'));
    expect([headers["accept-encoding"], cf.clientAcceptEncoding]).toEqual(["br, gzip", 'identity, "ü']);
  });

  it("whatever bytes its Accept-Encoding has", async () => {
    const lines = ["GET / HTTP/1.1", `Host: ${host()}`, "Accept-Encoding: \xff\xfe"];
    const { cf } = told(await send(lines, "", "latin1"));
    expect(cf.clientAcceptEncoding).toBe("\ufffd\ufffd");
  });

  it("as it is, if it wishes for another protocol that this server does not speak", async () => {
    const lines = [
      "Connection: Upgrade, HTTP2-Settings, close",
      "Upgrade: h2c",
      "HTTP2-Settings: AAMAAABkAAQ",
      "Content-Length: 5",
    ];
    const { method, bytes, headers } = told(await send(["POST / HTTP/1.1", `Host: ${host()}`, ...lines], "12345"));
    expect([method, bytes, headers.upgrade]).toEqual(["POST", 5, undefined]);
  });

  it("without the headers of the client's connection", async () => {
    const { headers } = told(
      await get("/", "Keep-Alive: timeout=9", "TE: trailers", "Connection: x-hop, close", "X-Hop: 1"),
    );
    expect(headers).not.toMatchObject({ "keep-alive": expect.anything() });
    expect([headers.te, headers["x-hop"], headers.connection]).toEqual([undefined, undefined, "keep-alive"]);
  });

  it.each([
    ["with a length", ["Content-Length: 5"], "12345", 5],
    ["in chunks", ["Transfer-Encoding: chunked"], "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 5],
    ["of no bytes", ["Content-Length: 0"], "", 0],
    ["of 3 MiB", ["Content-Length: 3145728"], Buffer.alloc(3_145_728, 97), 3_145_728],
    ["that it waits for", ["Expect: 100-continue", "Content-Length: 2"], "ok", 2],
  ])("with a body %s", async (_, lines, body, bytes) => {
    const raw = await send(["POST / HTTP/1.1", `Host: ${host()}`, ...lines], body);
    const { body: answer } = raw.head.startsWith("HTTP/1.1 100") ? rest(raw) : raw;
    expect(JSON.parse(answer.toString())).toMatchObject({ method: "POST", bytes });
  });

  it("whose target is a whole URL", async () => {
    const { url } = told(await send([`GET http://${host()}/whole?x=1 HTTP/1.1`, `Host: ${host()}`]));
    expect(url).toBe(`http://${host()}/whole?x=1`);
  });

  it.each([10_000, 40_000, 100_000])("with a head of %i bytes", async (bytes) => {
    const { headers } = told(await get("/", `X-Long: ${"a".repeat(bytes)}`));
    expect(headers["x-long"]).toHaveLength(bytes);
  });

  it("of another method", async () => {
    const { method } = told(await send(["PROPFIND /x HTTP/1.1", `Host: ${host()}`]));
    expect(method).toBe("PROPFIND");
  });

  it.each([
    ["its target is no path", "OPTIONS *", host],
    ["its host is none", "GET /", () => "127.0.0.1:99999"],
  ])("not, if %s", async (_, target, of) => {
    const { head } = await send([`${target} HTTP/1.1`, `Host: ${of()}`]);
    expect(head).toMatch(/^HTTP\/1.1 400 /);
  });
});

/** The answer after an interim one. */
function rest({ head, body, at }: Raw): Raw {
  const all = Buffer.concat([Buffer.from(head.slice(head.indexOf("\r\n\r\n") + 4)), body]);
  const end = all.indexOf("\r\n\r\n");
  return { head: all.subarray(0, end).toString("latin1"), body: all.subarray(end + 4), at };
}

describe("an answer reaches the client", () => {
  it("with its status, its text, and each of two headers of a name", async () => {
    const { head, body } = await get("/cookies");
    expect(head).toMatch(/^HTTP\/1.1 201 Made\r\n/);
    expect(head.match(/set-cookie: .*/gi)).toEqual([expect.stringMatching(/a=1$/), expect.stringMatching(/b=2$/)]);
    expect(body.toString()).toBe("two");
  });

  it.each([
    ["/unread", 401, "unread"],
    ["/empty-unread", 401, ""],
    ["/throw", 500, "error code: 1101\n"],
  ])("whole, if the Worker does not read the request: %s", async (path, status, text) => {
    for (const bytes of [65_536, 1_000_000, 5_000_000]) {
      const sent = await fetch(`http://127.0.0.1:${running.running.port}${path}`, {
        method: "POST",
        body: "a".repeat(bytes),
      });
      expect([bytes, sent.status, await sent.text()]).toEqual([bytes, status, text]);
    }
  });

  it("with any text in its first line", async () => {
    const { head, body } = await get("/named");
    expect(Buffer.from(head.split("\r\n", 1)[0] ?? "", "latin1").toString()).toBe("HTTP/1.1 200 日本");
    expect(body.toString()).toBe("named");
  });

  it("never, if the client left while it waited for a deployment", async () => {
    const deploying = running.deploy("other", { tag: "x" });
    const leaving = async () => {
      const socket = connect(running.running.port, "127.0.0.1");
      await once(socket, "connect");
      socket.write(`GET /endless HTTP/1.1\r\nHost: ${host()}\r\n\r\n`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      socket.resetAndDestroy();
    };
    let isOver = false;
    void deploying.finally(() => {
      isOver = true;
    });
    while (!isOver) await leaving();
    await expect
      .poll(async () => {
        const { endless, cancelled } = told(await get("/count"));
        return endless - cancelled;
      })
      .toBe(0);
  });

  it.each(["/empty", "/unchanged"])("without a body where it has none: %s", async (path) => {
    const { head, body } = await get(path);
    expect(head).not.toMatch(/transfer-encoding/i);
    expect(body).toHaveLength(0);
  });

  it("with a head of 100 KB", async () => {
    const { head, body } = await get("/head");
    expect([head.length > 100_000, body.toString()]).toEqual([true, "long"]);
  });

  it("of HEAD without the body", async () => {
    const { head, body } = await send(["HEAD /text HTTP/1.1", `Host: ${host()}`]);
    expect(head).toMatch(/^HTTP\/1.1 200 OK\r\ncontent-type: text\/plain/i);
    expect(body).toHaveLength(0);
  });

  it("with its head before a body that comes late", async () => {
    const { at, body } = await get("/slow");
    expect(at.end - at.head).toBeGreaterThan(200);
    expect(body.toString()).toBe("late");
  });

  it("whole, on a connection that is used again", async () => {
    const request = `GET /text HTTP/1.1\r\nHost: ${host()}\r\n\r\n`;
    const { body } = await send([`${request}${request}GET / HTTP/1.1`, `Host: ${host()}`]);
    expect(body.toString("latin1").match(/HTTP\/1.1 200 OK/g)).toHaveLength(2);
  });

  it("before the next request of its connection begins", async () => {
    const request = `GET /turn HTTP/1.1\r\nHost: ${host()}\r\n\r\n`;
    const { body } = await send([`${request}${request}GET /turn HTTP/1.1`, `Host: ${host()}`]);
    expect(body.toString("latin1").match(/beside \d/g)).toEqual(["beside 1", "beside 1", "beside 1"]);
  });

  it("also if more requests come than are read at once", async () => {
    const request = `GET /empty HTTP/1.1\r\nHost: ${host()}\r\nX-Long: ${"a".repeat(2_000)}\r\n\r\n`;
    const { head, body } = await send([`${request.repeat(200)}GET /empty HTTP/1.1`, `Host: ${host()}`]);
    expect(`${head}${body}`.match(/HTTP\/1.1 204 /g)).toHaveLength(201);
  });

  it("while little more is read of its connection", async () => {
    const socket = connect(running.running.port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    // More than the system keeps between the two.
    const request = `GET /slow HTTP/1.1\r\nHost: ${host()}\r\nX-Long: ${"a".repeat(50_000)}\r\n\r\n`;
    socket.write(request.repeat(1_000));
    const outcome = await Promise.race([once(socket, "drain").then(() => "read"), timeout(1_000, "not read")]);
    expect(outcome).toBe("not read");
  });

  it("never, if the client left while it waited for the one before it", async () => {
    const before = told(await get("/count"));
    const socket = connect(running.running.port, "127.0.0.1");
    socket.write(`GET /endless HTTP/1.1\r\nHost: ${host()}\r\n\r\n`.repeat(3));
    await once(socket, "data");
    socket.resetAndDestroy();
    const one = { endless: before.endless + 1, cancelled: before.cancelled + 1 };
    await expect.poll(async () => told(await get("/count"))).toEqual(one);
  });
});

describe("a request for a WebSocket", () => {
  const UPGRADE = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${"A".repeat(22)}==`,
  ];

  it("gets a long head", async () => {
    const socket = connect(running.running.port, "127.0.0.1");
    socket.write([`GET /socket HTTP/1.1`, `Host: ${host()}`, ...UPGRADE, "", ""].join("\r\n"));
    let text = "";
    for await (const chunk of socket) {
      text += chunk;
      if (text.includes("\r\n\r\n")) break;
    }
    expect(text).toMatch(/^HTTP\/1.1 101 /);
    expect(text.length).toBeGreaterThan(20_000);
  });

  it("gets a refusal whole, compressed or not", async () => {
    for (const accepted of ["identity", "gzip"]) {
      const { head, body } = await get("/refused", ...UPGRADE, `Accept-Encoding: ${accepted}`);
      expect(head).toMatch(/^HTTP\/1.1 403 /);
      expect((accepted === "gzip" ? gunzipSync(body) : body).toString()).toBe(LONG);
    }
  });

  it("gets nothing of an exception but that there was one", async () => {
    const { head, body } = await get("/throw", ...UPGRADE);
    expect(head).toMatch(/^HTTP\/1.1 500 /);
    expect(head).not.toMatch(/account-/i);
    expect(body.toString()).toBe("error code: 1101\n");
  });

  it("does not keep the account from closing", async () => {
    const own = await account();
    await own.deploy("app", { code: WORKER });
    const socket = connect(own.running.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(
      [`GET /socket HTTP/1.1`, `Host: app.${own.running.subdomain}.localhost`, ...UPGRADE, "", ""].join("\r\n"),
    );
    await once(socket, "data");
    await own.close();
    expect(socket.destroyed || (await once(socket, "close"))).toBeTruthy();
  });
});

describe("an answer is compressed as Cloudflare would", () => {
  it.each([
    ["the client takes gzip", "/text", "gzip", "gzip"],
    ["it prefers another that there is not", "/text", "zstd;q=1, gzip;q=0.5", "gzip"],
    ["it takes brotli", "/text", "br;q=1.0, gzip;q=0.8", "br"],
    ["it says nothing", "/text", undefined, undefined],
    ["it says nothing, and the Worker did it", "/gzipped", undefined, "gzip"],
    ["it refuses gzip", "/text", "gzip;q=0", undefined],
    ["it wants none", "/text", "identity", undefined],
    ["the content is compressed already", "/image", "gzip", undefined],
    ["the Worker did it, and the client takes it", "/gzipped", "gzip", "gzip"],
    ["the Worker did it, and the client takes none", "/gzipped", "identity", undefined],
  ])("%s", async (_, path, accepted, encoding) => {
    const { head, body } = await get(path, ...(accepted === undefined ? [] : [`Accept-Encoding: ${accepted}`]));
    expect(/content-encoding: (.*)/i.exec(head)?.[1]?.trim()).toBe(encoding);
    if (encoding === "gzip") expect(gunzipSync(body).toString()).toBe(LONG);
    else if (encoding === undefined) expect(body.toString()).toBe(LONG);
    else expect(body.length).toBeLessThan(LONG.length / 2);
  });

  it("but not for a client that takes nothing at all", async () => {
    const { head } = await get("/text", "Accept-Encoding: *;q=0");
    expect(head).toMatch(/^HTTP\/1.1 415 /);
  });
});
