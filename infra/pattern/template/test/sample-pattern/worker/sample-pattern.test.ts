/** The sample pattern: its object by itself, and over HTTP. */
import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { call, unique } from "../../worker/helpers.ts";

describe("an object", () => {
  const object = (id = unique()) => env.SAMPLE_PATTERN.getByName(id);

  it("has nothing at first, and counts what is set", async () => {
    const stub = object();
    expect(await stub.read()).toEqual({ text: "", revision: 0 });
    expect(await stub.write("one")).toEqual({ text: "one", revision: 1 });
    expect(await stub.write("two")).toEqual({ text: "two", revision: 2 });
    expect(await stub.read()).toEqual({ text: "two", revision: 2 });
  });

  it("is set once by a call that comes twice, an empty text too", async () => {
    const stub = object();
    for (const text of ["", "", "one", "one"]) await stub.write(text);
    expect(await stub.read()).toEqual({ text: "one", revision: 2 });
  });

  it("keeps its text over an eviction", async () => {
    const stub = object();
    await stub.write("kept");
    await evictDurableObject(stub);
    expect(await stub.read()).toEqual({ text: "kept", revision: 1 });
  });
});

describe("over HTTP", () => {
  it("what is set by one caller is read by the next, by the id with its region or without", async () => {
    const id = unique();
    const set = await call(`/sample-pattern/${id}`, { json: { text: "hello" } });
    expect([set.status, set.body]).toEqual([200, { text: "hello", revision: 1 }]);
    expect((await call(`/sample-pattern/eu~${id}`)).body).toEqual({ text: "hello", revision: 1 });
    expect((await call(`/sample-pattern/us~${id}`)).body).toEqual({ text: "", revision: 0 });
  });

  it.each([[{}], [{ text: 1 }], [{ text: "a", more: true }]])("refuses %j", async (json) => {
    expect((await call(`/sample-pattern/${unique()}`, { json })).status).toBe(400);
  });

  it("refuses a text that is longer than the stack's settings say", async () => {
    const path = `/sample-pattern/${unique()}`;
    const settings = { samplePattern: { maxLength: 3 } };
    expect((await call(path, { json: { text: "four" }, settings })).status).toBe(400);
    expect((await call(path, { json: { text: "two" }, settings })).status).toBe(200);
  });

  it("is in the API's description", async () => {
    const { body } = await call("/openapi.json");
    expect(body).toMatchObject({ paths: { "/sample-pattern/{id}": { get: {}, post: {} } } });
  });
});
