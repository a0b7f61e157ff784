/** The steps of a rollout, as a stack sets them: pure. */
import * as v from "valibot";
import { whole, yesOrNo } from "../../contract/values.ts";

/**
 * The least share that a version can have and still be in the deployment, in per cent: the provider takes nothing
 * below it (facts: WorkersDeployment, versions[].percentage). A step of 0 % is this one: a request can ask for the
 * version by name, and one of ten thousand others gets it.
 */
export const LEAST_SHARE = 0.01;

const ofMinutes = "must be a number of minutes from 0 to 10080";
const minutes = v.pipe(v.number(ofMinutes), v.minValue(0, ofMinutes), v.maxValue(10_080, ofMinutes));

const Step = v.strictObject({
  percent: whole(0, 100),
  /** How long it is watched. */
  minutes: v.optional(minutes, 0),
  /** Whether the new version is smoke-tested at its beginning. */
  smoke: v.optional(yesOrNo, false),
});
export type Step = v.InferOutput<typeof Step>;

export const Steps = v.pipe(
  v.array(Step, "must be a list of steps"),
  v.check((steps) => steps.at(-1)?.percent === 100, "must end with percent: 100"),
  v.check(
    (steps) => steps.every(({ percent }, i) => i === 0 || percent > (steps[i - 1]?.percent ?? 0)),
    "must have a larger percent in each step than in the one before",
  ),
  v.check(
    (steps) => (steps.at(-1)?.minutes ?? 0) === 0,
    "must have no minutes in the last step: all traffic is the release's then, and there is nothing to compare it with. Watch it in a step before, such as percent: 90",
  ),
);

export const DEFAULT_STEPS: readonly Step[] = [
  { percent: 0, minutes: 0, smoke: true },
  { percent: 10, minutes: 10, smoke: false },
  { percent: 50, minutes: 10, smoke: false },
  { percent: 100, minutes: 0, smoke: true },
];

const risk = "must be a number from 0.0001 to 0.2";
const slower = "must be a number from 1.05 to 100";

export const Analysis = v.strictObject({
  minRequests: v.optional(whole(1, 1_000_000), 500),
  risk: v.optional(v.pipe(v.number(risk), v.minValue(0.0001, risk), v.maxValue(0.2, risk)), 0.01),
  slower: v.optional(v.pipe(v.number(slower), v.minValue(1.05, slower), v.maxValue(100, slower)), 1.5),
  /** How much longer than a step's minutes it waits for enough requests. */
  patienceMinutes: v.optional(minutes, 30),
});

/** How often a step is judged while it is watched. */
export const LOOKS = 4;

/** The share of the traffic in a step, in per cent. */
export const shareOf = ({ percent }: Step): number => (percent === 0 ? LEAST_SHARE : percent);

interface ShareSettings {
  readonly rollout: number;
  readonly rolloutTrial: boolean;
}

/** The share that settings say; what an account serves may be another (`shareIn` in rollout/standing.ts). */
export const shareSet = ({ rollout, rolloutTrial }: ShareSettings): number =>
  rolloutTrial && rollout === 0 ? LEAST_SHARE : rollout;

/** The step that a release with this share is in, or goes to next: an interrupted rollout goes on there. */
export const indexAt = (steps: readonly Step[], share: number): number =>
  Math.max(
    0,
    steps.findIndex((step) => shareOf(step) >= share),
  );

/** Where a release with this share stands: in one of the steps, or between two (undefined), and the step that comes next. */
export function standingAt(
  steps: readonly Step[],
  share: number,
): { readonly index: number | undefined; readonly next: Step | undefined } {
  const at = indexAt(steps, share);
  const step = steps[at];
  return step && shareOf(step) === share ? { index: at, next: steps[at + 1] } : { index: undefined, next: step };
}

/** How often a whole rollout is judged. */
export const looksIn = (steps: readonly Step[]): number =>
  Math.max(1, steps.filter(({ minutes: watched }) => watched > 0).length * LOOKS);
