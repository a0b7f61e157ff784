/**
 * A client of a document, as any editor is one: a document of Yjs, and the frames of y-protocols. It works over any
 * WebSocket, inside workerd and outside.
 */
import { createDecoder, readVarString, readVarUint, readVarUint8Array } from "lib0/decoding";
import { createEncoder, length, toUint8Array, writeVarUint, writeVarUint8Array } from "lib0/encoding";
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from "y-protocols/awareness";
import { readSyncMessage, writeSyncStep1, writeUpdate } from "y-protocols/sync";
import * as Y from "yjs";

const SYNC = 0;
const AWARENESS = 1;
const AUTH = 2;
const STEP_2 = 1;

/** What is needed of a WebSocket. */
export interface Link {
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
}

export class Peer {
  readonly doc = new Y.Doc();
  readonly awareness = new Awareness(this.doc);
  /** Why edits were refused. */
  readonly denials: string[] = [];
  #link: Link | undefined;
  #synced = Promise.withResolvers<void>();
  readonly #waiting = new Set<{ done: () => boolean; resolve: () => void }>();

  constructor() {
    this.awareness.setLocalState(null);
    this.doc.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin !== this) this.#sendSync((encoder) => writeUpdate(encoder, update));
    });
  }

  get text(): Y.Text {
    return this.doc.getText("text");
  }

  /** Uses a new connection, and asks for what is missing. */
  use(link: Link): void {
    this.#link = link;
    this.#synced = Promise.withResolvers();
    this.#sendSync((encoder) => writeSyncStep1(encoder, this.doc));
    if (this.awareness.getLocalState() !== null) this.#tell();
  }

  /** Resolves once the document has answered the last question. */
  synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Sends an update that is not of its own document. */
  push(update: Uint8Array): void {
    this.#sendSync((encoder) => writeUpdate(encoder, update));
  }

  /** Asks for what is missing, and waits for it: then all that was sent before was taken, or refused. */
  async sync(): Promise<void> {
    this.#synced = Promise.withResolvers();
    this.#sendSync((encoder) => writeSyncStep1(encoder, this.doc));
    await this.#synced.promise;
  }

  /** Shows a state of itself. */
  show(state: Record<string, unknown> | null): void {
    this.awareness.setLocalState(state);
    this.#tell();
  }

  /** Resolves once this holds, after a frame. */
  until(done: () => boolean): Promise<void> {
    if (done()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.add({ done, resolve }));
  }

  /** Takes a frame of the document. */
  receive(data: unknown): void {
    if (!(data instanceof ArrayBuffer)) return;
    const decoder = createDecoder(new Uint8Array(data));
    const type = readVarUint(decoder);
    if (type === AWARENESS) applyAwarenessUpdate(this.awareness, readVarUint8Array(decoder), this);
    else if (type === AUTH) {
      readVarUint(decoder);
      this.denials.push(readVarString(decoder));
    } else if (type === SYNC) {
      const answer = createEncoder();
      writeVarUint(answer, SYNC);
      const kind = readSyncMessage(decoder, answer, this.doc, this);
      if (length(answer) > 1) this.#link?.send(toUint8Array(answer));
      if (kind === STEP_2) this.#synced.resolve();
    }
    for (const each of this.#waiting) {
      if (!each.done()) continue;
      this.#waiting.delete(each);
      each.resolve();
    }
  }

  /** The connection is lost. Edits go on. */
  cut(): void {
    const link = this.#link;
    this.#link = undefined;
    const others = [...this.awareness.getStates().keys()].filter((client) => client !== this.doc.clientID);
    removeAwarenessStates(this.awareness, others, this);
    link?.close(1_000, "cut");
  }

  destroy(): void {
    this.cut();
    this.awareness.destroy();
    this.doc.destroy();
  }

  #tell(): void {
    const encoder = createEncoder();
    writeVarUint(encoder, AWARENESS);
    writeVarUint8Array(encoder, encodeAwarenessUpdate(this.awareness, [this.doc.clientID]));
    this.#link?.send(toUint8Array(encoder));
  }

  #sendSync(write: (encoder: ReturnType<typeof createEncoder>) => void): void {
    const encoder = createEncoder();
    writeVarUint(encoder, SYNC);
    write(encoder);
    this.#link?.send(toUint8Array(encoder));
  }
}

/** A document with this text, as an update. */
export function updateOf(text: string, name = "text"): Uint8Array<ArrayBuffer> {
  const doc = new Y.Doc();
  doc.getText(name).insert(0, text);
  return new Uint8Array(Y.encodeStateAsUpdate(doc));
}
