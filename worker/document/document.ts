/**
 * A document that people edit together, with Yjs: whatever was told to anybody is on disk, edits that were made apart are
 * merged, and nothing that a client sends can damage it. This class is the door of the object; behind it, editor.ts does
 * the work. That is loaded at the first use, because it brings Yjs along.
 */
import { DurableObject } from "cloudflare:workers";
import { blobsOf } from "../objects/blobs.ts";
import { regionOfObject } from "../objects/names.ts";
import { findReplay, keepReplay, sweepDue } from "../objects/replays.ts";
import { Schema } from "../objects/schema.ts";
import { ABNORMAL, answerAsleep } from "../objects/sockets.ts";
import { Wake } from "../objects/wake.ts";
import { stackOf } from "../stack.ts";
import type { Caller } from "../who.ts";
import type { Author } from "./author.ts";
import type { Editor, Form } from "./editor.ts";
import type { Visitor } from "./joining.ts";
import { Keeping } from "./keeping.ts";
import { document } from "./pattern.ts";
import { isKeeper, type Level, MAX_PEOPLE, type Sharing } from "./sharing.ts";
import { Upkeep } from "./upkeep.ts";
import { type Version, Versions } from "./versions.ts";
import type { Outcome } from "./writer.ts";

/** Who asks for a version to be made or restored. `allowed`: whether that is decided. */
export interface Asking extends Visitor {
  readonly author: Author;
  readonly allowed: boolean;
  /** The idempotency key. */
  readonly key?: string | undefined;
}

export type Made =
  | { readonly kind: "made"; readonly version: Version; readonly replayed?: true }
  | { readonly kind: "denied" | "missing" | "full" | "too-large" | "tangled" | "conflict" };

const NO_WAY_BACK = { full: "too-large", tangled: "tangled" } as const;

/** Why there is nothing to read. "gone": it was deleted a while ago. */
type Absence = "missing" | "gone";

export class DocumentDO extends DurableObject<Env> {
  readonly #schema: Schema;
  readonly #keeping: Keeping;
  readonly #versions: Versions;
  readonly #wake: Wake;
  readonly #upkeep: Upkeep;
  #loading: Promise<Editor> | undefined;
  /** What is being made under an idempotency key. */
  readonly #making = new Map<string, { readonly payload: string; readonly made: Promise<Made> }>();
  /** The last restoration. Each waits for the one before: two at once would both put back the same text. */
  #restored: Promise<unknown> = Promise.resolve();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#schema = new Schema(ctx.storage, document);
    const { regions, settings } = stackOf(env);
    const { anyone, users, versionMinutes, versions } = settings.document;
    const { anonymousDays } = settings;
    this.#wake = new Wake(ctx.storage, document.name);
    this.#keeping = new Keeping(ctx.storage, this.#schema, this.#wake, {
      anyone,
      users,
      anonymousDays,
      versionMinutes,
    });
    const name = ctx.id.name ?? "";
    this.#versions = new Versions({
      storage: ctx.storage,
      bucket: () => blobsOf(env, regionOfObject(regions, name) ?? {}),
      name,
      most: versions,
      isNowhere: () => this.#schema.empty,
      sweepBy: (at) => this.#wake.arm(at),
    });
    this.#upkeep = new Upkeep({
      storage: ctx.storage,
      schema: this.#schema,
      wake: this.#wake,
      keeping: this.#keeping,
      versions: this.#versions,
      editor: () => this.#editor(),
      end: () => this.#end(),
    });
    answerAsleep(ctx, "ping", "pong");
  }

  /** Lets a caller in (`joinRequest`). */
  override async fetch(request: Request): Promise<Response> {
    return (await this.#editor()).join(request);
  }

  override async webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    await (await this.#editor()).message(socket, data);
  }

  override async webSocketClose(socket: WebSocket, code: number, reason: string): Promise<void> {
    (await this.#editor()).closed(socket, code, reason);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    (await this.#editor()).closed(socket, ABNORMAL);
  }

  override alarm(): Promise<void> {
    return this.#wake.run(() => this.#upkeep.run());
  }

  /** The document, for those who may read it. "malformed" for a state vector that is none. */
  async read(
    visitor: Visitor,
    form: Form,
  ): Promise<{ body: string | Uint8Array } | "denied" | Absence | "malformed" | "too-deep"> {
    const editor = await this.#editor();
    if (!editor.may(visitor, "read")) return "denied";
    return this.#keeping.isNowhere ? this.#absence : editor.read(form);
  }

  /** Takes an update. "new" if the document does not exist, and the caller did not want to begin it. */
  async edit(visitor: Visitor, update: Uint8Array, by: Author, begin: boolean): Promise<Outcome | "new"> {
    const editor = await this.#editor();
    if (!editor.may(visitor, "comment")) return "denied";
    if (!this.#keeping.mayBegin(visitor)) return "gone";
    if (!begin && this.#keeping.isNowhere) return "new";
    return editor.commit(visitor, update, by);
  }

  get #absence(): Absence {
    return this.#keeping.isDeleted ? "gone" : "missing";
  }

  /** The versions, the newest first. */
  async versions(visitor: Visitor): Promise<readonly Version[] | "denied" | Absence> {
    if (!(await this.#editor()).may(visitor, "read")) return "denied";
    if (this.#keeping.isNowhere) return this.#absence;
    return this.#schema.empty ? [] : this.#versions.list();
  }

  /** The state of a version. */
  async version(visitor: Visitor, number: number): Promise<{ body: Uint8Array } | "denied" | "missing"> {
    if (!(await this.#editor()).may(visitor, "read")) return "denied";
    const body = this.#schema.empty ? undefined : await this.#versions.read(number);
    return body ? { body } : "missing";
  }

  /** Makes a version of the document as it is. */
  async addVersion(asking: Asking, name: string): Promise<Made> {
    return this.#once(asking, ["version", name], async (kept) => {
      const editor = await this.#editor();
      const version = await this.#addVersion(await editor.state(), name, kept);
      if (version === "gone") return { kind: "missing" };
      return version === "full" ? { kind: "full" } : { kind: "made", version };
    });
  }

  async #addVersion(state: Uint8Array, name?: string, kept?: (version: Version) => void) {
    try {
      return await this.#versions.add(state, name, Date.now(), kept);
    } finally {
      // Others may have left for it, also if it could not be stored.
      this.#versionsLeft();
    }
  }

  /** Versions have left the list: the alarm deletes their files. */
  #versionsLeft(): void {
    void this.#wake.arm(Date.now());
  }

  /** Gives the document the content of a version again. Keeps a version of what it was before. */
  async restore(asking: Asking, number: number): Promise<Made> {
    return this.#once(asking, ["restore", number], (kept) => {
      const made = this.#restored.then(() => this.#restore(asking, number, kept));
      this.#restored = made.catch(() => undefined);
      return made;
    });
  }

  async #restore(asking: Asking, number: number, kept: (version: Version) => void): Promise<Made> {
    const editor = await this.#editor();
    const { generation } = editor.writer;
    if (this.#schema.empty) return { kind: "missing" };
    const version = this.#versions.list().find((each) => each.number === number);
    const state = version && (await this.#versions.read(number));
    if (!state || editor.writer.generation !== generation) return { kind: "missing" };
    // Nothing is undone that could not be had again. So what is written while this is stored is not undone.
    const until = await editor.state();
    // Before that takes the place of an old version.
    const back = editor.writer.wayBack(state, until);
    if (typeof back === "string") return { kind: NO_WAY_BACK[back] };
    const before = await this.#addVersion(until);
    if (before === "full") return { kind: "full" };
    if (before === "gone") return { kind: "missing" };
    const edit = { back, by: asking.author, also: () => kept(version) };
    const isAllowed = asking.allowed || editor.may(asking, "write");
    const outcome = isAllowed ? await editor.writer.commit(edit, generation) : "denied";
    if (outcome === "taken") return { kind: "made", version };
    if (outcome === "gone") return { kind: "missing" };
    this.#versions.remove(before.number);
    this.#versionsLeft();
    return { kind: outcome === "denied" ? "denied" : NO_WAY_BACK[outcome === "tangled" ? "tangled" : "full"] };
  }

  /** Deletes a version. */
  async removeVersion(number: number, keeper?: Caller): Promise<"done" | "denied" | "missing"> {
    if (!isKeeper(keeper, this.#keeping.sharing)) return "denied";
    if (this.#schema.empty || !this.#versions.remove(number)) return "missing";
    this.#versionsLeft();
    return "done";
  }

  /** Who may do what, for those who may change it. */
  sharing(keeper?: Caller): Sharing | "denied" {
    const { sharing } = this.#keeping;
    return isKeeper(keeper, sharing) ? sharing : "denied";
  }

  /** Changes the levels or the owner, and closes the sockets of those who may no longer read. */
  async share(change: Partial<Omit<Sharing, "people">>, keeper?: Caller): Promise<Sharing | "denied"> {
    if (!isKeeper(keeper, this.#keeping.sharing)) return "denied";
    // A rule makes a document, and keeps it.
    if (Object.keys(change).length === 0) return this.#keeping.sharing;
    this.#keeping.setSharing(change);
    (await this.#editor()).putOut();
    return this.#keeping.sharing;
  }

  /** Sets what one user may do; without a level, the user is like any other. */
  async sharePerson(userId: string, level: Level | undefined, keeper?: Caller): Promise<Sharing | "denied" | "full"> {
    const { sharing } = this.#keeping;
    if (!isKeeper(keeper, sharing)) return "denied";
    if (level === undefined && !Object.hasOwn(sharing.people, userId)) return sharing;
    const others = Object.entries(sharing.people).filter(([id]) => id !== userId);
    if (level !== undefined && others.length >= MAX_PEOPLE) return "full";
    this.#keeping.setSharing({
      people: Object.fromEntries(level === undefined ? others : [...others, [userId, level]]),
    });
    (await this.#editor()).putOut();
    return this.#keeping.sharing;
  }

  /** Deletes the document with its versions, and closes its sockets. */
  async remove(keeper?: Caller): Promise<"done" | "denied"> {
    const { sharing, lastOwner } = this.#keeping;
    // Whoever deleted it may do so again, if the answer was lost or the bucket failed.
    if (!isKeeper(keeper, { ...sharing, owner: lastOwner })) return "denied";
    await this.#end();
    return "done";
  }

  async sessionEnded(session: string): Promise<void> {
    this.#keeping.sessionEnded(session);
    (await this.#editor()).sessionEnded(session);
  }

  async holdsSession(session: string): Promise<boolean> {
    return (await this.#editor()).holdsSession(session);
  }

  async #end(): Promise<void> {
    const editor = await this.#editor();
    editor.closeAll();
    // No await between these two, so that no edit is merged with what is about to be deleted.
    editor.writer.forget();
    const removed = this.#keeping.remove(Date.now());
    await removed;
    // Last: if this fails, the caller deletes again, and so does the alarm after a day.
    await this.#versions.clear();
  }

  #editor(): Promise<Editor> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  async #load(): Promise<Editor> {
    const { Editor } = await import("./editor.ts");
    const { document: limits } = stackOf(this.env).settings;
    return new Editor({ ctx: this.ctx, schema: this.#schema, limits, keeping: this.#keeping, wake: this.#wake });
  }

  /** Makes or restores a version, once per idempotency key. `make` keeps the answer in the transaction of the change. */
  async #once(
    { key, allowed, ...visitor }: Asking,
    what: readonly unknown[],
    make: (kept: (version: Version) => void) => Promise<Made>,
  ): Promise<Made> {
    if (!allowed && !(await this.#editor()).may(visitor, "write")) return { kind: "denied" };
    if (this.#schema.empty) return { kind: "missing" };
    const payload = JSON.stringify(what);
    if (key === undefined) return make(() => undefined);
    const { sql } = this.ctx.storage;
    const replay = findReplay(sql, key, payload, Date.now());
    if (replay.kind === "conflict") return { kind: "conflict" };
    if (replay.kind === "replay") return { kind: "made", version: JSON.parse(replay.answer), replayed: true };
    const same = this.#making.get(key);
    if (same) return same.payload === payload ? same.made : { kind: "conflict" };
    const made = make((version) => keepReplay(sql, { key, payload, answer: JSON.stringify(version) }, Date.now()));
    this.#making.set(key, { payload, made });
    try {
      return await made;
    } finally {
      this.#making.delete(key);
      void this.#wake.arm(sweepDue(Date.now()));
    }
  }
}
