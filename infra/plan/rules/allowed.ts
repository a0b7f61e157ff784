/**
 * The one rule of `allowOlderRelease`, `allowDirtyRelease`, `allowRefusedRelease` and `allowMissedRelease`: a guard against
 * a release is lifted for the release that the setting names by the first digits of its digest, so that the permission
 * ends with it; or for every one, by `any`, which the last of them does not take. Pure.
 */
import { shortDigest } from "../../release/manifest.ts";

/** What such a setting says where no release is refused: a stack for trying things out. */
const ANY = "any";

/** Whether `setting` lifts its guard for a release. */
export const isAllowed = (setting: string | undefined, digest: string): boolean =>
  setting === ANY || (setting !== undefined && digest.startsWith(setting));

/** What a finding tells to set: `allowOlderRelease: "1f3a2b4c5d6e"`. */
export const allowing = (
  key: "allowOlderRelease" | "allowDirtyRelease" | "allowRefusedRelease" | "allowMissedRelease",
  digest: string,
): string => `set ${key}: "${shortDigest(digest)}"`;
