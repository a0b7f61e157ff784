/** The addresses that a stack's state has: those that an update leaves, changes or deletes. Pure. */
import { LOGICAL } from "../../stack/declared.ts";
import type { Known } from "../state/known.ts";

interface Held {
  readonly hostname: string | undefined;
  /** The patterns of its routes. */
  readonly routes: readonly string[];
}

/** None where nobody can read the state. */
export function heldIn(known: Known | undefined): Held {
  const hostname = known?.get("WorkersCustomDomain", LOGICAL.domain)?.hostname;
  const prefix = LOGICAL.route("");
  return {
    hostname: typeof hostname === "string" ? hostname : undefined,
    routes: (known?.names("WorkersRoute") ?? []).map((name) => name.slice(prefix.length)),
  };
}
