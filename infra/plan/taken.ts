/** Which of a stack's addresses another Worker of the account has. */
import type { Finding } from "@durable-stack/class-lifecycle";
import type { PublicSettings } from "../stack/config.ts";
import { LOGICAL } from "../stack/declared.ts";
import { type Address, takenAddresses } from "./addresses.ts";
import type { Known } from "./known.ts";
import type { Reads } from "./reads.ts";

/** Addresses that the settings name and another Worker has. */
export async function addressesTaken(
  reads: Reads,
  { zoneId, hostname, routes }: PublicSettings,
  workerName: string,
): Promise<readonly Finding[]> {
  const [domains, inZone] = await Promise.all([
    hostname === undefined ? undefined : reads.domains(),
    zoneId === undefined || routes.length === 0 ? undefined : reads.routes(zoneId),
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
  const domain = known?.get("WorkersCustomDomain", LOGICAL.domain)?.hostname;
  const held = new Set([
    ...(domain === hostname ? [`hostname ${hostname}`] : []),
    ...(known?.names("WorkersRoute") ?? []),
  ]);
  return taken.filter(({ subject }) => !held.has(subject));
}
