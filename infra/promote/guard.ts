/** What an update asks of the stack that its release comes from: pure. */
import type { Finding } from "../plan/rules/codes.ts";
import type { Manifest } from "../release/manifest.ts";
import type { PublicSettings } from "../stack/config.ts";
import { isOverridden } from "./override.ts";
import { notServed, type Served, type ServedByOthers } from "./served.ts";
import { soaking } from "./soak.ts";

/** What the stack `from` serves, and since when to everybody. */
export interface Observed {
  readonly from: string;
  readonly served: Served | ServedByOthers | undefined;
  readonly since: string | undefined;
}

/** What stands against `release` in a stack with these settings: that the other does not serve it, or not for long enough. */
export function promotedFrom(
  { from, served, since }: Observed,
  release: Pick<Manifest, "digest" | "migration">,
  { soakMinutes, promotionOverride }: Pick<PublicSettings, "soakMinutes" | "promotionOverride">,
): readonly Finding[] {
  const findings = notServed(from, release, served);
  if (findings.length > 0 || isOverridden(promotionOverride, release.digest, "soak")) return findings;
  return soaking(release, { stack: from, since, soakMinutes, now: Date.now() });
}
