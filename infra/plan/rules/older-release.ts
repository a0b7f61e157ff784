/**
 * Whether a release is older than what serves: a slow CI job must not put yesterday's source over today's. Commit
 * times decide, because a deployment has no git history at hand, and neither has a shallow checkout. Two builds of one
 * commit are as old as each other, and a build from outside of git has no age.
 */
import { type Manifest, shortDigest } from "../../release/manifest.ts";
import { backLine } from "../../stack/traffic-lines.ts";
import { allowing, isAllowed } from "./allowed.ts";
import type { Finding } from "./codes.ts";

/** A version that serves. */
export interface Dated {
  readonly number: number;
  readonly digest: string | undefined;
  /** When the source of its release was committed, in ISO 8601, UTC; undefined: it is not known. */
  readonly committed: string | undefined;
}

export interface Order {
  readonly stack: string;
  readonly release: Pick<Manifest, "digest" | "committed">;
  /** Versions that serve, as this program left them. */
  readonly serving: readonly Dated[];
  /** Of the settings: the beginning of a digest, or `any`. */
  readonly allowed: string | undefined;
}

/** What stands against a release that is to have traffic: what serves has a newer source. */
export function orderFindings({ stack, release, serving, allowed }: Order): readonly Finding[] {
  const { digest, committed } = release;
  if (committed === null || isAllowed(allowed, digest)) return [];
  const newer = serving.find((version) => version.digest !== digest && isAfter(version.committed, committed));
  if (newer?.digest === undefined || newer.committed === undefined) return [];
  return [
    {
      code: "older_release",
      subject: `release ${shortDigest(digest)}`,
      message: `its source was committed at ${shown(committed)}, and version ${newer.number} serves release ${shortDigest(newer.digest)}, committed at ${shown(newer.committed)}: a job that took longer would undo a newer one.`,
      fix: `deploy the newer release. To go back on purpose: \`${backLine(stack)}\`; or, where this one is to follow all the same, ${allowing("allowOlderRelease", digest)}.`,
    },
  ];
}

const isAfter = (one: string | undefined, other: string): boolean =>
  one !== undefined && Date.parse(one) > Date.parse(other);

/** To the second: `2026-11-26T07:31:06Z`. */
const shown = (time: string): string => `${new Date(time).toISOString().slice(0, 19)}Z`;
