/** A release that nobody can build again, because it has changes that are in no commit: not for a protected stack. Pure. */
import { type Manifest, shortDigest } from "../../release/manifest.ts";
import { describeSource, isDirty } from "../../release/source.ts";
import type { PublicSettings } from "../../stack/config.ts";
import { allowing, isAllowed } from "./allowed.ts";
import type { Finding } from "./codes.ts";

type Settings = Pick<PublicSettings, "stack" | "protect" | "allowDirtyRelease">;

/** What stands against a release with changes that are in no commit. */
export function dirtyFindings(
  settings: Settings,
  release: Pick<Manifest, "digest" | "commit" | "dirty">,
): readonly Finding[] {
  const { stack, protect, allowDirtyRelease } = settings;
  if (!protect || !isDirty(release) || isAllowed(allowDirtyRelease, release.digest)) return [];
  return [
    {
      code: "dirty_release",
      subject: `release ${shortDigest(release.digest)}`,
      message: `it was built from ${describeSource(release)}, so nobody can build it again, and ${stack} is protected.`,
      fix: `commit the changes and build again; or, where this one must go out as it is, ${allowing("allowDirtyRelease", release.digest)}.`,
    },
  ];
}
