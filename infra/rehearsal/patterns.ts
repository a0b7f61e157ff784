/** The patterns that a rehearsal fills, in their own order: the limiter comes last, since its buckets refill. */

import { patterns } from "../../worker/patterns.ts";
import { toolOf } from "../smoke/tools.ts";
import type { Filling } from "./filling.ts";

export interface Fillable extends Filling {
  /** The Worker's binding to the pattern's class. */
  readonly binding: string;
}

/** Of each pattern that has a filling (test/<pattern>/rehearsal.ts). */
export async function fillings(): Promise<readonly Fillable[]> {
  const all = await Promise.all(
    patterns.map(async ({ folder, binding }): Promise<Fillable[]> => {
      const tool: { filling: Filling } | undefined = await toolOf(folder, "rehearsal");
      return tool ? [{ ...tool.filling, binding }] : [];
    }),
  );
  return all.flat();
}
