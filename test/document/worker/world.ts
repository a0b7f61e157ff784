/**
 * Clients that edit one document while everything goes wrong: connections are cut, frames come twice or in another
 * order, the object sleeps, is evicted or crashes, and is compacted at any moment. In the end all clients and the disk
 * must have the same bytes, and nothing may be lost that any client was told.
 */
import {
  abortAllDurableObjects,
  evictAllDurableObjects,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import * as Y from "yjs";
import { joinRequest } from "../../../worker/document/joining.ts";
import { Rows } from "../../../worker/document/rows.ts";
import { Writer } from "../../../worker/document/writer.ts";
import { Peer } from "../client.ts";

/** A choice of faults, so that a run can be repeated. */
export interface Luck {
  chance(probability: number): boolean;
  /** A whole number from `min` to `max`. */
  whole(min: number, max: number): number;
}

export const STEPS = ["edit", "cut", "connect", "sleep", "evict", "crash", "compact", "version", "restore"] as const;
export type Step = (typeof STEPS)[number];

const TWICE = 0.05;
const HELD = 0.1;
const RULINGS = { read: true, comment: true, write: true } as const;
const SETTLED_WITHIN_MS = 20_000;

/** Makes documents compact themselves at random moments. */
export function compactOften(luck: Luck): void {
  vi.spyOn(Writer.prototype, "isLoose", "get").mockImplementation(() => luck.chance(0.2));
}

export class World {
  readonly id = crypto.randomUUID();
  readonly #counts: Record<string, number>;
  readonly #clients: Client[];
  readonly #luck: Luck;
  /** All that any client was told. */
  readonly #told = new Y.Doc();
  #isFair = false;
  #versions = 0;

  /** `counts`: what happened, by name. */
  constructor(size: number, luck: Luck, counts: Record<string, number> = {}) {
    this.#luck = luck;
    this.#counts = counts;
    this.#clients = Array.from({ length: size }, (_, i) => new Client(`user-${i}`, this));
  }

  /** A new stub each time: one that saw a crash stays broken. */
  get object() {
    return env.DOCUMENT.getByName(`dev-eu:document:${this.id}`);
  }

  /** Whether a fault happens now. */
  fails(what: string, probability: number): boolean {
    const fails = !this.#isFair && this.#luck.chance(probability);
    if (fails) this.count(`× ${what}`);
    return fails;
  }

  count(what: string): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + 1;
  }

  /** A client was told this. */
  told(frame: Uint8Array): void {
    // The update is behind the frame's two numbers and its own length.
    const skipped = frame.findIndex((byte, i) => i >= 2 && byte < 128) + 1;
    if (frame[0] === 0 && frame[1] !== 0) Y.applyUpdate(this.#told, frame.subarray(skipped));
  }

  async step(step: Step, who: number): Promise<void> {
    const client = this.#clients[who % this.#clients.length];
    this.count(step === "edit" || step === "connect" || step === "version" || step === "restore" ? step : `× ${step}`);
    try {
      await this.#does[step](client ?? new Client("nobody", this));
    } catch (error) {
      // Whoever asked while the object crashed gets no answer.
      if (!String(error).match(/broken|abort|reset|never complete|Not written|Network connection lost|closed/i))
        throw error;
      this.count("no answer");
    }
  }

  readonly #does: Record<Step, (client: Client) => unknown> = {
    edit: (client) => client.edit(this.#luck),
    cut: (client) => client.cut(),
    connect: (client) => client.connect(),
    sleep: () => evictAllDurableObjects(),
    evict: () => evictAllDurableObjects({ webSockets: "close" }),
    crash: () => abortAllDurableObjects(),
    // The alarm compacts if `isLoose` says so, which `compactOften` decides.
    compact: () => runDurableObjectAlarm(this.object),
    version: async () => {
      const made = await this.object.addVersion(this.#asking, `version ${this.#versions}`);
      if (made.kind === "made") this.#versions++;
    },
    restore: () => this.object.restore(this.#asking, this.#luck.whole(1, 3)),
  };

  get #asking() {
    return { caller: { kind: "user", id: "owner" }, rulings: RULINGS, author: { known: true }, allowed: true } as const;
  }

  /** Everything works again. Returns the states of all clients, of the disk, and of the disk with all that was told. */
  async settle(): Promise<{ clients: string[]; disk: string; withTold: string; length: number }> {
    this.#isFair = true;
    const end = Date.now() + SETTLED_WITHIN_MS;
    for (;;) {
      for (const client of this.#clients) await client.settle();
      const clients = this.#clients.map(({ peer }) => canonical(peer.doc));
      const stored = await runInDurableObject(this.object, (_, { storage }) => new Rows(storage.sql).read());
      const disk = new Y.Doc();
      disk.transact(() => {
        for (const update of stored) Y.applyUpdate(disk, update);
      });
      const diskState = canonical(disk);
      if (clients.every((state) => state === diskState) || Date.now() > end) {
        Y.applyUpdate(disk, Y.encodeStateAsUpdate(this.#told));
        const { length } = disk.getText("text");
        return { clients, disk: diskState, withTold: canonical(disk), length };
      }
      await scheduler.wait(10);
    }
  }

  destroy(): void {
    for (const { peer } of this.#clients) peer.destroy();
  }
}

/** A document's bytes, however its edits came: made from its state in one go. */
function canonical(doc: Y.Doc): string {
  const copy = new Y.Doc();
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
  return Y.encodeStateAsUpdate(copy).toBase64();
}

class Client {
  readonly peer = new Peer();
  readonly #name: string;
  readonly #world: World;
  #socket: WebSocket | undefined;
  /** Frames that are held back, each way, until another one has overtaken them. */
  #out: Uint8Array[] = [];
  #in: ArrayBuffer[] = [];

  constructor(name: string, world: World) {
    this.#name = name;
    this.#world = world;
  }

  edit(luck: Luck): void {
    const { text, doc } = this.peer;
    const at = luck.whole(0, text.length);
    switch (luck.whole(0, 9)) {
      case 0:
        doc.getMap("map").set(`key ${luck.whole(0, 4)}`, luck.whole(0, 999));
        return;
      case 1:
        doc.getArray("list").insert(0, [luck.whole(0, 999)]);
        return;
      case 2:
        text.format(0, at, { bold: luck.chance(0.5) || null });
        return;
      case 3:
      case 4:
      case 5:
        text.delete(at, Math.min(luck.whole(0, 9), text.length - at));
        return;
      default:
        text.insert(at, `${this.#name} ${luck.whole(0, 99)} `.slice(0, luck.whole(1, 10)));
    }
  }

  async connect(): Promise<void> {
    if (this.#socket) return;
    const joining = {
      caller: { kind: "user", id: this.#name },
      rulings: RULINGS,
      address: this.#name,
      known: true,
    } as const;
    const { webSocket: socket } = await this.#world.object.fetch(joinRequest(joining));
    if (!socket || this.#socket) return;
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    [this.#out, this.#in] = [[], []];
    socket.addEventListener("message", ({ data }) => {
      if (this.#socket === socket && data instanceof ArrayBuffer) this.#receive(data);
    });
    socket.addEventListener("close", ({ code }) => {
      this.#world.count(`closed with ${code}`);
      if (this.#socket === socket) this.cut();
    });
    socket.accept();
    this.peer.use({ send: (data) => this.#send(data), close: () => socket.close(1_000) });
  }

  cut(): void {
    this.#socket = undefined;
    try {
      this.peer.cut();
    } catch {
      // The object has closed it already.
    }
  }

  async settle(): Promise<void> {
    await this.connect();
    for (const frame of this.#in.splice(0)) this.peer.receive(frame);
    for (const frame of this.#out.splice(0)) this.#put(frame);
    // Not awaited for ever: the connection may break on the way.
    await Promise.race([this.peer.sync(), scheduler.wait(500)]);
  }

  #send(frame: Uint8Array): void {
    if (this.#world.fails("frame sent late", HELD)) {
      this.#out.push(frame);
      return;
    }
    this.#put(frame);
    if (this.#world.fails("frame sent twice", TWICE)) this.#put(frame);
    for (const held of this.#out.splice(0)) this.#put(held);
  }

  #put(frame: Uint8Array): void {
    try {
      this.#socket?.send(frame);
    } catch {
      this.cut();
    }
  }

  #receive(frame: ArrayBuffer): void {
    this.#world.told(new Uint8Array(frame));
    if (this.#world.fails("frame received late", HELD)) {
      this.#in.push(frame);
      return;
    }
    this.peer.receive(frame);
    if (this.#world.fails("frame received twice", TWICE)) this.peer.receive(frame);
    for (const held of this.#in.splice(0)) this.peer.receive(held);
  }
}
