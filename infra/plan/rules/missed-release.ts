/**
 * A release that has missed its promotion: the stack that it comes from is at a later step of the history, and takes none
 * from before it. A stack that cannot catch up without such a release takes it by its name (docs/runbooks.md). Pure.
 */
import type { Plan } from "@durable-stack/class-lifecycle";
import { type Manifest, shortDigest } from "../../release/manifest.ts";
import type { PublicSettings } from "../../stack/config.ts";
import { abandonLine } from "../../stack/traffic-lines.ts";
import { allowing, isAllowed } from "./allowed.ts";
import type { Finding } from "./codes.ts";

type Asked = Pick<Manifest, "digest" | "migration">;

/** Whether a stack at this step of the history takes `release` no more, as its own plan says with `state_ahead`. */
export const isPast = (step: string | undefined, { migration }: Asked): step is string =>
  step !== undefined && step > migration.step;

/** What stands against a release that `stack` is past, at `step`. */
export const missed = (stack: string, step: string, { digest, migration }: Asked): Finding => ({
  code: "promotion_missed",
  subject: `release ${shortDigest(digest)}`,
  message: `${stack} is at step ${step}, and takes no release any more whose history ends at ${migration.step}.`,
  fix: `deploy the release that ${stack} serves; where this stack is rolling this one out, end that first: \`${abandonLine("<this stack>")}\`. Where this stack cannot catch up without this one (needs_intermediate_release), ${allowing("allowMissedRelease", digest)} and \`up\`: docs/runbooks.md#a-stack-that-missed-a-release. A fix that cannot wait for that: docs/runbooks.md#a-fix-that-cannot-wait.`,
});

/**
 * What the guard of promotions has found, but for a release that the settings name: it may go all the same, where the
 * stack goes on in the history by it. One for the step that the stack is at already is nothing that it has missed.
 */
export function unlessNamed(
  found: readonly Finding[],
  { promotesFrom, allowMissedRelease }: Pick<PublicSettings, "promotesFrom" | "allowMissedRelease">,
  { digest }: Asked,
  { from, to }: Pick<Plan, "from" | "to">,
): readonly Finding[] {
  if (!isAllowed(allowMissedRelease, digest)) return found;
  const named = (finding: Finding): Finding =>
    from === undefined || from < to
      ? {
          ...finding,
          code: "missed_release_allowed",
          message: `it goes out though ${promotesFrom} does not serve it, because allowMissedRelease names it.`,
          fix: `take allowMissedRelease out after this release, and go on with the one that ${promotesFrom} serves.`,
        }
      : {
          ...finding,
          message: `${finding.message} allowMissedRelease names it, and has no effect: this stack is at step ${from} already.`,
          fix: `take allowMissedRelease out, and deploy the release that ${promotesFrom} serves.`,
        };
  return found.map((finding) => (finding.code === "promotion_missed" ? named(finding) : finding));
}

/** What a version's message says of such a release; `warnings`: of its plan. */
export const missedNote = (
  warnings: readonly Pick<Finding, "code">[],
  { promotesFrom }: Pick<PublicSettings, "promotesFrom">,
): string =>
  warnings.some(({ code }) => code === "missed_release_allowed") ? `; not from ${promotesFrom}, which is past it` : "";
