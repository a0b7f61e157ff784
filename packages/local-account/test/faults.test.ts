/** Faults on demand: which calls fail, how, and whether they took effect. */
import { APIError } from "cloudflare";
import { expect, it } from "vitest";
import { Faults, parseFault } from "../src/faults.ts";
import { account, refusal, setFaults } from "./support.ts";

it("hits matching calls, from the n-th on, as often as asked", () => {
  const faults = new Faults([parseFault("POST /accounts/*/versions 503 after nth=2 times=2")]);
  const hits = Array.from({ length: 4 }, () => faults.hit("POST", "/accounts/a/workers/workers/w/versions")?.kind);
  expect(hits).toEqual([undefined, "503", "503", undefined]);
  expect(faults.hit("GET", "/accounts/a/workers/workers/w/versions")).toBeUndefined();
});

it.each(["", "POST /x", "POST /x 418", "POST /x 503 sometimes"])("refuses '%s' and shows the syntax", (text) => {
  expect(() => parseFault(text)).toThrow("A fault is <method|*>");
});

it.each([
  ["PSOT /x 503", "'PSOT' is not a method"],
  ["POST x/versions 503", "the path 'x/versions' must begin with '/' or '*'"],
  ["POST http://127.0.0.1:8788/client/v4/zones 503", "must begin with '/' or '*'"],
  ["POST /client/v4/zones 503", "the path must be what stands behind /client/v4"],
  ["POST /x 503 nth=0", "'nth=0' must be a whole number from 1"],
  ["POST /x 503 nth=1.5", "'nth=1.5' must be a whole number from 1"],
  ["POST /x 503 times=0", "'times=0' must be a whole number from 1"],
])("refuses '%s', which would hit no call", (text, why) => {
  expect(() => parseFault(text)).toThrow(`fault '${text}': `);
  expect(() => parseFault(text)).toThrow(why);
});

it("takes methods in lower case, and parts of seconds", () => {
  expect(parseFault("post * slow seconds=0.5")).toMatchObject({ method: "POST", path: "*", seconds: 0.5 });
});

it("hits the upload and the download of a D1 database, which need no token", async () => {
  const test = await account();
  const { uuid } = await test.sdk.d1.database.create({ account_id: test.id, name: "data" });
  const at = `${test.running.apiUrl}/accounts/${test.id}/d1/database/${uuid}`;
  await setFaults(test.running, "PUT */import/* 503", "GET */export/* 429");
  const statuses = async () => [
    (await fetch(`${at}/import/none.sql`, { method: "PUT", body: "" })).status,
    (await fetch(`${at}/export/none.sql`)).status,
  ];
  expect(await statuses()).toEqual([503, 429]);
  expect(await statuses()).toEqual([404, 404]);
  // Each call is counted once, also those that need the token.
  await setFaults(test.running, "POST */import 503 nth=2", "POST */export 503 nth=2");
  const ask = (what: string, body: object) => test.call("post", `/d1/database/${uuid}/${what}`, body);
  for (const [what, body] of [
    ["import", { action: "init", etag: "0" }],
    ["export", { output_format: "polling" }],
  ] as const) {
    await ask(what, body);
    expect(await refusal(ask(what, body))).toMatchObject({ status: 503 });
  }
});

it("fails a call before or after it takes effect", async () => {
  const test = await account({ faults: [parseFault("POST */namespaces 503 before seconds=7")] });
  const create = (title: string) => test.sdk.kv.namespaces.create({ account_id: test.id, title });
  const titles = async () => {
    const { result } = await test.sdk.kv.namespaces.list({ account_id: test.id });
    return result.map(({ title }) => title);
  };
  const set = (...faults: string[]) => setFaults(test.running, ...faults);

  const refused = await create("one").catch((error: unknown) => error);
  if (!(refused instanceof APIError)) throw new Error(`not refused: ${refused}`);
  expect([refused.status, new Headers(refused.headers).get("retry-after")]).toEqual([503, "7"]);
  expect(await titles()).toEqual([]);

  await set("POST */namespaces 500 after");
  expect(await refusal(create("two"))).toMatchObject({ status: 500 });
  expect(await titles()).toEqual(["two"]);

  for (const [when, expected] of [
    ["before", ["two"]],
    ["after", ["two", "three"]],
  ] as const) {
    await set(`POST */namespaces cut ${when}`);
    expect(await refusal(create("three"))).toMatchObject({ status: undefined });
    expect(await titles()).toEqual(expected);
  }
  // Hono answers HEAD by a GET; the account must outlive it.
  await set("HEAD */namespaces cut before");
  const url = `${test.running.apiUrl}/accounts/${test.id}/storage/kv/namespaces`;
  const headers = { authorization: `Bearer ${test.running.token}` };
  await expect(fetch(url, { method: "HEAD", headers })).rejects.toThrow();
  await set();
  expect((await create("four")).title).toBe("four");
});
