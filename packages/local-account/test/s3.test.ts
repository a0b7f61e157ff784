/** R2's S3 endpoint: requests signed with the account's keys. */
import { createHash, createHmac } from "node:crypto";
import { createServer } from "node:http";
import { expect, it, onTestFinished, vi } from "vitest";
import { Account } from "../src/account.ts";
import { s3 } from "../src/api/s3.ts";
import { Gate } from "../src/runtime/gate.ts";
import { listening } from "./listening.ts";
import { account, type TestAccount, temporaryDirectory } from "./support.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();

const addressOf = ({ running }: TestAccount, at: string) =>
  new URL(`http://127.0.0.1:${running.apiPort}/cdn-cgi/local/r2/s3${at}`);

/** A request with an AWS signature, version 4, by the keys that Cloudflare documents for R2. */
async function signed(test: TestAccount, method: string, at: string, { body = "", secret = "", origin = "" } = {}) {
  const url = addressOf(test, at);
  const date = `${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "")}`;
  const scope = `${date.slice(0, 8)}/auto/s3/aws4_request`;
  const headers = { host: url.host, "x-amz-content-sha256": sha256(body), "x-amz-date": date };
  const names = Object.keys(headers).join(";");
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  const canonical = [method, url.pathname, url.search.slice(1), lines.join(""), names, sha256(body)].join("\n");
  const toSign = ["AWS4-HMAC-SHA256", date, scope, sha256(canonical)].join("\n");
  const key = scope.split("/").reduce<string | Buffer>(hmac, `AWS4${secret || sha256(test.running.token)}`);
  const signature = createHmac("sha256", key).update(toSign).digest("hex");
  const { host: _, ...sent } = headers;
  const authorization = `AWS4-HMAC-SHA256 Credential=${test.id}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  const more = { authorization, ...(origin !== "" && { origin }) };
  const init = { method, headers: { ...sent, ...more }, ...(body !== "" && { body }) };
  const answer = await fetch(url, init);
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
}

it("puts, gets, lists and deletes objects, which the API and Workers share", async () => {
  const test = await account();
  await test.sdk.r2.buckets.create({ account_id: test.id, name: "files" });
  expect(await signed(test, "PUT", "/files/a.txt", { body: "hello" })).toMatchObject({ status: 200 });
  expect(await signed(test, "GET", "/files/a.txt")).toMatchObject({ status: 200, text: "hello" });
  expect(await test.call("get", "/r2/buckets/files/objects")).toMatchObject([{ key: "a.txt", size: 5 }]);
  expect((await signed(test, "GET", "/files?list-type=2")).text).toContain("<Key>a.txt</Key>");
  expect(await signed(test, "DELETE", "/files/a.txt")).toMatchObject({ status: 204 });
  expect(await signed(test, "GET", "/files/a.txt")).toMatchObject({ status: 404 });
});

it("sends nothing to a workerd that a change ends, for which it did not wait", async () => {
  const account = await Account.open({ dir: temporaryDirectory(), plan: "paid", hasCpuLimit: false });
  const server = createServer(s3(account));
  const port = await listening(server);
  onTestFinished(async () => {
    server.close();
    await account.close();
  });
  const { gate } = account.runtime;
  const opened = vi.spyOn(gate, "open");
  const { track } = gate;
  const seen: boolean[] = [];
  vi.spyOn(gate, "track").mockImplementation((request) => {
    seen.push(gate.isOpen);
    track.call(gate, request);
  });
  onTestFinished(() => void vi.restoreAllMocks());
  const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
  const first = gate.closed(() => held, 0);
  const answer = fetch(`http://127.0.0.1:${port}/cdn-cgi/local/r2/s3/files/a.txt`);
  await expect.poll(() => opened).toHaveBeenCalled();
  const second = gate.closed(async () => {}, 0);
  letGo();
  await Promise.all([first, second]);
  await answer;
  expect(seen).toEqual([true]);
});

it("refuses what waits when the account closes, and takes it for no bug", async () => {
  const account = await Account.open({ dir: temporaryDirectory(), plan: "paid", hasCpuLimit: false });
  const server = createServer(s3(account));
  const port = await listening(server);
  onTestFinished(() => void server.close());
  const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
  const deployment = account.turn(() => held);
  const asked = vi.spyOn(account, "reachStorage");
  const printed = vi.spyOn(console, "error");
  onTestFinished(() => void vi.restoreAllMocks());
  const answer = fetch(`http://127.0.0.1:${port}/cdn-cgi/local/r2/s3/files/a.txt`, { method: "PUT", body: "hello" });
  await expect.poll(() => asked).toHaveBeenCalled();
  const closed = account.close();
  letGo();
  await Promise.all([deployment, closed]);
  expect((await answer).status).toBe(503);
  expect(await (await answer).text()).toContain("<Code>ServiceUnavailable</Code>");
  expect(printed).not.toHaveBeenCalled();
});

it("knows no bucket that was deleted while a request waited", async () => {
  const test = await account();
  await test.sdk.r2.buckets.create({ account_id: test.id, name: "files" });
  expect((await signed(test, "GET", "/files?list-type=2")).status).toBe(200);
  vi.spyOn(Gate.prototype, "open").mockImplementationOnce(async () => {
    await test.sdk.r2.buckets.delete("files", { account_id: test.id });
  });
  onTestFinished(() => void vi.restoreAllMocks());
  expect(await signed(test, "GET", "/files?list-type=2")).toMatchObject({
    status: 404,
    text: expect.stringContaining("<Code>NoSuchBucket</Code>"),
  });
});

it("refuses other keys", async () => {
  const test = await account();
  await test.sdk.r2.buckets.create({ account_id: test.id, name: "files" });
  expect((await signed(test, "PUT", "/files/a.txt", { body: "hello", secret: "guess" })).status).toBe(403);
  expect(await test.call("get", "/r2/buckets/files/objects")).toEqual([]);
});

it("answers HEAD about a bucket and about an object, and lives on after one without a signature", async () => {
  const test = await account();
  await test.sdk.r2.buckets.create({ account_id: test.id, name: "files" });
  const unsigned = await fetch(addressOf(test, "/files/a.txt"), { method: "HEAD" });
  expect(unsigned.status).toBe((await fetch(addressOf(test, "/files/a.txt"))).status);
  expect(unsigned.status).toBeGreaterThanOrEqual(400);
  expect(unsigned.headers.has("x-hono-already-sent")).toBe(false);
  await signed(test, "PUT", "/files/a.txt", { body: "hello" });
  const object = await signed(test, "HEAD", "/files/a.txt");
  expect(object).toMatchObject({ status: 200, text: "" });
  expect(object.headers.get("content-length")).toBe("5");
  expect((await signed(test, "HEAD", "/files")).status).toBe(200);
  expect((await signed(test, "HEAD", "/files/missing")).status).toBe(404);
});

it("lets pages read that the bucket's CORS rules allow, and tells no other that it may", async () => {
  const test = await account();
  await test.sdk.r2.buckets.create({ account_id: test.id, name: "files" });
  await signed(test, "PUT", "/files/a.txt", { body: "hello" });
  const origin = "https://ok.example";
  const read = async (from: string) => {
    const { status, headers } = await signed(test, "GET", "/files/a.txt", { origin: from });
    return [status, headers.get("access-control-allow-origin"), headers.get("access-control-expose-headers")];
  };
  expect(await read("")).toEqual([200, null, null]);
  expect(await read(origin)).toEqual([200, null, null]);
  const rules = [
    { allowed: { origins: [origin], methods: ["GET" as const, "PUT" as const] }, exposeHeaders: ["ETag"] },
  ];
  await test.sdk.r2.buckets.cors.update("files", { account_id: test.id, rules });
  expect(await read(origin)).toEqual([200, origin, "ETag"]);
  expect(await read("https://other.example")).toEqual([200, null, null]);
  expect((await signed(test, "PUT", "/files/b.txt", { body: "b", origin })).status).toBe(200);
});

it("says that it does not list, create or delete buckets, and not that they are missing", async () => {
  const test = await account();
  await test.sdk.r2.buckets.create({ account_id: test.id, name: "files" });
  for (const [method, at] of [
    ["GET", ""],
    ["GET", "/"],
    ["PUT", "/new"],
    ["PUT", "/files"],
    ["DELETE", "/files"],
    ["DELETE", "/files/"],
  ] as const) {
    const { status, text } = await signed(test, method, at);
    expect({ method, at, status, text }).toMatchObject({ status: 501, text: expect.stringContaining("REST API") });
  }
  expect((await signed(test, "PUT", "/files?cors=")).text).toContain("NotImplemented");
  expect(await signed(test, "GET", "/missing/a.txt")).toMatchObject({ status: 404 });
  expect((await fetch(addressOf(test, "/files"), { method: "DELETE" })).status).toBeGreaterThanOrEqual(400);
});
