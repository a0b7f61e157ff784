/** What the destruction of a stack takes with it, and what stands against it: pure, in words for a person. */
import type { StorageKind } from "../stack/extras.ts";
import { ownFile } from "../stack/project.ts";
import { OBJECTS_LIMIT, type ObjectCount } from "./account/reads.ts";

interface Holdings {
  readonly stack: string;
  /** Undefined: the account does not have the Worker. */
  readonly workerName: string | undefined;
  /** Objects with data, by class, each undefined where nobody can count them; undefined: nor are its classes known. */
  readonly objects: ReadonlyMap<string, ObjectCount | undefined> | undefined;
  /** The KV namespace that is deleted; undefined: the state has none. */
  readonly kv: { readonly title: string; readonly isEmpty: boolean | undefined } | undefined;
  readonly bucket: { readonly name: string; readonly isEmpty: boolean | undefined } | undefined;
  /** What wrangler.jsonc asked for besides. */
  readonly storage: readonly {
    readonly kind: StorageKind;
    readonly what: string;
    readonly name: string;
    readonly isEmpty: boolean | undefined;
  }[];
  /** Storage with this stack's names that the account has and the state has not, each with its kind in front. */
  readonly notInState: readonly string[];
  /** Other Workers that bind to this one or its classes. */
  readonly boundBy: readonly string[];
  /** Classes that other Workers wait to receive from this one. */
  readonly awaited: readonly { readonly className: string; readonly worker: string }[];
  /** Names of resources that the state protects. */
  readonly isProtected: readonly string[];
}

export interface DestroyPlan {
  /** What is lost for good, a line each. */
  readonly lost: readonly string[];
  /** What stands against it, with what to do, a line each. Empty: it may go on. */
  readonly obstacles: readonly string[];
}

/** Nothing can be brought back: Cloudflare keeps no copy of what a deleted Worker, namespace or bucket had in it. */
export function destroyPlan({
  stack,
  workerName,
  objects,
  kv,
  bucket,
  storage,
  notInState,
  boundBy,
  awaited,
  isProtected,
}: Holdings): DestroyPlan {
  const buckets = [...(bucket ? [bucket] : []), ...storage.filter(({ kind }) => kind === "r2")];
  const lost = [
    ...(workerName === undefined ? [] : [`the Worker ${workerName}, with its versions and addresses`]),
    ...(objects === undefined
      ? ["its classes, whichever it has, with all their objects (they cannot be listed from here)"]
      : [...objects].map(([name, count]) => `class ${name}: ${counted(count)}`)),
    ...(kv ? [`KV namespace ${kv.title}, ${filled(kv.isEmpty)} (API keys and cached reads)`] : []),
    ...(bucket ? [`bucket ${bucket.name}, ${filled(bucket.isEmpty)}`] : []),
    ...storage.map(({ what, name, isEmpty }) => `${what} ${name}, ${filled(isEmpty)}`),
  ];
  const obstacles = [
    ...(boundBy.length > 0
      ? [
          `other Workers bind to it: ${boundBy.join(", ")}. Cloudflare would refuse to delete the Worker when its storage is gone already. Deploy those Workers without the bindings first.`,
        ]
      : []),
    ...awaited.map(
      ({ className, worker }) =>
        `class ${className}: the Worker ${worker} waits to receive it, and would begin without its objects. Hand it over first (docs/change-a-class.md); or, if nobody needs its objects, deploy ${worker} with a step that removes it there: that ends the wait.`,
    ),
    ...notInState.map(
      (what) =>
        `${what} is in the account and not in the state: it would stay there, with what is in it, and the next \`up\` would refuse its name. Take it into the state first: npm run recover -- --stack ${stack}`,
    ),
    ...(isProtected.length > 0
      ? [
          `${isProtected.join(", ")}: protected. When all of the above may be lost, set protect: false in ${ownFile(stack)} and run \`up\` once.`,
        ]
      : []),
    ...buckets
      .filter(({ isEmpty }) => isEmpty !== true)
      .map(({ name, isEmpty }) =>
        isEmpty === false
          ? `bucket ${name} is not empty, and Cloudflare deletes no bucket with something in it. Copy out what is to be kept, then empty it.`
          : `bucket ${name} cannot be looked into: give a token that may read R2. Cloudflare deletes no bucket with something in it.`,
      ),
  ];
  return { lost, obstacles };
}

function counted(count: ObjectCount | undefined): string {
  if (!count) return "all its objects (they cannot be counted from here)";
  if (count.more) return `more than ${OBJECTS_LIMIT.toLocaleString("en")} objects with data`;
  return count.count === 1 ? "1 object with data" : `${count.count} objects with data`;
}

const filled = (isEmpty: boolean | undefined): string =>
  isEmpty === undefined ? "with all that is in it" : isEmpty ? "empty" : "with what is in it";
