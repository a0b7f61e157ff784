/** What findings stop: a release on its way forward, or traffic on its way back. Pure. */
import { shortDigest } from "../../release/manifest.ts";
import type { Release } from "../../release/read.ts";
import { type Finding, isError } from "../rules/codes.ts";
import { type Back, notUploaded } from "../traffic/pin.ts";
import type { Traffic } from "../traffic/split.ts";

export interface Judgement {
  /** Whether the release becomes a version. Not while the stack is pinned and the release could not serve beside it. */
  readonly uploads: boolean;
  /** What stops it, all at once. Empty: it may be sent. */
  readonly errors: readonly Finding[];
  readonly warnings: readonly Finding[];
  /** What is wrong with the release and stops nothing, because the traffic goes back and the release stays where it is. */
  readonly passedOver: readonly Finding[];
}

interface GoingBack {
  readonly back: Back;
  readonly stack: string;
  readonly release: Release;
  readonly traffic: Traffic;
  readonly changesLifecycle: boolean;
}

/**
 * What the findings stop. Where the traffic goes back nothing that is wrong with the release does: that works whatever
 * release happens to be at hand. `always`: what stops it there too, for data would be lost, or something is another's.
 */
export function judged(all: readonly Finding[], always: readonly Finding[], going?: GoingBack): Judgement {
  const errors = all.filter(isError);
  const warnings = all.filter((finding) => !isError(finding));
  if (!going) return { uploads: true, errors, warnings, passedOver: [] };
  const passedOver = errors.filter((finding) => !going.traffic.findings.includes(finding) && !always.includes(finding));
  const reasons = [
    ...(going.changesLifecycle ? ["it changes classes, which takes all traffic at once"] : []),
    ...passedOver.map(({ code, subject }) => `${code} ${subject}`),
  ];
  return {
    uploads: reasons.length === 0,
    errors: [...going.traffic.findings, ...always].filter(isError),
    warnings: reasons.length
      ? [...warnings, notUploaded(going.stack, shortDigest(going.release.digest), reasons, going.back)]
      : warnings,
    passedOver,
  };
}
