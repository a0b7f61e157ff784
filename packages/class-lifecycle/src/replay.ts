/** The classes that are alive after a step of a history. Pure. */
import type { Change, Migration, Storage } from "./history.ts";

/** A class alive at some point of the history. */
export interface LiveClass {
  readonly storage: Storage;
  /** The Worker that still has to hand over its objects. */
  readonly fromWorker?: string;
}

/** Live classes by name. */
export type LiveClasses = ReadonlyMap<string, LiveClass>;

/** The classes after `change`. An invalid change (see `lint`) leaves them as they are. */
export function applyChange(classes: LiveClasses, change: Change): LiveClasses {
  const next = new Map(classes);
  switch (change.op) {
    case "create":
      next.set(change.className, { storage: change.storage });
      break;
    case "receive":
      next.set(change.className, { storage: change.storage, fromWorker: change.fromWorker });
      break;
    case "remove":
    case "send":
      next.delete(change.className);
      break;
    case "rename": {
      const moved = next.get(change.from);
      if (moved) {
        next.delete(change.from);
        next.set(change.to, moved);
      }
    }
  }
  return next;
}

/** The classes alive after the first `steps` steps (all of them by default). */
export function replay(migrations: readonly Migration[], steps = migrations.length): LiveClasses {
  return migrations
    .slice(0, steps)
    .flatMap((migration) => migration.changes)
    .reduce(applyChange, new Map<string, LiveClass>());
}
