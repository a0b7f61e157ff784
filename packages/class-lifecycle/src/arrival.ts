/** Whether the objects that a class waits for have come: what is provisioned here has, whatever its old Worker has now. */
import type { LiveClass, LiveClasses } from "./replay.ts";
import type { Situation } from "./situation.ts";

/** A live class, as the moves begin with it. */
export interface StartClass extends LiveClass {
  /** Whether its objects are nowhere, and the stack lets the class begin without them. */
  readonly beginsWithout?: boolean;
}

/** `arrived`: the objects are here. `pending`: they are with the old Worker. `lost`: they are in neither place. */
export type Arrival = "arrived" | "pending" | "lost";

/** Where the objects are that `className` waits for, or did. Where nobody has looked, the old Worker alone tells. */
export function arrivalOf(
  className: string,
  fromWorker: string,
  { provisioned, others }: Pick<Situation, "provisioned" | "others">,
): Arrival {
  if (provisioned?.has(className)) return "arrived";
  if (others.get(fromWorker)?.has(className)) return "pending";
  return provisioned === undefined ? "arrived" : "lost";
}

/**
 * The live classes as they are by now. A version goes on saying that it waits, after the objects have come: such a class
 * is like any other.
 */
export function settled(live: LiveClasses, situation: Situation): ReadonlyMap<string, StartClass> {
  return new Map(
    [...live].map(([name, one]): [string, StartClass] => {
      if (one.fromWorker === undefined) return [name, one];
      const arrival = arrivalOf(name, one.fromWorker, situation);
      if (arrival === "arrived") return [name, { storage: one.storage }];
      return [
        name,
        arrival === "lost" && situation.allowTransferLoss.includes(name) ? { ...one, beginsWithout: true } : one,
      ];
    }),
  );
}
