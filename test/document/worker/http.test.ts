/** Documents over HTTP: forms, updates, versions and deletion. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import * as Y from "yjs";
import { stackOf } from "../../../worker/stack.ts";
import { ADMIN, call, fetchApp } from "../../worker/helpers.ts";
import { updateOf } from "../client.ts";
import { join, knock, newDocument, objectOf, post, textOf } from "./support.ts";

const versionsOf = async (id: string) => (await call(`/document/${id}/versions`)).body;
const name = (id: string, text: string, headers = {}) =>
  call(`/document/${id}/versions`, { json: { name: text }, headers });
const restore = (id: string, version: number, headers = {}) =>
  call(`/document/${id}/restore`, { json: { version }, headers });

describe("reading", () => {
  it("gives JSON, text or the state, by Accept", async () => {
    const id = newDocument();
    const doc = new Y.Doc();
    doc.getText("text").insert(0, "hello", { bold: true });
    doc.getMap("map").set("list", new Y.Array());
    doc.getArray("array").push([1, "two", { three: 3 }]);
    const paragraph = new Y.XmlElement("p");
    paragraph.insert(0, [new Y.XmlText("a < b")]);
    doc.getXmlFragment("xml").insert(0, [paragraph]);
    await post(id, new Uint8Array(Y.encodeStateAsUpdate(doc)));
    expect((await call(`/document/${id}`)).body).toEqual({
      text: "hello",
      map: { list: [] },
      array: [1, "two", { three: 3 }],
      xml: "<p>a &lt; b</p>",
    });
    const ask = (accept: string, query = "") => fetchApp(`/document/${id}${query}`, { headers: { Accept: accept } });
    expect(await (await ask("text/plain", "?name=text")).text()).toBe("hello");
    const state = await ask("application/octet-stream");
    expect(state.headers.get("Content-Type")).toBe("application/octet-stream");
    const copy = new Y.Doc();
    Y.applyUpdate(copy, new Uint8Array(await state.arrayBuffer()));
    expect(copy.getText("text").toDelta()).toEqual(doc.getText("text").toDelta());
  });

  it("gives an empty map as an object, an empty text as a string, and a text with attributes as that text", async () => {
    const id = newDocument();
    const doc = new Y.Doc();
    doc.getArray("list").push([new Y.Map(), new Y.Text(), new Y.Array()]);
    doc.getText("text").insert(0, "hello");
    doc.getText("text").setAttribute("language", "en");
    await post(id, new Uint8Array(Y.encodeStateAsUpdate(doc)));
    expect((await call(`/document/${id}`)).body).toEqual({ list: [{}, "", []], text: "hello" });
    const plain = await fetchApp(`/document/${id}?name=text`, { headers: { Accept: "text/plain" } });
    expect(await plain.text()).toBe("hello");
  });

  it.each([
    ["text/plain;q=0", "application/json"],
    ["application/json;q=0, */*", "text/plain"],
    ["application/json;q=0.5, text/plain", "text/plain"],
    ["text/*", "text/plain"],
    ["*/*, application/octet-stream", "application/octet-stream"],
    ["text/html, application/*;q=0.9", "application/json"],
    ["image/png", "application/json"],
    ["", "application/json"],
  ])("to who accepts %j gives %s", async (Accept, type) => {
    const id = newDocument();
    await post(id, updateOf("here"));
    const { headers } = await fetchApp(`/document/${id}`, { headers: { Accept } });
    expect(headers.get("Content-Type")?.split(";")[0]).toBe(type);
  });

  it("is not hindered by an offer of another protocol than WebSocket", async () => {
    const id = newDocument();
    await post(id, updateOf("here"));
    expect(await call(`/document/${id}`, { headers: { Upgrade: "h2c" } })).toMatchObject({ body: { text: "here" } });
  });

  it("gives what is missing, by a state vector", async () => {
    const id = newDocument();
    const doc = new Y.Doc();
    doc.getText("text").insert(0, "first".repeat(1_000));
    await post(id, new Uint8Array(Y.encodeStateAsUpdate(doc)));
    const since = Y.encodeStateVector(doc).toBase64({ alphabet: "base64url" });
    await post(id, updateOf("second"));
    const headers = { Accept: "application/octet-stream" };
    const rest = new Uint8Array(await (await fetchApp(`/document/${id}?since=${since}`, { headers })).arrayBuffer());
    expect(rest.length).toBeLessThan(100);
    Y.applyUpdate(doc, rest);
    expect(doc.getText("text").toString()).toContain("second");
    for (const bad of ["!", "_w"])
      expect((await fetchApp(`/document/${id}?since=${bad}`, { headers })).status).toBe(400);
  });

  it("does not blame the state vector for a document that is damaged", async () => {
    const id = newDocument();
    await post(id, updateOf("here"));
    await runInDurableObject(objectOf(id), (_, { storage }) => {
      storage.sql.exec("UPDATE updates SET data = ?", new Uint8Array([200, 1]));
    });
    await evictDurableObject(objectOf(id));
    const logged = vi.spyOn(console, "error");
    onTestFinished(() => logged.mockRestore());
    const headers = { Accept: "application/octet-stream" };
    expect((await fetchApp(`/document/${id}?since=AA`, { headers })).status).toBe(500);
    expect(logged).toHaveBeenCalled();
  });

  it("finds no document where nothing was written, and writes nothing", async () => {
    const id = newDocument();
    expect((await call(`/document/${id}`)).status).toBe(404);
    expect((await call(`/document/${id}/versions`)).status).toBe(404);
    const tables = await runInDurableObject(objectOf(id), (_, { storage }) =>
      storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'").toArray(),
    );
    expect(tables).toEqual([]);
  });

  it("gives JSON whatever values a client has written", async () => {
    const id = newDocument();
    const doc = new Y.Doc();
    const odd = { toString: 1, valueOf: 1, toJSON: 1 };
    doc.getArray("array").push([{ inside: [1234567890123456789n] }, odd, new Uint8Array([1, 2])]);
    const element = new Y.XmlElement("p");
    // The types say that an attribute is a text; Yjs takes any value.
    for (const attribute of Object.entries({ odd, big: 5n })) Reflect.apply(element.setAttribute, element, attribute);
    doc.getXmlFragment("xml").insert(0, [element]);
    // A list with XML first, as an editor of another kind may make it.
    doc.getArray("mixed").push([new Y.XmlText("a"), odd]);
    expect((await post(id, new Uint8Array(Y.encodeStateAsUpdate(doc)))).status).toBe(200);
    expect(await call(`/document/${id}`)).toMatchObject({
      status: 200,
      body: {
        array: [{ inside: ["1234567890123456789"] }, odd, { base64: "AQI=" }],
        xml: '<p odd="{&quot;toString&quot;:1,&quot;valueOf&quot;:1,&quot;toJSON&quot;:1}" big="5"></p>',
        mixed: 'a{"toString":1,"valueOf":1,"toJSON":1}',
      },
    });
  });

  it("gives JSON of values that are nested deep, or refuses them", async () => {
    const id = newDocument();
    const doc = new Y.Doc();
    let value: unknown[] = [];
    for (let i = 0; i < 2_000; i++) value = [value];
    doc.getArray("array").push([value]);
    const { status } = await post(id, new Uint8Array(Y.encodeStateAsUpdate(doc)));
    expect([200, 400]).toContain(status);
    if (status === 200) expect([200, 400]).toContain((await call(`/document/${id}`)).status);
  });

  it("refuses what is nested too deep for it, and still gives the state", async () => {
    const id = newDocument();
    const doc = new Y.Doc();
    let map = doc.getMap("map");
    for (let i = 0; i < 200; i++) {
      const inner = new Y.Map<unknown>();
      map.set("in", inner);
      map = inner;
    }
    expect((await post(id, new Uint8Array(Y.encodeStateAsUpdate(doc)))).status).toBe(200);
    const { status, body } = await call(`/document/${id}`);
    expect([status, body]).toEqual([400, expect.objectContaining({ detail: expect.stringContaining("too deep") })]);
    expect((await call(`/document/${id}`, { headers: { Accept: "application/octet-stream" } })).status).toBe(200);
  });

  /** The types say which parts and values may be where; Yjs takes any. */
  const list = (...parts: unknown[]): Y.Array<unknown> => Reflect.apply(Y.Array.from, Y.Array, [parts]);
  const element = (...parts: unknown[]): Y.XmlElement => {
    const made = new Y.XmlElement("p");
    Reflect.apply(made.insert, made, [0, parts]);
    return made;
  };
  it.each<[string, (inner: unknown) => unknown]>([
    ["lists that begin with XML", (inner) => list(element(), list(inner))],
    ["lists in XML", (inner) => element(list("x", inner))],
  ])("refuses %s, one in another, whose text would double with each", async (_, around) => {
    const id = newDocument();
    const doc = new Y.Doc();
    let part: unknown = new Y.XmlText('"');
    for (let i = 0; i < 24; i++) part = around(part);
    doc.getXmlFragment("xml").insert(0, [element(part)]);
    expect((await post(id, new Uint8Array(Y.encodeStateAsUpdate(doc)))).status).toBe(200);
    expect((await call(`/document/${id}`)).status).toBe(400);
    expect((await call(`/document/${id}`, { headers: { Accept: "application/octet-stream" } })).status).toBe(200);
  });

  it("refuses what is too long for it, and gives it as a text", async () => {
    const id = newDocument();
    const doc = new Y.Doc();
    const text = "\u0001".repeat(3 * 1_024 * 1_024);
    doc.getText("text").insert(0, text);
    expect((await post(id, new Uint8Array(Y.encodeStateAsUpdate(doc)))).status).toBe(200);
    const { status, body } = await call(`/document/${id}`);
    expect([status, body]).toEqual([400, expect.objectContaining({ detail: expect.stringContaining("too long") })]);
    expect(await textOf(id)).toHaveLength(text.length);
  });

  it("gives the parts and values in an attribute, whatever a client has written", async () => {
    const id = newDocument();
    const doc = new Y.Doc();
    const [outer, inner] = [element(new Y.XmlText("&")), element()];
    Reflect.apply(outer.setAttribute, outer, ["a", list(inner)]);
    Reflect.apply(inner.setAttribute, inner, ["a", { toString: 1 }]);
    doc.getXmlFragment("xml").insert(0, [outer]);
    expect((await post(id, new Uint8Array(Y.encodeStateAsUpdate(doc)))).status).toBe(200);
    const { status, body } = await call(`/document/${id}`);
    expect([status, body]).toEqual([200, { xml: expect.stringMatching(/^<p a="&lt;p .*toString.*">&amp;<\/p>$/) }]);
  });
});

describe("an update", () => {
  it("reaches those who have the document open", async () => {
    const id = newDocument();
    const peer = await join(id);
    await post(id, updateOf("posted"));
    await peer.until(() => peer.text.toString() === "posted");
  });

  it("is another one by the id with its region, and in another region", async () => {
    const id = newDocument();
    await post(`eu~${id}`, updateOf("here"));
    expect(await textOf(id)).toBe("here");
    expect((await call(`/document/us~${id}`)).status).toBe(404);
    expect((await call(`/document/mars~${id}`)).status).toBe(400);
  });

  it.each([
    ["of no bytes", new Uint8Array(), 400],
    ["that is cut off", updateOf("cut").slice(0, -4), 400],
  ])("%s is refused", async (_, update, status) => {
    const id = newDocument();
    const answer = await post(id, update);
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ detail: expect.stringMatching(/^body: is no update of Yjs/) });
    expect((await call(`/document/${id}`)).status).toBe(404);
  });

  it("that builds on what is missing leaves no part behind", async () => {
    const id = newDocument();
    await post(id, updateOf("here"));
    const doc = new Y.Doc();
    const updates: Uint8Array[] = [];
    doc.on("update", (update: Uint8Array) => updates.push(update));
    doc.getMap("lost").set("first", 1);
    doc.getMap("other").set("second", 2);
    expect((await post(id, new Uint8Array(updates[1] ?? []))).status).toBe(400);
    expect((await call(`/document/${id}`)).body).toEqual({ text: "here" });
    expect(await textOf(id)).toBe("here");
  });

  it("of another type, compressed, or over the limit, is refused", async () => {
    const id = newDocument();
    expect((await call(`/document/${id}`, { json: {} })).status).toBe(415);
    expect((await post(id, updateOf("x"), { "Content-Encoding": "gzip" })).status).toBe(415);
    const settings = { document: { maxMiB: 1 } };
    const headers = { "Content-Type": "application/octet-stream" };
    const answer = await call(`/document/${id}`, { json: "x".repeat(1_100_000), headers, settings });
    expect(answer.status).toBe(413);
  });

  it("that a full document has no room for is refused, but a deletion is taken", async () => {
    const id = newDocument();
    const doc = new Y.Doc();
    doc.getText("text").insert(0, "x".repeat(4_000_000));
    expect((await post(id, new Uint8Array(Y.encodeStateAsUpdate(doc)))).status).toBe(200);
    expect((await post(id, updateOf("y".repeat(2_000_000)))).status).toBe(413);
    const peer = await join(id);
    await peer.synced();
    peer.text.insert(0, "z".repeat(1_500_000));
    await peer.until(() => peer.denials.length > 0);
    expect(peer.denials[0]).toContain("full");
    const before = Y.encodeStateVector(doc);
    doc.getText("text").delete(0, 4_000_000);
    expect((await post(id, new Uint8Array(Y.encodeStateAsUpdate(doc, before)))).status).toBe(200);
    expect((await post(id, updateOf("y".repeat(2_000_000)))).status).toBe(200);
  });
});

describe("versions", () => {
  it("are made, listed, read, restored and deleted", async () => {
    const id = newDocument();
    const peer = await join(id);
    peer.text.insert(0, "one");
    await peer.sync();
    const made = await name(id, "first");
    expect(made).toMatchObject({ status: 201, body: { number: 1, name: "first" } });
    peer.text.insert(3, " two");
    peer.text.delete(0, 1);
    await peer.sync();
    expect((await restore(id, 1)).status).toBe(200);
    await peer.until(() => peer.text.toString() === "one");
    expect(await versionsOf(id)).toMatchObject({ versions: [{ number: 2 }, { number: 1, name: "first" }] });
    // What it was before is a version too.
    expect((await restore(id, 2)).status).toBe(200);
    await peer.until(() => peer.text.toString() === "ne two");
    const state = await fetchApp(`/document/${id}/versions/1`);
    const copy = new Y.Doc();
    Y.applyUpdate(copy, new Uint8Array(await state.arrayBuffer()));
    expect(copy.getText("text").toString()).toBe("one");
    expect((await call(`/document/${id}/versions/1`, { method: "DELETE", headers: ADMIN })).status).toBe(200);
    expect((await call(`/document/${id}/versions/1`)).status).toBe(404);
    expect((await restore(id, 1)).status).toBe(404);
    await runDurableObjectAlarm(objectOf(id));
    const { objects } = await env.BLOBS.list({ prefix: `dev-eu:document:${id}/versions/` });
    expect(objects).toHaveLength(2);
  });

  it("are restored with lists, maps and nested parts, and for those who come back later", async () => {
    const id = newDocument();
    const [ann, ben] = [await join(id), await join(id)];
    const map = ann.doc.getMap("map");
    map.set("kept", new Y.Text("before"));
    map.set("changed", 1);
    ann.doc.getArray("list").push([1, 2, 3]);
    await ann.sync();
    await ben.until(() => ben.doc.getArray("list").length === 3);
    await name(id, "first");
    const before = (await call(`/document/${id}`)).body;
    ben.cut();
    ben.doc.getArray("list").insert(0, ["apart"]);
    map.delete("kept");
    map.set("changed", 2);
    map.set("added", true);
    ann.doc.getArray("list").delete(1, 2);
    await ann.sync();
    await evictDurableObject(objectOf(id));
    await restore(id, 1);
    expect((await call(`/document/${id}`)).body).toEqual(before);
    await join(id, { peer: ben });
    await ben.sync();
    const after = ["apart", 1, 2, 3];
    for (const peer of [ann, ben]) await peer.until(() => peer.doc.getArray("list").toJSON().join() === after.join());
    expect(ben.doc.getMap("map").toJSON()).toEqual({ kept: "before", changed: 1 });
  });

  it("are made and restored once for one key", async () => {
    const id = newDocument();
    await post(id, updateOf("one"));
    const key = { "Idempotency-Key": crypto.randomUUID() };
    const both = await Promise.all([name(id, "first", key), name(id, "first", key)]);
    expect(both.map(({ body }) => body)).toEqual([both[0]?.body, both[0]?.body]);
    const again = await name(id, "first", key);
    expect([again.body, again.headers.get("Idempotent-Replayed")]).toEqual([both[0]?.body, "true"]);
    expect((await name(id, "other", key)).status).toBe(409);

    const other = { "Idempotency-Key": crypto.randomUUID() };
    await restore(id, 1, other);
    await post(id, updateOf("two"));
    await evictDurableObject(objectOf(id));
    expect((await restore(id, 1, other)).headers.get("Idempotent-Replayed")).toBe("true");
    expect(await textOf(id)).toContain("two");
  });

  it("are restored where what they replace makes room for them, and refused where the document would be too large", async () => {
    const id = newDocument();
    const doc = new Y.Doc();
    const text = doc.getText("text");
    const change = async (make: () => void) => {
      const before = Y.encodeStateVector(doc);
      make();
      expect((await post(id, new Uint8Array(Y.encodeStateAsUpdate(doc, before)))).status).toBe(200);
    };
    for (const letter of ["a", "b"]) {
      await change(() => text.delete(0, text.length));
      await change(() => text.insert(0, letter.repeat(3_000_000)));
      await name(id, letter);
    }
    for (const version of [1, 2, 1]) expect((await restore(id, version)).status).toBe(200);
    expect((await textOf(id)).slice(0, 2)).toBe("aa");
    const state = await fetchApp(`/document/${id}`, { headers: { Accept: "application/octet-stream" } });
    Y.applyUpdate(doc, new Uint8Array(await state.arrayBuffer()));
    await change(() => text.delete(1, text.length));

    const { settings } = await runInDurableObject(objectOf(id), (it) => stackOf(Reflect.get(it, "env")));
    const { maxMiB } = settings.document;
    onTestFinished(() => {
      Object.assign(settings.document, { maxMiB });
    });
    Object.assign(settings.document, { maxMiB: 1 });
    await evictDurableObject(objectOf(id));
    await runDurableObjectAlarm(objectOf(id));
    const [before, key] = [await versionsOf(id), { "Idempotency-Key": crypto.randomUUID() }];
    expect(await restore(id, 1, key)).toMatchObject({ status: 413, body: { type: "urn:problem:too-large" } });
    expect([await textOf(id), await versionsOf(id)]).toEqual(["a", before]);
    Object.assign(settings.document, { maxMiB });
    await evictDurableObject(objectOf(id));
    expect((await restore(id, 1, key)).headers.get("Idempotent-Replayed")).toBeNull();
    expect(await textOf(id)).toHaveLength(3_000_000);
  });

  it("that were changed in the bucket are not restored", async () => {
    const id = newDocument();
    await post(id, updateOf("one"));
    await name(id, "first");
    const { objects } = await env.BLOBS.list({ prefix: `dev-eu:document:${id}/versions/` });
    await env.BLOBS.put(objects[0]?.key ?? "", updateOf("two"));
    const { status, body } = await restore(id, 1);
    expect([status, body]).toEqual([500, expect.objectContaining({ detail: expect.stringContaining("Version 1") })]);
    expect(await textOf(id)).toBe("one");
  });

  it("are kept by the document itself while it is in use, and the oldest of these go first", async () => {
    const id = newDocument();
    const object = objectOf(id);
    await post(id, updateOf("one"));
    const due = await runInDurableObject(object, (_, { storage }) => storage.getAlarm());
    expect(due).toBeGreaterThan(Date.now() + 59 * 60_000);
    await runInDurableObject(object, (_, { storage }) => storage.kv.put("version-due", Date.now() - 1));
    await evictDurableObject(object);
    await runDurableObjectAlarm(object);
    expect(await versionsOf(id)).toMatchObject({ versions: [{ number: 1 }] });
  });

  it.each(["", " ", "a\nb", "x".repeat(101)])("may not be named %j", async (bad) => {
    const id = newDocument();
    await post(id, updateOf("one"));
    expect((await name(id, bad)).status).toBe(400);
  });
});

describe("deletion", () => {
  const remove = (id: string) => call(`/document/${id}`, { method: "DELETE", headers: ADMIN });
  /** A document whose deletion is to be forgotten. */
  const deletedLongAgo = async () => {
    const id = newDocument();
    await post(id, updateOf("gone"));
    await remove(id);
    const object = objectOf(id);
    await runInDurableObject(object, (_, { storage }) => storage.kv.put("deleted-until", Date.now() - 1));
    await evictDurableObject(object);
    return { id, object };
  };

  it("leaves nothing, closes the sockets, and lets no client bring the document back", async () => {
    const id = newDocument();
    const peer = await join(id);
    peer.text.insert(0, "secret");
    await peer.sync();
    await name(id, "first");
    expect((await remove(id)).status).toBe(200);
    // y-websocket does not come back after this code.
    expect((await peer.closed).code).toBe(4410);
    expect((await call(`/document/${id}`)).status).toBe(404);
    expect((await knock(id)).status).toBe(404);
    expect((await env.BLOBS.list({ prefix: `dev-eu:document:${id}/` })).objects).toEqual([]);
    expect((await remove(id)).status).toBe(200);
    // A new document is begun on purpose.
    await post(id, updateOf("new"));
    expect(await textOf(id)).toBe("new");
    expect((await knock(id)).status).toBe(101);
  });

  it("costs who tries to join no new document: nothing is made for them", async () => {
    const id = newDocument();
    await post(id, updateOf("gone"));
    await remove(id);
    const settings = { rateLimits: { create: { capacity: 1, periodSeconds: 86_400 } } };
    const headers = { Upgrade: "websocket", "CF-Connecting-IP": "203.0.113.99" };
    for (let times = 0; times < 3; times++) {
      expect((await call(`/document/${id}`, { headers, settings })).status).toBe(404);
    }
  });

  it("leaves its mark in the same moment, whatever happens then", async () => {
    const id = newDocument();
    await post(id, updateOf("secret"));
    const object = objectOf(id);
    await call(`/document/${id}/access`, { method: "PUT", headers: ADMIN, json: { owner: "ann" } });
    await runInDurableObject(object, async (_, { storage }) => {
      const own = storage.deleteAll.bind(storage);
      vi.spyOn(storage, "deleteAll").mockImplementation(async () => {
        await own();
        throw new Error("a crash");
      });
    });
    vi.spyOn(Object.getPrototypeOf(env.BLOBS), "list").mockRejectedValueOnce(new Error("a crash"));
    await remove(id);
    await evictDurableObject(object);
    const left = await runInDurableObject(object, (_, { storage: { sql, kv } }) => [
      sql.exec("SELECT name FROM sqlite_master WHERE name IN ('updates', 'versions', 'replays')").toArray(),
      [...kv.list()].map(([key]) => key),
    ]);
    expect(left).toEqual([[], ["deleted-until", "former-owner"]]);
    expect((await knock(id)).status).toBe(404);
  });

  it("is to be asked for again while the bucket does not answer", async () => {
    const id = newDocument();
    await post(id, updateOf("secret"));
    const list = vi.spyOn(Object.getPrototypeOf(env.BLOBS), "list").mockRejectedValue(new Error("the bucket is away"));
    const { status } = await remove(id);
    list.mockRestore();
    expect(status).toBe(503);
    expect((await remove(id)).status).toBe(200);
  });

  it("is forgotten after a day", async () => {
    const { object } = await deletedLongAgo();
    await runDurableObjectAlarm(object);
    const left = await runInDurableObject(object, async (_, { storage }) => [
      [...storage.kv.list()],
      await storage.getAlarm(),
    ]);
    expect(left).toEqual([[], null]);
  });

  it("is of all that a document has stored that was only joined, once nobody is there", async () => {
    const id = newDocument();
    const peer = await join(id);
    await peer.synced();
    const object = objectOf(id);
    const deleted = await runInDurableObject(object, (_, { storage }) => vi.spyOn(storage, "deleteAll"));
    await runDurableObjectAlarm(object);
    expect(deleted).not.toHaveBeenCalled();
    peer.cut();
    await peer.closed;
    // Also if storage fails for longer than the runtime tries an alarm again.
    deleted.mockRejectedValueOnce(new Error("away"));
    for (const times of [1, 2]) {
      await runDurableObjectAlarm(object);
      expect(deleted).toHaveBeenCalledTimes(times);
    }
    expect(await runInDurableObject(object, (_, { storage }) => storage.getAlarm())).toBeNull();
  });

  it("leaves nothing that believes in the alarm that went with all else", async () => {
    const id = newDocument();
    const silent = await join(id);
    await silent.synced();
    const object = objectOf(id);
    // As a client that was asked, and has not answered: the alarm closes its socket, and sets itself before it deletes.
    await runInDurableObject(object, (_, state) => {
      for (const socket of state.getWebSockets()) {
        socket.serializeAttachment({ ...socket.deserializeAttachment(), heardAt: 0, asked: { at: 0, bytes: 0 } });
      }
    });
    await evictDurableObject(object);
    await runDurableObjectAlarm(object);
    await silent.closed;
    await post(id, updateOf("later"));
    expect(await runInDurableObject(object, (_, { storage }) => storage.getAlarm())).not.toBeNull();
  });

  it("of a document that was deleted long ago leaves the alarm to those who are in it", async () => {
    const { id, object } = await deletedLongAgo();
    const peer = await join(id);
    await peer.synced();
    await runDurableObjectAlarm(object);
    expect(await runInDurableObject(object, (_, { storage }) => storage.getAlarm())).not.toBeNull();
  });

  it("comes by itself for what only unknown callers wrote, a long time after the last edit", async () => {
    const id = newDocument();
    await post(id, updateOf("anonymous"));
    const object = objectOf(id);
    const long = Date.now() - 31 * 24 * 60 * 60_000;
    await runInDurableObject(object, (_, { storage }) => storage.kv.put("used-at", long));
    await evictDurableObject(object);
    await runDurableObjectAlarm(object);
    expect((await call(`/document/${id}`)).status).toBe(404);
  });
});
