/** The chat room over HTTP: pages of the history, and attachments from upload to deletion. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { History } from "../../../worker/chat/history.ts";
import { ChatRoomDO } from "../../../worker/chat/room.ts";
import { notWritten } from "../../../worker/objects/retry.ts";
import { fc } from "../../properties.ts";
import { pass, stopClock } from "../../worker/clock.ts";
import { ADMIN, call, fetchApp, keyWith } from "../../worker/helpers.ts";
import { ask } from "../../worker/tries.ts";
import { fill, join, type Member, newRoom, roomObject, stays } from "./support.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

interface Page {
  messages: { seq: number; text: string }[];
  first: number;
  last: number;
  gap: boolean;
}

const read = (room: string, query = "") => fetchApp(`/room/${room}/messages${query}`);
const page = async (room: string, query = ""): Promise<Page> => (await read(room, query)).json();
const seqs = ({ messages }: Page) => messages.map(({ seq }) => seq);
const range = (from: number, to: number) => Array.from({ length: Math.max(to - from + 1, 0) }, (_, i) => from + i);

describe("GET /room/:roomId/messages", () => {
  it("is the article's list, empty at first", async () => {
    expect(await page(newRoom())).toEqual({ messages: [], first: 1, last: 0, gap: false });
  });

  it("pages in both directions, in order, and reports a gap", async () => {
    const room = newRoom();
    await fill(room, 110);
    expect(seqs(await page(room))).toEqual(range(11, 110));
    expect(seqs(await page(room, "?limit=3"))).toEqual([108, 109, 110]);
    expect(seqs(await page(room, "?before=50&limit=3"))).toEqual([47, 48, 49]);
    expect(seqs(await page(room, "?after=50&limit=3"))).toEqual([51, 52, 53]);
    expect(seqs(await page(room, "?after=50&before=53"))).toEqual([51, 52]);
    expect(await page(room, "?after=9&limit=1")).toMatchObject({ gap: true, first: 11, last: 110 });
    expect(await page(room, "?after=10&limit=1")).toMatchObject({ gap: false, messages: [{ seq: 11 }] });
    expect(await page(room, "?before=11")).toMatchObject({ messages: [] });
    expect(await page(room, "?after=110")).toMatchObject({ messages: [], gap: false });
    await fc.assert(
      fc.asyncProperty(
        fc.nat(120),
        fc.integer({ min: 1, max: 120 }),
        fc.integer({ min: 1, max: 100 }),
        async (after, before, limit) => {
          const expected = range(Math.max(after + 1, 11), Math.min(before - 1, 110)).slice(0, limit);
          expect(seqs(await page(room, `?after=${after}&before=${before}&limit=${limit}`))).toEqual(expected);
        },
      ),
      { numRuns: 40 },
    );
  });

  it.each(["limit=0", "limit=101", "limit=x", "before=-1", "after=1.5", "after=1&after=2", "before=", "before=0"])(
    "refuses ?%s",
    async (query) => expect((await read(newRoom(), `?${query}`)).status).toBe(400),
  );

  it.each(["before=x", "after=x", "after="])("refuses ?%s, and says what it must be", async (query) => {
    const answer = await read(newRoom(), `?${query}`);
    expect([answer.status, await answer.text()]).toEqual([
      400,
      expect.stringContaining("the number (seq) of a message"),
    ]);
  });

  it("follows a history limit that was lowered or raised", async () => {
    const room = newRoom();
    await fill(room, 30);
    await runInDurableObject(roomObject(room), (_, { storage }) => {
      const kept = (history: History) => history.read({ limit: 100 }).map(({ seq }) => seq);
      const say = (history: History) => {
        const message = { id: "x", seq: history.last + 1, userId: "u", text: "t", timestamp: 0 };
        history.append([message]);
        history.appended([message]);
      };
      const lowered = new History(storage.sql, { limit: 10, retentionMs: undefined });
      expect(kept(lowered)).toEqual(range(21, 30));
      say(lowered);
      expect(kept(lowered)).toEqual(range(22, 31));
      expect(storage.sql.exec("SELECT seq FROM messages").toArray()).toHaveLength(10);
      const raised = new History(storage.sql, { limit: 12, retentionMs: undefined });
      expect(raised.first).toBe(22);
      for (let i = 0; i < 4; i++) say(raised);
      expect(kept(raised)).toEqual(range(24, 35));
      expect(raised.first).toBe(24);
    });
  });

  it("keeps the newest of messages that are stored together, though they are more than its limit", async () => {
    const room = newRoom();
    await fill(room, 5);
    await runInDurableObject(roomObject(room), (_, { storage }) => {
      const history = new History(storage.sql, { limit: 4, retentionMs: undefined });
      const message = (seq: number) => {
        const attachment = { key: `key-${seq}`, type: "image/png", size: 1 };
        return { id: `${seq}`, seq, userId: "u", text: "t", timestamp: 0, attachment };
      };
      const together = (from: number, to: number) => {
        const messages = range(from, to).map(message);
        const left = history.append(messages).map(({ key }) => key);
        history.appended(messages);
        const rows = storage.sql.exec<{ seq: number; id: string }>("SELECT seq, id FROM messages").toArray();
        expect(rows).toEqual(range(to - 3, to).map((seq) => ({ seq, id: `${seq}` })));
        expect(history.read({ limit: 100 }).map(({ seq }) => seq)).toEqual(range(to - 3, to));
        return left;
      };
      expect(together(6, 16)).toEqual(range(6, 12).map((seq) => `key-${seq}`));
      expect(together(17, 18)).toEqual(["key-13", "key-14"]);
      expect(together(19, 22)).toEqual(range(15, 18).map((seq) => `key-${seq}`));
    });
  });
});

const PNG = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 1, 2, 3, 4, 5, 6]);
const bearer = ({ token }: Member) => ({ Authorization: `Bearer ${token}` });

function upload(
  room: string,
  member: Member | undefined,
  { type = "image/png", body = PNG, name = "", encoding = "" } = {},
) {
  return fetchApp(`/room/${room}/attachments${name && `?name=${encodeURIComponent(name)}`}`, {
    method: "POST",
    headers: {
      "Content-Type": type,
      "Content-Length": String(body.byteLength),
      ...(encoding && { "Content-Encoding": encoding }),
      ...(member && bearer(member)),
    },
    body,
  });
}

const uploaded = async (room: string, member: Member, options = {}): Promise<{ key: string }> =>
  (await upload(room, member, options)).json();

const download = (room: string, key: string, member?: Member, headers: Record<string, string> = {}) =>
  fetchApp(`/room/${room}/attachments/${key}`, { headers: { ...headers, ...(member && bearer(member)) } });

const blobs = async (room: string) => (await env.BLOBS.list({ prefix: `dev-eu:chat:${room}/` })).objects.length;
const rowsLeft = (room: string) =>
  runInDurableObject(roomObject(room), (_, { storage }) => storage.sql.exec("SELECT * FROM uploads").toArray().length);

describe("an attachment", () => {
  it("goes from its uploader into a message, to the members, byte for byte", async () => {
    const room = newRoom();
    const [a, b] = [await join(room), await join(room)];
    const response = await upload(room, a, { name: "Bild ä.png" });
    expect(response.status).toBe(201);
    const { key, ...rest } = await response.json<{ key: string }>();
    expect(rest).toEqual({ type: "image/png", size: 10, name: "Bild ä.png" });
    await a.say("look", { attachment: key });
    const { message } = await b.nextOf("message");
    expect(message.attachment).toEqual({ key, ...rest });

    const file = await download(room, key, b);
    expect(file.status).toBe(200);
    expect(new Uint8Array(await file.arrayBuffer())).toEqual(PNG);
    expect(file.headers.get("Content-Type")).toBe("image/png");
    expect(file.headers.get("Content-Disposition")).toBe("attachment; filename*=UTF-8''Bild%20%C3%A4.png");
    expect(file.headers.get("Content-Security-Policy")).toContain("sandbox");
    expect(file.headers.get("X-Content-Type-Options")).toBe("nosniff");
    // Whoever may not read it any more, or uses the same browser later, does not get it from there.
    expect(file.headers.get("Cache-Control")).toBe("private, no-cache");
  });

  it("answers ranges and conditions", async () => {
    const room = newRoom();
    const a = await join(room);
    const { key } = await uploaded(room, a);
    const part = await download(room, key, a, { Range: "bytes=2-4" });
    expect(part.status).toBe(206);
    expect(part.headers.get("Content-Range")).toBe("bytes 2-4/10");
    expect(new Uint8Array(await part.arrayBuffer())).toEqual(PNG.slice(2, 5));
    const etag = part.headers.get("ETag") ?? "";
    const same = await download(room, key, a, { "If-None-Match": etag });
    expect(same.status).toBe(304);
    expect(await same.text()).toBe("");
    const other = await download(room, key, a, { "If-Match": '"other"' });
    expect(other.status).toBe(412);
    const beyond = await download(room, key, a, { Range: "bytes=10-" });
    expect([beyond.status, beyond.headers.get("Content-Range")]).toEqual([416, "bytes */10"]);
    for (const headers of [{ "If-None-Match": "abc" }, { "If-Range": "abc", Range: "bytes=1-" }, { Range: "x" }]) {
      const whole = await download(room, key, a, headers);
      expect([whole.status, (await whole.arrayBuffer()).byteLength]).toEqual([200, 10]);
    }
    const ranges: Record<string, string>[] = [{}, { Range: "bytes=2-4" }, { Range: "bytes=10-" }];
    for (const headers of ranges) {
      const path = `/room/${room}/attachments/${key}`;
      const head = await fetchApp(path, { method: "HEAD", headers: { ...bearer(a), ...headers } });
      const told = ["ETag", "Content-Length", "Content-Range"].map((name) => head.headers.get(name));
      expect([head.status, ...told]).toEqual([200, etag, "10", null]);
    }
  });

  it("that breaks off frees its place at once, however many do", async () => {
    const room = newRoom();
    const member = await join(room);
    const broken = () =>
      fetchApp(`/room/${room}/attachments`, {
        method: "POST",
        headers: { "Content-Type": "text/plain", "Content-Length": "500", ...bearer(member) },
        body: "shorter",
      });
    for (let i = 0; i < 21; i++) expect((await broken()).status).toBe(503);
    expect((await upload(room, member)).status).toBe(201);
    await runDurableObjectAlarm(roomObject(room));
    expect([await blobs(room), await rowsLeft(room)]).toEqual([1, 1]);
  });

  it("is there if the answer of the room that notes it is lost, and the call is made again", async () => {
    const room = newRoom();
    const member = await join(room);
    const noted = ChatRoomDO.prototype.stored;
    const lost = vi.spyOn(ChatRoomDO.prototype, "stored").mockImplementationOnce(function (this: ChatRoomDO, key) {
      expect(noted.call(this, key)).toBe(true);
      throw notWritten("the answer", "lost");
    });
    const { key } = await uploaded(room, member);
    expect(lost).toHaveBeenCalledTimes(2);
    expect(new Uint8Array(await (await download(room, key, member)).arrayBuffer())).toEqual(PNG);
  });

  it("is answered with 503 while R2 fails, and a failure or two are tried again", async () => {
    const room = newRoom();
    const member = await join(room);
    const { key } = await uploaded(room, member);
    const down = () => Promise.reject(new Error("R2 is down"));
    const get = vi.spyOn(env.BLOBS, "get").mockImplementation(down);
    const failed = await download(room, key, member);
    expect([failed.status, failed.headers.get("Retry-After")]).toEqual([503, "1"]);
    get.mockRestore();
    vi.spyOn(env.BLOBS, "get").mockImplementationOnce(down);
    expect((await download(room, key, member)).status).toBe(200);
    // Too late: what was stored has to go.
    vi.spyOn(ChatRoomDO.prototype, "stored").mockReturnValue(false);
    vi.spyOn(env.BLOBS, "delete").mockImplementationOnce(down);
    expect((await upload(room, member)).status).toBe(503);
    expect(await blobs(room)).toBe(1);
  });

  it("that never arrives is abandoned after ten minutes", async () => {
    stopClock();
    const room = newRoom();
    const stub = roomObject(room);
    const file = { blob: "b", type: "image/png", size: 1, userId: "u" };
    for (let i = 0; i < 20; i++) expect(await stub.reserve({ ...file, key: `k${i}` })).toBe("reserved");
    expect(await stub.reserve({ ...file, key: "k20" })).toBe("too-many");
    pass(600_000);
    await runDurableObjectAlarm(stub);
    expect(await stub.reserve({ ...file, key: "k21" })).toBe("reserved");
  });

  it("is refused if twenty of the user are in no message, until they are gone after an hour", async () => {
    stopClock();
    const room = newRoom();
    const member = await join(room);
    for (let i = 0; i < 20; i++) expect((await upload(room, member)).status).toBe(201);
    const refused = await upload(room, member);
    expect(refused.status).toBe(429);
    expect(await refused.json()).toMatchObject({
      detail: expect.stringContaining("send some; each goes after an hour"),
    });
    pass(60 * 60_000);
    await runDurableObjectAlarm(roomObject(room));
    expect((await upload(room, member)).status).toBe(201);
  });

  it("is refused if the room's files take too much space, until some are deleted", async () => {
    const stub = roomObject(newRoom());
    const file = { blob: "b", type: "image/png", userId: "u" };
    const most = 1_000 * 1_024 * 1_024;
    expect(await stub.reserve({ ...file, key: "a", size: most - 1 })).toBe("reserved");
    expect(await stub.reserve({ ...file, key: "b", size: 2 })).toBe("room-full");
    await stub.abandon("a");
    await runDurableObjectAlarm(stub);
    expect(await stub.reserve({ ...file, key: "b", size: 2 })).toBe("reserved");
  });

  it("is refused without making a room if the file is larger than a room's space", async () => {
    const stub = roomObject(newRoom());
    const file = { key: "a", blob: "b", type: "image/png", userId: "u", size: 1_000 * 1_024 * 1_024 + 1 };
    expect(await stub.reserve(file)).toBe("room-full");
    const stored = await runInDurableObject(stub, async (_, { storage }) => [
      storage.sql.exec("SELECT name FROM sqlite_master").toArray(),
      await storage.getAlarm(),
    ]);
    expect(stored).toEqual([[], null]);
    expect(await stub.reserve({ ...file, size: 1 })).toBe("reserved");
  });

  it("is for members: 401 without a name, 403 for others, and for members only once it was sent", async () => {
    const room = newRoom();
    const [a, b] = [await join(room), await join(room)];
    const stranger = await join(newRoom());
    const { key } = await uploaded(room, a);
    expect((await download(room, key)).status).toBe(401);
    expect((await download(room, key, stranger)).status).toBe(403);
    expect((await download(room, key, b)).status).toBe(404);
    await a.say("look", { attachment: key });
    expect((await download(room, key, b)).status).toBe(200);
    expect((await download(room, key, stranger)).status).toBe(403);
    expect((await download(newRoom(), key, b)).status).toBe(404);
    // A user who has left may not read it, unless they have a message in the history.
    await b.say("nice");
    b.close();
    await b.closed;
    await evictDurableObject(roomObject(room));
    expect((await download(room, key, b)).status).toBe(200);
  });

  it("that was sent may be read by the admin and a key that grants it, who are in no room; by no other key", async () => {
    const room = newRoom();
    const member = await join(room);
    const sent = await uploaded(room, member);
    await member.say("look", { attachment: sent.key });
    const unsent = await uploaded(room, member);
    await roomObject(room).setDoor({ rule: "members" });
    const statusFor = async (headers: Record<string, string>, { key } = sent) =>
      (await ask(`/room/${room}/attachments/${key}`, { headers })).status;
    for (const headers of [ADMIN, await keyWith("chat.attach"), await keyWith("chat")]) {
      expect([await statusFor(headers), await statusFor(headers, unsent)]).toEqual([200, 404]);
    }
    expect(await statusFor(await keyWith("chat.read"))).toBe(403);
  });

  it("can be sent by its uploader only, and once", async () => {
    const room = newRoom();
    const [a, b] = [await join(room), await join(room)];
    const { key } = await uploaded(room, a);
    b.send({ type: "chat", text: "mine", attachment: key });
    expect(await b.nextOf("error")).toMatchObject({ code: "no-attachment" });
    // A picture needs no words.
    await a.say("", { attachment: key });
    a.send({ type: "chat", text: "again", attachment: key });
    expect(await a.nextOf("error")).toMatchObject({ code: "no-attachment" });
  });

  it.each([
    ["a type that browsers run", { type: "text/html" }, 415],
    ["SVG", { type: "image/svg+xml" }, 415],
    ["no type", { type: "" }, 415],
    ["compressed bytes", { encoding: "gzip" }, 415],
    ["a path for a name", { name: "../x" }, 400],
    ["a long name", { name: "x".repeat(101) }, 400],
    ["a name that reads backwards", { name: "gnp\u202Eexe.txt" }, 400],
    ["an invisible name", { name: "\u200B\u2060" }, 400],
    ["a name of spaces", { name: "   " }, 400],
    ["a name of fillers", { name: "\u3164\uFE0F" }, 400],
  ])("is refused: %s", async (_, options, status) => {
    const room = newRoom();
    const member = await join(room);
    expect((await upload(room, member, options)).status).toBe(status);
    expect(await blobs(room)).toBe(0);
  });

  it("is described in OpenAPI with the types that it may have", async () => {
    const { body } = await call("/openapi.json");
    expect(body).toMatchObject({
      paths: {
        "/room/{roomId}/attachments": {
          post: { requestBody: { content: { "image/png": { schema: { format: "binary" } } } } },
        },
      },
    });
  });

  it("is refused without identity, without a length, when empty, and when too large", async () => {
    const room = newRoom();
    const member = await join(room);
    expect((await upload(room, undefined)).status).toBe(401);
    const post = (length: string | undefined, body: BodyInit | null) =>
      fetchApp(`/room/${room}/attachments`, {
        method: "POST",
        headers: {
          "Content-Type": "text/plain",
          ...bearer(member),
          ...(length !== undefined && { "Content-Length": length }),
        },
        body,
      });
    expect(
      (await post(undefined, new Response("of unknown length").body?.pipeThrough(new TransformStream()) ?? null))
        .status,
    ).toBe(411);
    expect((await post("0", "")).status).toBe(411);
    expect((await post(String(10 * 1_024 * 1_024 + 1), "x")).status).toBe(413);
    expect((await post("5", "longer than five")).status).toBe(503);
    expect((await post("500", "shorter")).status).toBe(503);
    expect(await blobs(room)).toBe(0);
  });

  it("of 10 MiB passes, streamed", async () => {
    const room = newRoom();
    const member = await join(room);
    const body = new Uint8Array(10 * 1_024 * 1_024).fill(7);
    const { key } = await uploaded(room, member, { body, type: "application/pdf" });
    expect((await (await download(room, key, member)).arrayBuffer()).byteLength).toBe(body.byteLength);
  });

  it("takes a full bucket of its uploader if it has more MiB than that, and is refused only until the bucket is full", async () => {
    stopClock();
    const room = newRoom();
    const member = await join(room);
    const small = { capacity: 2, periodSeconds: 3_600 };
    const settings = { rateLimits: { default: { capacity: 100, periodSeconds: 60 }, upload: small } };
    const json = "x".repeat(3 * 1_024 * 1_024);
    const headers = {
      "Content-Type": "application/pdf",
      "Content-Length": String(json.length),
      "CF-Connecting-IP": "192.0.2.77",
      ...bearer(member),
    };
    const send = () => call(`/room/${room}/attachments`, { json, headers, settings });
    expect(await send()).toMatchObject({ status: 201 });
    expect(await send()).toMatchObject({ status: 429, body: { remaining: 0, retryAfter: 3_600 } });
  });

  it("waits to be sent with at most 19 others of one user", async () => {
    const room = newRoom();
    const member = await join(room);
    const statuses = [];
    for (let i = 0; i < 21; i++) statuses.push((await upload(room, member)).status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(20);
    expect(statuses.at(-1)).toBe(429);
  });

  it("is deleted with its message, when the history moves on", async () => {
    const room = newRoom();
    await stays(room);
    const member = await join(room);
    const { key } = await uploaded(room, member);
    await member.say("look", { attachment: key });
    await fill(room, 99);
    await runDurableObjectAlarm(roomObject(room));
    expect((await download(room, key, member)).status).toBe(200);
    await fill(room, 1);
    expect((await download(room, key, member)).status).toBe(404);
    expect(await blobs(room)).toBe(1);
    expect(await runDurableObjectAlarm(roomObject(room))).toBe(true);
    expect(await blobs(room)).toBe(0);
    expect(await rowsLeft(room)).toBe(0);
    expect(await runDurableObjectAlarm(roomObject(room))).toBe(false);
  });

  it("that is never sent is deleted after an hour, not before, if the alarm runs early, late and twice", async () => {
    stopClock();
    const room = newRoom();
    await stays(room);
    const member = await join(room);
    const { key } = await uploaded(room, member);
    const stub = roomObject(room);
    for (let i = 0; i < 2; i++) {
      expect(await runDurableObjectAlarm(stub)).toBe(true);
      expect(await blobs(room)).toBe(1);
    }
    pass(3_600_000);
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(await blobs(room)).toBe(0);
    member.send({ type: "chat", text: "late", attachment: key });
    expect(await member.nextOf("error")).toMatchObject({ code: "no-attachment" });
    expect(await runDurableObjectAlarm(stub)).toBe(false);
  });

  it("that R2 fails to delete is tried again until it succeeds", async () => {
    stopClock();
    const room = newRoom();
    const member = await join(room);
    await uploaded(room, member);
    pass(3_600_000);
    await runInDurableObject(roomObject(room), async (instance, { storage }) => {
      const { BLOBS } = Reflect.get(instance, "env");
      const failing = vi.spyOn(BLOBS, "delete").mockRejectedValue(new Error("R2 is down"));
      for (let i = 0; i < 10; i++) {
        await storage.deleteAlarm();
        await instance.alarm();
      }
      expect(await storage.getAlarm()).toBe(Date.now() + 60_000);
      failing.mockRestore();
    });
    expect(await blobs(room)).toBe(1);
    await runDurableObjectAlarm(roomObject(room));
    expect(await blobs(room)).toBe(0);
  });
});
