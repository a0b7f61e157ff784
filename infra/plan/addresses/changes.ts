/** Which addresses a stack's Worker gets and loses by an update: its host name, its routes, workers.dev. */
import type { PublicSettings } from "../../stack/config.ts";
import { isLeftOnWorkersDev, onWorkersDev } from "../../stack/declared.ts";
import type { Reads } from "../account/reads.ts";
import type { Claims } from "../claims/claims.ts";
import type { OwnWorker } from "../claims/own-worker.ts";
import type { Known } from "../state/known.ts";
import type { Traffic } from "../traffic/split.ts";
import { heldIn } from "./in-state.ts";

/** What the account's own domain for Workers is called in a plan. */
export const WORKERS_DEV = "workers.dev";

/** An address that comes or goes, or is made anew (`changed`), in words. */
interface AddressChange {
  readonly kind: "added" | "removed" | "changed";
  readonly address: string;
}

export interface AddressPlan {
  readonly changes: readonly AddressChange[];
  /**
   * Whether workers.dev, which is to go, stays on for this update: what comes in its place is made last, and a host name's
   * certificate takes minutes. An update that finds it there turns workers.dev off; in a rollout, whose updates follow each
   * other within seconds, only the one that gives the release all traffic.
   */
  readonly staysOnWorkersDev: boolean;
  /** Whether a custom domain is wanted whose host name the state does not have: it may have another, or none. */
  readonly changesHostname: boolean;
  /** Whether only the account was asked, which does not say which addresses this program made. */
  readonly isWithoutState: boolean;
}

export interface Addressing {
  readonly reads: Reads;
  readonly settings: PublicSettings;
  readonly ownWorker: OwnWorker;
  readonly claims: Pick<Claims, "worker" | "domain" | "routes">;
  readonly known: Known | undefined;
  /** Where the traffic goes with the update. */
  readonly traffic: Traffic;
}

/** The addresses of one kind that the Worker has; undefined: nobody can tell. */
type Had = readonly string[] | undefined;

export async function addressPlan(addressing: Addressing): Promise<AddressPlan> {
  const { settings, ownWorker, claims, known, traffic } = addressing;
  const { hostname, routes } = settings;
  const had = known ? inState(known, settings, claims) : await inAccount(addressing);
  const all = [
    ...changed("custom domain", had.domains, hostname === undefined ? [] : [hostname]),
    ...movedWithWorker(had.domains, addressing),
    ...changed("route", had.routes, routes),
  ];
  // A Worker that is taken over is in no state, and no more are its addresses: those that no setting names stay.
  const stay = known === undefined && claims.worker !== undefined;
  const changes = stay ? all.filter(({ kind }) => kind !== "removed") : all;
  const comes = changes.some(({ kind }) => kind === "added");
  const wanted = onWorkersDev(settings);
  const { worker } = ownWorker;
  // Of a new Worker it is told nowhere else either, and of one that is taken over it stays as it is.
  const isOn =
    worker?.deployedOn === undefined || claims.worker !== undefined ? wanted : (worker.subdomain?.enabled ?? undefined);
  const workersDev: readonly AddressChange[] =
    isOn === undefined || isOn === wanted ? [] : [{ kind: wanted ? "added" : "removed", address: WORKERS_DEV }];
  const isLeft = traffic.stable !== undefined && worker !== undefined && isLeftOnWorkersDev(worker);
  return {
    changes: [...changes, ...workersDev],
    staysOnWorkersDev: workersDev.some(({ kind }) => kind === "removed") && (comes || isLeft),
    changesHostname: known !== undefined && hostname !== undefined && heldIn(known).hostname !== hostname,
    isWithoutState: known === undefined,
  };
}

function changed(what: string, had: Had, wanted: readonly string[]): readonly AddressChange[] {
  if (!had) return [];
  return [
    ...wanted.filter((one) => !had.includes(one)).map((one) => ({ kind: "added" as const, address: `${what} ${one}` })),
    ...had
      .filter((one) => !wanted.includes(one))
      .map((one) => ({ kind: "removed" as const, address: `${what} ${one}` })),
  ];
}

/** A custom domain names its Worker: under a new name it is deleted and made anew. */
function movedWithWorker(had: Had, { settings: { hostname }, ownWorker }: Addressing): readonly AddressChange[] {
  if (ownWorker.renamedFrom === undefined || hostname === undefined || !had?.includes(hostname)) return [];
  return [{ kind: "changed", address: `custom domain ${hostname}` }];
}

interface HadAddresses {
  readonly domains: Had;
  readonly routes: Had;
}

/** Those that an update makes, changes or deletes; and those that it takes over, of which the plan tells by itself. */
function inState(known: Known, { hostname }: PublicSettings, claims: Addressing["claims"]): HadAddresses {
  const held = heldIn(known);
  return {
    domains: [
      ...(held.hostname === undefined ? [] : [held.hostname]),
      ...(claims.domain !== undefined && hostname !== undefined ? [hostname] : []),
    ],
    routes: [...held.routes, ...claims.routes.keys()],
  };
}

/** Those that lead to the Worker. */
async function inAccount({ reads, settings, ownWorker }: Addressing): Promise<HadAddresses> {
  const { zoneId } = settings;
  const { name } = ownWorker;
  const [domains, inZone] = await Promise.all([reads.domains(), zoneId === undefined ? [] : reads.routes(zoneId)]);
  return {
    domains: domains?.filter(({ service }) => service === name).map(({ hostname }) => hostname),
    routes: inZone?.filter(({ script }) => script === name).map(({ pattern }) => pattern),
  };
}
