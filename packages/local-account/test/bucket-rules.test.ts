/** Rules of buckets: CORS on the S3 endpoint, and objects that expire. */
import { expect, it, onTestFinished, vi } from "vitest";
import { OwnCalls } from "../src/runtime/own-calls.ts";
import type { BucketAccess } from "../src/runtime/storage.ts";
import { account, refusal, type TestAccount } from "./support.ts";

async function withBucket() {
  const test = await account();
  await test.sdk.r2.buckets.create({ account_id: test.id, name: "files" });
  return test;
}

const preflight = ({ running }: TestAccount, origin: string, method: string, headers: string) =>
  fetch(`http://127.0.0.1:${running.apiPort}/cdn-cgi/local/r2/s3/files/a.txt`, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": method,
      "access-control-request-headers": headers,
    },
  });

it("answers preflights by the CORS rules of the bucket", async () => {
  const test = await withBucket();
  const { cors } = test.sdk.r2.buckets;
  const account_id = test.id;
  expect(await refusal(cors.get("files", { account_id }))).toMatchObject({ status: 404, code: 10059 });
  expect((await preflight(test, "https://shop.example.com", "PUT", "content-type")).status).toBe(403);
  const rules = [
    {
      allowed: { origins: ["https://*.example.com"], methods: ["PUT" as const], headers: ["Content-*"] },
      exposeHeaders: ["ETag"],
      maxAgeSeconds: 600,
    },
  ];
  await cors.update("files", { account_id, rules });
  expect(await cors.get("files", { account_id })).toEqual({ rules });
  const allowed = await preflight(test, "https://shop.example.com", "PUT", "content-type");
  expect(allowed.status).toBe(204);
  expect(Object.fromEntries(allowed.headers)).toMatchObject({
    "access-control-allow-origin": "https://shop.example.com",
    "access-control-allow-methods": "PUT",
    "access-control-allow-headers": "content-type",
    "access-control-expose-headers": "ETag",
    "access-control-max-age": "600",
  });
  for (const [origin, method, headers] of [
    ["https://example.org", "PUT", "content-type"],
    ["https://shop.example.com", "DELETE", "content-type"],
    ["https://shop.example.com", "PUT", "x-other"],
  ] as const)
    expect((await preflight(test, origin, method, headers)).status).toBe(403);
  await cors.delete("files", { account_id });
  expect(await refusal(cors.get("files", { account_id }))).toMatchObject({ code: 10059 });
});

it("gives the CORS headers with an answer, also with a refusal", async () => {
  const test = await withBucket();
  const rules = [{ allowed: { origins: ["*"], methods: ["GET" as const] } }];
  await test.sdk.r2.buckets.cors.update("files", { account_id: test.id, rules });
  const answer = await fetch(`http://127.0.0.1:${test.running.apiPort}/cdn-cgi/local/r2/s3/files/a.txt`, {
    headers: { origin: "https://example.com" },
  });
  expect(answer.headers.get("access-control-allow-origin")).toBe("*");
});

it("deletes objects by age and by date, and only those of the prefix", async () => {
  const test = await withBucket();
  const account_id = test.id;
  const { lifecycle } = test.sdk.r2.buckets;
  expect(await lifecycle.get("files", { account_id })).toMatchObject({
    rules: [{ id: "Default Multipart Abort Rule", enabled: true }],
  });
  for (const key of ["old/a", "dated/b", "kept"]) await test.call("put", `/r2/buckets/files/objects/${key}`, key);
  const rules = [
    {
      id: "by age",
      enabled: true,
      conditions: { prefix: "old/" },
      deleteObjectsTransition: { condition: { type: "Age" as const, maxAge: 86_400 } },
    },
    {
      id: "by date",
      enabled: true,
      conditions: { prefix: "dated/" },
      deleteObjectsTransition: { condition: { type: "Date" as const, date: "2100-01-01" } },
    },
    {
      id: "off",
      enabled: false,
      conditions: { prefix: "" },
      deleteObjectsTransition: { condition: { type: "Age" as const, maxAge: 0 } },
    },
  ];
  await lifecycle.update("files", { account_id, rules });
  expect(await lifecycle.get("files", { account_id })).toEqual({ rules });
  const expire = async (at?: string) => {
    const body = at === undefined ? {} : { at };
    return (await test.sdk.post<{ result: unknown }>("/local/expire", { body })).result;
  };
  expect(await expire()).toEqual([{ bucket: "files", keys: [] }]);
  expect(await expire(new Date(Date.now() + 86_400_000).toISOString())).toEqual([{ bucket: "files", keys: ["old/a"] }]);
  expect(await expire("2100-01-01T00:00:00Z")).toEqual([{ bucket: "files", keys: ["dated/b"] }]);
  expect(await test.call("get", "/r2/buckets/files/objects")).toMatchObject([{ key: "kept" }]);
});

it("keeps an object that was put while others were listed, and tells of none that has gone", async () => {
  const test = await withBucket();
  const put = (key: string, text: string) => test.call("put", `/r2/buckets/files/objects/${key}`, text);
  for (const key of ["expired", "fresh", "gone"]) await put(key, "old");
  const rule = { id: "all", enabled: true, conditions: { prefix: "" } };
  const rules = [{ ...rule, deleteObjectsTransition: { condition: { type: "Age", maxAge: 86_400 } } }];
  await test.call("put", "/r2/buckets/files/lifecycle", { rules });
  const { bucket } = OwnCalls.prototype;
  const begun = vi.spyOn(OwnCalls.prototype, "bucket").mockImplementationOnce(function (this: OwnCalls, key, work) {
    return bucket.call(this, key, (access) => {
      const list: BucketAccess["list"] = async (options) => {
        const page = await access.list(options);
        await put("fresh", "new");
        await test.call("delete", "/r2/buckets/files/objects/gone");
        return page;
      };
      return work({ ...access, list });
    });
  });
  onTestFinished(() => begun.mockRestore());
  const body = { at: new Date(Date.now() + 86_400_000).toISOString() };
  const { result } = await test.sdk.post<{ result: unknown }>("/local/expire", { body });
  expect(result).toEqual([{ bucket: "files", keys: ["expired"] }]);
  expect(await test.call("get", "/r2/buckets/files/objects")).toMatchObject([{ key: "fresh" }]);
});

it("refuses a rule that it cannot carry out", async () => {
  const test = await withBucket();
  const rules = [
    {
      id: "colder",
      enabled: true,
      conditions: { prefix: "" },
      storageClassTransitions: [{ condition: { type: "Age", maxAge: 1 }, storageClass: "InfrequentAccess" }],
    },
  ];
  expect(await refusal(test.call("put", "/r2/buckets/files/lifecycle", { rules }))).toMatchObject({
    status: 501,
    message: expect.stringContaining("'colder' changes the storage class"),
  });
});

it("keeps its rules when a client sends a bare list in place of them", async () => {
  const test = await withBucket();
  const rule = { id: "logs", enabled: true, conditions: { prefix: "logs/" } };
  const rules = [{ ...rule, deleteObjectsTransition: { condition: { type: "Age", maxAge: 86_400 } } }];
  const at = "/r2/buckets/files/lifecycle";
  await test.call("put", at, { rules });
  expect(await refusal(test.call("put", at, rules))).toMatchObject({
    status: 400,
    message: "body: must be an object (it is a list)",
  });
  expect(await test.call("get", at)).toMatchObject({ rules });
});
