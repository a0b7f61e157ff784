/**
 * Who comes and goes, as the others are told. A single join or leave is told at once. When there are many they are told
 * together: to clients of `chat.changes` as what has changed, to the others as everybody who is here. The more people,
 * the longer the wait, because each frame goes to all of them. A crowd is told nothing.
 *
 * What waits is in memory only, and so is the timer; while it runs, the room does not fall asleep.
 */
import { MAX_SHOWN } from "./limits.ts";
import type { ServerFrame } from "./protocol.ts";

/** The wait grows with the people in the room, between these limits. */
const WAIT_PER_PERSON_MS = 10;
const MIN_WAIT_MS = 250;
const MAX_WAIT_MS = 1_000;

type Move = "joined" | "left";

/** Who is told. */
export interface Public {
  /** How many people are in the room. */
  readonly count: number;
  /** The frame that says who is here. */
  presence(): ServerFrame;
  announce(frame: ServerFrame, except?: WebSocket): void;
  /** Tells clients of `chat.changes` one thing, and the others another. */
  tellChanges(changes: ServerFrame, others: ServerFrame): void;
}

export class News {
  readonly #public: Public;
  /** Whether a single join or leave may be told at once. */
  readonly #mayTell: (now: number) => boolean;
  /** What waits to be told: the last move of each user. */
  readonly #waiting = new Map<string, Move>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether the room became a crowd, or stopped being one, while news waited: then nobody knows all names. */
  #isEdge = false;

  constructor(told: Public, mayTell: (now: number) => boolean) {
    this.#public = told;
    this.#mayTell = mayTell;
  }

  /** A user has joined or left, perhaps by a socket here. */
  moved(userId: string, move: Move, socket: WebSocket | undefined, now: number): void {
    const { count } = this.#public;
    // With so many people, the room has just become a crowd, or has just stopped being one.
    const edge = move === "joined" ? MAX_SHOWN + 1 : MAX_SHOWN;
    if (count > edge) return;
    if (count < edge && this.#timer === undefined && this.#mayTell(now)) {
      const type = move === "joined" ? "user_joined" : "user_left";
      this.#public.announce({ type, userId, timestamp: now }, socket);
      return;
    }
    // Told even of somebody who came and went meanwhile: newcomers may have read the name in their greeting.
    this.#waiting.set(userId, move);
    if (count === edge) this.#isEdge = true;
    this.#tellLater(count);
  }

  /** Many have come or gone at once, so that the room became a crowd, or stopped being one. */
  turned(): void {
    this.#isEdge = true;
    this.#tellLater(this.#public.count);
  }

  #tellLater(count: number): void {
    const wait = Math.min(Math.max(count * WAIT_PER_PERSON_MS, MIN_WAIT_MS), MAX_WAIT_MS);
    this.#timer ??= setTimeout(() => this.#tellTogether(), wait);
  }

  #tellTogether(): void {
    const moves = [...this.#waiting];
    const presence = this.#public.presence();
    const isWhole = this.#isEdge || this.#public.count > MAX_SHOWN;
    this.#waiting.clear();
    this.#timer = undefined;
    this.#isEdge = false;
    if (isWhole) {
      this.#public.announce(presence);
      return;
    }
    const who = (wanted: Move) => moves.flatMap(([userId, move]) => (move === wanted ? [userId] : []));
    this.#public.tellChanges({ type: "presence_changed", joined: who("joined"), left: who("left") }, presence);
  }
}
