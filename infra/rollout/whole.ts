/** What a person hears before a release goes out that no earlier version can follow, or that may not go out at all. */
import { describe } from "@durable-stack/class-lifecycle";
import { UserError } from "../common/user-error.ts";
import { isCutOff } from "../plan/live/changed-by-others.ts";
import type { Preview } from "../plan/preview/preview.ts";
import { shortDigest } from "../release/manifest.ts";

/** How a text calls the release. */
export const nameOf = ({ release }: Preview): string => `Release ${shortDigest(release.digest)}`;

/** Whether no earlier version can serve after this release, so that it goes to all traffic at once. */
export const isIrreversible = ({ plan, schema, live }: Judged): boolean =>
  plan.changesLifecycle || schema.raisesFloor || isCutOff(live);
type Judged = Pick<Preview, "plan" | "schema" | "live">;

/**
 * Whether it goes to all traffic at once, be it for that or because two region tables may not share the traffic, or
 * because nothing is deleted that a version with traffic is bound to.
 */
export const goesWhole = (preview: Judged & Pick<Preview, "regions" | "deleted">): boolean =>
  isIrreversible(preview) || preview.regions.length > 0 || preview.deleted.length > 0;

/** How to go back over a release with another region table. */
const BACK_OVER_REGIONS =
  "The version before has another region table: `npm run rollback` goes back to it where nothing is hidden by that, or allowRegionLoss names what is (docs/regions.md).";

/** Why nothing may go back. */
export const NONE_CAN_SERVE = "No earlier version can serve. Roll a release forward that mends it.";

/** What keeps the version before from serving, once the release was deployed. */
export function whyNoWayBack(preview: Preview): string {
  if (isIrreversible(preview)) return NONE_CAN_SERVE;
  return preview.deleted.length > 0
    ? `Cloudflare deploys no version that is bound to what is gone: ${deletedIn(preview)}. Roll a release forward that mends it.`
    : BACK_OVER_REGIONS;
}

const deletedIn = ({ deleted }: Preview): string => deleted.map(({ what, name }) => `the ${what} ${name}`).join(", ");

/** What to know of such a release before it goes out; nothing of any other. */
export function wholeLines(preview: Preview): readonly string[] {
  if (!goesWhole(preview)) return [];
  const name = nameOf(preview);
  const deletes = preview.deleted.length > 0;
  const loss = deletes ? [`${name} deletes ${deletedIn(preview)}, and what was in it does not come back.`] : [];
  if (isIrreversible(preview)) {
    return [
      ...loss,
      `${name} goes to all traffic at once, because ${whyWhole(preview)}.`,
      `No earlier version can serve again. If it is bad: build a release that mends it, from this history, and roll that out.${deletes ? "" : " Data stays."}`,
    ];
  }
  if (deletes) {
    return [
      ...loss,
      `${name} goes to all traffic at once, because nothing is deleted that a version with traffic is bound to.`,
      "No version that is bound to it can serve again. If it is bad: build a release that mends it, and roll that out.",
    ];
  }
  return [
    `${name} goes to all traffic at once, because it has another region table than what serves.`,
    `No automatic way back. ${BACK_OVER_REGIONS}`,
  ];
}

function whyWhole({ plan, schema }: Judged): string {
  if (plan.changesLifecycle) return "it changes classes";
  return schema.raisesFloor
    ? "its tables are none that older code can live with"
    : "something else changed the classes, and no version from before can serve beside it";
}

/** @throws UserError where the stack refuses the release. */
export function refuseErrors({ errors, settings }: Preview): void {
  if (errors.length === 0) return;
  throw new UserError(
    `${settings.stack} refuses this release:\n${errors.map((error) => `  ${describe(error)}`).join("\n")}`,
  );
}
