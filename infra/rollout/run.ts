/**
 * A rollout that goes by itself: from step to step of the stack's settings, and back where the new version is worse.
 *
 * It keeps no state of its own. Where it stands is what the account serves, so one that was interrupted goes on there.
 * Every change goes into the stack's settings and out by an update, so the next `up` undoes nothing.
 */
import { updateLine } from "../apply/update-line.ts";
import { Interrupted } from "../common/interrupted.ts";
import { isUserError, UserError } from "../common/user-error.ts";
import { type LiveWorker, readWorker } from "../plan/live/worker.ts";
import type { Preview } from "../plan/preview/preview.ts";
import { allRefused, refusedIn } from "../plan/rules/refused-release.ts";
import { previewStack } from "../plan/stack-preview.ts";
import { previousVersion } from "../plan/traffic/previous.ts";
import { shortDigest } from "../release/manifest.ts";
import { readRelease } from "../release/read.ts";
import type { Blind } from "../smoke/reason.ts";
import { releaseDir } from "../stack/config.ts";
import { type OpenStack, openStack } from "../stack/open.ts";
import { indexAt, type Step, shareOf } from "../stack/rollout-steps.ts";
import { changeSetting, settingsFile } from "../stack/settings-file.ts";
import { mustFindToken } from "../stack/token-at-hand.ts";
import { abandonLine, backLine } from "../stack/traffic-lines.ts";
import { otherAtHand } from "./at-hand.ts";
import { became } from "./became.ts";
import { mustBeCountable } from "./compare/countable.ts";
import { windowOf } from "./compare/numbers.ts";
import { LastTraffic } from "./last-traffic.ts";
import { refusePinned } from "./pinned.ts";
import { setShare } from "./share.ts";
import { keptShare } from "./share-setting.ts";
import { releaseIn, shareIn, stableIn, stableOf } from "./standing.ts";
import { type Before, TakingBack } from "./taking-back.ts";
import { TrafficTold } from "./traffic-told.ts";
import { Trial, type TrialOptions } from "./trial.ts";
import { watch } from "./watch.ts";
import { goesWhole, NONE_CAN_SERVE, nameOf, refuseErrors, wholeLines, whyNoWayBack } from "./whole.ts";

export interface RolloutOptions extends TrialOptions {
  /** Lets a release be tried that this stack has refused. */
  readonly again: boolean;
  /** The tag of the version that was judged: where the release at hand makes another one, nothing goes out. Undefined: any may. */
  readonly tag?: string;
  /** Looks at each plan before a step goes out. @throws UserError where it is not what was approved. */
  readonly approve?: (preview: Preview) => void;
  /** Asks before a release that cannot go back. @throws where the answer is no. */
  readonly confirm: (what: string) => Promise<void>;
}

/** How a rollout ended. */
export type End = "done" | "went back" | "not known" | "no way back";

/** Why the first release has no way back. */
const FIRST = "It is the first release: there is nothing to go back to.";

export async function rollOut(options: RolloutOptions): Promise<End> {
  const rollout = new Rollout(options);
  return rollout.run();
}

class Rollout {
  readonly #options: RolloutOptions;
  readonly #trial: Trial;
  readonly #last: LastTraffic;
  /** The tag of the version that is rolled out: another release may be built meanwhile, or a setting changed. */
  #tag: string | undefined;

  constructor(options: RolloutOptions) {
    this.#options = options;
    this.#trial = new Trial(options);
    this.#last = new LastTraffic(options.stack, options.dir);
    this.#tag = options.tag;
  }

  /** Goes through the steps. Whatever stops it says what of the traffic stays with the release, and the way back. */
  async run(): Promise<End> {
    try {
      return await this.#run();
    } catch (error) {
      const { share } = this.#last;
      // Where an update was interrupted, nobody has looked since what the traffic is.
      if (share === 0 || error instanceof TrafficTold || error instanceof Interrupted) throw error;
      const stays = `${share} % of the traffic stay with the release. ${this.#goOnOr(share)}`;
      if (isUserError(error)) throw new UserError(`${error.message}\n${stays}`, { cause: error });
      this.#options.say(stays);
      throw error;
    }
  }

  /** What to do with a rollout that stands still. */
  #goOnOr(share: number): string {
    return `Run the same command again to go on${this.#orBack(share)}`;
  }

  /** Nothing of what has no traffic is to be taken back. */
  #orBack(share: number): string {
    return share === 0 ? "." : `, or: ${this.#wayBack(share)}`;
  }

  /** The command that takes the traffic back from a release which has this share of it. */
  #wayBack(share: number): string {
    const { stack, dir } = this.#options;
    return share === 100 ? backLine(stack, dir) : abandonLine(stack, dir);
  }

  async #run(): Promise<End> {
    const { say, stack, dir } = this.#options;
    // Before a plan that was approved is compared: a pin makes another one of it, whatever else is the same.
    await refusePinned(openStack(stack, { dir }), dir);
    mustFindToken(stack);
    this.#lift();
    this.#last.began(keptShare(stack, dir));
    const { open, preview } = await this.#look();
    const other = otherAtHand(preview, dir);
    if (other !== undefined) throw new UserError(other);
    this.#last.found(preview);
    refuseErrors(preview);
    if (shareIn(preview) === 100) return this.#confirm(open, preview);
    if (goesWhole(preview) || preview.live.serving.length === 0) {
      return this.#atOnce(preview);
    }
    if (stableIn(preview) === undefined) {
      throw new UserError(
        `${nameOf(preview)} is what ${stack} served last, and something else has taken its traffic: there is no other version to compare it with. To give it back: ${updateLine(stack, dir)}`,
      );
    }
    const { rolloutSteps: steps } = open.settings;
    say(`${nameOf(preview)} of ${stack}, beside version ${stableOf(preview).number}`);
    // Better to hear now than in the middle that the metrics cannot be read.
    if (steps.some(({ minutes }) => minutes > 0)) {
      const window = windowOf(open.settings, Date.now() - 60_000);
      await mustBeCountable(open.api, window, stableOf(preview).versionId, { release: preview.release, say });
    }
    const left = steps.slice(indexAt(steps, shareIn(preview)));
    if (left.some((step) => step.smoke)) await this.#trial.mustJudge(preview);
    for (const step of left) {
      const end = await this.#step(step);
      if (end !== undefined) return end;
    }
    say(`${nameOf(preview)} has all traffic.`);
    return "done";
  }

  /** Lets a release be tried that the stack has refused, where that is asked for. */
  #lift(): void {
    const { stack, dir, again, say } = this.#options;
    if (!again) return;
    const { settings } = openStack(stack, { dir });
    const digest = shortDigest(readRelease(releaseDir(settings)).digest);
    const others = refusedIn(settings).filter((refused) => refused !== digest);
    const file = settingsFile(stack, dir);
    changeSetting(file, "refusedReleases", others.join(" ") || undefined);
    changeSetting(file, "allowRefusedRelease", digest);
    say(`Release ${digest} may be tried, whatever came before.`);
  }

  /** How the stack stands, with the plan that gives the release all traffic. */
  async #look(): Promise<{ readonly open: OpenStack; readonly preview: Preview }> {
    const { stack, dir } = this.#options;
    const open = openStack(stack, { dir });
    const release = readRelease(releaseDir(open.settings));
    const settings = { ...open.settings, rollout: 100 };
    const preview = await previewStack({ ...open, settings }, release, { dir });
    this.#options.approve?.(preview);
    this.#tag ??= preview.tag;
    if (preview.tag !== this.#tag) {
      const which = this.#options.tag === undefined ? "this rollout has begun with" : "was judged";
      throw new UserError(
        `The release in ${settings.release}, or a setting of ${stack}, is not the one any more that ${which}. Put it back.`,
      );
    }
    return { open, preview };
  }

  /** A release that changes classes or tables goes to all traffic at once. */
  async #atOnce(preview: Preview): Promise<End> {
    const { say, confirm } = this.#options;
    const isFirst = preview.live.serving.length === 0;
    if (!isFirst) {
      for (const line of wholeLines(preview)) say(line);
      await this.#trial.mustJudge(preview);
      await confirm(`Send all traffic to ${nameOf(preview)}`);
    }
    await this.#set(100);
    const found = await this.#trial.smoke(preview, undefined);
    if (found === "well") return "done";
    if (found !== "bad") return this.#unjudged(found, 100);
    return this.#noWayBack(preview, isFirst ? FIRST : whyNoWayBack(preview));
  }

  /** `because`: a sentence that says why, and what to do. */
  #noWayBack(preview: Preview, because: string): End {
    this.#options.say(`${nameOf(preview)} is bad. ${because}`);
    return "no way back";
  }

  /**
   * A release that has all traffic already may be there because the run that gave it was stopped before its last smoke
   * test, or because nothing could go back. No record says that it passed, so it is made now.
   */
  async #confirm(open: OpenStack, preview: Preview): Promise<End> {
    const { settings, reads } = open;
    const { live } = preview;
    const own = shortDigest(preview.release.digest);
    const refused = allRefused(settings, live.refused).filter((digest) => digest !== own);
    const before = previousVersion(live, await reads.deployments(settings.workerName), refused);
    this.#options.say(`${nameOf(preview)} has all traffic already.`);
    // What went to all traffic at once was to be tried whatever the steps say.
    const isTried = before === undefined || settings.rolloutSteps.at(-1)?.smoke === true;
    if (!isTried) return "done";
    const found = await this.#trial.confirm(preview);
    if (found === "well") return "done";
    if (found !== "bad") return this.#unjudged(found, 100);
    if (before === undefined) return this.#noWayBack(preview, live.versions.length === 1 ? FIRST : NONE_CAN_SERVE);
    return this.#backFromAll(open, preview, before);
  }

  /** From a release that has all traffic and failed its smoke test, where the plan lets the version before have it. */
  async #backFromAll(open: OpenStack, preview: Preview, before: Before): Promise<End> {
    const takingBack = new TakingBack(this.#options, this.#last, { preview, before, isWhole: true });
    const whyNot = await takingBack.whyNot(open);
    if (whyNot !== undefined) return this.#noWayBack(preview, whyNot);
    await takingBack.run(["the smoke test failed"]);
    return "went back";
  }

  /** From a release that has a share of the traffic, beside the version before. */
  async #back(preview: Preview, before: Before, because: readonly string[]): Promise<End> {
    await new TakingBack(this.#options, this.#last, { preview, before, isWhole: false }).run(because);
    return "went back";
  }

  async #step(step: Step): Promise<End | undefined> {
    const { say } = this.#options;
    const share = shareOf(step);
    let { open, preview } = await this.#look();
    this.#last.mustHold(preview);
    const stable = stableOf(preview);
    let setAt: number | undefined;
    if (shareIn(preview) !== share) {
      await this.#set(share);
      setAt = performance.now();
      ({ open, preview } = await this.#look());
      this.#last.found(preview);
      if (shareIn(preview) !== share) throw this.#last.other(preview, share);
    } else say(`${share} %: goes on here`);
    say(`${share} %${step.percent === 0 ? " (the least that Cloudflare's provider takes)" : ""}`);
    const version = releaseIn(preview)?.versionId;
    if (step.smoke) {
      const found = await this.#trial.smoke(preview, step.percent === 100 ? undefined : version);
      if (found === "bad" && step.percent === 100) return this.#backFromAll(open, preview, stable);
      if (found === "bad") return this.#back(preview, stable, ["the smoke test failed"]);
      if (found !== "well") return this.#unjudged(found, share);
    }
    if (step.minutes === 0) return undefined;
    const verdict = await watch(step, { open, standing: preview, setAt, last: this.#last, say });
    if (verdict.kind === "worse") return this.#back(preview, stable, verdict.because);
    if (verdict.kind === "no worse") return undefined;
    say(`Not enough is known: ${verdict.because}. ${share} % stay as they are. ${this.#goOnOr(share)}`);
    return "not known";
  }

  async #set(share: number): Promise<void> {
    const { stack, dir } = this.#options;
    const { deployment, share: before, setting } = this.#last;
    const tag = this.#tag;
    const { wrote } = await setShare(stack, dir, share, {
      left: { deployment, tag },
      setting,
      next: (outcome) => this.#goOnOr(outcome === "as it was" ? before : share),
      became: () =>
        became(() => this.#live(), {
          left: deployment,
          isSent: (live) => shareIn({ live, tag: tag ?? "" }) === share,
          other: (live) => this.#last.other({ live, tag: tag ?? "" }),
        }),
    });
    this.#last.sent(share, wrote);
  }

  /** The stack's Worker now. */
  async #live(): Promise<LiveWorker> {
    const { stack, dir } = this.#options;
    const { reads, settings } = openStack(stack, { dir });
    return readWorker(reads, settings.workerName);
  }

  /** The smoke test says nothing about the release, because of `found`. */
  #unjudged(found: Blind, share: number): End {
    this.#options.say(
      `Not enough is known: in the smoke test ${this.#trial.why(found)}. ${share} % stay as they are. ${this.#goOnOr(share)}`,
    );
    return "not known";
  }
}
