/** Which of the versions that share the traffic came to it last: pure. */

interface Deployed {
  readonly versions: readonly { readonly versionId: string }[];
}

/**
 * The versions with the one first that is rolled out, and the stable one last: that one had traffic already when the other
 * came. The account's deployments say so (`deployments`: the newest first). Numbers say it only where none that is listed
 * had one without the other: the dashboard and wrangler can roll an older version out over a newer one.
 */
export function lastToArriveFirst<One extends { readonly versionId: string; readonly number: number }>(
  versions: readonly One[],
  deployments: readonly Deployed[],
): readonly One[] {
  const had = deployments
    .map((deployment) => new Set(deployment.versions.map(({ versionId }) => versionId)))
    .find((ids) => {
      const of = versions.filter(({ versionId }) => ids.has(versionId));
      return of.length > 0 && of.length < versions.length;
    });
  const isOld = ({ versionId }: One) => Number(had?.has(versionId) ?? false);
  return versions.toSorted((a, b) => isOld(a) - isOld(b) || b.number - a.number);
}
