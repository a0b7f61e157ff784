/** Which versions of a Worker this program made, what they served last, and since when: pure. */
import { shortDigest } from "../../release/manifest.ts";

/** A version by what tells its maker. */
export interface Marked {
  /** The tag that it was uploaded with. */
  readonly tag: string | undefined;
  /** The digest of its release, as its RELEASE binding has it; undefined: it has no such binding. */
  readonly digest: string | undefined;
}

/**
 * Whether this program uploaded the version as it is: its tag names the release that its bindings name. What wrangler
 * or the dashboard derives from one (a changed secret) keeps the bindings and loses the tag.
 */
export const isOurs = ({ tag, digest }: Marked): boolean =>
  digest !== undefined && tag?.startsWith(`${shortDigest(digest)}-`) === true;

/**
 * The version of ours that an update with this tag finds in its state: the one that was uploaded last, or that serves.
 * `versions`: the newest first.
 */
export function keptVersion<Version extends Numbered>(
  tag: string,
  versions: readonly Version[],
  servedLast: readonly Pick<Numbered, "versionId">[],
): Version | undefined {
  const ours = versions.filter(isOurs);
  return ours.find(
    (version) =>
      version.tag === tag &&
      (version === ours[0] || servedLast.some(({ versionId }) => versionId === version.versionId)),
  );
}

interface Numbered extends Marked {
  readonly versionId: string;
  readonly number: number;
}

export interface Share {
  readonly versionId: string;
  readonly percentage: number;
}

/**
 * The traffic as it was when only versions of ours had some: that of the newest deployment without any other. Where
 * none is listed any more, the newest of ours with all of it; undefined where no version is ours.
 * `deployments` and `versions`: the newest first.
 */
export function servedLast<Version extends Numbered>(
  deployments: readonly { readonly versions: readonly Share[] }[],
  versions: readonly Version[],
): readonly { readonly version: Version; readonly percentage: number }[] | undefined {
  const ours = versions.filter(isOurs);
  const [newest] = ours;
  if (!newest) return undefined;
  const known = (shares: readonly Share[]) =>
    shares.flatMap(({ versionId, percentage }) => {
      const version = ours.find((candidate) => candidate.versionId === versionId);
      return version ? [{ version, percentage }] : [];
    });
  const last = deployments.find(({ versions: shares }) => shares.length > 0 && known(shares).length === shares.length);
  return last ? known(last.versions) : [{ version: newest, percentage: 100 }];
}

interface Deployed {
  readonly createdOn?: string | undefined;
  readonly versions: readonly Pick<Share, "versionId">[];
}

/**
 * Since when every version in the deployments was one of this release, from the newest deployment (which comes first)
 * backwards. An `up` that changes only settings makes a new deployment, and does not begin the soak anew.
 */
export function servedSince(
  deployments: readonly Deployed[],
  digests: ReadonlyMap<string, string | undefined>,
  digest: string,
): string | undefined {
  let since: string | undefined;
  for (const { createdOn, versions } of deployments) {
    if (versions.length === 0 || versions.some(({ versionId }) => digests.get(versionId) !== digest)) break;
    since = createdOn;
  }
  return since;
}
