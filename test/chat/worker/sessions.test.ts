/** A room and the sessions of its people: when a session ends, its WebSockets are closed. */

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { joinRequest } from "../../../worker/chat/joining.ts";
import { ChatRoomDO } from "../../../worker/chat/room.ts";
import { placeOfToken } from "../../../worker/session/token.ts";
import { stackOf } from "../../../worker/stack.ts";
import { sessionOf } from "../../session/worker/support.ts";
import { stopClock } from "../../worker/clock.ts";
import { ADMIN, bearer, type Call, call, fetchApp, unique } from "../../worker/helpers.ts";
import { beginSession } from "../../worker/log-in.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const ask = (path: string, more: Call = {}) => call(path, { settings: { access: "rules", demoLogin: false }, ...more });
const isLive = async (token: string) => (await ask("/session", { headers: bearer(token) })).status === 200;

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("a session's WebSockets", () => {
  async function join(room: string, token: string) {
    const { webSocket } = await fetchApp(`/room/${room}/ws`, { headers: { Upgrade: "websocket", ...bearer(token) } });
    if (!webSocket) throw new Error("no socket");
    const closed = new Promise<number>((resolve) => webSocket.addEventListener("close", ({ code }) => resolve(code)));
    webSocket.accept();
    return { webSocket, closed };
  }

  it.each([
    ["ends", (token: string) => ask("/session", { method: "DELETE", headers: bearer(token) })],
    [
      "is revoked with all others",
      (_: string, userId: string) => ask(`/session/user/${userId}`, { method: "DELETE", headers: ADMIN }),
    ],
    ["is rotated", (token: string) => ask("/session/rotate", { method: "POST", headers: bearer(token) })],
  ])("close at once when it %s, in every room; others stay", async (_, end) => {
    const userId = unique();
    const [token, bens] = [await beginSession(userId), await beginSession(unique())];
    const rooms = [unique(), unique()];
    const sockets = await Promise.all(rooms.map((room) => join(room, token)));
    const other = await join(rooms[0] ?? "", bens);
    const since = performance.now();
    await end(token, userId);
    expect(await Promise.all(sockets.map(({ closed }) => closed))).toEqual([1_008, 1_008]);
    // It takes milliseconds; a room that had to ask by itself would take a minute.
    expect(performance.now() - since).toBeLessThan(30_000);
    expect(other.webSocket.readyState).toBe(WebSocket.OPEN);
    other.webSocket.close();
  });

  it("are not opened by a session that has just ended, even if the join was on its way", async () => {
    const [token, room] = [await beginSession(unique()), unique()];
    const { closed } = await join(room, token);
    const session = `dev-eu:session:${(await placeOfToken(stackOf(env).regions, token))?.id}`;
    await ask("/session", { method: "DELETE", headers: bearer(token) });
    await closed;
    const late = await env.CHAT_ROOM.getByName(`dev-eu:chat:${room}`).fetch(joinRequest({ userId: "ann", session }));
    expect(late.status).toBe(401);
    const dead = await fetchApp(`/room/${room}/ws`, { headers: { Upgrade: "websocket", ...bearer(token) } });
    expect(dead.status).toBe(401);
  });

  it("are closed also if the session's alarm asked the room while the join was on its way", async () => {
    const [token, room] = [await beginSession(unique()), unique()];
    const stub = await sessionOf(token);
    const session = `dev-eu:session:${(await placeOfToken(stackOf(env).regions, token))?.id}`;
    const object = env.CHAT_ROOM.getByName(`dev-eu:chat:${room}`);
    for (let joins = 0; joins < 2; joins++) {
      expect(await stub.hold({ binding: "CHAT_ROOM", name: `dev-eu:chat:${room}` })).toBe("held");
      await runDurableObjectAlarm(stub);
    }
    (await object.fetch(joinRequest({ userId: "ann", session }))).webSocket?.accept();
    expect(await object.holdsSession(session)).toBe(true);
    await ask("/session", { method: "DELETE", headers: bearer(token) });
    expect(await object.holdsSession(session)).toBe(false);
  });

  it("are closed by the alarm later if the room could not be told at once", async () => {
    const token = await beginSession(unique());
    const room = unique();
    const { closed } = await join(room, token);
    const stub = await sessionOf(token);
    vi.spyOn(ChatRoomDO.prototype, "sessionEnded").mockImplementationOnce(() => {
      throw new Error("away");
    });
    await ask("/session", { method: "DELETE", headers: bearer(token) });
    expect(await isLive(token)).toBe(false);
    await evictDurableObject(stub);
    await runDurableObjectAlarm(stub);
    expect(await closed).toBe(1_008);
    const left = await runInDurableObject(stub, (_, { storage }) =>
      storage.sql.exec("SELECT name FROM sqlite_master").toArray(),
    );
    expect(left).toEqual([]);
  });

  it("keep it alive while one is open, up to its absolute end, and then close", async () => {
    stopClock();
    const token = await beginSession(unique());
    const start = Date.now();
    const { closed } = await join(unique(), token);
    const stub = await sessionOf(token);
    for (let alarms = 0; alarms < 100; alarms++) {
      const due = await runInDurableObject(stub, (_, { storage }) => storage.getAlarm());
      if (due === null) break;
      vi.setSystemTime(due);
      await runDurableObjectAlarm(stub);
    }
    expect(Date.now()).toBe(start + 12 * HOUR);
    expect(await closed).toBe(1_008);
  });

  it("are asked for no more once a use does not move its end", async () => {
    stopClock();
    const [userId, token] = [unique(), await beginSession(unique())];
    const stub = await sessionOf(token);
    await stub.begin({ userId, role: "user", metadata: null }, 30 * MINUTE, 30 * MINUTE + 10_000);
    const end = Date.now() + 30 * MINUTE;
    const { closed } = await join(unique(), token);
    const due = () => runInDurableObject(stub, (_, { storage }) => storage.getAlarm());
    vi.setSystemTime(end - MINUTE);
    const asked = vi.spyOn(ChatRoomDO.prototype, "holdsSession");
    await runDurableObjectAlarm(stub);
    expect(await due()).toBe(end);
    vi.setSystemTime(end);
    await runDurableObjectAlarm(stub);
    expect(await closed).toBe(1_008);
    expect(asked.mock.calls.length).toBeLessThanOrEqual(1);
  });

  it("that are closed do not keep it alive", async () => {
    stopClock();
    const token = await beginSession(unique());
    const start = Date.now();
    const { webSocket, closed } = await join(unique(), token);
    webSocket.close(1_000);
    await closed;
    const stub = await sessionOf(token);
    for (let alarms = 0; alarms < 3; alarms++) {
      const due = await runInDurableObject(stub, (_, { storage }) => storage.getAlarm());
      if (due === null) break;
      vi.setSystemTime(due);
      await runDurableObjectAlarm(stub);
    }
    expect(Date.now()).toBeLessThanOrEqual(start + 30 * MINUTE);
    expect(await isLive(token)).toBe(false);
  });
});
