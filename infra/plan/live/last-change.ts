/**
 * The versions since the classes last changed: pure. Cloudflare lets each of them serve again. Steps that cancel out, such
 * as one that makes a class and one that removes it, change none, so a version at another step may be among them.
 */
import { type Declaring, declaredBy } from "./changed-by-others.ts";
import { type Bound, namespacesOf } from "./earlier-schemas.ts";
import { isOurs } from "./ours.ts";

interface Version extends Declaring, Bound {
  /** The last step of its release's history; undefined: none of ours. */
  readonly step: string | undefined;
}

/**
 * Those of `versions`, the newest first, that have the classes which stand now. `step`: the last one of the history that
 * stands.
 */
export function sinceLastChange<One extends Version>(
  versions: readonly One[],
  step: string | undefined,
): readonly One[] {
  if (step === undefined) return [];
  const newest = versions.findIndex((version) => version.step === step);
  if (newest < 0) return [];
  const standing = versions.find((version) => version.step === step && version.classes.size > 0);
  const isAlike = (version: One): boolean =>
    version.step === step ||
    (standing !== undefined && version.step !== undefined && hasSameClasses(version, standing));
  // What something else changed is found by itself (changedByOthers).
  const changed = versions.findIndex((version, index) => index > newest && isOurs(version) && !isAlike(version));
  return versions.slice(0, changed < 0 ? versions.length : changed).filter(isAlike);
}

/** Whether both declare the same classes, and are bound to the same ones: a name may have come anew. */
function hasSameClasses(one: Version, other: Version): boolean {
  const ids = new Map(namespacesOf(other));
  const isAnew = namespacesOf(one).some(([name, id]) => (ids.get(name) ?? id) !== id);
  return !isAnew && declaredBy(one) === declaredBy(other);
}
