/** What `npm run rollout -- status` prints of a stack, a line each: pure. */
import type { LiveWorker } from "../plan/live/worker.ts";
import { allRefused } from "../plan/rules/refused-release.ts";
import { versionName } from "../plan/traffic/words.ts";
import { shortDigest } from "../release/manifest.ts";
import type { PublicSettings } from "../stack/config.ts";
import { type Step, shareSet, standingAt } from "../stack/rollout-steps.ts";

/** `my-worker: version 2 (1f3a…) 10 %, version 1 (9b0c…) 90 %; the settings say 10 % for the release`. */
export function statusLine(
  settings: Pick<PublicSettings, "workerName" | "pin" | "rollout" | "rolloutTrial">,
  { serving, pinned }: Pick<LiveWorker, "serving" | "pinned">,
): string {
  const shares = serving.map((version) => `${versionName(version)} ${version.percentage} %`);
  const setting =
    settings.pin > 0
      ? `pinned to version ${settings.pin}`
      : pinned !== undefined
        ? `pinned to version ${pinned}, as the account says; these settings have no pin`
        : `the settings say ${shareSet(settings)} % for the release`;
  return `${settings.workerName}: ${shares.join(", ") || "nothing is deployed"}; ${setting}`;
}

/**
 * `step 2 of 3, for 4 min of 10 min; next: 100 %`: where a release with this share of the traffic stands. `since`: how
 * long it has had that, in words; empty: that is not known.
 */
export function stepLine(steps: readonly Step[], share: number, since: string): string {
  const { index, next } = standingAt(steps, share);
  const where = index === undefined ? `in none of ${steps.length} steps` : `step ${index + 1} of ${steps.length}`;
  const minutes = index === undefined ? 0 : (steps[index]?.minutes ?? 0);
  const watched = since === "" ? "" : `, for ${since}${minutes === 0 ? "" : ` of ${minutes} min`}`;
  return `${where}${watched}; next: ${next ? `${next.percent} %` : "nothing"}`;
}

/** `refused: 1f3a… 9b0c…`: releases that the stack refuses, but the one that serves everybody; undefined: none. */
export function refusedLine(
  settings: Parameters<typeof allRefused>[0],
  { serving, refused }: Pick<LiveWorker, "serving" | "refused">,
): string | undefined {
  const [first] = serving;
  const whole = serving.length === 1 && first?.digest !== undefined ? shortDigest(first.digest) : undefined;
  const others = allRefused(settings, refused).filter((digest) => digest !== whole);
  return others.length > 0 ? `refused: ${others.join(" ")}` : undefined;
}
