/** The watching of a step: how often the new version is compared with the stable one, and when that is decided. */
import { setTimeout as pause } from "node:timers/promises";
import { UserError } from "../common/user-error.ts";
import { readWorker } from "../plan/live/worker.ts";
import type { OpenStack } from "../stack/open.ts";
import { LOOKS, looksIn, type Step } from "../stack/rollout-steps.ts";
import { judge, type Numbers, numbersInWords, type Verdict } from "./compare/analysis.ts";
import { isPassing, loggedNow, numbersOf, windowOf } from "./compare/numbers.ts";
import type { LastTraffic } from "./last-traffic.ts";
import { releaseIn, type Standing, stableOf } from "./standing.ts";

/** Between two looks once a step's time is over and there are too few requests. */
const AGAIN_MS = 15_000;

interface Watched {
  readonly open: OpenStack;
  /** How the stack stands since the step went out. */
  readonly standing: Standing;
  /** When this run has set the step's share, by `performance.now()`; undefined: another run has. */
  readonly setAt: number | undefined;
  readonly last: LastTraffic;
  readonly say: (line: string) => void;
}

/**
 * Judges the new version while a step lasts: it ends early where it is worse, and late where too little is known.
 * @throws TrafficTold where the traffic is not as the rollout has set it
 */
export async function watch(step: Step, watched: Watched): Promise<Verdict> {
  const { open, standing, setAt, say } = watched;
  const { rolloutAnalysis: settings, rolloutSteps: steps } = open.settings;
  // Where this machine's clock is behind, the deployment is of the future: the step would wait for that first.
  const from = Math.min(Date.parse(standing.live.deployment?.createdOn ?? "") || Date.now(), Date.now());
  // Where it is fast, a step would be over before it has begun: both clocks are compared only for what another run began.
  const began = setAt ?? performance.now() - (Date.now() - from);
  const elapsed = () => performance.now() - began;
  const length = step.minutes * 60_000;
  const looks = looksIn(steps);
  const end = length + settings.patienceMinutes * 60_000;
  const dueAt = (look: number) => (length * look) / LOOKS;
  // Looks that an interruption has missed are made up by the next one.
  for (let look = Math.min(LOOKS, Math.floor((elapsed() / length) * LOOKS) + 1); ; look++) {
    const due = look <= LOOKS ? dueAt(look) : elapsed() + AGAIN_MS;
    await pause(Math.max(0, due - elapsed()));
    const isLast = look >= LOOKS;
    const counted = await countedSince(from, watched, {
      left: () => (isLast ? end : dueAt(look + 1)) - elapsed(),
      isLast,
    });
    if (counted instanceof UserError) {
      if (look < LOOKS) continue;
      return { kind: "unknown", because: counted.message.replace(/\.$/, "") };
    }
    const [next, stable] = counted;
    const verdict = judge(next, stable, settings, looks);
    say(
      `  ${minutesOf(elapsed())} of ${step.minutes} min: new ${numbersInWords(next)}; stable ${numbersInWords(stable)}: ${verdict.kind}`,
    );
    if (verdict.kind === "worse") return verdict;
    if (look < LOOKS) continue;
    if (verdict.kind === "no worse" || elapsed() > end) return verdict;
  }
}

/** What was counted of both versions. */
type Both = readonly [next: Numbers, stable: Numbers];

/**
 * The same as `numbersSince`, asked again after what passes as long as time is left (in milliseconds); then the error of
 * the last time. `isLast`: whether no other look comes after that.
 */
async function countedSince(
  from: number,
  watched: Watched,
  { left, isLast }: { readonly left: () => number; readonly isLast: boolean },
): Promise<Both | UserError> {
  for (;;) {
    try {
      return await numbersSince(from, watched);
    } catch (error) {
      if (!isPassing(error)) throw error;
      const isOver = AGAIN_MS > left();
      watched.say(`  ${error.message}${isOver && isLast ? "" : " Asked again."}`);
      if (isOver) return error;
      await pause(AGAIN_MS);
    }
  }
}

/** What was counted since `from`. @throws TrafficTold where the traffic is not as the rollout has set it. */
async function numbersSince(from: number, { open, standing: { tag }, last }: Watched): Promise<Both> {
  const { api, reads, settings } = open;
  const window = windowOf(settings, from);
  const now = { live: await readWorker(reads, settings.workerName), tag };
  last.mustHold(now);
  const [next, stable] = [releaseIn(now), stableOf(now)];
  if (next === undefined) throw last.other(now);
  const [counted, countedOfStable] = await Promise.all([
    numbersOf(api, window, next.versionId),
    numbersOf(api, window, stable.versionId),
    loggedNow(api, window),
  ]);
  return [counted, countedOfStable];
}

const minutesOf = (ms: number) => Number((ms / 60_000).toFixed(1));
