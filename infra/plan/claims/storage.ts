/** A stack's storage in its account: what it is called, and whether what has that name already is the stack's. */
import type { PublicSettings } from "../../stack/config.ts";
import {
  blobsInputs,
  LOGICAL,
  ownersOf,
  readCacheInputs,
  stackTag,
  storageBase,
  storageName,
} from "../../stack/declared.ts";
import type { StorageOfStack } from "../../stack/extras.ts";
import { fileOf } from "../../stack/placed.ts";
import { isOurs } from "../live/ours.ts";
import type { LiveVersion } from "../live/version.ts";
import type { Finding } from "../rules/codes.ts";
import { outOfState } from "../state/advice.ts";
import { bindingOf, boundId, isEmpty, KINDS, thereOf } from "../storage/kinds.ts";
import { ADOPTED, type Claim, type Claiming, type Part } from "./claim.ts";

export type Storage = Claiming & { readonly workerIsOurs: boolean };

/** Versions of this stack, the newest first. */
const versionsOf = ({ live, workerIsOurs, known }: Storage): readonly LiveVersion[] =>
  workerIsOurs || !known ? live.versions.filter(isOurs) : [];

export async function readsPart(storage: Storage): Promise<Part> {
  const { settings, known } = storage;
  const { certain } = storage.reads;
  const inState = known?.get("WorkersKvNamespace", LOGICAL.reads);
  if (typeof inState?.title === "string") {
    const finding = await madeAnew(storage, { kind: "kv", binding: "READS" }, inState.id);
    return { claim: { name: inState.title }, ...(finding && { finding }) };
  }
  const versions = versionsOf(storage);
  const bound = bindingOf(versions, "READS")?.namespaceId;
  const { title } = readCacheInputs(settings);
  if (!known && bound === undefined) return { claim: { name: title } };
  const all = await certain.kvNamespaces();
  // Without the state nothing is taken over, and what is bound keeps its name.
  if (!known) return { claim: { name: all?.find(({ id }) => id === bound)?.title ?? title } };
  const there = all?.find(({ id }) => id === bound) ?? all?.find((namespace) => namespace.title === title);
  if (!there) return { claim: { name: title } };
  const isBound = versions.some(({ bindings }) => bindings.some(({ namespaceId }) => namespaceId === there.id));
  return taking(storage, {
    what: `KV namespace ${there.title}`,
    claim: { name: there.title, importId: `${settings.accountId}/${there.id}` },
    because: isBound ? BOUND : undefined,
    isEmpty: () => certain.kvIsEmpty(there.id),
  });
}

export async function blobsPart(storage: Storage): Promise<Part> {
  const { settings, known } = storage;
  const { certain } = storage.reads;
  const inState = known?.get("R2Bucket", LOGICAL.blobs)?.name;
  if (typeof inState === "string") return { claim: { name: inState } };
  const versions = versionsOf(storage);
  const derived = blobsInputs(settings).name;
  const bound = bindingOf(versions, "BLOBS")?.bucketName;
  if (!known) return { claim: { name: bound ?? derived } };
  const name = bound !== undefined && (await certain.bucketExists(bound)) ? bound : derived;
  if (!(await certain.bucketExists(name))) return { claim: { name: derived } };
  const isBound = versions.some(({ bindings }) => bindings.some(({ bucketName }) => bucketName === name));
  return taking(storage, {
    what: `bucket ${name}`,
    claim: { name, importId: `${settings.accountId}/${name}/default` },
    because: isBound ? BOUND : undefined,
    isEmpty: () => certain.bucketIsEmpty(name),
  });
}

const BOUND = "versions of this stack are bound to it";
const EMPTY = "it is empty";

/**
 * What stands against storage of the state by its id: it is gone from the account, and the Worker is bound to another.
 * So it is in a state from before the storage was made anew. The engine would give the next version the old id. A bucket
 * has no id but its name, so it is found under it.
 */
async function madeAnew(
  { reads, settings, live, known }: Storage,
  { kind, binding }: Pick<StorageOfStack, "kind" | "binding">,
  id: unknown,
): Promise<Finding | undefined> {
  const { what } = KINDS[kind];
  const bound = boundId(kind, bindingOf(live.versions.filter(isOurs), binding));
  if (kind === "r2" || typeof id !== "string" || bound === undefined || bound === id) return undefined;
  const now = inPlaceOf(id, bound, await thereOf({ kind }, reads.besides, []));
  if (!now) return undefined;
  const { stack } = settings;
  return {
    code: "storage_made_anew",
    subject: binding,
    message: `the state of ${stack} has the ${what} ${id}, which is gone from the account; the Worker is bound to ${now.name} (${bound}). This is an old state.`,
    fix: outOfState({ stack }, known, "and the next `up` takes over what is there, with what is in it."),
  };
}

/** Which of `all` has taken the place of `id`: the one that is `bound`, where `id` is gone. Undefined: none, or nobody can tell. */
export function inPlaceOf<One extends { readonly id: string }>(
  id: string,
  bound: string,
  all: readonly One[] | undefined,
): One | undefined {
  if (!all || all.some((one) => one.id === id)) return undefined;
  return all.find((one) => one.id === bound);
}

interface Taking {
  readonly what: string;
  readonly claim: Claim;
  /** What proves that it is this stack's; undefined: nothing. */
  readonly because: string | undefined;
  readonly isEmpty: () => Promise<boolean | undefined>;
}

/** Another stack of the account that calls its storage as this one does: its tag. */
async function namesake({ reads, settings }: Storage): Promise<string | undefined> {
  const [own, base] = [stackTag(settings), storageBase(settings)];
  const other = ownersOf(await reads.certain.workers()).find(
    (owner) => stackTag(owner) !== own && storageBase(owner) === base,
  );
  return other && stackTag(other);
}

async function taking(storage: Storage, { what, claim, because, isEmpty }: Taking): Promise<Part> {
  const { adopt } = storage.settings;
  if (because !== undefined) return { claim, found: { what, because } };
  const other = await namesake(storage);
  if (other === undefined && (await isEmpty())) return { claim, found: { what, because: EMPTY } };
  if (adopt) return { claim, found: { what, because: ADOPTED } };
  return {
    claim: { name: claim.name },
    finding: {
      code: "name_not_ours",
      subject: what,
      message: `it exists and ${other === undefined ? "has data in it" : `is called as the stack ${other} calls its own`}, but this stack's state does not have it and no version of this stack is bound to it.`,
      fix: `when it is this stack's, set adopt: true in ${fileOf(storage.settings, "adopt")} for one \`up\`, which takes it over with what is in it. When it is another's, it stays there: a stack of another name (\`pulumi stack init\`) has names of its own.`,
    },
  };
}

/** A KV namespace, bucket or D1 database that wrangler.jsonc asks for. */
export async function storagePart(storage: Storage, { kind, binding, jurisdiction }: StorageOfStack): Promise<Part> {
  const { settings, known } = storage;
  const { certain } = storage.reads;
  const { type, nameIs } = KINDS[kind];
  const derived = storageName(settings, binding);
  const inState = known?.get(type, LOGICAL.storage(kind, binding));
  const called = inState?.[nameIs];
  if (typeof called === "string") {
    const finding = await madeAnew(storage, { kind, binding }, inState?.id);
    return { claim: { name: called }, ...(finding && { finding }) };
  }
  if (!known) return { claim: { name: derived } };
  const versions = versionsOf(storage);
  const bound = boundId(kind, bindingOf(versions, binding));
  const all = await thereOf({ kind, jurisdiction }, certain, [bound, derived]);
  const own = all?.find(({ name }) => name === derived);
  const led = all?.find(({ id }) => id === bound);
  const foreign = led && led !== own && !wasLent(storage, binding) ? led : undefined;
  const there = foreign ?? own;
  if (!there) return { claim: { name: derived } };
  const isBound = versions.some(({ bindings }) => bindings.some((one) => boundId(kind, one) === there.id));
  const suffix = kind === "r2" ? `/${jurisdiction ?? "default"}` : "";
  const what = `${KINDS[kind].what} ${there.name}`;
  const claim = { name: there.name, importId: `${settings.accountId}/${there.id}${suffix}` };
  if (foreign) {
    if (settings.adopt) return { claim, found: { what, because: ADOPTED } };
    return { claim: { name: derived }, finding: maybeLent(settings, { what, binding, id: foreign.id, derived }) };
  }
  return taking(storage, {
    what,
    claim,
    because: isBound ? BOUND : undefined,
    isEmpty: () => isEmpty({ kind, jurisdiction }, certain, there.id),
  });
}

/**
 * Whether `bind` led the binding elsewhere until now: the newest version has it, and the state, which is not lost, has no
 * storage for it.
 */
const wasLent = ({ ownWorker, live }: Storage, binding: string): boolean =>
  ownWorker.inState && (live.versions.find(isOurs)?.bindings.some(({ name }) => name === binding) ?? false);

/** Storage under another name than the stack would give it is its own from under an old name, or another's that `bind` led to. */
const maybeLent = (
  settings: PublicSettings,
  { what, binding, id, derived }: Readonly<Record<"what" | "binding" | "id" | "derived", string>>,
): Finding => ({
  code: "name_not_ours",
  subject: what,
  message: `versions of this stack have it as ${binding}, but the state does not have it, and this stack's own would be called ${derived}: it may be another's, which \`bind\` led to.`,
  fix: `when it is another's, say bind: { ${binding}: ${id} } in ${fileOf(settings, "bind")} (after one \`up\` with it, the stack gets its own as soon as bind goes). When it is this stack's, from under an old name of the project or the stack, set adopt: true for one \`up\`, which takes it over with what is in it.`,
});
