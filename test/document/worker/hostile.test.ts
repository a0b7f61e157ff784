/** Documents and those who mean them harm: no client stops a document, closes the others, or fills its memory. */

import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { createEncoder, toUint8Array, writeUint8, writeVarString, writeVarUint } from "lib0/encoding";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import * as Y from "yjs";
import { Copy } from "../../../worker/document/copy.ts";
import { Seats } from "../../../worker/document/seats.ts";
import { awareness, step1, update } from "../../../worker/document/wire.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { call, fetchApp } from "../../worker/helpers.ts";
import { logIn } from "../../worker/log-in.ts";
import { updateOf } from "../client.ts";
import { join, knock, newDocument, objectOf, open, post, textOf } from "./support.ts";
import { chain, walkers } from "./tangle.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const bytesOf = (doc: Y.Doc, since?: Uint8Array) => new Uint8Array(Y.encodeStateAsUpdate(doc, since));

/** A document's state over HTTP. */
const read = (id: string) => fetchApp(`/document/${id}`, { headers: { Accept: "application/octet-stream" } });

/** Maps in maps, so many deep. */
function nested(levels: number): { doc: Y.Doc; maps: Y.Map<unknown>[] } {
  const doc = new Y.Doc();
  const maps = [doc.getMap<unknown>("map")];
  for (let i = 0; i < levels; i++) {
    const inner = new Y.Map<unknown>();
    maps.at(-1)?.set("in", inner);
    maps.push(inner);
  }
  return { doc, maps };
}

/** Deletes every second of a client's characters, so many. */
function deleting(client: number, characters: number): Uint8Array<ArrayBuffer> {
  const encoder = createEncoder();
  for (const number of [0, 1, client, characters]) writeVarUint(encoder, number);
  for (let i = 0; i < characters; i++) {
    writeVarUint(encoder, 2 * i);
    writeVarUint(encoder, 1);
  }
  return new Uint8Array(toUint8Array(encoder));
}

describe("a document can be read by every client", () => {
  /** One edit without a length: its kind by Yjs's number, in the text "content" if it is no garbage. */
  function empty(kind: number): Uint8Array<ArrayBuffer> {
    const encoder = createEncoder();
    for (const number of [1, 1, 77, 0, kind]) writeVarUint(encoder, number);
    if (kind !== 0) {
      writeVarUint(encoder, 1);
      writeVarString(encoder, "content");
    }
    // Its length or that of its content, and no deletions.
    for (const number of [0, 0]) writeVarUint(encoder, number);
    return new Uint8Array(toUint8Array(encoder));
  }

  it.each([
    ["garbage", 0],
    ["JSON", 2],
    ["text", 4],
    ["values", 8],
  ])("because it takes no edits without a length: %s", async (_, kind) => {
    const id = newDocument();
    await post(id, updateOf("fine"));
    const [ann, eve] = [await join(id), await join(id)];
    await Promise.all([ann.synced(), eve.synced()]);
    const bytes = empty(kind);
    expect((await post(id, bytes)).status).toBe(400);
    eve.socket.send(update(bytes));
    expect(await eve.closed).toMatchObject({ code: 1007 });
    ann.text.delete(0, 2);
    await ann.sync();
    const ben = await join(id);
    await ben.synced();
    expect(ben.text.toString()).toBe("ne");
  });
});

describe("a document wakes again", () => {
  it("because it takes no parts that are nested thousands deep", async () => {
    const id = newDocument();
    await post(id, updateOf("fine"));
    const { doc, maps } = nested(4_000);
    const updates = [bytesOf(doc)];
    doc.on("update", (news: Uint8Array) => updates.push(new Uint8Array(news)));
    // From the inside, each deletion is shallow. All of them at once, as after a sleep, are not.
    for (const map of maps.toReversed()) map.delete("in");
    const [first = new Uint8Array(), ...rest] = updates;
    const statuses = [(await post(id, first)).status, (await post(id, new Uint8Array(Y.mergeUpdates(rest)))).status];
    expect(statuses).toEqual([400, 400]);
    await evictDurableObject(objectOf(id));
    expect(await textOf(id)).toBe("fine");
  });

  it("after a document in it whose description is nested thousands deep", async () => {
    const id = newDocument();
    await post(id, updateOf("fine"));
    let meta: unknown = 1;
    for (let i = 0; i < 500; i++) meta = [meta];
    const doc = new Y.Doc();
    doc.getMap("map").set("in", new Y.Doc({ meta }));
    expect((await post(id, bytesOf(doc))).status).toBe(400);
    const peer = await join(id);
    await peer.synced();
  });
});

describe("a document is merged in seconds", () => {
  it("because edits that walk over thousands of others are refused, by HTTP and by a socket", async () => {
    const id = newDocument();
    expect((await post(id, chain(2, 6_000))).status).toBe(200);
    const attack = walkers(1, 2, [0, 6_000]);
    expect((await post(id, attack)).status).toBe(400);
    const [ann, eve] = [await join(id), await join(id)];
    await Promise.all([ann.synced(), eve.synced()]);
    eve.socket.send(update(attack));
    expect(await eve.closed).toMatchObject({ code: 1008 });
    ann.text.insert(0, "fine");
    await ann.sync();
    await evictDurableObject(objectOf(id));
    expect((await textOf(id)).length).toBe(6_004);
  });
});

describe("a client is not closed for another's", () => {
  it("update of more than a mebibyte", async () => {
    const id = newDocument();
    const [ann, ben] = [await join(id), await join(id)];
    await Promise.all([ann.synced(), ben.synced()]);
    let closed: unknown;
    for (const peer of [ann, ben])
      void peer.closed.then((why) => {
        closed = why;
      });
    ann.text.insert(0, "x".repeat(1_200_000));
    await Promise.race([ben.until(() => ben.text.length === 1_200_000), ben.closed, ann.closed]);
    ann.text.insert(0, "y");
    await Promise.race([ben.until(() => ben.text.length === 1_200_001), ben.closed, ann.closed]);
    await Promise.race([ben.sync(), ben.closed]);
    expect(closed).toBeUndefined();
  });

  it("edits while it reads a large document", async () => {
    const id = newDocument();
    await post(id, updateOf("x".repeat(1_500_000)));
    const ann = await join(id);
    await ann.synced();
    // Ben asks for the document, and has not answered yet.
    const ben = await open(id);
    let closed: unknown;
    ben.addEventListener("close", ({ code, reason }) => {
      closed = { code, reason };
    });
    ben.accept();
    ben.send(step1(new Uint8Array([0])));
    ann.text.insert(0, "y");
    await ann.sync();
    ann.text.insert(0, "z");
    await ann.sync();
    expect(closed).toBeUndefined();
  });

  it("states of a hundred thousand clients", async () => {
    const id = newDocument();
    const [ann, eve] = [await join(id), await join(id)];
    await Promise.all([ann.synced(), eve.synced()]);
    const states = Array.from({ length: 100_000 }, (_, i) => 2 ** 31 + i).flatMap((client) => [
      { client, clock: 1, json: "{}" },
      { client, clock: 2, json: "null" },
    ]);
    eve.socket.send(awareness(states));
    expect(await Promise.race([eve.closed, ann.closed.then(() => "ann was closed")])).toMatchObject({ code: 1008 });
    await ann.sync();
  });
});

describe("a frame that says it has more than any client's is read no further", () => {
  it.each([
    // Neither has what it says, so who reads it finds that it is malformed.
    ["states", new Uint8Array([1, 3, 0xc0, 0x84, 0x3d])],
    ["clients in a state vector", step1(new Uint8Array(200_000).fill(255))],
  ])("%s", async (_, frame) => {
    const id = newDocument();
    const [ann, eve] = [await join(id), await join(id)];
    await Promise.all([ann.synced(), eve.synced()]);
    eve.socket.send(frame);
    expect(await eve.closed).toMatchObject({ code: 1008 });
    await ann.sync();
  });
});

describe("a frame with the states of thousands of others", () => {
  it("is judged by one look at who is there, not by one for each state", async () => {
    const id = newDocument();
    const [ann, eve] = [await join(id), await join(id)];
    await Promise.all([ann.synced(), eve.synced()]);
    const looked = vi.spyOn(Seats.prototype, "all", "get");
    const states = Array.from({ length: 10_000 }, (_, i) => ({ client: 2 ** 31 + i, clock: 1, json: "null" }));
    eve.socket.send(awareness(states));
    await eve.sync();
    await ann.sync();
    expect(looked.mock.calls.length).toBeLessThan(50);
  });
});

describe("a client that does not read", () => {
  it("is closed if it asks for the document again and again", async () => {
    const id = newDocument();
    await post(id, updateOf("x".repeat(200_000)));
    const eve = await open(id);
    const closed = new Promise<{ code: number }>((resolve) => eve.addEventListener("close", resolve));
    let bytes = 0;
    eve.addEventListener("message", ({ data }) => {
      bytes += data.byteLength;
    });
    eve.accept();
    // It answers the first question, as if it would read.
    eve.send(new Uint8Array([0, 1, 2, 0, 0]));
    for (let i = 0; i < 100; i++) eve.send(step1(new Uint8Array([0])));
    expect((await closed).code).toBe(1013);
    expect(bytes).toBeLessThan(4_000_000);
  });
});

describe("clients that do not read", () => {
  const headers = new Map<string, { Authorization: string }>();
  beforeAll(async () => {
    for (const userId of ["ann", "eve", "a", "b", "c", "d"]) {
      headers.set(userId, await logIn(userId));
    }
  });
  const headersOf = (user: string) => ({ ...headers.get(user) });

  /** A client that asks for the document and reads no more. It does not answer a close either, if it may not. */
  async function mute(id: string, user: string, answersClose = true) {
    const socket = await open(id, headersOf(user));
    const closed = new Promise<number>((resolve) => {
      socket.addEventListener("close", ({ code }) => resolve(code));
    });
    const outcome = new Promise((resolve) => {
      socket.addEventListener("message", ({ data }) => data.byteLength > 3_000_000 && resolve("answered"));
      void closed.then(resolve);
    });
    socket.accept({ allowHalfOpen: !answersClose });
    socket.send(step1(new Uint8Array([0])));
    return { closed, outcome: await outcome };
  }

  const outcomesOf = async (id: string, users: readonly string[]) => {
    const outcomes: unknown[] = [];
    for (const user of users) outcomes.push((await mute(id, user)).outcome);
    return outcomes;
  };

  it("get no more than 32 mebibytes together, and keep others out for a time by what they have to read", async () => {
    stopClock();
    const id = newDocument();
    await post(id, updateOf("x".repeat(4_000_000)));
    const users = ["a", "a", "b", "b", "c", "c", "d", "d"];
    expect(await outcomesOf(id, users)).toEqual(Array(8).fill("answered"));
    for (const wait of [0, 60_000]) {
      pass(wait);
      const refused = await knock(id);
      expect([refused.status, refused.headers.get("Retry-After")]).toEqual([503, "10"]);
    }
    pass(40_000);
    // Those who were closed have not answered yet.
    await knock(id);
    const peer = await join(id);
    await peer.synced();
    expect(peer.text.length).toBe(4_000_000);
  });

  it("keep out only themselves, if they are one user, also once they are closed and do not answer that", async () => {
    stopClock();
    const id = newDocument();
    await post(id, updateOf("x".repeat(4_000_000)));
    const eves = [await mute(id, "eve", false), await mute(id, "eve", false)];
    expect(eves.map(({ outcome }) => outcome)).toEqual(["answered", "answered"]);
    expect((await knock(id, headersOf("eve"))).status).toBe(503);
    pass(200_000);
    expect((await knock(id, headersOf("eve"))).status).toBe(503);
    expect(await Promise.all(eves.map(({ closed }) => closed))).toEqual([1013, 1013]);
    expect((await knock(id, headersOf("eve"))).status).toBe(503);
    const peer = await join(id, { headers: headersOf("ann") });
    await peer.synced();
  });

  it("get no large edit of another that has no room, and the small ones", async () => {
    const id = newDocument();
    await post(id, updateOf("x".repeat(3_500_000)));
    const eves = [await mute(id, "eve"), await mute(id, "eve")];
    const ann = await join(id, { headers: headersOf("ann") });
    await ann.synced();
    let closed = 0;
    for (const eve of eves)
      void eve.closed.then(() => {
        closed++;
      });
    ann.text.insert(0, "small");
    await ann.sync();
    expect(closed).toBe(0);
    ann.text.insert(0, "x".repeat(1_400_000));
    expect(await Promise.race(eves.map((eve) => eve.closed))).toBe(1013);
    await ann.sync();
  });
});

describe("a document's memory", () => {
  it("is not filled by deletions that cut its text into pieces", async () => {
    const id = newDocument();
    const doc = new Y.Doc();
    doc.getText("text").insert(0, "x".repeat(2_000_000));
    await post(id, bytesOf(doc));
    // Every second character: two bytes of an update make two pieces, of some 270 bytes each.
    expect((await post(id, deleting(doc.clientID, 900_000))).status).toBe(413);
    expect((await textOf(id)).length).toBe(2_000_000);
    // All of it, in one piece, is taken.
    doc.getText("text").delete(0, 2_000_000);
    expect((await post(id, bytesOf(doc))).status).toBe(200);
    expect(await textOf(id)).toBe("");
  });

  it.each([
    ["edits", [1, 2_000_000, 77, 0], [0, 1]],
    ["clients", [2_000_000], [0, 5, 0]],
    ["deletions", [0, 1, 77, 2_000_000], [1, 1]],
    ["values", [1, 1, 77, 0, 8, 1, 1, 116, 2_000_000], [118, 0]],
    ["values in a list", [1, 1, 77, 0, 8, 1, 1, 116, 1, 117, 2_000_000], [117, 0]],
    ["values in JSON", [1, 1, 77, 0, 2, 1, 1, 116, 2_000_000], [2, 123, 125]],
    ["values in an embed", [1, 1, 77, 0, 5, 1, 1, 116, 1_100_000], [91]],
  ])("is not filled by one update of so many %s, which is read no further", async (_, head, each) => {
    const encoder = createEncoder();
    for (const number of head) writeVarUint(encoder, number);
    for (let i = 0; i < 1_100_000; i++) for (const byte of each) writeUint8(encoder, byte);
    // It is malformed: its bytes end before it says, or are no JSON.
    const id = newDocument();
    await post(id, updateOf("fine"));
    expect((await post(id, new Uint8Array(toUint8Array(encoder)))).status).toBe(413);
    expect(await textOf(id)).toBe("fine");
  });

  it.each([
    ["objects", (count: number) => Array.from({ length: count }, () => ({}))],
    ["bytes in a list", (count: number) => [Array.from({ length: count / 3 }, () => new Uint8Array())]],
    ["shared parts", (count: number) => Array.from({ length: count / 6 }, () => new Y.Map())],
  ])("is not filled by what is small on the disk: %s", async (_, make) => {
    const id = newDocument();
    const doc = new Y.Doc();
    const updates: Uint8Array<ArrayBuffer>[] = [];
    doc.on("update", (news: Uint8Array) => updates.push(new Uint8Array(news)));
    // The third time there are too many.
    for (let i = 0; i < 3; i++) doc.getArray("list").push(make(200_000));
    const statuses: number[] = [];
    for (const each of updates) statuses.push((await post(id, each)).status);
    expect(statuses).toEqual([200, 200, 413]);
    // What is full is not so for ever.
    const list = new Y.Doc();
    Y.applyUpdate(list, new Uint8Array(await (await read(id)).arrayBuffer()));
    list.getArray("list").delete(0, list.getArray("list").length);
    expect((await post(id, bytesOf(list))).status).toBe(200);
    const again = new Y.Doc();
    again.getArray("list").push(make(200_000));
    expect((await post(id, bytesOf(again))).status).toBe(200);
  });
});

describe("a full document", () => {
  it("takes a deletion within a run, and no more", async () => {
    const id = newDocument();
    const doc = new Y.Doc();
    const statuses: number[] = [];
    const edits: Uint8Array<ArrayBuffer>[] = [];
    doc.on("update", (news: Uint8Array) => edits.push(new Uint8Array(news)));
    doc.getText("text").insert(0, "x".repeat(100));
    // Two pieces, and half of one for each value: exactly as much as a document may have.
    doc.getArray("list").push(Array.from({ length: 499_996 }, () => ({})));
    doc.getText("text").delete(10, 5);
    doc.getText("text").insert(30, "y");
    for (const edit of edits) statuses.push((await post(id, edit)).status);
    expect(statuses).toEqual([200, 200, 200, 413]);
    const stored = new Y.Doc();
    Y.applyUpdate(stored, new Uint8Array(await (await read(id)).arrayBuffer()));
    expect(stored.getText("text").toString()).toBe("x".repeat(95));
  });

  it("is not weighed again for each edit that is refused", async () => {
    const id = newDocument();
    const mapsOf = (count: number) => {
      const doc = new Y.Doc();
      doc.getArray("list").push(Array.from({ length: count }, () => new Y.Map()));
      return bytesOf(doc);
    };
    expect((await post(id, mapsOf(80_000))).status).toBe(200);
    const more = mapsOf(5_000);
    expect((await post(id, more)).status).toBe(413);
    const looked = vi.spyOn(Y.ContentType.prototype, "getRef");
    expect((await post(id, more)).status).toBe(413);
    expect(looked.mock.calls.length).toBeLessThan(40_000);
    // What was taken since may have made room.
    expect((await post(id, updateOf("fine"))).status).toBe(200);
    expect((await post(id, more)).status).toBe(413);
    expect(looked.mock.calls.length).toBeGreaterThan(80_000);
  });
});

describe("an update that is small on disk and not in memory is malformed", () => {
  const list = (count: number) => [117, 0x80 | (count & 127), count >> 7, ...Array(count).fill([118, 0]).flat()];
  const key = (name: string) => [name.length, ...new TextEncoder().encode(name)];
  /** One value in a map; or a document in it, with options. */
  const edit = (kind: number, value: number[]) =>
    new Uint8Array([1, 1, 77, 0, 32 | kind, 1, ...key("map"), ...key("in"), ...value, 0]);

  it("one with a key that sets a prototype", async () => {
    expect((await post(newDocument(), edit(8, [1, 118, 1, ...key("a"), ...list(1_000)]))).status).toBe(200);
    expect((await post(newDocument(), edit(8, [1, 118, 1, ...key("__proto__"), ...list(1_000)]))).status).toBe(400);
  });

  it.each(["collectionid", "gcFilter", "gc", "autoLoad", "shouldLoad", "guid"])(
    "one with a document that has an own %s",
    async (option) => {
      const nested = (name: string) => edit(9, [...key("id"), 118, 1, ...key(name), ...list(1_000)]);
      expect((await post(newDocument(), nested("meta"))).status).toBe(200);
      expect((await post(newDocument(), nested(option))).status).toBe(400);
    },
  );

  it("but bytes among values are taken, and keep no others of their update", () => {
    const copy = new Copy(() => []);
    const rubbish = Array<number>(10_000).fill(0);
    expect(copy.take([new Uint8Array([...edit(8, [1, 116, 1, 7]), ...rubbish])]).taken).toEqual(["taken"]);
    const bytes = copy.doc.getMap<Uint8Array>("map").get("in");
    expect([bytes, bytes?.buffer.byteLength]).toEqual([new Uint8Array([7]), 1]);
  });
});

describe("a version", () => {
  it("is not restored if what the document was could not be kept", async () => {
    const id = newDocument();
    await post(id, updateOf("one"));
    // As many as a document may have; none of them leaves, because all have names.
    const names = Array.from({ length: 100 }, (_, i) => `${i}`);
    const made = await Promise.all(names.map((name) => call(`/document/${id}/versions`, { json: { name } })));
    expect(new Set(made.map(({ status }) => status))).toEqual(new Set([201]));
    await post(id, updateOf("two"));
    const before = await textOf(id);
    expect((await call(`/document/${id}/restore`, { json: { version: 1 } })).status).toBe(400);
    expect(await textOf(id)).toBe(before);
  });

  it("is not restored in more steps than a merge may take, and no other leaves for it", async () => {
    const id = newDocument();
    await post(id, updateOf("one"));
    await call(`/document/${id}/versions`, { json: { name: "first" } });
    await runInDurableObject(objectOf(id), (_, { storage }) => {
      const insert = "INSERT INTO versions (key, at, bytes, hash, state) VALUES ('', 0, 0, '', 'stored')";
      for (let i = 1; i < 100; i++) storage.sql.exec(insert);
    });
    await post(id, updateOf("two"));
    const [before, versions] = [await textOf(id), await call(`/document/${id}/versions`)];
    vi.spyOn(Y.UndoManager.prototype, "undo").mockImplementation(() => {
      const doc = new Y.Doc();
      for (const each of [chain(2, 9_000), walkers(1, 2, [0, 9_000])]) Y.applyUpdate(doc, each);
      return null;
    });
    const restored = await call(`/document/${id}/restore`, { json: { version: 1 } });
    expect(restored).toMatchObject({ status: 400, body: { detail: expect.stringContaining("conflict") } });
    expect(await textOf(id)).toBe(before);
    expect((await call(`/document/${id}/versions`)).body).toEqual(versions.body);
  });

  it("is restored by edits that are made once", async () => {
    const id = newDocument();
    await post(id, updateOf("one"));
    await call(`/document/${id}/versions`, { json: { name: "first" } });
    await post(id, updateOf("two"));
    const made = vi.spyOn(Y.UndoManager.prototype, "undo");
    expect((await call(`/document/${id}/restore`, { json: { version: 1 } })).status).toBe(200);
    expect([made.mock.calls.length, await textOf(id)]).toEqual([1, "one"]);
  });

  it("is made once for a key that comes twice at once, with one of two names", async () => {
    const id = newDocument();
    await post(id, updateOf("one"));
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    const both = ["first", "other"].map((name) => call(`/document/${id}/versions`, { json: { name }, headers }));
    expect((await Promise.all(both)).map(({ status }) => status).toSorted()).toEqual([201, 409]);
    expect((await call(`/document/${id}/versions`)).body).toMatchObject({ versions: [{ number: 1 }] });
  });

  it("is restored also if an update that cannot be merged comes with it", () => {
    const copy = new Copy(() => []);
    const unstored = copy.change((to) => Y.applyUpdate(to, updateOf("one")));
    // An edit beside one that the same client has not made yet.
    const bad = new Uint8Array([1, 1, 5, 0, 0x84, 5, 9, 1, 120, 0]);
    expect(copy.take([bad], unstored).taken).toEqual(["malformed"]);
    expect(copy.doc.getText("text").toString()).toBe("one");
  });
});

describe("a document that was deleted", () => {
  it("may be deleted again by its owner, and by no other user", async () => {
    const object = objectOf(newDocument());
    const caller = (id: string) => ({ kind: "user", id }) as const;
    const ann = { caller: caller("ann"), rulings: { read: true, comment: true, write: true } } as const;
    await object.edit(ann, updateOf("a"), { known: true, user: "ann" }, true);
    expect(await object.remove(caller("eve"))).toBe("denied");
    expect(await object.remove(caller("ann"))).toBe("done");
    await evictDurableObject(object);
    expect(await object.remove(caller("eve"))).toBe("denied");
    expect(await object.remove(caller("ann"))).toBe("done");
  });

  it("is not begun again by another user, who would get the copies of its clients", async () => {
    const object = objectOf(newDocument());
    const by = (id: string) =>
      [
        { caller: { kind: "user", id }, rulings: { read: "object", comment: "object", write: "object" } },
        updateOf(id),
      ] as const;
    const edit = (id: string) => object.edit(...by(id), { known: true, user: id }, true);
    expect(await edit("ann")).toBe("taken");
    await object.remove();
    expect(await edit("eve")).toBe("gone");
    await evictDurableObject(object);
    expect(await edit("eve")).toBe("gone");
    expect(await edit("ann")).toBe("taken");
    expect(await edit("eve")).toBe("taken");
  });
});

describe("somebody who may only comment", () => {
  /** A run of edits without content, under a client's next numbers: its own next edits would count as known. */
  const claimOf = (client: number, clock: number) => {
    const encoder = createEncoder();
    for (const number of [1, 1, client, clock, 0, 1_000, 0]) writeVarUint(encoder, number);
    return new Uint8Array(toUint8Array(encoder));
  };
  const comment = {
    caller: { kind: "user", id: "eve" },
    rulings: { read: true, comment: true, write: false },
  } as const;

  it("cannot take the numbers of another's next edits", async () => {
    const id = newDocument();
    const ann = await join(id);
    ann.text.insert(0, "a");
    await ann.sync();
    const edit = (update: Uint8Array) => objectOf(id).edit(comment, update, { known: true, user: "eve" }, true);
    expect(await edit(claimOf(ann.doc.clientID, 1))).toBe("denied");
    // Ben has not edited yet, but is seen.
    const ben = await join(id);
    ben.show({ name: "ben" });
    await ben.sync();
    expect(await edit(claimOf(ben.doc.clientID, 0))).toBe("denied");
    ann.text.insert(1, "b");
    ben.text.insert(0, "c");
    await Promise.all([ann.sync(), ben.sync()]);
    expect((await textOf(id)).length).toBe(3);
  });

  it("may send the comments of many clients, each of which is looked for once", async () => {
    const id = newDocument();
    await post(id, updateOf("a"));
    const doc = new Y.Doc();
    for (let i = 0; i < 200; i++) {
      const one = new Y.Doc();
      one.getArray("comments").push(["x"]);
      Y.applyUpdate(doc, bytesOf(one));
    }
    const looked = vi.spyOn(Seats.prototype, "all", "get");
    expect(await objectOf(id).edit(comment, bytesOf(doc), { known: true, user: "eve" }, true)).toBe("taken");
    expect(looked.mock.calls.length).toBeLessThan(50);
  });

  it("may go on after a comment of their own was deleted", async () => {
    const id = newDocument();
    await post(id, updateOf("a"));
    const doc = new Y.Doc();
    const edit = () => objectOf(id).edit(comment, bytesOf(doc), { known: true, user: "eve" }, true);
    const remark = new Y.Map([["text", "no"]]);
    doc.getArray("comments").push([remark]);
    expect(await edit()).toBe("taken");
    doc.getArray("comments").delete(0);
    expect(await edit()).toBe("taken");
    doc.getArray("comments").push(["yes"]);
    expect(await edit()).toBe("taken");
  });
});
