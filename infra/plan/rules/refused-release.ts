/**
 * A release that was worse than the one before in a rollout of this stack: it gets no traffic again. The setting
 * `refusedReleases` says it first. The deployment that took the traffic back says it too, because nobody commits what a
 * CI job writes into a file. Pure.
 */
import { shortDigest } from "../../release/manifest.ts";
import type { PublicSettings } from "../../stack/config.ts";
import { allowing, isAllowed } from "./allowed.ts";
import type { Finding } from "./codes.ts";

type Settings = Pick<PublicSettings, "stack" | "refusedReleases" | "allowRefusedRelease">;

/** The digests that a stack's settings refuse, 12 digits each. */
export const refusedIn = ({ refusedReleases = "" }: Pick<Settings, "refusedReleases">): readonly string[] =>
  refusedReleases.split(" ").filter(Boolean);

/**
 * The release that a deployment is made to get rid of: one that the settings refuse and that has traffic, or else the
 * one at hand (`release`). Another one may have been built while a bad one was watched. `serving`: the digests of what
 * serves; `next`: of what is to have all traffic. Undefined: it is none.
 */
export function takenBack(
  settings: Pick<Settings, "refusedReleases">,
  release: string,
  serving: readonly (string | undefined)[],
  next: string | undefined,
): string | undefined {
  const refused = refusedIn(settings);
  return [...serving, release].find(
    (digest) => digest !== undefined && digest !== next && refused.includes(shortDigest(digest)),
  );
}

/** All that a stack refuses; `inAccount`: what its deployments say. */
export const allRefused = (settings: Settings, inAccount: readonly string[]): readonly string[] =>
  [...new Set([...refusedIn(settings), ...inAccount])].filter(
    (digest) => !isAllowed(settings.allowRefusedRelease?.slice(0, digest.length), digest),
  );

/** What stands against a release that the stack has refused. */
export function refusedFindings(
  settings: Settings,
  { digest }: { readonly digest: string },
  inAccount: readonly string[],
): readonly Finding[] {
  if (isAllowed(settings.allowRefusedRelease, digest)) return [];
  if (![...refusedIn(settings), ...inAccount].some((refused) => digest.startsWith(refused))) return [];
  return [
    {
      code: "refused_release",
      subject: `release ${shortDigest(digest)}`,
      message: `it was worse than the release before in a rollout of ${settings.stack}.`,
      fix: `build a release without the fault. To try this one again: ${allowing("allowRefusedRelease", digest)}; where the stack is not pinned, \`npm run rollout -- run --stack ${settings.stack} --again\` does that and rolls it out.`,
    },
  ];
}
