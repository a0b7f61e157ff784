/**
 * What clients show of themselves: cursors and names (the awareness of y-protocols). Each state belongs to the socket
 * that brought it, so that nobody moves the cursor of another, and goes with that socket. It is in the socket's
 * attachment, and outlives the object's sleep. Clients also send back the states of others, which are ignored.
 */
import { Memory } from "../objects/memory.ts";
import { isOpen } from "../objects/sockets.ts";
import type { Seat, Seats } from "./seats.ts";
import type { ClientState } from "./wire.ts";

/** The most characters of all states of a socket together. An attachment takes 16 KiB, of two bytes each. */
const MAX_CHARACTERS = 6_000;
const MAX_STATES = 8;
/** The most states that one frame may change. */
const MAX_CHANGES = 2 * MAX_STATES;
/** A client tells its state again every 15 seconds. If it misses that twice, another socket may take its state. */
const SILENT_MS = 30_000;
/** For so long a state that has gone does not come back because a client was slow to forget it. */
const GONE_MS = 60_000;
const NOBODY = "null";

/** A state, and the socket that shows it. */
interface Owned {
  readonly socket: WebSocket;
  readonly seat: Seat;
  readonly state: ClientState;
}

/** `changed`: for everybody. `stale`: for the sender, whose client must tell its state under a higher number. */
export interface Shown {
  readonly changed: readonly ClientState[];
  readonly stale: readonly ClientState[];
}

/** What becomes of a state. An object: it is refused, and this is told to its sender. */
type Verdict = "taken" | "ignored" | ClientState;

export class Presence {
  readonly #seats: Seats;
  /** The clocks of states that have gone. */
  readonly #gone = new Memory<number>();

  constructor(seats: Seats) {
    this.#seats = seats;
  }

  /** The states of all who are here. */
  all(): ClientState[] {
    return [...this.#seats.all].flatMap(([socket, { states }]) => (isOpen(socket) ? states : []));
  }

  /** Takes the states that a socket sends. Returns a sentence if they are too large or no states. */
  take(socket: WebSocket, seat: Seat, states: readonly ClientState[], now: number): Shown | string {
    const changed: ClientState[] = [];
    const stale: ClientState[] = [];
    // Once a frame, because most of its states may be those of others.
    const owners = this.#owners();
    for (const state of states) {
      const owner = owners.get(state.client);
      const verdict = owner ? judge(owner, { socket, seat, state }, now) : this.#judgeNew(state, now);
      if (verdict === "ignored") continue;
      if (changed.length + stale.length >= MAX_CHANGES) return `A frame may change ${MAX_CHANGES} states at most`;
      if (typeof verdict === "object") {
        stale.push(verdict);
        continue;
      }
      if (state.json !== NOBODY && !isObject(state.json)) return "A state must be a JSON object";
      if (owner) this.#drop(owner, socket);
      if (state.json === NOBODY) {
        this.#note(state, now);
        owners.delete(state.client);
      } else {
        seat.states.push(state);
        owners.set(state.client, { socket, seat, state });
      }
      changed.push(state);
    }
    if (seat.states.length > MAX_STATES) return `A connection may show the states of ${MAX_STATES} clients`;
    if (seat.states.reduce((sum, { json }) => sum + json.length, 0) > MAX_CHARACTERS) {
      return `What a connection shows of itself may have at most ${MAX_CHARACTERS} characters`;
    }
    return { changed, stale };
  }

  /** Tells whether a client is shown by a socket of somebody else who may edit. What a reader shows is no claim. */
  othersThan(userId: string, mayEdit: (seat: Seat) => boolean): (client: number) => boolean {
    const owners = this.#owners();
    return (client) => {
      const owner = owners.get(client);
      return owner !== undefined && owner.seat.userId !== userId && mayEdit(owner.seat);
    };
  }

  /** The socket has closed, and its seat was left: its states have gone, but for those that another socket shows by now. */
  leave(seat: Seat, now: number): ClientState[] {
    const owners = this.#owners();
    const own = seat.states.filter(({ client }) => !owners.has(client));
    const left = own.map((state) => ({ ...state, json: NOBODY }));
    for (const state of left) this.#note(state, now);
    seat.states = [];
    return left;
  }

  /** Judges a state of a client whom nobody shows. */
  #judgeNew(state: ClientState, now: number): Verdict {
    if (state.json === NOBODY) return "ignored";
    const gone = this.#gone.get(String(state.client), now);
    return gone === undefined || state.clock > gone ? "taken" : { client: state.client, clock: gone, json: NOBODY };
  }

  /** Who shows each client. */
  #owners(): Map<number, Owned> {
    const owners = new Map<number, Owned>();
    for (const [socket, seat] of this.#seats.all) {
      for (const state of seat.states) owners.set(state.client, { socket, seat, state });
    }
    return owners;
  }

  /** Takes a state from the socket that has it, for `by`, whose seat is kept later. */
  #drop({ socket, seat, state }: Owned, by: WebSocket): void {
    seat.states = seat.states.filter(({ client }) => client !== state.client);
    if (socket !== by) this.#seats.keep(socket, seat);
  }

  #note({ client, clock }: ClientState, now: number): void {
    this.#gone.set(String(client), clock, now + GONE_MS);
  }
}

/** Judges a state of a client whom a socket, perhaps another, shows already. */
function judge(owner: Owned, { socket, seat, state }: Owned, now: number): Verdict {
  const isOwn = owner.socket === socket;
  if (isOwn && state.json === NOBODY) return state.clock >= owner.state.clock ? "taken" : "ignored";
  if (state.clock <= owner.state.clock) return "ignored";
  // The same user after a cut, before the old socket was missed.
  const isHeir = owner.seat.userId === seat.userId || owner.seat.heardAt < now - SILENT_MS;
  return isOwn || isHeir ? "taken" : "ignored";
}

function isObject(json: string): boolean {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null;
  } catch {
    return false;
  }
}
