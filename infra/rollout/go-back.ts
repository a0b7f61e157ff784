/** The way back of a rollout from a release that is worse. */
import { setTimeout as pause } from "node:timers/promises";
import { outlive } from "../apply/foreground.ts";
import { interruptedText, update } from "../apply/update.ts";
import { updateLine } from "../apply/update-line.ts";
import { Interrupted, saying } from "../common/interrupted.ts";
import { isUserError, UserError } from "../common/user-error.ts";
import type { Serving } from "../plan/live/version.ts";
import { sharesOf } from "../plan/traffic/words.ts";
import { changeSetting, settingsFile } from "../stack/settings-file.ts";
import { abandonLine, backToLine, seeStatusLine } from "../stack/traffic-lines.ts";
import { writeShare } from "./share-setting.ts";
import { asked, TrafficTold } from "./traffic-told.ts";

/** How often, and for how long, an update is tried again that has not taken the traffic back. */
const AGAIN_MS = 30_000;
const PATIENCE_MS = 600_000;

/** The way back from a release. */
export interface Way {
  /** The version before. */
  readonly before: { readonly number: number; readonly versionId: string };
  /** Whether the release has all traffic already, so that no other is beside it: then a pin is the way back. */
  readonly isWhole: boolean;
  /** Asks what serves. */
  readonly serving: () => Promise<readonly Serving[]>;
  /** Asked before an update is tried again. @throws UserError where none will take the traffic back, or none is to any more. */
  readonly mustGoOn: () => Promise<void>;
  /** Per cent of the traffic that the release has. */
  readonly share: number;
  /** Refuses the release in the settings. Where that fails, the traffic goes back all the same. */
  readonly refuse?: () => void;
  /**
   * What to know of the release once it is taken back. `unrefused`: why it could not be refused, where it could not.
   * `isDone`: whether the update that takes it back was complete.
   */
  readonly told: (unrefused: string | undefined, isDone: boolean) => string;
  readonly say: (line: string) => void;
}

/**
 * Sends all traffic back to the version before. Returns what to know of the release then.
 * @throws TrafficTold where the traffic did not go back, or Interrupted; the message says how it does. The settings have
 * the way back, unless they could not be written.
 */
export async function goBack(stack: string, dir: string, way: Way): Promise<string> {
  const { before, isWhole, refuse, told } = way;
  const words = wordsOf(stack, dir, way);
  const file = settingsFile(stack, dir);
  let unrefused: string | undefined;
  let isWritten = false;
  const next = (isDone: boolean) => [...words.left(isDone), told(unrefused, isDone)].join("\n");
  let ended: "updated" | "back";
  try {
    if (isWhole) changeSetting(file, "pin", before.number);
    writeShare(stack, dir, isWhole ? 100 : 0);
    isWritten = true;
    unrefused = attempted(() => refuse?.());
    ended = await untilBack(way, {
      send: () => update(stack, dir, { next }),
      inOrder: (work) => inOrder(work, interruptedText(stack, dir, false, next)),
    });
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    const text = words.notBack(error, isWritten);
    throw isUserError(error) ? new TrafficTold(text, { cause: error }) : new Error(text, { cause: error });
  }
  if (ended === "back") return `${told(unrefused, false)}\n${words.updateFailed}`;
  await mustBeBack(stack, dir, way, told(unrefused, true));
  return told(unrefused, true);
}

/** What a person reads of the setting that is the way back, and of what they do with it. */
function wordsOf(stack: string, dir: string, { before: { number }, isWhole, share }: Way) {
  const setting = isWhole ? `pin is ${number}` : "rollout is 0";
  const kept = `${setting} in ${settingsFile(stack, dir)}, and that is the way back: leave it there.`;
  const anew = isWhole ? backToLine(stack, number, dir) : abandonLine(stack, dir);
  const update = updateLine(stack, dir);
  // A CI job keeps no file: there, the account alone says what is left to do.
  const elsewhere = `Where that file is not kept, as in a CI job: ${anew}`;
  return {
    /** What is left to do after an update that was interrupted, a line each. */
    left: (isDone: boolean): readonly string[] => (isDone ? [kept] : [`${kept} To complete it: ${update}`, elsewhere]),
    /** That the traffic is back without the update that was to bring it there. */
    updateFailed: `The update has failed all the same. To complete it: ${update} Where that file is not kept, as in a CI job, leave it: the next release completes it.`,
    /** That it is not, because of `error`, and what sends it back. `isWritten`: whether the setting says so by now. */
    notBack(error: unknown, isWritten: boolean): string {
      const because = error instanceof Error ? error.message : String(error);
      const rest = isWritten
        ? [`${kept} Correct what is above, then: ${update}`, elsewhere]
        : [`The release has ${share} % of it. Correct what is above, then: ${anew}`];
      return [`The traffic did not go back: ${because}`, ...rest].join("\n");
    },
  };
}

/**
 * Updates until the traffic is back. What was in the way may pass: an update in another terminal that holds the lock while
 * it waits for an answer, or an API that is not well. Meanwhile the bad release has its share, and nobody else looks.
 * @throws UserError where it is not back after `PATIENCE_MS`, and as `mustGoOn` does
 */
async function untilBack(
  way: Way,
  { send, inOrder }: { readonly send: () => Promise<boolean>; readonly inOrder: InOrder },
): Promise<"updated" | "back"> {
  const end = performance.now() + PATIENCE_MS;
  const isBackAfterPause = async (signal: AbortSignal): Promise<boolean> => {
    if (await isBack(way)) return true;
    if (performance.now() + AGAIN_MS > end) throw new UserError("the update failed.");
    way.say(`The traffic did not go back yet; tried again in ${AGAIN_MS / 1_000} s`);
    await pause(AGAIN_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return false;
    // Somebody may have taken it back by now, or sent it elsewhere.
    if (await isBack(way)) return true;
    await way.mustGoOn();
    return false;
  };
  for (;;) {
    if (await send()) return "updated";
    if (await inOrder(isBackAfterPause)) return "back";
  }
}

type InOrder = (work: (signal: AbortSignal) => Promise<boolean>) => Promise<boolean>;

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

/** Whether the account says that it is back; not where it cannot be read. */
async function isBack({ serving, before }: Way): Promise<boolean> {
  try {
    return isAt(await serving(), before);
  } catch (error) {
    if (isUserError(error)) return false;
    throw error;
  }
}

const isAt = (serving: readonly Serving[], { versionId }: Way["before"]): boolean =>
  serving.length === 1 && serving[0]?.versionId === versionId;

/** An update that succeeded may have sent the traffic elsewhere: the account is asked. @throws TrafficTold with what it says. */
async function mustBeBack(stack: string, dir: string, { before, serving }: Way, told: string): Promise<void> {
  const now = await asked(
    serving(),
    (why) =>
      `The update that takes the traffic back was complete, but whether version ${before.number} has all of it cannot be read: ${why}\nSee: ${seeStatusLine(stack, dir)}\n${told}`,
  );
  if (isAt(now, before)) return;
  throw new TrafficTold(
    `The traffic did not go back to version ${before.number}, though the update was complete: now it is ${sharesOf(now) || "nobody's"}. Send it there: ${backToLine(stack, before.number, dir)}\n${told}`,
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
