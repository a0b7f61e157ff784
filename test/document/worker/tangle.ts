/** Edits that are made so that Yjs walks over all others for each of them, in few bytes. */
import { createEncoder, type Encoder, toUint8Array, writeUint8, writeVarString, writeVarUint } from "lib0/encoding";

const STRING = 4;
const HAS_ORIGIN = 0x80;
const HAS_RIGHT_ORIGIN = 0x40;

/** Characters, each before the last one, as if somebody would always type at the front. */
export function chain(client: number, count: number): Uint8Array<ArrayBuffer> {
  return edits(client, 0, count, (encoder, i) => {
    if (i > 0) return at(encoder, HAS_RIGHT_ORIGIN, client, i - 1);
    writeUint8(encoder, STRING);
    writeVarUint(encoder, 1);
    writeVarString(encoder, "text");
  });
}

/**
 * Characters from the front to somewhere in the far half of another client's chain: the `from`th up to the `to`th. The
 * client must be a lower one: then they also walk when they are loaded as one update.
 */
export const walkers = (client: number, other: number, [from, to]: readonly [number, number]) =>
  edits(client, from, to - from, (encoder, i) => at(encoder, HAS_RIGHT_ORIGIN, other, Math.floor((from + i) / 2)));

/** A character after another, which must be there. */
export const after = (client: number, other: number, clock: number) =>
  edits(client, 0, 1, (encoder) => at(encoder, HAS_ORIGIN, other, clock));

function edits(client: number, from: number, count: number, place: (encoder: Encoder, i: number) => void) {
  const encoder = createEncoder();
  for (const number of [1, count, client, from]) writeVarUint(encoder, number);
  for (let i = 0; i < count; i++) {
    place(encoder, i);
    writeVarString(encoder, "x");
  }
  writeVarUint(encoder, 0);
  return new Uint8Array(toUint8Array(encoder));
}

function at(encoder: Encoder, side: number, client: number, clock: number): void {
  writeUint8(encoder, STRING | side);
  writeVarUint(encoder, client);
  writeVarUint(encoder, clock);
}
