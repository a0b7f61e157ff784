/** Whether a stack's host name and routes are free: what another Worker has is not taken from it. Pure. */
import type { Finding } from "./codes.ts";

/** A host name or a route pattern, and the Worker that it leads to; undefined: it leads to none. */
export interface Address {
  readonly kind: "hostname" | "route";
  readonly name: string;
  readonly worker: string | undefined;
}

export interface Wanted {
  readonly workerName: string;
  readonly hostname?: string | undefined;
  readonly routes: readonly string[];
}

/** A finding for every address that the stack wants and another Worker has. `there`: what the account and zone have. */
export function takenAddresses(
  { workerName, hostname, routes }: Wanted,
  there: readonly Address[],
): readonly Finding[] {
  const wanted = new Set([
    ...(hostname === undefined ? [] : [`hostname ${hostname}`]),
    ...routes.map((route) => `route ${route}`),
  ]);
  return there
    .filter(({ kind, name, worker }) => wanted.has(`${kind} ${name}`) && worker !== workerName)
    .map(({ kind, name, worker }) => ({
      code: "address_taken",
      subject: `${kind} ${name}`,
      message:
        worker === undefined
          ? "this route exists already and leads to no Worker: somebody keeps all Workers off these addresses."
          : `it leads to the Worker ${worker}, which would lose its callers.`,
      fix:
        worker === undefined
          ? "remove it from this stack's settings, or delete that route where it was made."
          : `use another one for this stack, or remove it from ${worker} once nobody needs it there.`,
    }));
}
