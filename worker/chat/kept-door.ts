/** The door as a room keeps it. */
import type { Caller } from "../who.ts";
import { type Door, isKeeper, isLetIn } from "./door.ts";

/** The key of the door: one value, so that it is stored whole or not at all. */
const DOOR = "door";

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
    return isKeeper(caller, this.#door);
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
