/** How much a room holds. */
import { dropOldest } from "../objects/memory.ts";

/** The most sockets in one room. */
export const MAX_SOCKETS = 1_000;
/** The most messages in one frame, also of the history. */
export const MESSAGES_PER_FRAME = 100;
/** A room with more people than this does not announce who comes, goes and types. */
export const MAX_SHOWN = 100;

/** Adds to a set that keeps as many as a room has sockets, the newest. */
export function addNewest(set: Set<string>, item: string): void {
  set.add(item);
  dropOldest(set, MAX_SOCKETS);
}
