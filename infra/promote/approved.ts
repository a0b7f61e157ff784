/**
 * The plan that a reviewer has approved, as a file: what a promotion is decided on, and what it will do. Before the
 * release goes out, what it would do now is compared with it, and every difference is told. Pure.
 *
 * A promotion that was interrupted has done a part of its plan. It may go on: its own version beside the ones that
 * served when the plan was made is no difference, and neither is a change that is made already.
 */
import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import { UserError } from "../common/user-error.ts";
import type { Preview } from "../plan/preview/preview.ts";
import { changes } from "../plan/report.ts";
import type { Code } from "../plan/rules/codes.ts";
import { canonical } from "../release/canonical.ts";
import { shortDigest } from "../release/manifest.ts";

const Plan = v.strictObject({
  format: v.literal(1),
  from: v.string(),
  to: v.string(),
  /** What goes out: the release, and the tag of the version that it makes with the target's settings. */
  release: v.strictObject({ digest: v.string(), tag: v.string(), step: v.string(), history: v.string() }),
  /** The target's settings, without its secrets and without what a promotion writes itself. */
  settings: v.record(v.string(), v.unknown()),
  /** What the target served, as this program left it, and the step of the history that was live there. */
  account: v.strictObject({
    step: v.nullable(v.string()),
    serving: v.array(
      v.strictObject({ version: v.number(), id: v.string(), tag: v.nullable(v.string()), percentage: v.number() }),
    ),
  }),
  /** What it does, a line each, as the plan's text says. */
  changes: v.array(v.string()),
  /** What the plan warned of: code and subject. */
  warnings: v.array(v.string()),
});
export type ApprovedPlan = v.InferOutput<typeof Plan>;

const PlanFile = v.strictObject({ plan: Plan, hash: v.string() });

/** Settings that a promotion writes: they are where it stands, and not what it was decided on. */
const WRITTEN: ReadonlySet<string> = new Set(["rollout", "rolloutTrial", "promotionOverride"]);

/**
 * That a look at the source failed is no part of a plan. A promotion reads the source itself (gather.ts) and goes nowhere
 * where it cannot; and each update asks again.
 */
const PASSING: ReadonlySet<Code> = new Set<Code>(["promotion_unchecked"]);

/** What there is to approve of a promotion from `from`. */
export function planToApprove(from: string, preview: Preview): ApprovedPlan {
  const { settings, release, tag, live, plan, warnings } = preview;
  const known: unknown = JSON.parse(JSON.stringify(settings));
  const shown = Object.entries(v.parse(v.record(v.string(), v.unknown()), known)).filter(([key]) => !WRITTEN.has(key));
  const { step, history } = release.migration;
  return {
    format: 1,
    from,
    to: settings.stack,
    release: { digest: release.digest, tag, step, history },
    settings: Object.fromEntries(shown),
    account: {
      step: plan.from ?? null,
      // What something else has deployed over it is among the warnings, and gets nothing of the traffic.
      serving: live.servedLast.map(({ number, versionId, tag: own, percentage }) => ({
        version: number,
        id: versionId,
        tag: own ?? null,
        percentage,
      })),
    },
    changes: [...changes(preview)],
    warnings: warnings.flatMap(({ code, subject }) => (PASSING.has(code) ? [] : [`${code} ${subject}`])),
  };
}

/** sha256 of a plan, by which a person tells two from each other. */
export const hashOf = (plan: ApprovedPlan): string => createHash("sha256").update(canonical(plan)).digest("hex");

/** The text of a plan's file. */
export const planFile = (plan: ApprovedPlan): string => `${JSON.stringify({ plan, hash: hashOf(plan) }, null, 2)}\n`;

/** The plan in a file's text. @throws UserError where it is none, or was changed after it was saved. */
export function readPlan(name: string, text: string): ApprovedPlan {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), PlanFile), text);
  if (!parsed.success) {
    throw new UserError(
      `${name} is no plan that \`npm run promote -- … --save-plan\` of this version writes: ${parsed.issues[0].message}. Save it again, and have it approved.`,
    );
  }
  const { plan, hash } = parsed.output;
  if (hashOf(plan) !== hash) {
    throw new UserError(`${name} was changed after it was saved: its hash is ${hashOf(plan)}, not ${hash}.`);
  }
  return plan;
}

/** Everything in which `now` is not what was approved, a line each. Empty: it may go on. */
export function differences(approved: ApprovedPlan, now: ApprovedPlan): readonly string[] {
  const begun = isUnderWay(approved, now);
  return [
    ...changed("from", approved.from, now.from),
    ...changed("to", approved.to, now.to),
    ...changed("release", shortDigest(approved.release.digest), shortDigest(now.release.digest)),
    ...changed("step of the release", approved.release.step, now.release.step),
    ...changed("history of the release", approved.release.history, now.release.history),
    ...keysOf(approved.settings, now.settings).flatMap((key) =>
      changed(`setting ${key}`, approved.settings[key], now.settings[key]),
    ),
    ...(begun
      ? []
      : [
          ...changed(`step of ${approved.to}`, approved.account.step, now.account.step),
          ...changed(`${approved.to} serves`, servingIn(approved), servingIn(now)),
        ]),
    ...notIn(now.changes, approved.changes).map((line) => `not approved: ${line}`),
    ...(begun ? [] : notIn(approved.changes, now.changes).map((line) => `approved, and would not happen: ${line}`)),
    ...notIn(now.warnings, approved.warnings).map((line) => `a new warning: ${line}`),
  ];
}

/** Whether what serves now is what served when the plan was made, and beside it the version that the plan is about. */
function isUnderWay({ account, release: { tag } }: ApprovedPlan, { account: { serving } }: ApprovedPlan): boolean {
  const before = new Set(account.serving.map(({ id }) => id));
  return serving.some((one) => one.tag === tag) && serving.every((one) => one.tag === tag || before.has(one.id));
}

const servingIn = ({ account }: ApprovedPlan): string =>
  account.serving.map(({ version, percentage }) => `version ${version} ${percentage} %`).join(", ") || "nothing";

const keysOf = (...records: readonly Readonly<Record<string, unknown>>[]): readonly string[] =>
  [...new Set(records.flatMap((record) => Object.keys(record)))].sort();

const notIn = (lines: readonly string[], others: readonly string[]): readonly string[] =>
  lines.filter((line) => !others.includes(line));

function changed(what: string, before: unknown, after: unknown): readonly string[] {
  return isDeepStrictEqual(before, after) ? [] : [`${what}: approved ${shown(before)}, now ${shown(after)}`];
}

const LONGEST = 120;

function shown(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
