/**
 * What has to happen to each namespace between two points of a history. Pure, and the same for every environment.
 *
 * Each namespace is followed through the steps. So a class that was renamed from A to B and then to C is one rename,
 * and a class that was created and removed again needs no move.
 */
import type { StartClass } from "./arrival.ts";
import type { Migration, Storage } from "./history.ts";

/** What happens to one class. `className` is its name at the end, or its last name. */
export type Move =
  | { readonly kind: "keep"; readonly className: string; readonly storage: Storage; readonly fromWorker?: string }
  /** `lost`: the class that it is in place of, whose objects never came. */
  | { readonly kind: "create"; readonly className: string; readonly storage: Storage; readonly lost?: Awaited }
  | { readonly kind: "receive"; readonly className: string; readonly storage: Storage; readonly fromWorker: string }
  | { readonly kind: "rename"; readonly from: string; readonly className: string; readonly storage: Storage }
  | { readonly kind: "delete"; readonly className: string }
  | { readonly kind: "send"; readonly className: string; readonly toWorker: string }
  /** Waits no more for objects that have not come. They stay where they are. */
  | { readonly kind: "cancel"; readonly className: string; readonly fromWorker: string };

/** A class that waits for its objects, by its live name, and the Worker that is to send them. */
export interface Awaited {
  readonly className: string;
  readonly fromWorker: string;
}

/** Why one release cannot make all moves. */
export interface Obstacle {
  readonly className: string;
  readonly reason: string;
  /** The live class whose objects must come first: no release of this Worker makes them. */
  readonly awaits?: Awaited;
}

interface Track {
  /** Its name at the start; undefined if it did not exist then. */
  readonly origin?: string;
  /** The name under which a step between received it. */
  readonly born?: string;
  readonly storage: Storage;
  /** The Worker whose objects it still waits for. */
  readonly fromWorker?: string;
  /** Whether it begins without them. */
  readonly beginsWithout?: boolean;
  name: string;
  end?: { readonly kind: "delete" } | { readonly kind: "send"; readonly toWorker: string };
}

/** The moves from `start` through `steps`, and the obstacles to making them in one release. */
export function moves(
  start: ReadonlyMap<string, StartClass>,
  steps: readonly Migration[],
): { moves: readonly Move[]; obstacles: readonly Obstacle[] } {
  const tracks = follow(start, steps);
  const obstacles: Obstacle[] = [];
  const result: Move[] = [];
  for (const track of tracks) {
    const outcome = moveOf(track);
    if (outcome === undefined) continue;
    if ("reason" in outcome) obstacles.push(outcome);
    else result.push(outcome);
  }

  // An exports map has one entry per class name, and the target of a rename must have no namespace yet.
  const entries = new Set(result.filter(staysAlive).map(({ className }) => className));
  const received = new Set(result.flatMap((move) => (move.kind === "receive" ? [move.className] : [])));
  for (const move of result) {
    const free = move.kind === "cancel" ? move.className : tombstoneOf(move);
    const waited = move.kind === "create" ? move.lost?.className : undefined;
    if (waited !== undefined && received.has(waited)) {
      obstacles.push({ className: waited, reason: `${waited} is waited for no more and received again` });
    } else if (free !== undefined && entries.has(free)) {
      obstacles.push({ className: free, reason: `the name ${free} is given up and used again` });
    } else if (move.kind === "rename" && start.has(move.className)) {
      obstacles.push({
        className: move.className,
        reason: `${move.from} becomes ${move.className}, a name that another class still has`,
      });
    }
  }
  return { moves: result, obstacles };
}

/** The class name of the move's tombstone, if it leaves one. */
export function tombstoneOf(move: Move): string | undefined {
  if (move.kind === "rename") return move.from;
  return leaves(move) ? move.className : undefined;
}

/** Whether the class and its objects leave this Worker. */
export const leaves = (move: Move): move is Extract<Move, { readonly kind: "delete" | "send" }> =>
  move.kind === "delete" || move.kind === "send";

/** Whether the class is there after the move. */
export const staysAlive = (move: Move): move is Exclude<Move, { readonly kind: "delete" | "send" | "cancel" }> =>
  !leaves(move) && move.kind !== "cancel";

function follow(start: ReadonlyMap<string, StartClass>, steps: readonly Migration[]): readonly Track[] {
  const tracks: Track[] = [...start].map(([name, one]) => ({ ...one, origin: name, name }));
  const alive = (name: string) => tracks.find((track) => track.name === name && !track.end);
  for (const change of steps.flatMap((step) => step.changes)) {
    switch (change.op) {
      case "create":
        tracks.push({ name: change.className, storage: change.storage });
        break;
      case "receive":
        tracks.push({
          born: change.className,
          name: change.className,
          storage: change.storage,
          fromWorker: change.fromWorker,
        });
        break;
      case "rename": {
        const track = alive(change.from);
        if (track) track.name = change.to;
        break;
      }
      case "remove": {
        const track = alive(change.className);
        if (track) track.end = { kind: "delete" };
        break;
      }
      case "send": {
        const track = alive(change.className);
        if (track) track.end = { kind: "send", toWorker: change.toWorker };
      }
    }
  }
  return tracks;
}

function moveOf(track: Track): Move | Obstacle | undefined {
  const { origin, born, name, storage, fromWorker, beginsWithout = false, end } = track;
  const moved = origin !== undefined && origin !== name;
  if (fromWorker !== undefined && (origin ?? born) === name && end?.kind === "delete") {
    return origin === undefined ? undefined : { kind: "cancel", className: name, fromWorker };
  }
  if (fromWorker !== undefined && beginsWithout) {
    const begun = moveOf({ name, storage, ...(end && { end }) });
    // It is gone before it began.
    if (begun === undefined && origin !== undefined) return { kind: "cancel", className: origin, fromWorker };
    const lost = { className: origin ?? name, fromWorker };
    return begun && "kind" in begun && begun.kind === "create" ? { ...begun, lost } : begun;
  }
  if (fromWorker !== undefined && ((origin ?? born) !== name || end)) {
    return {
      className: name,
      reason: `${origin ?? born ?? name} must have arrived from ${fromWorker} before it can be changed again`,
      ...(origin !== undefined && { awaits: { className: origin, fromWorker } }),
    };
  }
  if (end?.kind === "send") {
    if (origin === undefined)
      return { className: name, reason: `${name} must exist before it can be sent to ${end.toWorker}` };
    if (moved)
      return { className: name, reason: `${origin} must have become ${name} before it can be sent to ${end.toWorker}` };
    return { kind: "send", className: name, toWorker: end.toWorker };
  }
  if (end) return origin === undefined ? undefined : { kind: "delete", className: origin };
  if (origin === undefined) {
    // A new namespace has SQLite, also in the place of one that has the older storage elsewhere.
    return fromWorker === undefined
      ? { kind: "create", className: name, storage: "sqlite" }
      : { kind: "receive", className: name, storage, fromWorker };
  }
  if (moved) return { kind: "rename", from: origin, className: name, storage };
  return { kind: "keep", className: name, storage, ...(fromWorker !== undefined && { fromWorker }) };
}
