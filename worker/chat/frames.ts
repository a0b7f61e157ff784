/** Parses what a client sent. The result is a frame, or an error for the sender; it never throws. */
import * as v from "valibot";
import type { ChatFrame, ClientFrame, ErrorCode } from "./protocol.ts";

/** Code points. */
const MAX_TEXT = 4_000;
/** JSON may escape every character, those outside the BMP as a pair such as \ud83d\ude00. */
const MOST_BYTES_OF_A_CHARACTER = 12;
/** Bytes of UTF-8: the longest text, however it is written, and as much as the other members can need. */
const MAX_FRAME_BYTES = MAX_TEXT * MOST_BYTES_OF_A_CHARACTER + 1_024;
const MAX_CLIENT_ID = 64;

/** Whether a text has a character that can be seen: no white space, no zero-width character, no direction mark. */
const isSeen = (text: string): boolean =>
  // A literal in a function: its tables take part of a millisecond of a cold start, and are made when they are needed.
  /[^\s\p{C}\p{DI}\u2800]/u.test(text);

const ClientId = v.pipe(
  v.string("clientId: must be a string"),
  v.minLength(1, "clientId: must not be empty"),
  v.maxLength(MAX_CLIENT_ID, `clientId: must have at most ${MAX_CLIENT_ID} characters`),
  v.check((id) => id.isWellFormed(), "clientId: must be valid Unicode"),
);

const Text = v.pipe(
  v.string("text: must be a string"),
  // A lone surrogate would be stored as a character that differs from the one that was broadcast.
  v.transform((text) => text.toWellFormed()),
  v.check(
    (text) => text.length <= MAX_TEXT || [...text].length <= MAX_TEXT,
    `text: must have at most ${MAX_TEXT} characters`,
  ),
);

const Frame = v.variant(
  "type",
  [
    v.pipe(
      v.object({
        type: v.literal("chat"),
        text: Text,
        clientId: v.optional(ClientId),
        attachment: v.optional(
          v.pipe(v.string("attachment: must be a string"), v.maxLength(64, "attachment: no such key")),
        ),
      } satisfies Record<keyof ChatFrame, v.GenericSchema>),
      v.check(
        ({ text, attachment }) => attachment !== undefined || isSeen(text),
        "text: must have at least one visible character",
      ),
    ),
    v.object({ type: v.literal("typing") }),
    v.object({ type: v.literal("ping") }),
    v.object({
      type: v.literal("seen"),
      seq: v.pipe(
        v.number("seq: must be a number"),
        v.safeInteger("seq: must be whole"),
        v.minValue(0, "seq: too low"),
      ),
    }),
  ],
  "type: must be chat, typing, ping or seen",
);

export type Read = { ok: true; frame: ClientFrame } | { ok: false; code: ErrorCode; error: string; clientId?: string };

export function readFrame(data: string | ArrayBuffer): Read {
  if (typeof data !== "string") return { ok: false, code: "invalid", error: "Binary frames are not accepted" };
  if (isTooLarge(data)) {
    return { ok: false, code: "too-large", error: `A frame may have at most ${MAX_FRAME_BYTES} bytes` };
  }
  let json: unknown;
  try {
    json = JSON.parse(data);
  } catch {
    return { ok: false, code: "invalid", error: "Invalid JSON" };
  }
  const result = v.safeParse(Frame, json);
  if (result.success) return { ok: true, frame: result.output };
  const named = v.safeParse(v.object({ clientId: ClientId }), json);
  return { ok: false, code: "invalid", error: result.issues[0].message, ...(named.success && named.output) };
}

/** Whether a text has too many bytes in UTF-8, which has one to three for each of JavaScript's units. */
function isTooLarge(data: string): boolean {
  if (data.length * 3 <= MAX_FRAME_BYTES) return false;
  return data.length > MAX_FRAME_BYTES || new TextEncoder().encode(data).byteLength > MAX_FRAME_BYTES;
}
