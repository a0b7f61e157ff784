/** Documents over WebSockets: what is edited arrives, merges, outlives sleep and cuts, and hurts nobody. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import { joinRequest } from "../../../worker/document/joining.ts";
import { countRows, fewestRows } from "../../worker/rows.ts";
import { Peer, updateOf } from "../client.ts";
import { cost } from "../cost.ts";
import { join, newDocument, objectOf, open, post, textOf } from "./support.ts";

const visitor = {
  caller: { kind: "user", id: "ann" },
  rulings: { read: true, comment: true, write: true },
} as const;

describe("edits", () => {
  it("of one client reach the others", async () => {
    const id = newDocument();
    const [ann, ben] = [await join(id), await join(id)];
    ann.text.insert(0, "hello");
    await ben.until(() => ben.text.toString() === "hello");
    ben.text.insert(5, " world");
    await ann.until(() => ann.text.toString() === "hello world");
  });

  it("that were made at once are merged alike by all", async () => {
    const id = newDocument();
    const peers = [await join(id), await join(id), await join(id)];
    for (const [i, peer] of peers.entries()) peer.text.insert(0, `<${i}>`);
    for (const peer of peers) await peer.until(() => peer.text.length === 9);
    const texts = new Set(peers.map(({ text }) => text.toString()));
    expect(texts.size).toBe(1);
    expect(await textOf(id)).toBe([...texts][0]);
  });

  it("come back to their sender once they are on disk", async () => {
    const id = newDocument();
    const socket = await open(id);
    const echoed = new Promise<Uint8Array>((resolve) => {
      socket.addEventListener("message", ({ data }) => {
        const frame = new Uint8Array(data);
        if (frame[0] === 0 && frame[1] === 2) resolve(frame.slice(3));
      });
    });
    socket.accept();
    const update = updateOf("kept");
    socket.send(new Uint8Array([0, 2, update.byteLength, ...update]));
    expect([...(await echoed)]).toEqual([...update]);
    await evictDurableObject(objectOf(id), { webSockets: "close" });
    expect(await textOf(id)).toBe("kept");
  });

  it("outlive the object's sleep, and its clients stay connected", async () => {
    const id = newDocument();
    const [ann, ben] = [await join(id), await join(id)];
    ann.text.insert(0, "before");
    await ben.until(() => ben.text.toString() === "before");
    await evictDurableObject(objectOf(id));
    ben.text.insert(6, " and after");
    await ann.until(() => ann.text.toString() === "before and after");
  });

  it("that were made while cut off merge on return", async () => {
    const id = newDocument();
    const [ann, ben] = [await join(id), await join(id)];
    ann.text.insert(0, "shared");
    await ben.until(() => ben.text.length === 6);
    ben.cut();
    ben.text.insert(0, "ben ");
    ann.text.insert(6, " ann");
    await ann.sync();
    await evictDurableObject(objectOf(id));
    await join(id, { peer: ben });
    await Promise.all([ann, ben].map((peer) => peer.until(() => peer.text.toString() === "ben shared ann")));
  });

  it("write as many rows as they cost, one at a time and at once", async () => {
    const id = newDocument();
    await post(id, updateOf("0"));
    const object = objectOf(id);
    const edit = () => object.edit(visitor, updateOf("1"), { known: true }, false);
    await edit();
    const rows = await countRows(object);
    for (let i = 0; i < 300; i++) await edit();
    expect(rows() / 300).toBeLessThanOrEqual(cost.operations.edit.ours);
    const fewest = await fewestRows(rows, async () =>
      expect(new Set(await Promise.all(Array.from({ length: 32 }, edit)))).toEqual(new Set(["taken"])),
    );
    expect(fewest / 32).toBeLessThanOrEqual(cost.operations.busyEdit.ours);
    expect(await textOf(id)).toHaveLength(622);
  });

  it("that are known already change nothing", async () => {
    const id = newDocument();
    const update = updateOf("once");
    await post(id, update);
    const rows = await countRows(objectOf(id));
    expect((await post(id, update)).status).toBe(200);
    expect(rows()).toBe(0);
    expect(await textOf(id)).toBe("once");
  });

  it("of more than two megabytes are kept", async () => {
    const id = newDocument();
    const text = "0123456789".repeat(250_000);
    expect((await post(id, updateOf(text))).status).toBe(200);
    await evictDurableObject(objectOf(id));
    expect(await textOf(id)).toBe(text);
    const peer = await join(id);
    await peer.synced();
    expect(peer.text.toString()).toBe(text);
  });
});

describe("compaction", () => {
  it("keeps the document, in fewer bytes and rows", async () => {
    const id = newDocument();
    const peer = await join(id);
    await peer.synced();
    const object = objectOf(id);
    const size = () =>
      runInDurableObject(object, (_, { storage }) =>
        storage.sql
          .exec<{ rows: number; bytes: number }>("SELECT count(*) AS rows, sum(length(data)) AS bytes FROM updates")
          .one(),
      );
    for (let i = 0; i < 30; i++) {
      peer.text.insert(0, `${i} `.repeat(5_000));
      await peer.sync();
      peer.text.delete(0, peer.text.length - 10);
      await peer.sync();
    }
    const loose = await size();
    expect(await runDurableObjectAlarm(object)).toBe(true);
    const compact = await size();
    expect(compact.bytes).toBeLessThan(loose.bytes / 10);
    expect(compact.rows).toBe(1);
    await evictDurableObject(object);
    expect(await textOf(id)).toBe(peer.text.toString());
    await peer.sync();
    peer.text.insert(0, "and on: ");
    await peer.sync();
    expect(await textOf(id)).toContain("and on: ");
  });
});

describe("what is no edit", () => {
  const frames: [string, string | Uint8Array<ArrayBuffer>, number][] = [
    ["a text", "hello", 1003],
    ["an unknown frame", new Uint8Array([9, 1]), 1003],
    ["an unknown kind of sync", new Uint8Array([0, 7, 0]), 1003],
    ["an empty frame", new Uint8Array([]), 1007],
    ["a frame that is cut off", new Uint8Array([0, 2, 200, 1]), 1007],
    ["an update that is cut off", new Uint8Array([0, 2, 3, 1, 1, 1]), 1007],
    [
      "an update that claims to have four billion edits",
      new Uint8Array([0, 2, 8, 1, 255, 255, 255, 127, 1, 0, 0]),
      1007,
    ],
    ["a state vector that is cut off", new Uint8Array([0, 0, 1, 5]), 1007],
    ["a state that is no JSON", new Uint8Array([1, 5, 1, 1, 1, 1, 120]), 1008],
  ];

  it.each(frames)("%s closes its sender, and nobody else", async (_, frame, code) => {
    const id = newDocument();
    const [ann, eve] = [await join(id), await join(id)];
    ann.text.insert(0, "fine");
    await eve.until(() => eve.text.length === 4);
    eve.socket.send(frame);
    const closed = await eve.closed;
    expect(closed.code).toBe(code);
    expect(closed.reason).not.toBe("");
    ann.text.insert(4, "!");
    await ann.sync();
    await evictDurableObject(objectOf(id));
    expect(await textOf(id)).toBe("fine!");
  });

  it("nor an update whose edits cannot be merged: the others of its group are taken", async () => {
    const id = newDocument();
    const [ann, eve] = [await join(id), await join(id)];
    await Promise.all([ann.synced(), eve.synced()]);
    // 128 values deep: other clients might fail to read it.
    const deep = new Y.Doc();
    let value: unknown = 1;
    for (let i = 0; i < 128; i++) value = [value];
    deep.getArray("list").push([value]);
    const update = Y.encodeStateAsUpdate(deep);
    ann.text.insert(0, "taken");
    eve.socket.send(new Uint8Array([0, 2, 0x80 | (update.length & 127), update.length >> 7, ...update]));
    expect((await eve.closed).code).toBe(1007);
    await ann.sync();
    expect(await textOf(id)).toBe("taken");
  });

  it("is asked for what it builds on, and closed if that is nowhere", async () => {
    const id = newDocument();
    const lost = new Y.Doc();
    lost.getText("text").insert(0, "lost");
    const before = Y.encodeStateVector(lost);
    lost.getText("text").insert(4, " and found");
    const second = Y.encodeStateAsUpdate(lost, before);

    const ann = await join(id);
    await ann.synced();
    ann.text.insert(0, "ok");
    const eve = await join(id);
    await eve.synced();
    // A client that has it all sends it when it is asked.
    Y.applyUpdate(eve.doc, Y.encodeStateAsUpdate(lost), eve);
    eve.socket.send(new Uint8Array([0, 2, second.length, ...second]));
    await ann.until(() => ann.text.length === 16);

    // A client that has not is closed, and leaves nothing behind.
    const other = newDocument();
    const mal = await join(other);
    await mal.synced();
    mal.socket.send(new Uint8Array([0, 1, second.length, ...second]));
    expect((await mal.closed).code).toBe(1008);
    const stored = await runInDurableObject(objectOf(other), (_, { storage }) =>
      storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'updates'").toArray(),
    );
    expect(stored).toEqual([]);
  });
});

describe("what clients show of themselves", () => {
  it("reaches the others, and its sender too", async () => {
    const id = newDocument();
    const [ann, ben] = [await join(id), await join(id)];
    ann.show({ name: "ann" });
    const seen = () => ben.awareness.getStates().get(ann.doc.clientID);
    await ben.until(() => seen() !== undefined);
    expect(seen()).toEqual({ name: "ann" });
  });

  it("is told to who comes later, over the object's sleep", async () => {
    const id = newDocument();
    const ann = await join(id);
    ann.show({ name: "ann" });
    await ann.sync();
    await evictDurableObject(objectOf(id));
    const ben = await join(id);
    await ben.until(() => ben.awareness.getStates().has(ann.doc.clientID));
  });

  it("goes with its socket", async () => {
    const id = newDocument();
    const [ann, ben] = [await join(id), await join(id)];
    ann.show({ name: "ann" });
    await ben.until(() => ben.awareness.getStates().has(ann.doc.clientID));
    ann.cut();
    await ben.until(() => !ben.awareness.getStates().has(ann.doc.clientID));
  });

  it("goes with its socket, also if that wakes the object", async () => {
    const id = newDocument();
    const [ann, ben] = [await join(id), await join(id)];
    ann.show({ name: "ann" });
    await ben.until(() => ben.awareness.getStates().has(ann.doc.clientID));
    await evictDurableObject(objectOf(id));
    ann.cut();
    await ben.until(() => !ben.awareness.getStates().has(ann.doc.clientID));
  });

  it("cannot be changed by somebody else", async () => {
    const id = newDocument();
    const [ann, eve, ben] = [await join(id), await join(id), await join(id)];
    ann.show({ name: "ann" });
    await ben.until(() => ben.awareness.getStates().has(ann.doc.clientID));
    const forged = new Peer();
    forged.doc.clientID = ann.doc.clientID;
    forged.awareness.clientID = ann.doc.clientID;
    forged.use({ send: (data) => eve.socket.send(data), close: () => undefined });
    for (let i = 0; i < 5; i++) forged.show({ name: "forged" });
    forged.show(null);
    eve.show({ name: "eve" });
    await ben.until(() => ben.awareness.getStates().has(eve.doc.clientID));
    expect(ben.awareness.getStates().get(ann.doc.clientID)).toEqual({ name: "ann" });
    forged.destroy();
  });

  it("closes its sender if it is too large for an attachment", async () => {
    const id = newDocument();
    const ann = await join(id);
    ann.show({ name: "ö".repeat(10_000) });
    expect(await ann.closed).toMatchObject({ code: 1008 });
  });
});

describe("connections", () => {
  it("without edits make no document", async () => {
    const id = newDocument();
    const peer = await join(id);
    await peer.synced();
    expect(await textOf(id)).toContain("There is no document");
  });

  it("that send too much are closed, and lose nothing", async () => {
    const id = newDocument();
    const peer = await join(id);
    await peer.synced();
    for (let i = 0; i < 4; i++) peer.text.insert(0, String(i).repeat(800_000));
    expect((await peer.closed).code).toBe(1013);
    const again = await join(id, { peer });
    await again.sync();
    await expect.poll(async () => (await textOf(id)).length).toBe(3_200_000);
  });

  it("that do not read are closed, and others are not", async () => {
    const id = newDocument();
    const reader = await join(id);
    await reader.synced();
    // It takes frames, and never answers the question whether it has read them.
    const socket = await open(id);
    const closed = new Promise<number>((resolve) => socket.addEventListener("close", ({ code }) => resolve(code)));
    socket.accept();
    for (let i = 0; i < 12; i++) await post(id, updateOf(String(i % 10).repeat(100_000)));
    expect(await closed).toBe(1013);
    await reader.until(() => reader.text.length === 1_200_000);
  });

  it("are limited for a user and for a network address", async () => {
    const id = newDocument();
    const from = (user: string, address: string) =>
      objectOf(id).fetch(
        joinRequest({
          caller: { kind: "user", id: user },
          rulings: { read: true, comment: true, write: true },
          address,
        }),
      );
    for (let i = 0; i < 100; i++) (await from(`user-${i % 10}`, "here")).webSocket?.accept();
    const refused = await from("user-10", "here");
    expect([refused.status, await refused.text()]).toEqual([
      429,
      expect.stringContaining("Your network address has 100"),
    ]);
    const another = await from("user-0", "there");
    expect([another.status, await another.text()]).toEqual([429, expect.stringContaining("You have 10 connections")]);
    expect((await from("user-10", "there")).status).toBe(101);
  });
});
