/** A room's door: who may join and read the room, by its own rule. */
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

/** The door with one more member; "full" if there are too many. */
export function invited(door: Door, userId: string): Door | "full" {
  if (door.members.includes(userId)) return door;
  return door.members.length < MAX_MEMBERS ? { ...door, members: [...door.members, userId] } : "full";
}

/** The door without a member. */
export const removed = (door: Door, userId: string): Door => ({
  ...door,
  members: door.members.filter((id) => id !== userId),
});

/** The key of the door: one value, so that it is stored whole or not at all. */
const DOOR = "door";

/** The door as the room keeps it. */
export class KeptDoor {
  /** Whether it was stored when the room woke. */
  readonly wasSet: boolean;
  readonly #kv: SyncKvStorage;
  readonly #unset: Door;
  #door: Door;

  /** `unset`: the stack's default for rooms without a rule. */
  constructor(kv: SyncKvStorage, unset: Door) {
    this.#kv = kv;
    this.#unset = unset;
    const stored = kv.get<Door>(DOOR);
    this.wasSet = stored !== undefined;
    this.#door = stored ?? unset;
  }

  get now(): Door {
    return this.#door;
  }

  /** Whether the caller may join and read. An undefined `caller` was already allowed elsewhere. */
  lets(caller: Caller | undefined): boolean {
    return isLetIn(caller, this.#door);
  }

  /** Whether the caller may change it. */
  isKeptBy(caller: Caller | undefined): boolean {
    return caller === undefined || (caller.kind === "user" && caller.id === this.#door.owner);
  }

  set(door: Door): void {
    this.#kv.put(DOOR, door);
    this.#door = door;
  }

  /** Deletes what is stored. Call it in a transaction, and `forget` after it. */
  clear(): void {
    this.#kv.delete(DOOR);
  }

  forget(): void {
    this.#door = this.#unset;
  }
}
