/** The storage of a class that comes from another Worker: that of the objects, which is never changed in place. */
import type { Storage } from "./history.ts";
import type { Awaited, Move } from "./moves.ts";
import type { Situation } from "./situation.ts";

/** The storage that a class has with the Worker that is to send it; undefined: it has no such class. */
export const sendersStorage = ({ className, fromWorker }: Awaited, others: Situation["others"]): Storage | undefined =>
  others.get(fromWorker)?.get(className)?.storage;

/**
 * The move with the storage that the objects come with. A history that says `legacy-kv` means it where there is one: with
 * a sender that was made anew the class has SQLite.
 */
export const withSendersStorage = (move: Move, others: Situation["others"]): Move =>
  move.kind === "receive" && move.storage === "legacy-kv"
    ? { ...move, storage: sendersStorage(move, others) ?? move.storage }
    : move;
