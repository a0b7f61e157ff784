/** Which of a stack's addresses another Worker of the account has. */
import type { PublicSettings } from "../stack/config.ts";
import { LOGICAL } from "../stack/declared.ts";
import { type Address, takenAddresses } from "./addresses.ts";
import type { Finding } from "./codes.ts";
import type { Known } from "./known.ts";
import type { PlanReads } from "./look.ts";

/** Addresses that the settings name and another Worker has. */
export async function addressesTaken(
  { certain, besides }: PlanReads,
  { zoneId, hostname, routes }: PublicSettings,
  workerName: string,
  known: Known | undefined,
): Promise<readonly Finding[]> {
  const held = addressesIn(known);
  const domainReads = held.hostname === hostname ? besides : certain;
  const routeReads = routes.every((route) => held.routes.has(LOGICAL.route(route))) ? besides : certain;
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
export function notHeld(
  taken: readonly Finding[],
  { hostname }: PublicSettings,
  known: Known | undefined,
): readonly Finding[] {
  const { hostname: domain, routes } = addressesIn(known);
  const held = new Set([...(domain === hostname ? [`hostname ${hostname}`] : []), ...routes]);
  return taken.filter(({ subject }) => !held.has(subject));
}

/** The host name of a state, and the names of its routes there. */
const addressesIn = (known: Known | undefined) => ({
  hostname: known?.get("WorkersCustomDomain", LOGICAL.domain)?.hostname,
  routes: new Set(known?.names("WorkersRoute")),
});
