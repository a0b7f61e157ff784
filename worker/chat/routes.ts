/** HTTP and WebSocket routes of the chat room, mounted under /room. */

import type { Context } from "hono";
import * as v from "valibot";
import { callerOf, namedCallerOf } from "../http/caller.ts";
import type { App } from "../http/context.ts";
import { denied } from "../http/denials.ts";
import { Hono } from "../http/hono.ts";
import { joinerOf, joinOrBegin } from "../http/joiner.ts";
import { may, undecided } from "../http/may.ts";
import { Integer, Moment } from "../http/numbers.ts";
import { describe } from "../http/openapi.ts";
import { refusal } from "../http/problem.ts";
import { upgrade } from "../http/upgrade.ts";
import { UserId } from "../http/user-id.ts";
import { body, params, query, wholeNumber } from "../http/validation.ts";
import { objectFor, type Place, placeOf, regionOfCaller } from "../objects/names.ts";
import { retry } from "../objects/retry.ts";
import { stackOf } from "../stack.ts";
import type { Caller } from "../who.ts";
import { AttachmentSchema, attachments } from "./attachments.ts";
import { type Door, MAX_MEMBERS, ROOM_RULES } from "./door.ts";
import { AT_RELAY, type Joining, joinRequest, readRelay } from "./joining.ts";
import { chat } from "./pattern.ts";
import { type Message, SUBPROTOCOLS } from "./protocol.ts";
import { relayAt } from "./relay-places.ts";
import type { ChatRoomDO } from "./room.ts";
import { isResumable } from "./welcome.ts";

const MAX_PAGE = 100;
/** The last message that somebody has: 0 for none. */
const After = wholeNumber(0, Number.MAX_SAFE_INTEGER, "must be the number (seq) of a message, or 0 for all");
const Before = wholeNumber(1, Number.MAX_SAFE_INTEGER, "must be the number (seq) of a message");
const Join = v.object({ after: v.optional(After), afterId: v.optional(v.pipe(v.string(), v.maxLength(64))) });
const RangeQuery = v.object({
  before: v.optional(Before),
  after: v.optional(After),
  limit: v.optional(wholeNumber(1, MAX_PAGE), String(MAX_PAGE)),
});
const MessageSchema = v.object({
  id: v.string(),
  seq: Integer,
  userId: v.string(),
  text: v.string(),
  timestamp: Moment,
  clientId: v.optional(v.string()),
  attachment: v.optional(AttachmentSchema),
  /** The message was deleted, with its text. */
  deleted: v.optional(v.literal(true)),
} satisfies Record<keyof Message, v.GenericSchema>);
const Messages = v.object({
  messages: v.array(MessageSchema),
  /** The oldest number that is kept, and the newest number. */
  first: Integer,
  last: Integer,
  /** Whether messages after `after` are missing: they are no longer kept, or the room was deleted and begun anew. */
  gap: v.boolean(),
});

const Access = v.object({
  rule: v.picklist(ROOM_RULES),
  /** The user who may change this. */
  owner: v.optional(v.string()),
  members: v.array(v.string()),
});
const Done = v.object({ ok: v.literal(true) });
const NewAccess = v.strictObject({ rule: v.picklist(ROOM_RULES), owner: v.optional(UserId) });
const MemberPath = v.object({ userId: UserId });

const joining = describe(
  "A WebSocket into the room; after=<seq>&afterId=<id> resumes behind the last message that you have",
  {
    101: "Switching protocols; frames, budgets and close codes as in docs/chat.md",
  },
);

export const routes = new Hono()
  .get("/:roomId", joining, may(chat, "join"), query(Join), upgrade, (c) => join(c, c.req.valid("query")))
  .get("/:roomId/ws", joining, may(chat, "join"), query(Join), upgrade, (c) => join(c, c.req.valid("query")))
  .get(
    "/:roomId/messages",
    describe("A page of the history", { 200: Messages }),
    may(chat, "read"),
    query(RangeQuery),
    async (c) => {
      const range = c.req.valid("query");
      const page = await retry(async () => await roomOf(c).messages(range, undecided(c)));
      if (page === "denied") throw denied(await callerOf(c));
      return c.json({ ...page, gap: range.after !== undefined && !isResumable(range.after, page) });
    },
  )
  .get("/:roomId/access", describe("Who may join and read the room", { 200: Access }), may(chat, "manage"), async (c) =>
    c.json(await manage(c, (room, keeper) => room.door(keeper))),
  )
  .put(
    "/:roomId/access",
    describe("Sets the room's rule and owner, and closes the sockets of users who may no longer be in it", {
      200: Access,
    }),
    may(chat, "manage"),
    body(NewAccess),
    async (c) => c.json(await manage(c, (room, keeper) => room.setDoor(c.req.valid("json"), keeper))),
  )
  .put(
    "/:roomId/members/:userId",
    describe("Makes a user a member of the room", { 200: Access }),
    may(chat, "manage"),
    params(MemberPath),
    async (c) => c.json(await manage(c, (room, keeper) => room.invite(c.req.valid("param").userId, keeper))),
  )
  .delete(
    "/:roomId/members/:userId",
    describe("Removes a user from the room's members, and from the room if only members may be in it", { 200: Access }),
    may(chat, "manage"),
    params(MemberPath),
    async (c) => c.json(await manage(c, (room, keeper) => room.remove(c.req.valid("param").userId, keeper))),
  )
  .delete(
    "/:roomId/messages/:seq",
    describe("Deletes the text and the file of a message; its number stays", { 200: Done }),
    may(chat, "moderate"),
    params(v.object({ seq: wholeNumber(1, Number.MAX_SAFE_INTEGER) })),
    async (c) => {
      const gone = await retry(() => roomOf(c).deleteMessage(c.req.valid("param").seq, undecided(c)));
      if (gone === "denied") throw denied(await callerOf(c));
      if (gone === "missing") throw refusal("not-found", "The room keeps no message with this number");
      return c.json({ ok: true });
    },
  )
  .delete(
    "/:roomId",
    describe("Deletes a room with its rule, messages and files, and closes its sockets", { 200: Done }),
    may(chat, "delete"),
    async (c) => {
      await retry(() => roomOf(c).destroy());
      return c.json({ ok: true });
    },
  )
  .route("/", attachments);

type RoomContext = Context<App, "/:roomId">;

const roomOf = (c: RoomContext) => objectFor(c, chat, c.req.param("roomId"));

async function join(c: RoomContext, { after, afterId }: v.InferOutput<typeof Join>): Promise<Response> {
  const caller = await namedCallerOf(c);
  const { id: userId, token } = caller;
  await c.get("sessions")?.hold(c, caller, chat, c.req.param("roomId"));
  const asked = undecided(c);
  const joining: Joining = {
    userId,
    ...(await joinerOf(c, caller, SUBPROTOCOLS)),
    ...(token !== undefined && { token }),
    ...(asked && { undecided: asked }),
    ...(after !== undefined && { after }),
    ...(afterId !== undefined && { afterId }),
  };
  const home = placeOf(c, c.req.param("roomId"));
  const near = nearRelay(c, home);
  const answer = near && (await joinOrBegin(c, joining, (told) => near.fetch(joinRequest(told))));
  // If the relay is full, the room finds a place.
  if (answer && answer.status !== FULL) return answer;
  const there = await joinOrBegin(c, joining, (told) => roomOf(c).fetch(joinRequest(told)));
  if (there.status !== AT_RELAY) return there;
  const { relay, granted } = readRelay(there);
  const at = { home, region: home.region, number: relay };
  return relayAt(c.env, at).fetch(joinRequest({ ...joining, granted }));
}

const FULL = 503;

/** The relay in the caller's region; undefined if the room is there, or must not leave its own. */
function nearRelay(c: RoomContext, home: Place): DurableObjectStub<ChatRoomDO> | undefined {
  if (!stackOf(c.env).settings.chat.regionalRelays) return undefined;
  const region = regionOfCaller(c);
  if (region.id === home.region.id || home.region.jurisdiction || region.jurisdiction) return undefined;
  c.set("object", { pattern: chat.name, region: region.id });
  return relayAt(c.env, { home, region, number: 0 });
}

/** Makes a change of the room's door, and answers with the new door or the refusal. */
async function manage(
  c: RoomContext,
  change: (room: DurableObjectStub<ChatRoomDO>, keeper: Caller | undefined) => Promise<Door | "denied" | "full">,
): Promise<Door> {
  const door = await retry(() => change(roomOf(c), undecided(c)));
  if (door === "denied") throw denied(await callerOf(c));
  if (door === "full")
    throw refusal("invalid-input", `userId: the room has ${MAX_MEMBERS} members already; remove one first`);
  return door;
}
