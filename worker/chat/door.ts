/** A room's door: who may join and read the room, by its own rule. Plain logic. */
import type { Caller } from "../who.ts";

export const ROOM_RULES = ["public", "users", "members"] as const;
export type RoomRule = (typeof ROOM_RULES)[number];
/** The most members of one room. */
export const MAX_MEMBERS = 1_000;

export interface Door {
  readonly rule: RoomRule;
  /** The user who may change the rule, invite and remove. */
  readonly owner?: string | undefined;
  readonly members: readonly string[];
}

/** Whether the caller may join and read. An undefined `caller` was already allowed elsewhere. */
export function isLetIn(caller: Caller | undefined, { rule, owner, members }: Door): boolean {
  if (caller === undefined || rule === "public") return true;
  if (caller.kind !== "user") return false;
  return rule === "users" || caller.id === owner || members.includes(caller.id);
}

/** Whether the caller may change the door. */
export function isKeeper(caller: Caller | undefined, { owner }: Door): boolean {
  return caller === undefined || (caller.kind === "user" && caller.id === owner);
}

/** The door with one more member; "full" if there are too many. */
export function invited(door: Door, userId: string): Door | "full" {
  if (door.members.includes(userId)) return door;
  return door.members.length < MAX_MEMBERS ? { ...door, members: [...door.members, userId] } : "full";
}

/** The door without a member; the same if the user is none. */
export const removed = (door: Door, userId: string): Door =>
  door.members.includes(userId) ? { ...door, members: door.members.filter((id) => id !== userId) } : door;
