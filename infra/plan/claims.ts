/**
 * What a stack claims in its account: the names of its resources, and which of them are there already without being in
 * the state (an update that was interrupted, a state that was lost, another tool). What is provably this stack's is
 * taken over by Pulumi's `import`; what is not is refused before anything is sent, for `up` would fail on it for ever.
 */
import type { Finding } from "@durable-stack/class-lifecycle";
import type { PublicSettings } from "../stack/config.ts";
import { blobsInputs, isStackTag, LOGICAL, readCacheInputs, stackTag } from "../stack/declared.ts";
import type { Identity } from "./identity.ts";
import type { Known } from "./known.ts";
import { environmentOf, type LiveVersion, type LiveWorker } from "./live.ts";
import { isOurs } from "./ours.ts";
import type { Reads } from "./reads.ts";

/** Something that is in the account, and is taken over. */
export interface Found {
  readonly what: string;
  /** Why it may be: in words that end a sentence. */
  readonly because: string;
}

/** Why something is taken over that nothing but the setting says is the stack's. */
export const ADOPTED = "adopted";

/** A resource's name, and the id that it is imported by where it is there and not in the state. */
interface Claim {
  readonly name: string;
  readonly importId?: string;
}

export interface Claims {
  /** The import id of the Worker; undefined: it is in the state, or to be made. */
  readonly worker: string | undefined;
  readonly reads: Claim;
  readonly blobs: Claim;
  readonly domain: string | undefined;
  /** Import ids by route pattern. */
  readonly routes: ReadonlyMap<string, string>;
  readonly found: readonly Found[];
  readonly findings: readonly Finding[];
}

export interface Claiming {
  readonly reads: Reads;
  readonly settings: PublicSettings;
  readonly identity: Identity;
  readonly live: LiveWorker;
  /** The state; undefined where nobody can read it: then only an adopted Worker is taken over. */
  readonly known: Known | undefined;
  /** Whether the plan takes over a Worker that something else deployed. */
  readonly adopts: boolean;
}

/** One resource's part of the claims. */
interface Part {
  readonly claim: Claim;
  readonly found?: Found;
  readonly finding?: Finding;
}

/** Looks for everything that has a name which the stack is about to claim. Sends nothing. */
export async function claimsOf(claiming: Claiming): Promise<Claims> {
  const worker = workerPart(claiming);
  const whole = { ...claiming, workerIsOurs: worker.importId !== undefined || claiming.identity.inState };
  const [reads, blobs, edge] = await Promise.all([readsPart(whole), blobsPart(whole), edgeParts(claiming)]);
  const parts = [reads, blobs];
  return {
    worker: worker.importId,
    reads: reads.claim,
    blobs: blobs.claim,
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

function workerPart({ settings, identity, live, known, adopts }: Claiming): WorkerPart {
  const { worker, inState } = identity;
  const nothing: WorkerPart = { importId: undefined, found: [], findings: [] };
  // An engine that cannot tell its state: as far as an adoption goes, and it never was ours then.
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

type Storage = Claiming & { readonly workerIsOurs: boolean };

/** Versions of this stack, the newest first. */
const versionsOf = ({ live, workerIsOurs, known }: Storage): readonly LiveVersion[] =>
  workerIsOurs || !known ? live.versions.filter(isOurs) : [];

async function readsPart(storage: Storage): Promise<Part> {
  const { reads, settings, known } = storage;
  const inState = known?.get("WorkersKvNamespace", LOGICAL.reads)?.title;
  if (typeof inState === "string") return { claim: { name: inState } };
  const versions = versionsOf(storage);
  const bound = bindingOf(versions, "READS")?.namespaceId;
  const { title } = readCacheInputs(settings);
  if (!known && bound === undefined) return { claim: { name: title } };
  const all = await reads.kvNamespaces();
  // Without the state nothing is taken over, and what is bound keeps its name.
  if (!known) return { claim: { name: all?.find(({ id }) => id === bound)?.title ?? title } };
  const there = all?.find(({ id }) => id === bound) ?? all?.find((namespace) => namespace.title === title);
  if (!there) return { claim: { name: title } };
  const isBound = versions.some(({ bindings }) => bindings.some(({ namespaceId }) => namespaceId === there.id));
  return taking(settings, {
    what: `KV namespace ${there.title}`,
    claim: { name: there.title, importId: `${settings.accountId}/${there.id}` },
    because: isBound ? BOUND : (await reads.kvIsEmpty(there.id)) ? EMPTY : undefined,
  });
}

async function blobsPart(storage: Storage): Promise<Part> {
  const { reads, settings, known } = storage;
  const inState = known?.get("R2Bucket", LOGICAL.blobs)?.name;
  if (typeof inState === "string") return { claim: { name: inState } };
  const versions = versionsOf(storage);
  const derived = blobsInputs(settings).name;
  const bound = bindingOf(versions, "BLOBS")?.bucketName;
  if (!known) return { claim: { name: bound ?? derived } };
  const name = bound !== undefined && (await reads.bucketExists(bound)) ? bound : derived;
  if (!(await reads.bucketExists(name))) return { claim: { name: derived } };
  const isBound = versions.some(({ bindings }) => bindings.some(({ bucketName }) => bucketName === name));
  return taking(settings, {
    what: `bucket ${name}`,
    claim: { name, importId: `${settings.accountId}/${name}/default` },
    because: isBound ? BOUND : (await reads.bucketIsEmpty(name)) ? EMPTY : undefined,
  });
}

const BOUND = "versions of this stack are bound to it";
const EMPTY = "it is empty";

/** The newest version's binding of a name. */
const bindingOf = (versions: readonly LiveVersion[], name: string) =>
  versions.flatMap(({ bindings }) => bindings).find((binding) => binding.name === name);

interface Taking {
  readonly what: string;
  readonly claim: Claim;
  readonly because: string | undefined;
}

function taking({ stack, adopt }: PublicSettings, { what, claim, because }: Taking): Part {
  if (because !== undefined || adopt) return { claim, found: { what, because: because ?? ADOPTED } };
  return {
    claim: { name: claim.name },
    finding: {
      code: "name_not_ours",
      subject: what,
      message:
        "it is there and not in this stack's state; it has data in it, and no version of this stack is bound to it.",
      fix: `when it is this stack's, set adopt: true for one \`up\` (\`pulumi config set adopt true --stack ${stack}\`), which takes it over with what is in it. When it is another's, it stays there: a stack of another name (\`pulumi stack init\`) has names of its own.`,
    },
  };
}

/** The custom domain and the routes that lead to this stack's Worker already. */
async function edgeParts({ reads, settings, identity, known }: Claiming) {
  const { accountId, zoneId, hostname, routes } = settings;
  const none = { domain: undefined, routes: new Map<string, string>(), found: [] as readonly Found[] };
  if (!known || zoneId === undefined) return none;
  const ours = new Set([identity.name, settings.workerName]);
  const wantsDomain = hostname !== undefined && !known.get("WorkersCustomDomain", LOGICAL.domain);
  const missing = routes.filter((pattern) => !known.get("WorkersRoute", LOGICAL.route(pattern)));
  const [domains, inZone] = await Promise.all([
    wantsDomain ? reads.domains() : undefined,
    missing.length > 0 ? reads.routes(zoneId) : undefined,
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
