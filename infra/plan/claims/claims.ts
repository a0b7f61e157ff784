/**
 * What a stack claims in its account: the names of its resources, and which of them are there already without being in
 * the state (an update that was interrupted, a state that was lost, another tool). What is provably this stack's is
 * taken over by Pulumi's `import`; what is not is refused before anything is sent, for `up` would fail on it for ever.
 */
import type { PublicSettings } from "../../stack/config.ts";
import { isStackTag, LOGICAL, stackTag } from "../../stack/declared.ts";
import type { StorageOfStack } from "../../stack/extras.ts";
import { isOurs } from "../live/ours.ts";
import { environmentOf } from "../live/version.ts";
import type { LiveWorker } from "../live/worker.ts";
import type { Finding } from "../rules/codes.ts";
import { ADOPTED, type Claim, type Claiming, type Found } from "./claim.ts";
import { blobsPart, readsPart, storagePart } from "./storage.ts";

export interface Claims {
  /** The import id of the Worker; undefined: it is in the state, or to be made. */
  readonly worker: string | undefined;
  readonly reads: Claim;
  readonly blobs: Claim;
  /** What wrangler.jsonc asks for besides. */
  readonly storage: readonly (StorageOfStack & Claim)[];
  readonly domain: string | undefined;
  /** Import ids by route pattern. */
  readonly routes: ReadonlyMap<string, string>;
  readonly found: readonly Found[];
  readonly findings: readonly Finding[];
}

/** Looks for everything that has a name which the stack is about to claim. Sends nothing. */
export async function claimsOf(claiming: Claiming): Promise<Claims> {
  const worker = workerPart(claiming);
  const whole = { ...claiming, workerIsOurs: worker.importId !== undefined || claiming.ownWorker.inState };
  const [reads, blobs, extra, edge] = await Promise.all([
    readsPart(whole),
    blobsPart(whole),
    Promise.all(claiming.storage.map(async (one) => ({ ...one, part: await storagePart(whole, one) }))),
    edgeParts(claiming),
  ]);
  const parts = [reads, blobs, ...extra.map(({ part }) => part)];
  return {
    worker: worker.importId,
    reads: reads.claim,
    blobs: blobs.claim,
    storage: extra.map(({ part, ...one }) => ({ ...one, ...part.claim })),
    domain: edge.domain,
    routes: edge.routes,
    found: [...worker.found, ...parts.flatMap(({ found }) => found ?? []), ...edge.found],
    findings: [...worker.findings, ...parts.flatMap(({ finding }) => finding ?? [])],
  };
}

interface WorkerPart {
  readonly importId: string | undefined;
  readonly found: readonly Found[];
  readonly findings: readonly Finding[];
}

function workerPart({ settings, ownWorker, live, known, adopts }: Claiming): WorkerPart {
  const { worker, inState } = ownWorker;
  const nothing: WorkerPart = { importId: undefined, found: [], findings: [] };
  // If the engine cannot tell its state, only an adoption takes the Worker over.
  if (!worker || inState || (!known && !adopts)) return nothing;
  const importId = `${settings.accountId}/${worker.id}`;
  const because = adopts ? ADOPTED : proofOf(settings, worker.tags, worker.deployedOn !== undefined, live);
  if (because) return { importId, found: [{ what: `Worker ${worker.name}`, because }], findings: [] };
  // Never ours: the planner says so, with how to adopt it.
  if (!live.step) return nothing;
  if (settings.adopt) return { importId, found: [{ what: `Worker ${worker.name}`, because: ADOPTED }], findings: [] };
  return { ...nothing, findings: [ofAnotherStack(settings, worker.name, worker.tags, live)] };
}

/** Why a Worker is this stack's; undefined: nothing proves it. */
function proofOf(
  settings: PublicSettings,
  tags: readonly string[],
  deployed: boolean,
  live: LiveWorker,
): string | undefined {
  const whose = tags.filter(isStackTag);
  if (whose.length > 0) return whose.includes(stackTag(settings)) ? "it has this stack's tag" : undefined;
  if (!deployed) return "nothing was ever deployed to it";
  // Deployed before there were tags: its releases say for which stack they were.
  const made = live.versions.find(isOurs);
  return made && environmentOf(made.bindings) === settings.stack ? "this stack's release serves there" : undefined;
}

function ofAnotherStack(
  { stack, workerName }: PublicSettings,
  name: string,
  tags: readonly string[],
  { versions }: LiveWorker,
): Finding {
  const made = versions.find(isOurs);
  const other = tags.find(isStackTag) ?? (made && environmentOf(made.bindings)) ?? "one that it does not name";
  return {
    code: "worker_of_another_stack",
    subject: name,
    message: `it is not in the state of ${stack}, and was deployed for another stack (${other}).`,
    fix: `where the other stack is this one under its old name, set adopt: true for one \`up\`: its objects are kept. Else leave it to that stack: under another workerName than ${workerName}, this one begins without objects.`,
  };
}

/** The custom domain and the routes that lead to this stack's Worker already. */
async function edgeParts({ reads, settings, ownWorker, known }: Claiming) {
  const { certain } = reads;
  const { accountId, zoneId, hostname, routes } = settings;
  const none = { domain: undefined, routes: new Map<string, string>(), found: [] as readonly Found[] };
  if (!known || zoneId === undefined) return none;
  const ours = new Set([ownWorker.name, settings.workerName]);
  const wantsDomain = hostname !== undefined && !known.get("WorkersCustomDomain", LOGICAL.domain);
  const missing = routes.filter((pattern) => !known.get("WorkersRoute", LOGICAL.route(pattern)));
  const [domains, inZone] = await Promise.all([
    wantsDomain ? certain.domains() : undefined,
    missing.length > 0 ? certain.routes(zoneId) : undefined,
  ]);
  const domain = domains?.find((other) => other.hostname === hostname && ours.has(other.service ?? ""));
  const there = (inZone ?? []).filter(({ pattern, script }) => missing.includes(pattern) && ours.has(script ?? ""));
  const because = "it leads to this stack's Worker";
  return {
    domain: domain && `${accountId}/${domain.id}`,
    routes: new Map(there.map(({ pattern, id }) => [pattern, `${zoneId}/${id}`])),
    found: [
      ...(domain ? [{ what: `custom domain ${domain.hostname}`, because }] : []),
      ...there.map(({ pattern }) => ({ what: `route ${pattern}`, because })),
    ],
  };
}
