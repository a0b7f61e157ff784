/** Where traffic goes: pure arithmetic of a rollout between the release and the version that is stable now. */
import type { Finding } from "./findings.ts";

/** A version that serves now, and its share of the traffic in per cent. */
export interface Serving {
  readonly versionId: string;
  readonly percentage: number;
  /** The tag that the program gave the version; undefined: something else made it. */
  readonly tag: string | undefined;
}

/** The share of the release, and the version that gets the rest of the traffic if there is a rest. */
export interface Traffic {
  readonly release: number;
  readonly stable?: { readonly versionId: string; readonly percentage: number };
  readonly findings: readonly Finding[];
}

/**
 * The split for `rollout` per cent to the release that is tagged `tag`, beside what serves now. The same call after
 * it was applied gives the same split, so that a second `up` changes nothing.
 */
export function split(serving: readonly Serving[], tag: string, rollout: number): Traffic {
  const others = serving.filter((version) => version.tag !== tag);
  const stable = others[0];
  if (serving.length > 1 && others.length > 1) {
    const shares = serving.map((version) => `${version.tag ?? version.versionId} ${version.percentage} %`).join(", ");
    return {
      release: rollout,
      findings: [
        {
          code: "rollout_unfinished",
          subject: tag,
          message: `another rollout has not ended: ${shares}.`,
          fix: "finish it (rollout: 100 with its release) or abandon it (rollout: 0) first.",
        },
      ],
    };
  }
  if (rollout === 100) return { release: 100, findings: [] };
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
  return { release: rollout, stable: { versionId: stable.versionId, percentage: 100 - rollout }, findings: [] };
}
