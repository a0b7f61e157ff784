/** Whether a stack's host name and routes are free: what another Worker has is not taken from it. */
import type { PublicSettings } from "../../stack/config.ts";
import type { PlanReads } from "../account/reads.ts";
import type { Finding } from "../rules/codes.ts";
import type { Known } from "../state/known.ts";
import { heldIn } from "./in-state.ts";

/** Addresses that the settings name and another Worker has. */
export async function addressesTaken(
  { certain, besides }: PlanReads,
  { zoneId, hostname, routes }: PublicSettings,
  workerName: string,
  known: Known | undefined,
): Promise<readonly Finding[]> {
  const held = heldIn(known);
  const domainReads = held.hostname === hostname ? besides : certain;
  const routeReads = routes.every((route) => held.routes.includes(route)) ? besides : certain;
  const [domains, inZone] = await Promise.all([
    hostname === undefined ? undefined : domainReads.domains(),
    zoneId === undefined || routes.length === 0 ? undefined : routeReads.routes(zoneId),
  ]);
  const there: readonly Address[] = [
    ...(domains ?? []).map((domain) => ({ kind: "hostname" as const, name: domain.hostname, worker: domain.service })),
    ...(inZone ?? []).map(({ pattern, script }) => ({ kind: "route" as const, name: pattern, worker: script })),
  ];
  return takenAddresses({ workerName, hostname, routes }, there);
}

/** Those of addresses that the state does not have, so that an update would take them: what it has, it leaves alone. */
export function notHeld(taken: readonly Finding[], known: Known | undefined): readonly Finding[] {
  const { hostname, routes } = heldIn(known);
  const held = new Set([`hostname ${hostname}`, ...routes.map((route) => `route ${route}`)]);
  return taken.filter(({ subject }) => !held.has(subject));
}

/** A host name or a route pattern, and the Worker that it leads to; undefined: it leads to none. */
interface Address {
  readonly kind: "hostname" | "route";
  readonly name: string;
  readonly worker: string | undefined;
}

interface Wanted {
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
