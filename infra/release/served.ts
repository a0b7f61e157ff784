/** Whether a stack serves a release: pure. */
import type { Finding } from "@durable-stack/class-lifecycle";
import { type Manifest, shortDigest } from "./manifest.ts";

/** A release that a stack serves. */
export interface Served {
  readonly digest: string;
  /** Per cent of its traffic for the release; undefined where the stack was updated before it noted that. */
  readonly share: number | undefined;
}

/** What a deployment serves of a release: that one, or the first other; undefined: no release of this program. */
export function servedOf(
  serving: readonly { readonly digest: string | undefined; readonly percentage: number }[],
  digest: string,
): Served | undefined {
  const served = (serving.find((one) => one.digest === digest) ?? serving[0])?.digest;
  if (served === undefined) return undefined;
  return { digest: served, share: serving.reduce((sum, one) => sum + (one.digest === served ? one.percentage : 0), 0) };
}

/**
 * What stands against promoting `release` from `stack`, which serves `served`, or no release of this program. What only
 * some callers of a stack have met has not been tried there.
 */
export function notServed(
  stack: string,
  { digest }: Pick<Manifest, "digest">,
  served: Served | undefined,
): readonly Finding[] {
  const subject = `release ${shortDigest(digest)}`;
  if (served?.digest !== digest) {
    return [
      {
        code: "not_promoted",
        subject,
        message: `${stack} serves ${served === undefined ? "no release" : shortDigest(served.digest)}.`,
        fix: `deploy this release to ${stack} first, or give this stack the artifact that ${stack} runs.`,
      },
    ];
  }
  if (served.share === 100) return [];
  if (served.share === undefined) {
    return [
      {
        code: "promoted_in_part",
        subject,
        message: `${stack} has it, and does not say for how much of its traffic.`,
        fix: `update ${stack} once more with this release: it notes that since.`,
      },
    ];
  }
  return [
    {
      code: "promoted_in_part",
      subject,
      message: `${stack} gives it ${served.share} % of its traffic.`,
      fix: `finish its rollout first: \`npm run rollout -- set 100 --stack ${stack}\`.`,
    },
  ];
}
