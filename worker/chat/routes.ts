/** HTTP and WebSocket routes of the chat room, mounted under /room. */
import { type Context, Hono } from "hono";
import * as v from "valibot";
import { callerOf, namedCallerOf } from "../http/caller.ts";
import type { App } from "../http/context.ts";
import { addressOf } from "../http/guesses.ts";
import { denied, may, undecided } from "../http/may.ts";
import { describe } from "../http/openapi.ts";
import { refusal } from "../http/problem.ts";
import { offeredProtocols, upgrade } from "../http/upgrade.ts";
import { UserId } from "../http/user-id.ts";
import { body, params, query, wholeNumber } from "../http/validation.ts";
import { nameOf, objectFor } from "../objects/names.ts";
import { retry } from "../objects/retry.ts";
import type { Caller } from "../who.ts";
import { type Door, MAX_MEMBERS, ROOM_RULES } from "./door.ts";
import { joinRequest } from "./joining.ts";
import { chat } from "./pattern.ts";
import { SUBPROTOCOLS } from "./protocol.ts";
import type { ChatRoomDO, Readable } from "./room.ts";

const MAX_PAGE = 100;
const MAX_ATTACHMENT_BYTES = 10 * 1_024 * 1_024;
/** What browsers show or save, and never run. */
const ATTACHMENT_TYPES = ["image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "text/plain"];

const Seq = wholeNumber(0, Number.MAX_SAFE_INTEGER);
const Join = v.object({ after: v.optional(Seq) });
const Range = v.object({
  before: v.optional(Seq),
  after: v.optional(Seq),
  limit: v.optional(wholeNumber(1, MAX_PAGE), String(MAX_PAGE)),
});
const FileName = v.object({
  name: v.optional(
    v.pipe(v.string(), v.minLength(1), v.maxLength(100), v.regex(/^[^\p{Cc}/\\]+$/u, "no such file name")),
  ),
});

const Attachment = v.object({
  key: v.string(),
  type: v.string(),
  size: v.number(),
  name: v.optional(v.string()),
});
const Messages = v.object({
  messages: v.array(
    v.object({
      id: v.string(),
      seq: v.number(),
      userId: v.string(),
      text: v.string(),
      timestamp: v.number(),
      clientId: v.optional(v.string()),
      attachment: v.optional(Attachment),
    }),
  ),
  /** The oldest number that is kept, and the newest. */
  first: v.number(),
  last: v.number(),
  /** Whether messages after `after` are missing here because they are not kept any more. */
  gap: v.boolean(),
});

const Access = v.object({
  rule: v.picklist(ROOM_RULES),
  /** The user who may change this. */
  owner: v.optional(v.string()),
  members: v.array(v.string()),
});
const NewAccess = v.strictObject({ rule: v.picklist(ROOM_RULES), owner: v.optional(UserId) });
const Member = v.object({ userId: UserId });

const joining = describe("A WebSocket into the room; after=<seq> resumes where a connection was cut", {
  101: "Switching protocols; frames, budgets and close codes as in worker/chat/protocol.ts",
});

export const routes = new Hono<App>()
  .get("/:roomId", joining, may(chat, "join"), query(Join), upgrade, (c) => join(c, c.req.valid("query").after))
  .get("/:roomId/ws", joining, may(chat, "join"), query(Join), upgrade, (c) => join(c, c.req.valid("query").after))
  .get(
    "/:roomId/messages",
    describe("A page of the history", { 200: Messages }),
    may(chat, "read"),
    query(Range),
    async (c) => {
      const range = c.req.valid("query");
      const page = await retry(async () => await roomOf(c).messages(range, undecided(c)));
      if (page === "denied") throw denied(await callerOf(c));
      return c.json({ ...page, gap: range.after !== undefined && range.after < page.first - 1 });
    },
  )
  .get("/:roomId/access", describe("Who may join and read the room", { 200: Access }), may(chat, "manage"), async (c) =>
    c.json(await manage(c, (room, keeper) => room.door(keeper))),
  )
  .put(
    "/:roomId/access",
    describe("Sets the room's rule, and its owner. Who may not be in it any more is put out", { 200: Access }),
    may(chat, "manage"),
    body(NewAccess),
    async (c) => c.json(await manage(c, (room, keeper) => room.setDoor(c.req.valid("json"), keeper))),
  )
  .put(
    "/:roomId/members/:userId",
    describe("Makes a user a member of the room", { 200: Access }),
    may(chat, "manage"),
    params(Member),
    async (c) => c.json(await manage(c, (room, keeper) => room.invite(c.req.valid("param").userId, keeper))),
  )
  .delete(
    "/:roomId/members/:userId",
    describe("Takes a user out of the room's members, and out of the room where only members may be", { 200: Access }),
    may(chat, "manage"),
    params(Member),
    async (c) => c.json(await manage(c, (room, keeper) => room.remove(c.req.valid("param").userId, keeper))),
  )
  .post(
    "/:roomId/attachments",
    describe("Uploads a file, to be sent with a message within the hour", { 201: Attachment }),
    may(chat, "attach"),
    query(FileName),
    async (c) => {
      const userId = await someone(c);
      const type = c.req.header("Content-Type")?.split(";")[0]?.trim().toLowerCase() ?? "";
      if (!ATTACHMENT_TYPES.includes(type)) {
        throw refusal("unsupported-media-type", `Attachments may be ${ATTACHMENT_TYPES.join(", ")}`);
      }
      const size = lengthOf(c);
      const key = crypto.randomUUID();
      const blob = `${nameOf(c, chat, c.req.param("roomId"))}/${key}`;
      const { name } = c.req.valid("query");
      const file = { key, type, size, ...(name !== undefined && { name }) };
      // Not retried: the second call of the two would find the key taken.
      const reserved = await roomOf(c).reserve({ ...file, blob, userId }, undecided(c));
      if (reserved === "denied") throw denied(await callerOf(c));
      if (reserved === "too-many") {
        throw refusal("rate-limited", "Too many uploads are waiting to be sent", { headers: { "Retry-After": "60" } });
      }
      await store(c, blob, type, size);
      if (!(await retry(() => roomOf(c).stored(key)))) {
        await c.env.BLOBS.delete(blob);
        throw refusal("unavailable", "The upload took too long; start it again");
      }
      return c.json(file, 201);
    },
  )
  .get(
    "/:roomId/attachments/:key",
    describe("A file, for the room's members", { 200: "Its bytes; Range and If-None-Match are honoured" }),
    may(chat, "attach"),
    async (c) => {
      const userId = await someone(c);
      const file: Readable = await retry(
        async () => await roomOf(c).attachment(c.req.param("key"), userId, undecided(c)),
      );
      if (file.kind === "forbidden")
        throw refusal("forbidden", "Only members of the room may read its attachments: join it");
      if (file.kind !== "found") throw notFound();
      const stored = await c.env.BLOBS.get(file.upload.blob, { onlyIf: c.req.raw.headers, range: c.req.raw.headers });
      if (!stored) throw notFound();
      const headers = new Headers({
        "Content-Type": file.upload.type,
        ETag: stored.httpEtag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=3600",
        // Bytes from users: saved under their name, never run in the page's origin.
        "Content-Disposition": `attachment; filename*=UTF-8''${encodeURIComponent(file.upload.name ?? file.upload.key)}`,
        "Content-Security-Policy": "default-src 'none'; sandbox",
      });
      if (!("body" in stored)) return new Response(null, { status: 304, headers });
      const range = partOf(stored);
      if (!range) return new Response(stored.body, { headers });
      headers.set("Content-Range", `bytes ${range.from}-${range.to}/${stored.size}`);
      return new Response(stored.body, { status: 206, headers });
    },
  );

type RoomContext = Context<App, "/:roomId">;

const roomOf = (c: RoomContext) => objectFor(c, chat, c.req.param("roomId"));

const notFound = () => refusal("not-found", "There is no such attachment in this room");

async function join(c: RoomContext, after: number | undefined): Promise<Response> {
  const caller = await namedCallerOf(c);
  const { id: userId, token, session } = caller;
  await c.get("sessions")?.hold(c, caller, chat, c.req.param("roomId"));
  const asked = undecided(c);
  const offered = offeredProtocols(c);
  const subprotocol = SUBPROTOCOLS.find((ours) => offered.includes(ours));
  return roomOf(c).fetch(
    joinRequest({
      userId,
      address: addressOf(c),
      ...(token !== undefined && { token }),
      ...(session !== undefined && { session }),
      ...(asked && { undecided: asked }),
      ...(after !== undefined && { after }),
      ...(subprotocol && { subprotocol }),
    }),
  );
}

/** What comes of a change of the room's door, by who may make it. */
async function manage(
  c: RoomContext,
  change: (room: DurableObjectStub<ChatRoomDO>, keeper: Caller | undefined) => Promise<Door | "denied" | "full">,
): Promise<Door> {
  const door = await retry(() => change(roomOf(c), undecided(c)));
  if (door === "denied") throw denied(await callerOf(c));
  if (door === "full") throw refusal("invalid-input", `userId: the room has ${MAX_MEMBERS} members, and takes no more`);
  return door;
}

/** The id of the caller, who must be somebody. */
async function someone(c: RoomContext): Promise<string> {
  const { id } = await callerOf(c);
  if (id !== "") return id;
  throw refusal("unauthorized", "Log in, or show the token that the room's history frame gave you, as a bearer token", {
    headers: { "WWW-Authenticate": "Bearer" },
  });
}

/** The declared length of the body: R2 must know it before the first byte. */
function lengthOf(c: RoomContext): number {
  const declared = c.req.header("Content-Length") ?? "";
  if (!/^[1-9]\d{0,15}$/.test(declared)) {
    throw refusal("length-required", "Send the file's size as Content-Length; it must not be empty");
  }
  const length = Number(declared);
  if (length > MAX_ATTACHMENT_BYTES) {
    throw refusal("too-large", `An attachment may have at most ${MAX_ATTACHMENT_BYTES} bytes`);
  }
  return length;
}

/** Streams the body into R2, exactly as many bytes as were declared. */
async function store(c: RoomContext, blob: string, contentType: string, size: number): Promise<void> {
  const { readable, writable } = new FixedLengthStream(size);
  try {
    const written = c.req.raw.body?.pipeTo(writable);
    await Promise.all([written, c.env.BLOBS.put(blob, readable, { httpMetadata: { contentType } })]);
  } catch {
    // What was reserved and did not arrive whole goes with the uploads that are never sent.
    throw refusal("unavailable", `The file was not stored; send it again, all ${size} bytes of its Content-Length`);
  }
}

/** Which bytes of the file the stored part is; undefined where it is all of it. */
function partOf({ range, size }: R2Object): { from: number; to: number } | undefined {
  if (!range) return undefined;
  const suffix = "suffix" in range ? range.suffix : undefined;
  const offset = "offset" in range ? range.offset : undefined;
  const from = suffix === undefined ? (offset ?? 0) : Math.max(size - suffix, 0);
  const length = ("length" in range ? range.length : undefined) ?? size - from;
  return length === size ? undefined : { from, to: from + length - 1 };
}
