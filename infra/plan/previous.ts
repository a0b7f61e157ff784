/** The version that a stack goes back to where none is named. Pure. */
import { shortDigest } from "../release/manifest.ts";
import type { LiveVersion, LiveWorker } from "./live.ts";
import { canServe } from "./pin.ts";
import type { DeploymentRead } from "./reads.ts";

/**
 * The version that had all traffic before, and can have it again; undefined: there is none. `deployments`: the newest
 * first. `refused`: releases that it is not to be of, by the first 12 digits of their digests.
 */
export function previousVersion(
  { serving, versions, rollbackFloor }: Pick<LiveWorker, "serving" | "versions" | "rollbackFloor">,
  deployments: readonly Pick<DeploymentRead, "versions">[],
  refused: readonly string[],
): LiveVersion | undefined {
  const now = new Set(serving.map(({ versionId }) => versionId));
  return deployments
    .flatMap((deployment) => (deployment.versions.length === 1 ? deployment.versions : []))
    .map(({ versionId }) => versions.find((version) => version.versionId === versionId))
    .find(
      (version) =>
        version &&
        !now.has(version.versionId) &&
        canServe(version, rollbackFloor) &&
        !refused.includes(shortDigest(version.digest ?? "")),
    );
}
