/** The way back of a rollout from a release that is worse: whether the traffic may go, and that it does. */
import { setTimeout as pause } from "node:timers/promises";
import { describe } from "@durable-stack/class-lifecycle";
import { outlive } from "../apply/foreground.ts";
import { interruptedText, update } from "../apply/update.ts";
import { messageOf } from "../common/errors.ts";
import { Interrupted, saying } from "../common/interrupted.ts";
import { isUserError, UserError } from "../common/user-error.ts";
import type { LiveVersion } from "../plan/live/version.ts";
import { type LiveWorker, readWorker } from "../plan/live/worker.ts";
import type { Preview } from "../plan/preview/preview.ts";
import { isAllowed } from "../plan/rules/allowed.ts";
import { refusedIn } from "../plan/rules/refused-release.ts";
import { previewStack } from "../plan/stack-preview.ts";
import { sharesOf } from "../plan/traffic/words.ts";
import { shortDigest } from "../release/manifest.ts";
import { type OpenStack, openStack } from "../stack/open.ts";
import { changeSetting, settingsFile } from "../stack/settings-file.ts";
import { backToLine, seeStatusLine, unpinLine } from "../stack/traffic-lines.ts";
import type { Way } from "../stack/way-back.ts";
import { backWords } from "./back-words.ts";
import type { LastTraffic } from "./last-traffic.ts";
import { writeShare } from "./share-setting.ts";
import { asked, TrafficTold } from "./traffic-told.ts";
import type { TrialOptions } from "./trial.ts";

/** How often, and for how long, an update is tried again that has not taken the traffic back. */
const AGAIN_MS = 30_000;
const PATIENCE_MS = 600_000;

/** The version that a rollout goes back to. */
export type Before = Pick<LiveVersion, "number" | "versionId" | "digest">;

/** A release that is worse, and the version that its traffic goes back to. */
interface Worse {
  /** The stack as it was looked at last. */
  readonly preview: Pick<Preview, "release" | "settings" | "tag">;
  readonly before: Before;
  /** Whether the release has all traffic, so that no other version is beside it: then a pin is the way back. */
  readonly isWhole: boolean;
}

export class TakingBack {
  readonly #stack: string;
  readonly #dir: string;
  readonly #say: (line: string) => void;
  readonly #last: LastTraffic;
  readonly #preview: Worse["preview"];
  readonly #before: Before;
  readonly #way: Way;
  /** Why the release could not be refused; undefined: it could, or is not to be. */
  #unrefused: string | undefined;

  constructor(
    { stack, dir, say }: Pick<TrialOptions, "stack" | "dir" | "say">,
    last: LastTraffic,
    { preview, before, isWhole }: Worse,
  ) {
    this.#stack = stack;
    this.#dir = dir;
    this.#say = say;
    this.#last = last;
    this.#preview = preview;
    this.#before = before;
    this.#way = isWhole ? "pin" : "share";
  }

  /**
   * Why the version before may not get the traffic, with what the plan has against it; undefined: it may. An account that
   * cannot be read keeps nothing from going back.
   */
  async whyNot(open: OpenStack): Promise<string | undefined> {
    const obstacles = await this.#obstacles(open, (why) => this.#say(why));
    if (obstacles.length === 0) return undefined;
    const because = `Version ${this.#before.number}, the one before, may not get the traffic:`;
    return [because, ...obstacles, "The traffic is as it was."].join("\n");
  }

  /**
   * Sends all traffic to the version before, and refuses the release from now on, because of what was found.
   * @throws TrafficTold where the traffic did not go back, or Interrupted; the message says how it does. The settings have
   * the way back, unless they could not be written.
   */
  async run(because: readonly string[]): Promise<void> {
    const { number } = this.#before;
    this.#say(`Worse: ${because.join("; ")}`);
    await this.#mustBeOurs();
    const ofRelease = await this.#goBack();
    if (this.#way === "pin") {
      this.#say(`${this.#stack} is pinned to version ${number} until: ${unpinLine(this.#stack, this.#dir)}`);
    }
    this.#say(`All traffic is back at version ${number}, the one before. ${ofRelease}`);
  }

  /** Returns what to know of the release once it is taken back. */
  async #goBack(): Promise<string> {
    const { digest } = this.#preview.release;
    const isRefused = this.#before.digest !== digest;
    const words = backWords({
      stack: this.#stack,
      dir: this.#dir,
      to: this.#before.number,
      isPin: this.#way === "pin",
      share: this.#last.share,
      digest: shortDigest(digest),
      isRefused,
    });
    const ofRelease = (isDone: boolean) => words.ofRelease(this.#unrefused, isDone);
    let isWritten = false;
    let ended: "updated" | "back";
    try {
      this.#write();
      isWritten = true;
      if (isRefused) this.#unrefused = attempted(() => this.#refuse());
      ended = await this.#untilBack((isDone) => [...words.left(isDone), ofRelease(isDone)].join("\n"));
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      const text = words.notBack(error, isWritten);
      throw isUserError(error) ? new TrafficTold(text, { cause: error }) : new Error(text, { cause: error });
    }
    if (ended === "back") return `${ofRelease(false)}\n${words.updateFailed}`;
    await this.#mustBeBack(ofRelease(true));
    return ofRelease(true);
  }

  /** Writes the way back into the stack's settings. */
  #write(): void {
    if (this.#way === "pin") changeSetting(settingsFile(this.#stack, this.#dir), "pin", this.#before.number);
    writeShare(this.#stack, this.#dir, this.#way === "pin" ? 100 : 0);
  }

  /** Refuses the release in the stack's settings. Where that fails, the traffic goes back all the same. */
  #refuse(): void {
    const { settings, release } = this.#preview;
    const file = settingsFile(this.#stack, this.#dir);
    const refused = new Set([...refusedIn(settings), shortDigest(release.digest)]);
    changeSetting(file, "refusedReleases", [...refused].join(" "));
    if (isAllowed(settings.allowRefusedRelease, release.digest)) changeSetting(file, "allowRefusedRelease", undefined);
  }

  /**
   * Updates until the traffic is back. What was in the way may pass: an update in another terminal that holds the lock
   * while it waits for an answer, or an API that is not well. Meanwhile the bad release has its share, and nobody else
   * looks. `next`: what a person does after an interruption.
   * @throws UserError where it is not back after `PATIENCE_MS`, and as `#mustGoOn` does
   */
  async #untilBack(next: (isDone: boolean) => string): Promise<"updated" | "back"> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      if (await update(this.#stack, this.#dir, { next })) return "updated";
      const isBack = await inOrder(
        (signal) => this.#isBackAfterPause(end, signal),
        interruptedText(this.#stack, this.#dir, false, next),
      );
      if (isBack) return "back";
    }
  }

  async #isBackAfterPause(end: number, signal: AbortSignal): Promise<boolean> {
    if (await this.#isBack()) return true;
    if (performance.now() + AGAIN_MS > end) throw new UserError("the update failed.");
    this.#say(`The traffic did not go back yet; tried again in ${AGAIN_MS / 1_000} s`);
    await pause(AGAIN_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return false;
    // Somebody may have taken it back by now, or sent it elsewhere.
    if (await this.#isBack()) return true;
    await this.#mustGoOn();
    return false;
  }

  /** Whether the account says that it is back; not where it cannot be read. */
  async #isBack(): Promise<boolean> {
    try {
      return this.#isAtBefore(await this.#live());
    } catch (error) {
      if (isUserError(error)) return false;
      throw error;
    }
  }

  #isAtBefore({ serving }: LiveWorker): boolean {
    return serving.length === 1 && serving[0]?.versionId === this.#before.versionId;
  }

  /** An update that succeeded may have sent the traffic elsewhere: the account is asked. @throws TrafficTold with what it says. */
  async #mustBeBack(ofRelease: string): Promise<void> {
    const { number } = this.#before;
    const now = await asked(
      this.#live(),
      (why) =>
        `The update that takes the traffic back was complete, but whether version ${number} has all of it cannot be read: ${why}\nSee: ${seeStatusLine(this.#stack, this.#dir)}\n${ofRelease}`,
    );
    if (this.#isAtBefore(now)) return;
    throw new TrafficTold(
      `The traffic did not go back to version ${number}, though the update was complete: now it is ${sharesOf(now.serving) || "nobody's"}. Send it there: ${backToLine(this.#stack, number, this.#dir)}\n${ofRelease}`,
    );
  }

  /** That the traffic is as it was left, from the account; one that cannot be read keeps nothing from going back. */
  async #mustBeOurs(): Promise<void> {
    try {
      this.#last.mustHold({ live: await this.#live(), tag: this.#preview.tag });
    } catch (error) {
      if (error instanceof TrafficTold) throw error;
      this.#say(messageOf(error));
    }
  }

  /** That another try may take the traffic back. @throws UserError where something else has changed it, or the plan is against it. */
  async #mustGoOn(): Promise<void> {
    await this.#mustBeOurs();
    const obstacles = await this.#obstacles(openStack(this.#stack, { dir: this.#dir, way: this.#way }), () => {});
    if (obstacles.length > 0) throw new UserError(["the plan is against it:", ...obstacles].join("\n"));
  }

  /**
   * What the plan has against the way back, a line each: a pin that no update carries out would be in the way. Nothing
   * where that cannot be read, and `unread` is told why.
   */
  async #obstacles(open: OpenStack, unread: (why: string) => void): Promise<readonly string[]> {
    const back = this.#way === "pin" ? { pin: this.#before.number } : { rollout: 0, rolloutTrial: false };
    const settings = { ...open.settings, ...back };
    try {
      const { errors } = await previewStack({ ...open, settings }, this.#preview.release, { dir: this.#dir });
      return errors.map((error) => `  ${describe(error)}`);
    } catch (error) {
      if (!isUserError(error)) throw error;
      unread(error.message);
      return [];
    }
  }

  /** The stack's Worker now. */
  async #live(): Promise<LiveWorker> {
    const { reads, settings } = openStack(this.#stack, { dir: this.#dir, way: this.#way });
    return readWorker(reads, settings.workerName);
  }
}

/** Does what goes on between two updates. `work` is told of a signal. @throws Interrupted with `text` after one. */
function inOrder(work: (signal: AbortSignal) => Promise<boolean>, text: string): Promise<boolean> {
  const stop = new AbortController();
  return saying(
    () => text,
    outlive(
      () => work(stop.signal),
      () => stop.abort(),
      () => false,
    ),
  );
}

/** Why `work` failed; undefined: it did not. */
function attempted(work: () => void): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof Error) return error.message;
    throw error;
  }
}
