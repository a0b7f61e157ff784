/**
 * The frames of a document's WebSockets, as y-protocols and y-websocket have them: so every Yjs client speaks them.
 * Reading never throws. Plain logic.
 */
import { createDecoder, type Decoder, hasContent, readVarString, readVarUint, readVarUint8Array } from "lib0/decoding";
import {
  createEncoder,
  type Encoder,
  toUint8Array,
  writeVarString,
  writeVarUint,
  writeVarUint8Array,
} from "lib0/encoding";
import { POLICY } from "../objects/sockets.ts";

const SYNC = 0;
const AWARENESS = 1;
const AUTH = 2;
const QUERY_AWARENESS = 3;

const STEP_1 = 0;
const STEP_2 = 1;
const UPDATE = 2;

const DENIED = 0;

/** What a client sent. */
export type Frame =
  /** It has what this state vector says, and asks for the rest. */
  | { readonly type: "step1"; readonly vector: Uint8Array }
  /** `answer`: it answers our step 1. */
  | { readonly type: "update"; readonly update: Uint8Array; readonly answer: boolean }
  | { readonly type: "awareness"; readonly states: readonly ClientState[] }
  | { readonly type: "query-awareness" };

/** The state that a client shows of itself: its cursor, its user's name. */
export interface ClientState {
  /** The client's number in the document. */
  readonly client: number;
  /** Grows with each change of the state. */
  readonly clock: number;
  /** JSON; `null` if the client has left. Not checked here: most states that clients send are those of others. */
  readonly json: string;
}

/** Why a frame is none: the close code (RFC 6455, 7.4.1) and reason for its sender. */
export interface Fault {
  readonly code: 1003 | 1007 | 1008;
  readonly reason: string;
}

const UNKNOWN: Fault = { code: 1_003, reason: "This document takes frames of y-protocols only" };
export const MALFORMED: Fault = { code: 1_007, reason: "The frame is malformed" };

/** The most states of a frame: clients also send back those of all others. */
const MAX_TOLD = 10_000;
const TOO_MANY: Fault = { code: POLICY, reason: `A frame may have at most ${MAX_TOLD} states` };

export function readFrame(data: string | ArrayBuffer): Frame | Fault {
  if (typeof data === "string") return UNKNOWN;
  try {
    const decoder = createDecoder(new Uint8Array(data));
    const frame = frameIn(decoder);
    return !("code" in frame) && hasContent(decoder) ? MALFORMED : frame;
  } catch {
    return MALFORMED;
  }
}

function frameIn(decoder: Decoder): Frame | Fault {
  switch (readVarUint(decoder)) {
    case SYNC:
      return syncIn(decoder);
    case AWARENESS:
      return statesIn(createDecoder(readVarUint8Array(decoder)));
    case QUERY_AWARENESS:
      return { type: "query-awareness" };
    default:
      return UNKNOWN;
  }
}

function syncIn(decoder: Decoder): Frame | Fault {
  const type = readVarUint(decoder);
  if (type > UPDATE) return UNKNOWN;
  const bytes = readVarUint8Array(decoder);
  return type === STEP_1
    ? { type: "step1", vector: bytes }
    : { type: "update", update: bytes, answer: type === STEP_2 };
}

function statesIn(decoder: Decoder): Frame | Fault {
  const states: ClientState[] = [];
  const count = readVarUint(decoder);
  if (count > MAX_TOLD) return TOO_MANY;
  while (states.length < count) {
    states.push({ client: readVarUint(decoder), clock: readVarUint(decoder), json: readVarString(decoder) });
  }
  return { type: "awareness", states };
}

/** Our step 1: asks a client for all that the document lacks. */
export const step1 = (vector: Uint8Array): Uint8Array => syncFrame(STEP_1, vector);

/** The answer to a client's step 1. */
export const step2 = (update: Uint8Array): Uint8Array => syncFrame(STEP_2, update);

export const update = (bytes: Uint8Array): Uint8Array => syncFrame(UPDATE, bytes);

const syncFrame = (type: number, bytes: Uint8Array) =>
  frame((encoder) => {
    writeVarUint(encoder, SYNC);
    writeVarUint(encoder, type);
    writeVarUint8Array(encoder, bytes);
  });

export const awareness = (states: readonly ClientState[]): Uint8Array =>
  frame((encoder) => {
    writeVarUint(encoder, AWARENESS);
    writeVarUint8Array(
      encoder,
      frame((inner) => {
        writeVarUint(inner, states.length);
        for (const { client, clock, json } of states) {
          writeVarUint(inner, client);
          writeVarUint(inner, clock);
          writeVarString(inner, json);
        }
      }),
    );
  });

/** Tells a client that an update was refused. y-websocket shows the reason as a warning. */
export const denial = (reason: string): Uint8Array =>
  frame((encoder) => {
    writeVarUint(encoder, AUTH);
    writeVarUint(encoder, DENIED);
    writeVarString(encoder, reason);
  });

function frame(write: (encoder: Encoder) => void): Uint8Array {
  const encoder = createEncoder();
  write(encoder);
  return toUint8Array(encoder);
}
