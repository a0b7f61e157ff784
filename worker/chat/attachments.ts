/** HTTP routes of a room's files. R2 has the bytes; the room knows which files there are and who may read them. */

import type { Context } from "hono";
import * as v from "valibot";
import { callerOf } from "../http/caller.ts";
import { chargeForBytes } from "../http/charge.ts";
import { decide, type Part } from "../http/conditional.ts";
import type { App } from "../http/context.ts";
import { denied, unauthorized } from "../http/denials.ts";
import { Hono } from "../http/hono.ts";
import { may, undecided } from "../http/may.ts";
import { Integer } from "../http/numbers.ts";
import { describe, sends } from "../http/openapi.ts";
import { refusal } from "../http/problem.ts";
import { binary, query, refuseCompressed } from "../http/validation.ts";
import { isVisible } from "../http/visible.ts";
import { blobsOf } from "../objects/blobs.ts";
import { nameOf, objectFor, placeOf } from "../objects/names.ts";
import { notRead, notWritten, retry } from "../objects/retry.ts";
import { answerOf, type Caller } from "../who.ts";
import type { FileAnswer } from "./files.ts";
import { chat } from "./pattern.ts";
import type { Attachment } from "./protocol.ts";
import type { Upload } from "./uploads.ts";

const MAX_BYTES = 10 * 1_024 * 1_024;
/** Types that browsers show or save, and never run. */
const TYPES = ["image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "text/plain"];

const FileName = v.object({
  name: v.optional(
    v.pipe(
      v.string(),
      v.minLength(1),
      v.maxLength(100),
      v.check((name) => isVisible(name) && !/[/\\]/.test(name), "must have visible characters only, and no slash"),
    ),
  ),
});

/** A file, as the room and its messages describe it. */
export const AttachmentSchema = v.object({
  key: v.string(),
  type: v.string(),
  size: Integer,
  name: v.optional(v.string()),
} satisfies Record<keyof Attachment, v.GenericSchema>);

export const attachments = new Hono()
  .post(
    "/:roomId/attachments",
    describe("Uploads a file, to be sent with a message within the hour", { 201: AttachmentSchema }),
    may(chat, "attach"),
    query(FileName),
    binary(...TYPES),
    async (c) => c.json(await upload(c, c.req.valid("query").name), 201),
  )
  .get(
    "/:roomId/attachments/:key",
    describe("A file, for the room's members", {
      200: sends("Its bytes", ...TYPES),
      206: sends("The part that Range asks for", ...TYPES),
      304: "The caller has this file already (If-None-Match)",
    }),
    may(chat, "attach"),
    async (c) => download(c, await readable(c, c.req.param("key"))),
  );

type RoomContext = Context<App, "/:roomId/attachments">;

const roomOf = (c: RoomContext) => objectFor(c, chat, c.req.param("roomId"));
/** The bucket of the room's region. */
const bucketOf = (c: RoomContext) => blobsOf(c.env, placeOf(c, c.req.param("roomId")).region);

async function upload(c: RoomContext, name: string | undefined): Promise<v.InferOutput<typeof AttachmentSchema>> {
  const { id: userId } = await someone(c);
  const type = c.req.header("Content-Type")?.split(";")[0]?.trim().toLowerCase() ?? "";
  refuseCompressed(c.req.raw.headers);
  if (!TYPES.includes(type)) throw refusal("unsupported-media-type", `Attachments may be ${TYPES.join(", ")}`);
  const size = lengthOf(c);
  await chargeForBytes(c, size);
  const key = crypto.randomUUID();
  const blob = `${nameOf(c, chat, c.req.param("roomId"))}/${key}`;
  const file = { key, type, size, ...(name !== undefined && { name }) };
  // Not retried: the second call would find the key taken by the first.
  const reserved = await roomOf(c).reserve({ ...file, blob, userId }, undecided(c));
  if (reserved === "denied") throw denied(await callerOf(c));
  if (reserved === "room-full")
    throw refusal("too-large", "The room has no space for this file; delete messages with files");
  if (reserved === "too-many") {
    throw refusal("rate-limited", "Too many of your files are in no message: send some; each goes after an hour", {
      headers: { "Retry-After": "60" },
    });
  }
  const stored = store(c, { ...file, blob });
  // Goes on if the caller disconnects, which ends the request: so the reserved place is free again at once.
  c.executionCtx.waitUntil(stored.catch(() => undefined));
  await stored;
  return file;
}

/** Streams the body into R2, exactly as many bytes as were declared. An incomplete file is abandoned at once. */
async function store(c: RoomContext, { key, blob, type, size }: Omit<Upload, "userId">): Promise<void> {
  const { readable, writable } = new FixedLengthStream(size);
  try {
    const written = c.req.raw.body?.pipeTo(writable);
    await Promise.all([written, bucketOf(c).put(blob, readable, { httpMetadata: { contentType: type } })]);
  } catch {
    await retry(() => roomOf(c).abandon(key));
    throw refusal("unavailable", `The file was not stored; send it again, all ${size} bytes of its Content-Length`);
  }
  if (await retry(() => roomOf(c).stored(key))) return;
  await fromBucket(() => bucketOf(c).delete(blob), notWritten);
  throw refusal("unavailable", "The upload took too long; start it again");
}

/** Makes an idempotent call to the bucket. What fails there is no bug: the caller may try again. */
const fromBucket = <T>(call: () => Promise<T>, failed: (what: string, cause: unknown) => Error): Promise<T> =>
  retry(() =>
    call().catch((error) => {
      throw failed("the attachment", error);
    }),
  );

/** The declared length of the body: R2 must know it before the first byte. */
function lengthOf(c: RoomContext): number {
  const declared = c.req.header("Content-Length") ?? "";
  if (!/^[1-9]\d{0,15}$/.test(declared)) {
    throw refusal("length-required", "Send the file's size as Content-Length; it must not be empty");
  }
  const length = Number(declared);
  if (length > MAX_BYTES) throw refusal("too-large", `An attachment may have at most ${MAX_BYTES} bytes`);
  return length;
}

/** The file, if the caller may read it. */
async function readable(c: RoomContext, key: string): Promise<Upload> {
  const caller = await someone(c);
  // The admin and granted keys read the files of any room.
  const isTrusted = answerOf("admin", "chat.attach", { caller }) === true;
  const file: FileAnswer = await retry(async () => await roomOf(c).attachment(key, caller.id, undecided(c), isTrusted));
  if (file.kind === "forbidden") {
    throw refusal("forbidden", "Only members of the room may read its attachments: join it");
  }
  if (file.kind !== "found") throw notFound();
  return file.upload;
}

async function download(c: RoomContext, { key, blob, type, size, name }: Upload): Promise<Response> {
  const etag = `"${key}"`;
  const asked = new Headers(c.req.raw.headers);
  const isHead = c.req.raw.method === "HEAD";
  // A range is for GET alone (RFC 9110, 14.2).
  if (isHead) asked.delete("Range");
  const decision = decide(asked, { etag, size });
  const { status } = decision;
  // Kept, and asked for each time: who may read it changes, and so does who uses the browser.
  const headers = new Headers({ ETag: etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache" });
  if (status === 304) return new Response(null, { status, headers });
  if (status === 412) throw refusal("precondition-failed", "If-Match: the file has another entity tag");
  if (status === 416) {
    throw refusal("range-not-satisfiable", `Range: the file has ${size} bytes`, {
      headers: { "Content-Range": `bytes */${size}` },
    });
  }
  const part: Part = status === 206 ? decision.part : { from: 0, to: size - 1 };
  const length = part.to - part.from + 1;
  headers.set("Content-Type", type);
  headers.set("Content-Length", String(length));
  // Bytes from users: saved under their name, never run in the page's origin.
  headers.set("Content-Disposition", `attachment; filename*=UTF-8''${encodeURIComponent(name ?? key)}`);
  headers.set("Content-Security-Policy", "default-src 'none'; sandbox");
  if (status === 206) headers.set("Content-Range", `bytes ${part.from}-${part.to}/${size}`);
  if (isHead) return new Response(null, { headers });
  const range = { offset: part.from, length };
  const stored = await fromBucket(() => bucketOf(c).get(blob, { range }), notRead);
  if (!stored) throw notFound();
  return new Response(stored.body, { status, headers });
}

const notFound = () => refusal("not-found", "There is no such attachment in this room");

/** The caller. 401 for one without a name. */
async function someone(c: RoomContext): Promise<Caller> {
  const caller = await callerOf(c);
  if (caller.id !== "") return caller;
  throw unauthorized("Log in, or show the token that the room's history frame gave you, as a bearer token", "Bearer");
}
