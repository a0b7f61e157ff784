/** Where traffic goes: pure arithmetic of a rollout between the release and the version that is stable now. */
import type { Serving } from "../live/version.ts";
import type { Finding } from "../rules/codes.ts";

/** The share of the release, and the version that gets the rest of the traffic if there is a rest. */
export interface Traffic {
  readonly release: number;
  readonly stable?: { readonly versionId: string; readonly percentage: number };
  readonly findings: readonly Finding[];
}

/**
 * The split for `rollout` per cent to the release that is tagged `tag`, beside what serves now. The same call after
 * it was applied gives the same split, so that a second `up` changes nothing. `serving`: the stable one last.
 */
export function split(serving: readonly Serving[], tag: string, rollout: number): Traffic {
  const last = serving.at(-1);
  // Whichever release is at hand, be it the stable one's: nothing is wanted of what was rolled out beside that.
  if (rollout === 0 && last) return abandoned(last, tag);
  const others = serving.filter((version) => version.tag !== tag);
  // Else the version that is only tried would take the place of the stable one.
  const isStable = serving.length > 1 && last?.tag === tag && rollout < 100;
  if (others.length > 1 || isStable) {
    const shares = serving.map((version) => `${version.tag ?? version.versionId} ${version.percentage} %`).join(", ");
    const own = isStable ? ", and the release at hand is the stable one" : "";
    return {
      release: rollout,
      findings: [
        {
          code: "rollout_unfinished",
          subject: tag,
          message: `another rollout has not ended: ${shares}${own}.`,
          fix: "finish it (rollout: 100 with its release) or abandon it (rollout: 0) first.",
        },
      ],
    };
  }
  if (rollout === 100) return { release: 100, findings: [] };
  const [stable] = others;
  if (!stable) {
    const message =
      serving.length === 0
        ? "nothing is live yet, so the release gets all traffic."
        : "the release has all traffic already.";
    return {
      release: 100,
      findings: [
        { code: "rollout_without_stable", subject: `rollout ${rollout}`, message, fix: "set rollout to 100." },
      ],
    };
  }
  return {
    release: rollout,
    stable: { versionId: stable.versionId, percentage: Number((100 - rollout).toFixed(2)) },
    findings: [],
  };
}

/** Nobody for the rest of the traffic: with version `changed` something else changed the classes, and none from before serves again. */
export const cutOff = (changed: number, rollout: number): Traffic => ({
  release: rollout,
  findings: [
    {
      code: "lifecycle_needs_full_rollout",
      subject: `rollout ${rollout}`,
      message: `something else changed the classes with version ${changed}, and Cloudflare lets no version from before serve again: there is none for the rest of the traffic.`,
      fix: "set rollout to 100 for this release, which takes all traffic at once; until then, what serves now goes on.",
    },
  ],
});

/** All traffic for the stable version, and none for what an update uploads. */
function abandoned(stable: Serving, tag: string): Traffic {
  return {
    release: 0,
    stable: { versionId: stable.versionId, percentage: 100 },
    findings: [
      {
        code: "release_without_traffic",
        subject: "rollout 0",
        message:
          stable.tag === tag
            ? `no new version gets traffic: all of it stays with version ${stable.number}, which is of this release and these settings, with the secrets of its time.`
            : "the release is uploaded and gets no traffic: all of it stays with the version before, with the secrets of its time.",
        fix: "raise rollout when it is to serve.",
      },
    ],
  };
}

/** Whether what serves is what is wanted of the release tagged `tag`, to the per cent. */
export function servesAsWanted(serving: readonly Serving[], tag: string, { release, stable }: Traffic): boolean {
  const shares = serving.map(({ versionId, tag: own, percentage }) =>
    versionId === stable?.versionId ? percentage === stable.percentage : own === tag && percentage === release,
  );
  return shares.every(Boolean) && shares.length === (release > 0 ? 1 : 0) + (stable ? 1 : 0);
}

/** Per cent of the traffic for what serves as the release `digest` once `traffic` is in force, whatever its settings. */
export function shareOf(
  digest: string | undefined,
  release: string,
  { release: share, stable }: Traffic,
  versions: readonly { readonly versionId: string; readonly digest: string | undefined }[],
): number {
  const beside = versions.find(({ versionId }) => versionId === stable?.versionId)?.digest;
  return (digest === release ? share : 0) + (stable && beside === digest ? stable.percentage : 0);
}
