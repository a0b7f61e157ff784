/** A release that was worse than the one before in a rollout of this stack: it gets no traffic again. Pure. */
import type { Finding } from "@durable-stack/class-lifecycle";
import { shortDigest } from "../release/manifest.ts";
import type { PublicSettings } from "../stack/config.ts";

/** The digests that a stack refuses, 12 digits each. */
export const refusedIn = ({ refusedReleases = "" }: Pick<PublicSettings, "refusedReleases">): readonly string[] =>
  refusedReleases.split(" ").filter(Boolean);

/** What stands against a release that the stack has refused. */
export function refusedFindings(
  settings: Pick<PublicSettings, "stack" | "refusedReleases">,
  { digest }: { readonly digest: string },
): readonly Finding[] {
  if (!refusedIn(settings).some((refused) => digest.startsWith(refused))) return [];
  return [
    {
      code: "refused_release",
      subject: `release ${shortDigest(digest)}`,
      message: `it was worse than the release before in a rollout of ${settings.stack}.`,
      fix: `build a release without the fault. To try this one again: \`npm run rollout -- run --stack ${settings.stack} --again\`.`,
    },
  ];
}
