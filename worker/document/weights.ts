/** How heavy the parts of a document are, in pieces (pieces.ts). */

/** The most pieces that a document may have, or what is as heavy. An object has 128 MiB. */
export const MAX_PIECES = 250_000;
/** A list or an object among plain values: two bytes of an update, and 40 to 100 in memory. */
export const VALUE = 0.5;
/** Bytes among plain values are as heavy as so many of these: up to 350 bytes, without their own. */
export const BYTES_VALUES = 3;
/** By Yjs's number of a kind of content: a shared part (600 bytes), and a document in the document (2,400). */
export const HEAVY: Readonly<Record<number, number>> = { 7: 3, 9: 12 };
