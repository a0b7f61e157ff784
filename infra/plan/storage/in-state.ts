/** How a stack's storage stands to its state: what the state has and no binding asks for, and what the state has not. */
import type { PublicSettings } from "../../stack/config.ts";
import { blobsInputs, LOGICAL, readCacheInputs, storageName } from "../../stack/declared.ts";
import { STORAGE_KINDS, type StorageOfStack } from "../../stack/extras.ts";
import type { Reads } from "../account/reads.ts";
import { isOurs } from "../live/ours.ts";
import type { LiveVersion } from "../live/version.ts";
import type { LiveWorker } from "../live/worker.ts";
import type { Known } from "../state/known.ts";
import { bindingOf, boundId, KINDS, targetOf, thereOf } from "./kinds.ts";

/** Storage of a stack for a binding that is no longer to have some of its own. */
export interface NotDeclared extends StorageOfStack {
  /** What its kind is called. */
  readonly what: string;
  /** Its name in the account, and its id; a bucket's is its name. */
  readonly name: string;
  readonly id: string;
  /** Whether the last update has left it so that it stays. */
  readonly stays: boolean;
}

/** What the state has for bindings that are not `wanted`. */
export function notDeclared(known: Known, wanted: readonly StorageOfStack[]): readonly NotDeclared[] {
  const names = logicalNames(wanted);
  return STORAGE_KINDS.flatMap((kind) => {
    const { type, what, nameIs } = KINDS[kind];
    const prefix = LOGICAL.storage(kind, "");
    return known
      .names(type)
      .filter((name) => name.startsWith(prefix) && !names.has(name))
      .map((logical) => {
        const outputs = known.get(type, logical);
        const name = String(outputs?.[nameIs]);
        const jurisdiction = typeof outputs?.jurisdiction === "string" ? outputs.jurisdiction : undefined;
        const id = kind === "r2" ? name : String(outputs?.id);
        return {
          kind,
          what,
          binding: logical.slice(prefix.length),
          name,
          id,
          jurisdiction,
          stays: known.keeps(type, logical),
        };
      });
  });
}

interface Bound {
  readonly reads: Reads;
  readonly settings: PublicSettings;
  readonly live: LiveWorker;
}

/**
 * The same where nobody here can read the state: what serves is bound to, by this stack's name for it. Nothing of a stack
 * with `protect`: whether the last update had it, too, only the state knows.
 */
export async function notDeclaredAsBound(
  { reads, settings, live }: Bound,
  wanted: readonly StorageOfStack[],
): Promise<readonly NotDeclared[]> {
  if (settings.protect) return [];
  const names = logicalNames(wanted);
  const found = ownBound({ settings, live })
    .filter(({ logical }) => !names.has(logical))
    .map(async ({ kind, binding, name, jurisdiction, boundTo: id }): Promise<readonly NotDeclared[]> => {
      const there = await thereOf({ kind, jurisdiction }, reads, [name]);
      const isOwn = there?.some((one) => one.id === id && one.name === name);
      return isOwn ? [{ kind, what: KINDS[kind].what, binding, name, id, jurisdiction, stays: false }] : [];
    });
  return (await Promise.all(found)).flat();
}

const logicalNames = (storage: readonly StorageOfStack[]): ReadonlySet<string> =>
  new Set(storage.map(({ kind, binding }) => LOGICAL.storage(kind, binding)));

/** Each with the number of `version`, where that is bound to it. */
export const usedBy = (version: LiveVersion | undefined, left: readonly NotDeclared[]) =>
  left.map((one) => ({
    ...one,
    usedBy: version?.bindings.some((binding) => boundId(one.kind, binding) === one.id) ? version.number : undefined,
  }));

/** A binding of what serves to storage that the stack may have of its own, besides what every stack has. */
interface OwnBound extends StorageOfStack {
  readonly logical: string;
  /** This stack's name for it. */
  readonly name: string;
  readonly boundTo: string;
}

function ownBound({ settings, live }: Omit<Bound, "reads">): readonly OwnBound[] {
  const serving = new Set(live.serving.map(({ versionId }) => versionId));
  const bindings = live.versions
    .filter((version) => isOurs(version) && serving.has(version.versionId))
    .flatMap((version) => version.bindings);
  const own = bindings.flatMap((one): OwnBound[] => {
    const { name: binding, jurisdiction } = one;
    const target = targetOf(one);
    if (!target || isOfEveryStack(binding) || settings.bind[binding] !== undefined) return [];
    const { kind, id: boundTo } = target;
    const logical = LOGICAL.storage(kind, binding);
    return [{ kind, logical, binding, name: storageName(settings, binding), jurisdiction, boundTo }];
  });
  return [...new Map(own.map((one) => [one.logical, one])).values()];
}

/**
 * Storage of this stack that the account has and the state has not, each with its kind in front. It looks for
 * - what every stack has (READS and BLOBS), by its name, or as what the stack's versions are bound to;
 * - what the versions that serve are bound to besides, only by the name that this stack gives it. What has another name
 *   may be another's, to which `bind` led once.
 */
export async function notInState({
  reads,
  settings,
  known,
  live,
}: Bound & { readonly known: Known }): Promise<readonly string[]> {
  const ours = live.versions.filter(isOurs);
  const all = [
    { kind: "kv", logical: LOGICAL.reads, binding: "READS", name: readCacheInputs(settings).title },
    { kind: "r2", logical: LOGICAL.blobs, binding: "BLOBS", name: blobsInputs(settings).name },
    ...ownBound({ settings, live }),
  ] as const;
  const missing = all.filter(({ kind, logical }) => known.get(KINDS[kind].type, logical) === undefined);
  const found = await Promise.all(
    missing.map(async ({ kind, binding, name, ...rest }) => {
      const { what } = KINDS[kind];
      const bound = isOfEveryStack(binding) ? boundId(kind, bindingOf(ours, binding)) : undefined;
      const there = await thereOf({ kind, ...rest }, reads, [bound, name]);
      const one = there?.find(({ id }) => id === bound) ?? there?.find((each) => each.name === name);
      return one ? [`${what} ${one.name}`] : [];
    }),
  );
  return found.flat();
}

/** Whether a binding is of storage that every stack has. */
const isOfEveryStack = (binding: string): boolean => binding === "READS" || binding === "BLOBS";
