/** Who may read and write a document, by its own rule: over HTTP, and for as long as a WebSocket is open. */

import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import * as Y from "yjs";
import { joinRequest } from "../../../worker/document/joining.ts";
import { ADMIN, fetchApp } from "../../worker/helpers.ts";
import { logIn } from "../../worker/log-in.ts";
import { ask } from "../../worker/tries.ts";
import { Peer, updateOf } from "../client.ts";
import { newDocument, objectOf, post } from "./support.ts";

type Headers = Record<string, string>;
const users = new Map<string, Headers>();
beforeAll(async () => {
  for (const userId of ["ann", "ben", "eve"]) {
    users.set(userId, await logIn(userId));
  }
});
const as = (user: string): Headers => users.get(user) ?? {};

/** An update as a text: it must have no byte above 127. */
async function write(id: string, headers: Headers, path = `/document/${id}`) {
  return ask(path, {
    json: new TextDecoder().decode(new Uint8Array([1, 1, 1, 0, 4, 1, 4, 116, 101, 120, 116, 2, 104, 105, 0])),
    headers: { "Content-Type": "application/octet-stream", ...headers },
  });
}
const read = (id: string, headers: Headers) => ask(`/document/${id}`, { headers });
const share = (id: string, headers: Headers, json: object) =>
  ask(`/document/${id}/access`, { method: "PUT", json, headers });
const person = (id: string, headers: Headers, userId: string, level: string) =>
  ask(`/document/${id}/people/${userId}`, { method: "PUT", json: { level }, headers });

describe("a document", () => {
  it("belongs to the user who began it, who shares it", async () => {
    const id = newDocument();
    expect((await write(id, as("ann"))).status).toBe(200);
    expect((await read(id, as("ben"))).status).toBe(200);
    expect((await read(id, {})).status).toBe(401);
    expect((await share(id, as("ben"), { users: "none" })).status).toBe(403);
    expect((await share(id, as("ann"), { users: "none" })).body).toEqual({
      anyone: "none",
      users: "none",
      owner: "ann",
      people: {},
    });
    expect((await read(id, as("ben"))).status).toBe(403);
    expect((await write(id, as("ann"))).status).toBe(200);
    expect((await person(id, as("ann"), "ben", "read")).status).toBe(200);
    expect((await read(id, as("ben"))).status).toBe(200);
    expect((await write(id, as("ben"))).status).toBe(403);
    expect((await read(id, as("eve"))).status).toBe(403);
    expect((await ask(`/document/${id}/people/ben`, { method: "DELETE", headers: as("ann") })).status).toBe(200);
    expect((await read(id, as("ben"))).status).toBe(403);
    expect((await ask(`/document/${id}`, { method: "DELETE", headers: as("ben") })).status).toBe(403);
    expect((await ask(`/document/${id}`, { method: "DELETE", headers: as("ann") })).status).toBe(200);
  });

  it("keeps one user out of what all others may do", async () => {
    const id = newDocument();
    await write(id, as("ann"));
    await person(id, as("ann"), "eve", "none");
    expect((await read(id, as("eve"))).status).toBe(403);
    expect((await write(id, as("ben"))).status).toBe(200);
  });

  it("is read by anybody where its owner says so", async () => {
    const id = newDocument();
    await write(id, as("ann"));
    await share(id, as("ann"), { anyone: "read" });
    expect((await read(id, {})).status).toBe(200);
    expect((await write(id, {})).status).toBe(401);
  });

  it("is neither made nor kept by a change of its rule that changes nothing", async () => {
    const changeNothing = async (id: string) => {
      expect((await ask(`/document/${id}/people/bob`, { method: "DELETE", headers: ADMIN })).status).toBe(200);
      expect((await share(id, ADMIN, {})).status).toBe(200);
    };
    const stored = (id: string) =>
      runInDurableObject(objectOf(id), (_, { storage }) => [...storage.kv.list()].map(([key]) => key));
    const [none, ofAGuest] = [newDocument(), newDocument()];
    await changeNothing(none);
    expect((await read(none, ADMIN)).status).toBe(404);
    expect(await stored(none)).toEqual([]);
    expect((await post(ofAGuest, updateOf("hi"))).status).toBe(200);
    const before = await stored(ofAGuest);
    await changeNothing(ofAGuest);
    expect(await stored(ofAGuest)).toEqual(before);
  });
});

describe("an open WebSocket", () => {
  /** A client of a user by the rules of the stack. */
  async function join(id: string, user: string) {
    const request = joinRequest({
      caller: { kind: "user", id: user },
      rulings: { read: "object", comment: "object", write: "object" },
      address: user,
    });
    const { webSocket: socket } = await objectOf(id).fetch(request);
    if (!socket) throw new Error("not let in");
    socket.binaryType = "arraybuffer";
    const peer = new Peer();
    const closed = new Promise<number>((resolve) => socket.addEventListener("close", ({ code }) => resolve(code)));
    socket.addEventListener("message", ({ data }) => peer.receive(data));
    socket.accept();
    peer.use({ send: (data) => socket.send(data), close: () => socket.close(1_000) });
    return Object.assign(peer, { closed });
  }

  it("of a reader gets every edit; its own are refused and it is told", async () => {
    const id = newDocument();
    await write(id, as("ann"));
    await person(id, as("ann"), "ben", "read");
    const [ann, ben] = [await join(id, "ann"), await join(id, "ben")];
    await Promise.all([ann.synced(), ben.synced()]);
    expect(ben.text.toString()).toBe("hi");
    ben.text.insert(0, "not ");
    await ben.until(() => ben.denials.length > 0);
    expect(ben.denials[0]).toContain("only read");
    ann.text.insert(2, "!");
    await ben.until(() => ben.text.toString().endsWith("!"));
    await ann.sync();
    expect(ann.text.toString()).toBe("hi!");
    // It may show its cursor.
    ben.show({ name: "ben" });
    await ann.until(() => ann.awareness.getStates().has(ben.doc.clientID));
    for (const peer of [ann, ben]) peer.destroy();
  });

  it("of somebody who may comment takes comments, and nothing else", async () => {
    const id = newDocument();
    await write(id, as("ann"));
    await person(id, as("ann"), "ben", "comment");
    const [ann, ben] = [await join(id, "ann"), await join(id, "ben")];
    await Promise.all([ann.synced(), ben.synced()]);
    const comments = (peer: Peer) => peer.doc.getMap<Y.Text>("comments");
    comments(ben).set("first", new Y.Text("a comment"));
    await ann.until(() => comments(ann).has("first"));
    comments(ben).get("first")?.insert(9, ", longer");
    await ann.until(() => String(comments(ann).get("first")) === "a comment, longer");
    comments(ann).get("first")?.delete(0, 2);
    await ben.until(() => String(comments(ben).get("first")) === "comment, longer");
    comments(ben).delete("first");
    await ann.until(() => !comments(ann).has("first"));
    expect(ben.denials).toEqual([]);

    const changes: ((doc: Y.Doc) => void)[] = [
      (doc) => doc.getText("text").insert(1, "x"),
      (doc) => doc.getText("text").delete(0, 1),
      (doc) => doc.getArray("other").push([1]),
      // One update with both.
      (doc) =>
        doc.transact(() => {
          doc.getMap("comments").set("second", 1);
          doc.getText("text").insert(0, "y");
        }),
    ];
    for (const change of changes) {
      const copy = new Y.Doc();
      Y.applyUpdate(copy, Y.encodeStateAsUpdate(ann.doc));
      const before = Y.encodeStateVector(copy);
      change(copy);
      const denials = ben.denials.length;
      ben.push(Y.encodeStateAsUpdate(copy, before));
      await ben.until(() => ben.denials.length > denials);
    }
    expect(ben.denials[0]).toContain("only comment");
    await ann.sync();
    expect([ann.text.toString(), comments(ann).toJSON(), ann.doc.getArray("other").length]).toEqual(["hi", {}, 0]);
    for (const peer of [ann, ben]) peer.destroy();
  });

  it("is closed once its user may no longer read, and others stay", async () => {
    const id = newDocument();
    await write(id, as("ann"));
    const [ann, ben, eve] = [await join(id, "ann"), await join(id, "ben"), await join(id, "eve")];
    await person(id, as("ann"), "eve", "none");
    // y-websocket does not come back after this code.
    expect(await eve.closed).toBe(4403);
    ann.text.insert(0, "still here ");
    await ben.until(() => ben.text.toString().startsWith("still"));
    await share(id, as("ann"), { users: "read" });
    ben.text.insert(0, "no ");
    await ben.until(() => ben.denials.length > 0);
    for (const peer of [ann, ben, eve]) peer.destroy();
  });

  it("is closed when its session ends", async () => {
    const id = newDocument();
    const headers = await logIn("zoe");
    await write(id, headers);
    const { webSocket: socket } = await fetchApp(`/document/${id}`, { headers: { Upgrade: "websocket", ...headers } });
    if (!socket) throw new Error("not let in");
    const closed = new Promise<number>((resolve) => socket.addEventListener("close", ({ code }) => resolve(code)));
    socket.accept();
    expect((await ask("/session/user/zoe", { method: "DELETE", headers: ADMIN })).status).toBe(200);
    expect(await closed).toBe(4403);
  });
});
