/**
 * What a room and its relays say to each other. A relay carries readers that the room's own object (the home) has no
 * place for, or that are far from it. The home alone gives numbers, so all readers see one order.
 *
 * A relay knows two numbers: its last message and its last order. The home sends what comes after them, and goes on from
 * the numbers in the answer. So it does not matter which call or which answer is lost, or which of them starts anew.
 *
 * The numbers mean something within one link only: the time from when the home comes to know a relay until it forgets
 * it, or is deleted. A relay of another link has a room that is no more, so it forgets it and closes its sockets.
 */
import type { Spender } from "./budgets.ts";
import type { Door } from "./door.ts";
import type { Message, ServerFrame } from "./protocol.ts";

/**
 * Without a message, a home looks so often whether its relays are still there, and a relay whether it still has readers:
 * one without forgets the room, whatever calls were lost.
 */
export const LOOK_EVERY_MS = 60 * 60 * 1_000;

/** What a relay must do, besides showing messages. */
export type Order =
  | { readonly kind: "door"; readonly door: Door }
  | { readonly kind: "ended"; readonly session: string }
  | { readonly kind: "deleted"; readonly seq: number };

/** People, each once: at most MAX_SHOWN of their names. */
export interface People {
  readonly count: number;
  readonly users: readonly string[];
}
export const NOBODY: People = { count: 0, users: [] };

/** What the home sends. */
export interface Push {
  /** Names the time from one `attach` to the next. */
  readonly epoch: string;
  /** Names the link; undefined in what an older release made. */
  readonly link?: string | undefined;
  /** The messages after `after` that are kept; perhaps not all of them. */
  readonly after: number;
  readonly messages: readonly Message[];
  /** The oldest number that is kept, and the newest. */
  readonly first: number;
  readonly last: number;
  readonly orders: readonly { readonly turn: number; readonly order: Order }[];
  /** The oldest order that is kept, and the newest. */
  readonly firstTurn: number;
  readonly lastTurn: number;
  /** Who is in the room, besides the relay's readers. */
  readonly others: People;
  /**
   * Frames of the moment. A relay that misses a typing sign does without; if it misses who came or went, it learns who
   * is here from `others`, and tells its readers.
   */
  readonly frames: readonly ServerFrame[];
  /** For a relay that starts: the door. Then `messages` are all that are kept. */
  readonly door?: Door;
  /** Then also: sessions that ended a moment ago. */
  readonly ended?: readonly string[];
}

/** What a relay answers. */
export interface RelayState {
  /** Undefined if it carries nobody, and has forgotten the room. */
  readonly epoch: string | undefined;
  readonly link?: string | undefined;
  readonly have: number;
  readonly turn: number;
  /** Sockets, with those that are about to be opened. */
  readonly sockets: number;
  readonly people: People;
  /** Grows with each state: of two, the newer counts, whichever comes first. Undefined in what an older release says. */
  readonly at?: number;
}

/** Whether a relay goes on with a link, by the names that each side has for it. */
export const isSameLink = (a: string | undefined, b: string | undefined): boolean =>
  a === undefined || b === undefined || a === b;

/** Somebody who writes to a room through a relay. */
export interface Talker extends Spender {
  readonly known?: true | undefined;
}
