/**
 * The second half of a rehearsal: the newer release has written, then the older one serves again. It must read what
 * both have written, and write to it, or the newer release is one without a way back, and has to say so.
 */
import type { Move } from "@durable-stack/class-lifecycle";
import { messageOf } from "../common/errors.ts";
import { lacking } from "../plan/rules/schema.ts";
import type { Manifest } from "../release/manifest.ts";
import { lossOf } from "./classes.ts";
import type { Filled } from "./filling.ts";
import { inLanes } from "./lanes.ts";
import { readAll } from "./stock.ts";

export type Back =
  | { readonly kind: "not-tried"; readonly because: string }
  | {
      readonly kind: "tried";
      readonly objects: number;
      /** What the older release could not read or write, an object each. */
      readonly faults: readonly { readonly className: string; readonly id: string; readonly reason: string }[];
    };

type Release = Pick<Manifest, "digest" | "schemas">;

/** Why nobody can go back from `to` to `from`, in words; undefined: one can, and the rehearsal tries it. */
export function noWayBack(from: Release, to: Release, moves: readonly Move[]): string | undefined {
  if (from.digest === to.digest) return "both are the same release";
  if (moves.some(({ kind }) => kind !== "keep")) return "the newer release changes classes";
  const { schemas = {} } = to;
  const breaking = lacking(from.schemas, schemas).map(
    (className) => `step ${schemas[className]?.needs} of the tables of ${className}`,
  );
  return breaking.length > 0 ? `older code cannot live with ${breaking.join(", ")}` : undefined;
}

interface Way {
  /** What was filled by the older release. */
  readonly filled: readonly Filled[];
  /** Fills other objects by the newer release, which serves. */
  readonly fillMore: () => Promise<readonly Filled[]>;
  readonly rollBack: () => Promise<unknown>;
}

/** Goes back, reads everything, writes to everything, and reads it again. */
export async function goBack({ filled, fillMore, rollBack }: Way): Promise<Back> {
  const all = [...filled, ...(await fillMore())];
  const before = await readAll(all);
  await rollBack();
  const after = await readAll(all);
  const written = await inLanes(all, async ({ pattern, subject }) => {
    // Where the Worker chooses the object, filling again makes another one.
    if (pattern.takesId === false) return undefined;
    try {
      const { read } = await pattern.fill({ ...subject, round: 1 });
      await read();
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  });
  const faults = all.flatMap(({ className, id }, index) => {
    const [was, is] = [before[index], after[index]];
    const lost = was && is ? lossOf(was, is) : undefined;
    const reason = lost === undefined ? written[index] : `could not be read: ${lost}`;
    return reason === undefined ? [] : [{ className, id, reason }];
  });
  return { kind: "tried", objects: all.length, faults };
}
