/** The version that a stack goes back to where none is named. Pure. */
import { shortDigest } from "../../release/manifest.ts";
import type { DeploymentRead } from "../account/reads.ts";
import type { LiveVersion } from "../live/version.ts";
import type { LiveWorker } from "../live/worker.ts";
import { canServe } from "./pin.ts";

/**
 * The version that had all traffic before, and can have it again; undefined: there is none. Where two versions serve,
 * that is the stable one, if it can: only the one that is rolled out, the first, is left. `deployments`: the newest first.
 * `refused`: releases that it is not to be of, by the first 12 digits of their digests.
 */
export function previousVersion(
  live: Pick<LiveWorker, "serving" | "versions" | "rollbackFloor">,
  deployments: readonly Pick<DeploymentRead, "versions">[],
  refused: readonly string[],
): LiveVersion | undefined {
  const { serving, versions } = live;
  const [left, ...beside] = serving;
  const whole = deployments.flatMap((deployment) => (deployment.versions.length === 1 ? deployment.versions : []));
  // The stable one first: the deployment that gave it all traffic may be too old to be listed.
  return [...beside, ...whole]
    .map(({ versionId }) => versions.find((version) => version.versionId === versionId))
    .find(
      (version) =>
        version &&
        version.versionId !== left?.versionId &&
        canServe(version, live) &&
        !refused.includes(shortDigest(version.digest ?? "")),
    );
}
