/**
 * The classes that something else has changed, as the account's deployments tell: pure. Cloudflare lets no version serve
 * again that is from before a change of classes, also where the classes are as they were before it.
 */
import type { LiveClasses } from "@durable-stack/class-lifecycle";
import { isOurs } from "./ours.ts";

/** A version by what counts here. */
export interface Declaring {
  readonly number: number;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
  /** The live classes that it declares. */
  readonly classes: LiveClasses;
}

/**
 * Number of the last version that changed the classes in a deployment of something else, or over one; undefined: none of
 * those that are listed did. `deployments`: the versions of each, the newest first.
 */
export function changedByOthers(deployments: readonly (readonly Declaring[])[]): number | undefined {
  // Versions that share a deployment agree on their classes. One of something else may list none and have them all.
  const served = deployments.flatMap(([first]) => (first && (isOurs(first) || first.classes.size > 0) ? first : []));
  return served.find((now, index) => {
    const before = served[index + 1];
    return before && !(isOurs(before) && isOurs(now)) && shown(before) !== shown(now);
  })?.number;
}

/**
 * Number of such a version that the tags of ours tell (servableTag): the account lists only the last deployments, and what
 * it lists no more still holds. Undefined: none tells of any.
 */
export function changedInTags(versions: readonly Pick<Declaring, "tag" | "digest">[]): number | undefined {
  const told = versions.filter(isOurs).flatMap(({ tag }) => {
    const [, number] = AGAIN.exec(tag ?? "") ?? [];
    return number === undefined ? [] : [Number(number)];
  });
  return told.length > 0 ? Math.max(...told) : undefined;
}

/** The number behind the digests of release and settings. */
const AGAIN = /^[^-]+-[^-]+-(\d+)$/;

/** What it has a namespace of. */
const shown = ({ classes }: Declaring): string =>
  declaredBy({ classes: new Map([...classes].filter(([, { fromWorker }]) => fromWorker === undefined)) });

/** All that it declares, also what it waits for. */
export const declaredBy = ({ classes }: Pick<Declaring, "classes">): string =>
  [...classes]
    .map(([name, { storage, fromWorker = "" }]) => `${name} ${storage} ${fromWorker}`)
    .sort()
    .join();

/** What served when only versions of ours did, the stable one last. */
interface Served<Version> {
  readonly servedLast: readonly Version[];
  readonly changedByOthers: number | undefined;
}

/** The versions among it that can serve again: none from before such a change. */
export const servableOf = <Version extends Pick<Declaring, "number">>({
  servedLast,
  changedByOthers: changed = 0,
}: Served<Version>): readonly Version[] => servedLast.filter(({ number }) => number >= changed);

/** Whether such a change lets none of it serve again, so that there is nothing beside a release, and no way back. */
export const isCutOff = (live: Served<Pick<Declaring, "number">>): boolean =>
  live.servedLast.length > 0 && servableOf(live).length === 0;

/**
 * The tag of the version that a release makes: `tag`, as long as no version with it is from before such a change; else
 * another one, which stays the same from then on.
 */
export function servableTag(
  tag: string,
  versions: readonly Pick<Declaring, "number" | "tag" | "digest">[],
  changed: number | undefined,
): string {
  if (changed === undefined) return tag;
  const again = `${tag}-`;
  const made = versions.filter((version) => isOurs(version) && (version.tag === tag || version.tag?.startsWith(again)));
  if (made.length === 0) return tag;
  return made.find(({ number }) => number >= changed)?.tag ?? `${again}${changed}`;
}
