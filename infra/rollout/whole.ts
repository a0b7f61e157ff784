/** What a person hears before a release goes out that no earlier version can follow, or that may not go out at all. */
import { describe } from "@durable-stack/class-lifecycle";
import type { Preview } from "../plan/preview.ts";
import { shortDigest } from "../release/manifest.ts";
import { UserError } from "../stack/user-error.ts";

/** How a text calls the release. */
export const nameOf = ({ release }: Preview): string => `Release ${shortDigest(release.digest)}`;

/** Whether no earlier version can serve after this release, so that it goes to all traffic at once. */
export const isIrreversible = ({ plan, schema }: Pick<Preview, "plan" | "schema">): boolean =>
  plan.changesLifecycle || schema.raisesFloor;

/** Whether it goes to all traffic at once, be it for that or because two region tables may not share the traffic. */
export const goesWhole = (preview: Pick<Preview, "plan" | "schema" | "regions">): boolean =>
  isIrreversible(preview) || preview.regions.length > 0;

/** How to go back over a release with another region table. */
export const BACK_OVER_REGIONS =
  "The version before has another region table: `npm run rollback` goes back to it where nothing is hidden by that, or allowRegionLoss names what is (docs/regions.md).";

/** What to know of such a release before it goes out; nothing of any other. */
export function wholeLines(preview: Preview): readonly string[] {
  if (!goesWhole(preview)) return [];
  if (!isIrreversible(preview)) {
    return [
      `${nameOf(preview)} goes to all traffic at once, because it has another region table than what serves.`,
      `No automatic way back. ${BACK_OVER_REGIONS}`,
    ];
  }
  return [
    `${nameOf(preview)} goes to all traffic at once, because ${preview.plan.changesLifecycle ? "it changes classes" : "its tables are none that older code can live with"}.`,
    "No earlier version can serve again. If it is bad: build a release that mends it, from this history, and roll that out. Data stays.",
  ];
}

/** @throws UserError where the stack refuses the release. */
export function refuseErrors({ errors, settings }: Preview): void {
  if (errors.length === 0) return;
  throw new UserError(
    `${settings.stack} refuses this release:\n${errors.map((error) => `  ${describe(error)}`).join("\n")}`,
  );
}
