/** Whether a stack's host name and routes are free: what another Worker has is not taken from it. Pure. */
import type { Finding } from "@durable-stack/class-lifecycle";

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
          ? "it is there already and leads to no Worker: what it matches is kept from every Worker on purpose."
          : `it leads to the Worker ${worker}, whose callers it would be taken from.`,
      fix:
        worker === undefined
          ? "take it out of this stack's settings, or take that route away where it was made."
          : `use another one for this stack, or take it away from ${worker} where that was set up, once nobody needs it there.`,
    }));
}
