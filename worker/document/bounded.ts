/** How an update is read: no further than where it is as heavy as a whole document may be (pieces.ts). */
import { readVarString, readVarUint } from "lib0/decoding";
import * as Y from "yjs";
import { BYTES_VALUES, HEAVY, MAX_PIECES, VALUE } from "./weights.ts";

/** Kinds of content and of values, by Yjs's numbers. */
const TEXT = 4;
const [OBJECT, LIST, BYTES] = [118, 117, 116];
/** A deletion. It is as heavy only while the update is read. */
const RANGE = 0.25;

export class TooHeavy extends Error {}

/** Counts while an update is read. Stops where it is as heavy as a whole document may be, before it takes memory. */
class Bounded extends Y.UpdateDecoderV1 {
  #left = MAX_PIECES;
  #kind = TEXT;

  #weigh(weight: number): void {
    this.#left -= weight;
    if (this.#left < 0) throw new TooHeavy();
  }

  override readClient(): number {
    this.#weigh(1);
    return super.readClient();
  }

  override readInfo(): number {
    const info = super.readInfo();
    this.#kind = info & 31;
    this.#weigh(HEAVY[this.#kind] ?? 1);
    return info;
  }

  override readDsClock(): number {
    this.#weigh(RANGE);
    return super.readDsClock();
  }

  override readString(): string {
    const text = super.readString();
    // It may be JSON.
    if (this.#kind !== TEXT) for (const each of text) if (each === "[" || each === "{") this.#weigh(VALUE);
    return text;
  }

  override readJSON(): unknown {
    return JSON.parse(this.readString());
  }

  override readAny(): unknown {
    const { restDecoder: from } = this;
    const type = from.arr[from.pos] ?? 0;
    if (type <= OBJECT) this.#weigh(type <= BYTES ? BYTES_VALUES * VALUE : VALUE);
    if (type > OBJECT || type <= BYTES) {
      const value: unknown = super.readAny();
      // A view would keep the whole update in memory.
      return value instanceof Uint8Array ? value.slice() : value;
    }
    from.pos++;
    const value = type === LIST ? [] : {};
    const count = readVarUint(from);
    for (let i = 0; i < count; i++) {
      const key = type === LIST ? i : readVarString(from);
      // It would set the prototype, which nobody counts.
      if (key === "__proto__") throw new Error("A key is __proto__");
      Reflect.set(value, key, this.readAny());
    }
    return value;
  }
}

/** What is in an update. @throws TooHeavy; Error if it is malformed */
export const decode = (update: Uint8Array) => Y.decodeUpdateV2(update, Bounded);

/** Merges an update that is whole (copy.ts). Keeps no part of its bytes. */
export const merge = (doc: Y.Doc, update: Uint8Array) => Y.applyUpdateV2(doc, update, undefined, Bounded);

export type Structs = ReturnType<typeof decode>["structs"];
