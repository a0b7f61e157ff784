/** HTTP and WebSocket routes of the documents, mounted under /document. */

import type { Context } from "hono";
import * as v from "valibot";
import { wantedOf } from "../http/accept.ts";
import { callerOf, namedCallerOf } from "../http/caller.ts";
import { chargeForBytes, chargeForNew, isKnown } from "../http/charge.ts";
import type { App } from "../http/context.ts";
import { denied } from "../http/denials.ts";
import { Hono } from "../http/hono.ts";
import { idempotencyKey, keyConflict, makeChange, REPLAYED_HEADER } from "../http/idempotency.ts";
import { joinerOf, joinOrBegin } from "../http/joiner.ts";
import { may, rulingOn, undecided } from "../http/may.ts";
import { Integer, Moment } from "../http/numbers.ts";
import { describe, sends } from "../http/openapi.ts";
import { refusal } from "../http/problem.ts";
import { upgrade } from "../http/upgrade.ts";
import { UserId } from "../http/user-id.ts";
import { binary, body, params, query, readBytes, wholeNumber } from "../http/validation.ts";
import { isVisible } from "../http/visible.ts";
import { objectFor } from "../objects/names.ts";
import { retry } from "../objects/retry.ts";
import { MEBIBYTE } from "../objects/units.ts";
import { stackOf } from "../stack.ts";
import { authorOf } from "./author.ts";
import type { Asking, Made } from "./document.ts";
import type { Form } from "./editor.ts";
import { type Joining, joinRequest, type Visitor } from "./joining.ts";
import { document } from "./pattern.ts";
import { LEVELS, MAX_PEOPLE, type Sharing } from "./sharing.ts";

/** The content type of states and updates. */
const BYTES = "application/octet-stream";
/** What a document is sent as; the first to who says nothing. */
const FORMS = ["application/json", "text/plain", BYTES];
/** A client that offers a token as a subprotocol offers ours too: an answer must name one. */
const SUBPROTOCOLS = ["yjs"];

const Which = v.object({ id: v.string() });
const Reading = v.object({
  /** The shared part whose text is wanted. */
  name: v.optional(v.pipe(v.string(), v.maxLength(256))),
  /** The state vector of a reader who has a part already, in base64url. */
  since: v.optional(v.pipe(v.string(), v.regex(/^[\w-]*={0,2}$/, "must be base64url"), v.maxLength(65_536))),
});
const Version = v.object({
  number: Integer,
  name: v.optional(v.string()),
  /** When it was made. */
  at: Moment,
  bytes: Integer,
});
const VersionOf = v.object({ id: v.string(), version: wholeNumber(1, Number.MAX_SAFE_INTEGER) });
const VersionName = v.pipe(v.string(), v.maxLength(100), v.check(isVisible, "must have visible characters only"));
const Levels = v.picklist(LEVELS);
const Access = v.object({
  anyone: Levels,
  users: Levels,
  owner: v.optional(v.string()),
  people: v.record(v.string(), Levels),
});
const Done = v.object({ ok: v.literal(true) });
const Person = v.object({ id: v.string(), userId: UserId });

export const routes = new Hono()
  .get(
    "/:id",
    describe(
      "The document by Accept: as JSON, as text, or as a Yjs update (application/octet-stream). As a WebSocket: y-protocols",
      {
        101: "Switching protocols; frames and close codes as in docs/document.md",
        200: sends("The document", ...FORMS),
      },
    ),
    may(document, "read"),
    params(Which),
    query(Reading),
    (c) =>
      // An upgrade to anything else, such as the h2c that some clients offer with every call, is ignored (RFC 9110, 7.8).
      c.req.header("Upgrade")?.toLowerCase() === "websocket"
        ? upgrade(c, async () => undefined).then(() => join(c))
        : read(c, c.req.valid("query")),
  )
  .post(
    "/:id",
    describe("Merges a Yjs update into the document. Safe to repeat", { 200: Done }),
    may(document, "comment"),
    params(Which),
    binary(BYTES),
    async (c) => {
      await merge(c);
      return c.json({ ok: true });
    },
  )
  .delete(
    "/:id",
    describe("Deletes the document with its versions, and closes its sockets. For a day, no client can bring it back", {
      200: Done,
    }),
    may(document, "delete"),
    params(Which),
    async (c) => {
      if ((await retry(() => documentOf(c).remove(undecided(c)))) === "denied") throw denied(await callerOf(c));
      return c.json({ ok: true });
    },
  )
  .get(
    "/:id/versions",
    describe("The versions, the newest first", { 200: v.object({ versions: v.array(Version) }) }),
    may(document, "read"),
    params(Which),
    async (c) => {
      const visitor = await visitorOf(c);
      const versions = await retry(async () => await documentOf(c).versions(visitor));
      return c.json({ versions: await readable(c, versions) });
    },
  )
  .post(
    "/:id/versions",
    describe("Makes a version of the document as it is now", { 201: Version }),
    may(document, "write"),
    params(Which),
    idempotencyKey,
    body(v.strictObject({ name: VersionName })),
    async (c) => {
      const { name } = c.req.valid("json");
      const asking = await askingOf(c);
      const made = await makeChange(c, async (key) => await documentOf(c).addVersion({ ...asking, key }, name));
      return c.json(await madeBy(c, made), 201);
    },
  )
  .get(
    "/:id/versions/:version",
    describe("The state of a version, as a Yjs update", { 200: sends("Its bytes", BYTES) }),
    may(document, "read"),
    params(VersionOf),
    async (c) => {
      const visitor = await visitorOf(c);
      const found = await retry(async () => await documentOf(c).version(visitor, c.req.valid("param").version));
      return answerBytes((await readable(c, found, "The document has no version with this number")).body);
    },
  )
  .delete(
    "/:id/versions/:version",
    describe("Deletes a version", { 200: Done }),
    may(document, "prune"),
    params(VersionOf),
    async (c) => {
      const gone = await retry(() => documentOf(c).removeVersion(c.req.valid("param").version, undecided(c)));
      await readable(c, gone, "The document has no version with this number");
      return c.json({ ok: true });
    },
  )
  .post(
    "/:id/restore",
    describe("Gives the document the content of a version again, by new edits. What it was becomes a version", {
      200: Version,
    }),
    may(document, "restore"),
    params(Which),
    idempotencyKey,
    body(v.strictObject({ version: v.pipe(v.number(), v.safeInteger(), v.minValue(1)) })),
    async (c) => {
      const { version } = c.req.valid("json");
      const asking = await askingOf(c);
      const made = await makeChange(c, async (key) => await documentOf(c).restore({ ...asking, key }, version));
      return c.json(await madeBy(c, made));
    },
  )
  .get(
    "/:id/access",
    describe("Who may read and write the document", { 200: Access }),
    may(document, "manage"),
    params(Which),
    async (c) => c.json(await shared(c, await retry(async () => await documentOf(c).sharing(undecided(c))))),
  )
  .put(
    "/:id/access",
    describe("Sets what anybody and what users may do, or the owner; closes the sockets of those who may not read", {
      200: Access,
    }),
    may(document, "manage"),
    params(Which),
    body(v.strictObject({ anyone: v.optional(Levels), users: v.optional(Levels), owner: v.optional(UserId) })),
    async (c) => {
      const { anyone, users, owner } = c.req.valid("json");
      const change = { ...(anyone && { anyone }), ...(users && { users }), ...(owner !== undefined && { owner }) };
      return c.json(await shared(c, await retry(async () => await documentOf(c).share(change, undecided(c)))));
    },
  )
  .put(
    "/:id/people/:userId",
    describe("Sets what one user may do, whatever other users may", { 200: Access }),
    may(document, "manage"),
    params(Person),
    body(v.strictObject({ level: Levels })),
    async (c) => c.json(await sharePerson(c, c.req.valid("param").userId, c.req.valid("json").level)),
  )
  .delete(
    "/:id/people/:userId",
    describe("Lets a user do what other users may", { 200: Access }),
    may(document, "manage"),
    params(Person),
    async (c) => c.json(await sharePerson(c, c.req.valid("param").userId, undefined)),
  );

type DocumentContext = Context<App, "/:id">;

const documentOf = (c: DocumentContext) => objectFor(c, document, c.req.param("id"));

/** The caller, and what the project's rules say of them. */
async function visitorOf(c: DocumentContext, named = callerOf): Promise<Visitor> {
  const { kind, id } = await named(c);
  const ruling = async (action: keyof Visitor["rulings"]) => (await rulingOn(c, document, action))({});
  const rulings = { read: await ruling("read"), comment: await ruling("comment"), write: await ruling("write") };
  return { caller: { kind, id }, rulings };
}

async function askingOf(c: DocumentContext): Promise<Asking> {
  const visitor = await visitorOf(c);
  return { ...visitor, author: authorOf(visitor.caller, await isKnown(c)), allowed: undecided(c) === undefined };
}

async function read(c: DocumentContext, { name, since }: v.InferOutput<typeof Reading>): Promise<Response> {
  const type = wantedOf(c.req.header("Accept") ?? "", FORMS);
  const form: Form =
    type === "text/plain"
      ? { as: "text", ...(name !== undefined && { name }) }
      : type === BYTES
        ? { as: "state", ...(since !== undefined && { since: bytesIn(since) }) }
        : { as: "json" };
  const visitor = await visitorOf(c);
  const found = await retry(async () => await documentOf(c).read(visitor, form));
  if (found === "malformed") throw refusal("invalid-input", "since: is no state vector of Yjs");
  if (found === "too-deep") {
    throw refusal(
      "invalid-input",
      `Accept: the document is nested too deep for ${type}, or too long; ask for ${BYTES}`,
    );
  }
  const { body } = await readable(c, found);
  if (typeof body !== "string") return answerBytes(body, { Vary: "Accept" });
  const charset = type === "text/plain" ? "; charset=utf-8" : "";
  return new Response(body, { headers: { "Content-Type": `${type}${charset}`, Vary: "Accept" } });
}

function bytesIn(base64: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(base64, { alphabet: "base64url" });
  } catch {
    throw refusal("invalid-input", "since: must be base64url");
  }
}

const answerBytes = (bytes: Uint8Array, headers: Record<string, string> = {}): Response =>
  new Response(bytes, { headers: { "Content-Type": BYTES, ...headers } });

async function merge(c: DocumentContext): Promise<void> {
  const { maxMiB } = stackOf(c.env).settings.document;
  const update = await readBytes(c.req.raw, BYTES, maxMiB * MEBIBYTE);
  await chargeForBytes(c, update.byteLength);
  const visitor = await visitorOf(c);
  const author = authorOf(visitor.caller, await isKnown(c));
  // May be repeated: edits that the document has are not made again.
  const edit = (begin: boolean) => retry(() => documentOf(c).edit(visitor, update, author, begin));
  let outcome = await edit(false);
  if (outcome === "new") {
    await chargeForNew(c);
    outcome = await edit(true);
  }
  if (outcome === "denied") throw denied(await callerOf(c));
  if (outcome === "malformed") throw refusal("invalid-input", "body: is no update of Yjs (version 1)");
  if (outcome === "untried") throw refusal("unavailable", "Too many edits came at once: send it again in a while");
  if (outcome === "tangled") {
    throw refusal("invalid-input", "body: its edits conflict with too many others; load the document, and edit that");
  }
  if (outcome === "full") throw refusal("too-large", `The document is full: of ${maxMiB} MiB, or in too many parts`);
  if (outcome === "gone") throw refusal("not-found", "The document was deleted a moment ago");
  if (outcome === "incomplete") {
    throw refusal("invalid-input", "body: builds on edits that the document does not have; send these too");
  }
}

async function join(c: DocumentContext): Promise<Response> {
  const visitor = await visitorOf(c, namedCallerOf);
  const caller = await namedCallerOf(c);
  await c.get("sessions")?.hold(c, caller, document, c.req.param("id"));
  const joining: Joining = { ...visitor, ...(await joinerOf(c, caller, SUBPROTOCOLS)) };
  return joinOrBegin(c, joining, (told) => documentOf(c).fetch(joinRequest(told)));
}

/** What was found; or the refusal. */
async function readable<T>(
  c: DocumentContext,
  found: T | "denied" | "missing" | "gone",
  missing = "There is no document with this id",
): Promise<T> {
  if (found === "denied") throw denied(await callerOf(c));
  if (found === "missing") throw refusal("not-found", missing);
  if (found === "gone") throw refusal("not-found", "The document was deleted");
  return found;
}

async function madeBy(c: DocumentContext, made: Made): Promise<v.InferOutput<typeof Version>> {
  if (made.kind === "made") {
    if (made.replayed) c.header(REPLAYED_HEADER, "true");
    return made.version;
  }
  if (made.kind === "denied") throw denied(await callerOf(c));
  if (made.kind === "conflict") throw keyConflict();
  if (made.kind === "missing") throw refusal("not-found", "There is no such document or version");
  if (made.kind === "tangled") {
    throw refusal("invalid-input", "version: too many edits since then conflict; read it, and put back what you need");
  }
  const { versions, maxMiB } = stackOf(c.env).settings.document;
  if (made.kind === "too-large") {
    throw refusal(
      "too-large",
      `With this version the document would have more than ${maxMiB} MiB, the most it may have`,
    );
  }
  throw refusal("invalid-input", `The document has ${versions} named versions already; delete one first`);
}

async function sharePerson(c: DocumentContext, userId: string, level: Sharing["users"] | undefined) {
  return shared(c, await retry(async () => await documentOf(c).sharePerson(userId, level, undecided(c))));
}

async function shared(c: DocumentContext, sharing: Sharing | "denied" | "full"): Promise<v.InferOutput<typeof Access>> {
  if (sharing === "denied") throw denied(await callerOf(c));
  if (sharing === "full") {
    throw refusal("invalid-input", `userId: the document names ${MAX_PEOPLE} people already; remove one first`);
  }
  return sharing;
}
