/** Whether a stack serves a release: pure. */
import { isOurs, type Marked } from "../plan/live/ours.ts";
import type { Finding } from "../plan/rules/codes.ts";
import { isPast, missed } from "../plan/rules/missed-release.ts";
import { type Manifest, shortDigest } from "../release/manifest.ts";
import { abandonLine, wholeLine } from "../stack/traffic-lines.ts";

/** A release that a stack serves. */
export interface Served {
  readonly digest: string;
  /** Per cent of its traffic for the release; undefined where the stack was updated before it noted that. */
  readonly share: number | undefined;
  /** The step of the history that the stack is at; undefined: that is not known. */
  readonly step?: string | undefined;
}

/** A version that something else has made and sent traffic to: of no release, also where a binding of one is left in it. */
export interface ServedByOthers {
  readonly version: number;
  /** Whether it was made of a release's version. */
  readonly isDerived: boolean;
}

/** A version that serves. */
export interface ServingOne extends Marked {
  readonly number: number;
  readonly percentage: number;
}

/** A Worker that serves, and the step of the history that it is at. */
export interface Standing {
  readonly serving: readonly ServingOne[];
  readonly step?: { readonly name: string } | undefined;
}

/** What a Worker serves of a release: that one, or the first other; undefined: nothing. */
export function servedOf({ serving, step }: Standing, digest: string): Served | ServedByOthers | undefined {
  const other = serving.find((one) => !isOurs(one));
  if (other) return { version: other.number, isDerived: other.digest !== undefined };
  const served = (serving.find((one) => one.digest === digest) ?? serving[0])?.digest;
  if (served === undefined) return undefined;
  const share = serving.reduce((sum, one) => sum + (one.digest === served ? one.percentage : 0), 0);
  return { digest: served, share, step: step?.name };
}

/**
 * What stands against promoting `release` from `stack`, which serves `served`, or nothing. What only some callers of a
 * stack have met has not been tried there.
 */
export function notServed(
  stack: string,
  release: Pick<Manifest, "digest" | "migration">,
  served: Served | ServedByOthers | undefined,
): readonly Finding[] {
  const { digest } = release;
  const subject = `release ${shortDigest(digest)}`;
  if (served && "version" in served) {
    return [
      {
        code: "not_promoted",
        subject,
        message: `${stack} serves version ${served.version}, which something else has ${served.isDerived ? "made of what `up` had left there, as a change in the dashboard does" : "deployed"}: it is not this release as it would go out.`,
        fix: `\`up\` there puts its release back, and its soak time begins anew: \`npm run up -- --stack ${stack}\`.`,
      },
    ];
  }
  if (served?.digest !== digest) {
    if (isPast(served?.step, release)) return [missed(stack, served.step, release)];
    return [
      {
        code: "not_promoted",
        subject,
        message: `${stack} serves ${served === undefined ? "no release" : shortDigest(served.digest)}.`,
        fix: `deploy this release to ${stack} first, or give this stack the artifact that ${stack} runs. Where this stack is rolling it out, and ${stack} has gone on meanwhile, end that first: \`${abandonLine("<this stack>")}\`.`,
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
      fix: `finish its rollout first: \`${wholeLine(stack)}\`.`,
    },
  ];
}
