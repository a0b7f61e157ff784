/** What happens to a document while something of it is on its way: to the disk, to the bucket, or from there. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { createEncoder, toUint8Array, writeVarUint } from "lib0/encoding";
import { afterEach, describe, expect, it, vi } from "vitest";
import * as Y from "yjs";
import { DocumentDO } from "../../../worker/document/document.ts";
import { joinRequest } from "../../../worker/document/joining.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { Peer, updateOf } from "../client.ts";
import { newDocument, objectOf } from "./support.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const RULINGS = { read: "object", comment: "object", write: "object" } as const;
const visitor = (id: string) => ({ caller: { kind: "user", id }, rulings: RULINGS }) as const;
const by = (user: string) => ({ known: true, user });
const asking = (user: string) => ({ ...visitor(user), author: by(user), allowed: false });
const NOTHING = Y.encodeStateAsUpdate(new Y.Doc());

/** Calls the object in its own isolate, so that calls come in the same moment. */
const inside = <T>(id: string, act: (document: DocumentDO) => Promise<T>): Promise<T> =>
  runInDurableObject(objectOf(id), (document) => {
    if (!(document instanceof DocumentDO)) throw new Error("no document");
    return act(document);
  });

async function textAt(id: string): Promise<unknown> {
  const admin = {
    caller: { kind: "admin", id: "admin" },
    rulings: { read: true, comment: true, write: true },
  } as const;
  const read = await inside(id, async (document) => document.read(admin, { as: "text" }));
  return Object(read).body;
}

/** Keeps calls of a bucket's method waiting, from before it does anything or until after. */
function held(method: "put" | "get" | "list", when: "before" | "after" = "before") {
  const bucket = Object.getPrototypeOf(env.BLOBS);
  const own = bucket[method];
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  vi.spyOn(bucket, method).mockImplementation(async function (this: unknown, ...args: unknown[]) {
    const early = when === "after" ? await own.apply(this, args) : undefined;
    const bytes = early && (await early.arrayBuffer());
    begin();
    await released;
    return when === "after" ? { arrayBuffer: async () => bytes } : own.apply(this, args);
  });
  return { begun, release };
}

async function join(id: string, user: string, until?: number, peer = new Peer()) {
  const request = joinRequest({ ...visitor(user), address: user, known: true, ...(until !== undefined && { until }) });
  const { webSocket: socket } = await objectOf(id).fetch(request);
  if (!socket) throw new Error(`${user} was not let in`);
  socket.binaryType = "arraybuffer";
  const closed = new Promise<number>((resolve) => socket.addEventListener("close", ({ code }) => resolve(code)));
  socket.addEventListener("message", ({ data }) => peer.receive(data));
  socket.accept();
  peer.use({ send: (data) => socket.send(data), close: (code, reason) => socket.close(code, reason) });
  return Object.assign(peer, { closed });
}

describe("edits that are written together", () => {
  it("belong to who wrote something: who only answered is not the owner", async () => {
    const id = newDocument();
    const outcomes = await inside(id, (document) =>
      Promise.all([
        document.edit(visitor("bob"), NOTHING, by("bob"), true),
        document.edit(visitor("eve"), NOTHING, by("eve"), true),
        document.edit(visitor("ann"), updateOf("mine"), by("ann"), true),
      ]),
    );
    expect(outcomes).toEqual(["taken", "taken", "taken"]);
    expect(await inside(id, async (document) => document.sharing())).toMatchObject({ owner: "ann" });
  });

  it("make nobody the owner who may only comment", async () => {
    const id = newDocument();
    const carl = { caller: { kind: "user", id: "carl" }, rulings: { ...RULINGS, write: false } } as const;
    expect(await objectOf(id).edit(carl, updateOf("mine!", "comments"), by("carl"), true)).toBe("taken");
    expect(await inside(id, async (document) => document.sharing())).not.toHaveProperty("owner");
    expect(await objectOf(id).remove(carl.caller)).toBe("denied");
  });

  it("of a writer are not deleted by a commenter who knows what comes next", async () => {
    const id = newDocument();
    const doc = new Y.Doc();
    const updates: Uint8Array[] = [];
    doc.on("update", (update: Uint8Array) => updates.push(update));
    const text = doc.getText("text");
    for (const letter of "hello world") text.insert(text.length, letter);
    await objectOf(id).edit(visitor("ann"), Y.mergeUpdates(updates.slice(0, 6)), by("ann"), true);
    await objectOf(id).share({ users: "comment" });
    const deletion = deleting(doc.clientID, 7, 1_000);
    const outcomes = await inside(id, (document) =>
      Promise.all([
        ...updates.slice(6).map((update) => document.edit(visitor("ann"), update, by("ann"), true)),
        document.edit(visitor("eve"), deletion, by("eve"), true),
      ]),
    );
    expect(outcomes.at(-1)).toBe("denied");
    expect(await textAt(id)).toBe("hello world");
  });

  it("of a commenter build on each other", async () => {
    const id = newDocument();
    await objectOf(id).edit(visitor("ann"), updateOf("text"), by("ann"), true);
    await objectOf(id).share({ users: "comment" });
    const doc = new Y.Doc();
    const updates: Uint8Array[] = [];
    doc.on("update", (update: Uint8Array) => updates.push(update));
    for (const letter of "fine!") doc.getText("comments").insert(doc.getText("comments").length, letter);
    const outcomes = await inside(id, (document) =>
      Promise.all(updates.map((update) => document.edit(visitor("carl"), update, by("carl"), true))),
    );
    expect(outcomes).toEqual(Array(5).fill("taken"));
  });
});

describe("a socket whose token has expired", () => {
  it("gets no edit, also if it only listens", async () => {
    stopClock();
    const id = newDocument();
    const ann = await join(id, "ann");
    const bob = await join(id, "bob", Date.now() + 60_000);
    ann.text.insert(0, "before");
    await Promise.all([ann.sync(), bob.synced()]);
    pass(60_001);
    ann.text.insert(0, "secret ");
    await ann.sync();
    expect(await bob.closed).toBeGreaterThan(4_000);
    expect(bob.text.toString()).not.toContain("secret");
  });
});

it("what a client shows stays with the newer of its sockets, over the object's sleep", async () => {
  const id = newDocument();
  await objectOf(id).edit(visitor("ann"), updateOf("text"), by("ann"), true);
  const [ann, ben] = [await join(id, "ann"), await join(id, "ben")];
  const seenBy = (peer: Peer) => peer.awareness.getStates().get(ann.doc.clientID)?.name;
  ann.show({ name: "ann" });
  await ben.until(() => seenBy(ben) === "ann");
  const again = new Peer();
  again.doc.clientID = again.awareness.clientID = ann.doc.clientID;
  await join(id, "ann", undefined, again);
  await again.until(() => seenBy(again) === "ann");
  again.show({ name: "ann again" });
  await ben.until(() => seenBy(ben) === "ann again");
  await evictDurableObject(objectOf(id));
  ann.cut();
  await ben.sync();
  const late = await join(id, "late");
  await late.until(() => seenBy(late) !== undefined);
  expect([seenBy(ben), seenBy(late)]).toEqual(["ann again", "ann again"]);
  again.cut();
  await ben.until(() => seenBy(ben) === undefined);
});

describe("while a version is on its way", () => {
  async function adding(name: string) {
    const id = newDocument();
    await objectOf(id).edit(visitor("ann"), updateOf("one"), by("ann"), true);
    const put = held("put");
    const added = objectOf(id).addVersion(asking("ann"), name);
    await put.begun;
    await objectOf(id).remove();
    return { id, put, added };
  }

  it("the document is deleted: there is no version, and no file of it", async () => {
    const { id, put, added } = await adding("v");
    put.release();
    expect(await added).toMatchObject({ kind: "missing" });
    expect((await env.BLOBS.list({ prefix: `dev-eu:document:${id}/` })).objects).toEqual([]);
  });

  it("the document is begun anew: the old version is none of its", async () => {
    const { id, put, added } = await adding("of the old one");
    await objectOf(id).edit(visitor("ann"), updateOf("two"), by("ann"), true);
    put.release();
    expect(await added).toMatchObject({ kind: "missing" });
    expect(await objectOf(id).addVersion(asking("ann"), "of the new one")).toMatchObject({ kind: "made" });
    expect(await inside(id, async (document) => document.versions(visitor("ann")))).toMatchObject([
      { name: "of the new one" },
    ]);
  });

  it("an edit comes: the next automatic version has it", async () => {
    stopClock();
    const id = newDocument();
    await objectOf(id).edit(visitor("ann"), updateOf("one"), by("ann"), true);
    pass(61 * 60_000);
    const put = held("put");
    const alarm = runDurableObjectAlarm(objectOf(id));
    await put.begun;
    await objectOf(id).edit(visitor("ann"), updateOf("two"), by("ann"), true);
    put.release();
    await alarm;
    pass(61 * 60_000);
    await runDurableObjectAlarm(objectOf(id));
    expect(await inside(id, async (document) => document.versions(visitor("ann")))).toHaveLength(2);
  });
});

describe("of a version that was not stored, no file stays", () => {
  const ARRIVING = 10 * 60_000;
  const filesOf = async (id: string) =>
    (await env.BLOBS.list({ prefix: `dev-eu:document:${id}/` })).objects.map(({ key }) => key);
  const dueAt = (id: string) => runInDurableObject(objectOf(id), (_, { storage }) => storage.getAlarm());
  /** Runs the alarm at its time. */
  async function wake(id: string): Promise<void> {
    vi.setSystemTime(Math.max((await dueAt(id)) ?? Number.NaN, Date.now()));
    await runDurableObjectAlarm(objectOf(id));
  }
  /** Runs alarms until there are no files. Returns how long that takes (ms). */
  async function cleared(id: string, since: number): Promise<number> {
    while ((await filesOf(id)).length > 0 && Date.now() <= since + ARRIVING) await wake(id);
    return Date.now() - since;
  }
  /** Why a version cannot be made. */
  const refused = (id: string) =>
    inside(id, (document) =>
      document.addVersion(asking("ann"), "v").then(
        () => "",
        (error: unknown) => String(error),
      ),
    );
  async function aDocument(): Promise<string> {
    // Ahead of the runtime's clock, which then runs no alarm by itself.
    stopClock(Date.now() + 60 * 60_000);
    const id = newDocument();
    await objectOf(id).edit(visitor("ann"), updateOf("one"), by("ann"), true);
    return id;
  }
  /** Has the bucket refuse what is put there. Returns a function that has it arrive all the same. */
  function refusing(): () => Promise<void> {
    const bucket = Object.getPrototypeOf(env.BLOBS);
    const own = bucket.put;
    let key = "";
    vi.spyOn(bucket, "put").mockImplementation(async (...args: unknown[]) => {
      key = String(args[0]);
      throw new Error("the bucket is away");
    });
    return () => own.call(env.BLOBS, key, "late");
  }

  it("if it is on its way for too long, also if nobody waits for it any more", async () => {
    const id = await aDocument();
    const start = Date.now();
    const put = held("put");
    const added = objectOf(id).addVersion(asking("ann"), "v");
    await put.begun;
    // From before the bucket was asked, in case the object crashes.
    expect(await dueAt(id)).toBeLessThanOrEqual(start + ARRIVING);
    await wake(id);
    put.release();
    expect(await added).toMatchObject({ kind: "missing" });
    expect(await filesOf(id)).toEqual([]);
  });

  it("if it arrives after it was given up", async () => {
    const id = await aDocument();
    const start = Date.now();
    const arrive = refusing();
    expect(await refused(id)).toContain("the version");
    await wake(id);
    await arrive();
    expect(await filesOf(id)).toHaveLength(1);
    expect(await cleared(id, start)).toBeLessThanOrEqual(ARRIVING);
    expect(await inside(id, async (document) => document.versions(visitor("ann")))).toEqual([]);
  });

  it("and edits that come meanwhile make no more attempts", async () => {
    const id = await aDocument();
    refusing();
    pass(60 * 60_000);
    await runDurableObjectAlarm(objectOf(id));
    await objectOf(id).edit(visitor("ann"), updateOf("two"), by("ann"), true);
    expect(await dueAt(id)).toBeGreaterThan(Date.now());
    vi.restoreAllMocks();
    await wake(id);
    expect(await inside(id, async (document) => document.versions(visitor("ann")))).toHaveLength(1);
  });

  it("nor of the one that left for it; and those that were given up take nobody's place", async () => {
    const id = await aDocument();
    const oldest = `dev-eu:document:${id}/versions/oldest`;
    await env.BLOBS.put(oldest, "oldest");
    await runInDurableObject(objectOf(id), (_, { storage }) => {
      const insert = "INSERT INTO versions (key, at, bytes, hash, state) VALUES (?, 0, 0, '', 'stored')";
      for (let i = 0; i < 100; i++) storage.sql.exec(insert, i === 0 ? oldest : `${oldest}-${i}`);
    });
    refusing();
    for (let i = 0; i < 3; i++) expect(await refused(id)).toContain("the version");
    expect(await cleared(id, Date.now())).toBe(0);
    expect(await inside(id, async (document) => document.versions(visitor("ann")))).toHaveLength(99);
  });
});

describe("while a version is read to be restored", () => {
  async function restoring() {
    const id = newDocument();
    await objectOf(id).edit(visitor("ann"), updateOf("old"), by("ann"), true);
    await objectOf(id).addVersion(asking("ann"), "v");
    const get = held("get", "after");
    const restored = objectOf(id).restore(asking("bob"), 1);
    await get.begun;
    return { id, get, restored };
  }

  it("the document is deleted and begun anew: it keeps its text", async () => {
    const { id, get, restored } = await restoring();
    await objectOf(id).remove();
    await objectOf(id).edit(visitor("ann"), updateOf("new"), by("ann"), true);
    get.release();
    expect(await restored).toMatchObject({ kind: "missing" });
    expect(await textAt(id)).toBe("new");
  });

  it("who asked is shut out: nothing is restored", async () => {
    const { id, get, restored } = await restoring();
    await objectOf(id).edit(visitor("ann"), updateOf(" and more"), by("ann"), true);
    const before = await textAt(id);
    await objectOf(id).share({ users: "none" });
    get.release();
    expect(await restored).toMatchObject({ kind: "denied" });
    expect(await textAt(id)).toBe(before);
  });
});

describe("while what is to be undone is stored", () => {
  it("an edit comes: it is not undone", async () => {
    const id = newDocument();
    const doc = new Y.Doc();
    const write = async (text: string) => {
      doc.getText("text").insert(doc.getText("text").length, text);
      await objectOf(id).edit(visitor("ann"), Y.encodeStateAsUpdate(doc), by("ann"), true);
    };
    await write("old");
    await objectOf(id).addVersion(asking("ann"), "v");
    await write(" undone");
    const put = held("put");
    const restored = objectOf(id).restore(asking("bob"), 1);
    await put.begun;
    await write(" typed meanwhile");
    put.release();
    expect(await restored).toMatchObject({ kind: "made" });
    expect(await textAt(id)).toBe("old typed meanwhile");
  });

  it("the version is restored once more: its text is there once", async () => {
    const id = newDocument();
    const doc = new Y.Doc();
    doc.getText("text").insert(0, "old");
    await objectOf(id).edit(visitor("ann"), Y.encodeStateAsUpdate(doc), by("ann"), true);
    await objectOf(id).addVersion(asking("ann"), "v");
    doc.getText("text").delete(0, 3);
    await objectOf(id).edit(visitor("ann"), Y.encodeStateAsUpdate(doc), by("ann"), true);
    const both = await inside(id, (document) =>
      Promise.all([document.restore(asking("ann"), 1), document.restore(asking("bob"), 1)]),
    );
    expect(both).toMatchObject([{ kind: "made" }, { kind: "made" }]);
    expect(await textAt(id)).toBe("old");
  });
});

it("a document that is begun anew while the old one's files are looked for keeps its version", async () => {
  const id = newDocument();
  await objectOf(id).edit(visitor("ann"), updateOf("old"), by("ann"), true);
  await objectOf(id).addVersion(asking("ann"), "of the old one");
  const list = held("list");
  const removed = objectOf(id).remove();
  await list.begun;
  await objectOf(id).edit(visitor("ann"), updateOf("new"), by("ann"), true);
  await objectOf(id).addVersion(asking("ann"), "of the new one");
  list.release();
  await removed;
  vi.restoreAllMocks();
  expect((await env.BLOBS.list({ prefix: `dev-eu:document:${id}/` })).objects).toHaveLength(1);
});

it("a reader who shows a commenter's client does not shut out the commenter", async () => {
  const id = newDocument();
  await objectOf(id).edit(visitor("ann"), updateOf("text"), by("ann"), true);
  await objectOf(id).share({ users: "read" });
  await objectOf(id).sharePerson("carl", "comment");
  const doc = new Y.Doc();
  const mallory = await join(id, "mallory");
  doc.clientID = mallory.doc.clientID;
  mallory.show({ name: "carl" });
  await mallory.sync();
  doc.getText("comments").insert(0, "mine");
  const update = Y.encodeStateAsUpdate(doc);
  expect(await inside(id, (it) => it.edit(visitor("carl"), update, by("carl"), true))).toBe("taken");
});

it("a version that a restore makes is not given up for one with a name", async () => {
  const id = newDocument();
  await objectOf(id).edit(visitor("ann"), updateOf("old"), by("ann"), true);
  for (let count = 1; count < 100; count++) await objectOf(id).addVersion(asking("ann"), `v${count}`);
  await objectOf(id).edit(visitor("ann"), updateOf("precious "), by("ann"), true);
  const put = held("put");
  const restored = objectOf(id).restore(asking("ann"), 1);
  await put.begun;
  expect(await objectOf(id).addVersion(asking("bob"), "bob's")).toMatchObject({ kind: "full" });
  put.release();
  expect(await restored).toMatchObject({ kind: "made" });
  const versions = await inside(id, async (document) => document.versions(visitor("ann")));
  expect(Array.isArray(versions) && versions.some(({ name }) => name === undefined)).toBe(true);
});

/** An update that only deletes: so many of a client's characters, from one on. */
function deleting(client: number, from: number, characters: number): Uint8Array {
  const encoder = createEncoder();
  for (const number of [0, 1, client, 1, from, characters]) writeVarUint(encoder, number);
  return toUint8Array(encoder);
}
