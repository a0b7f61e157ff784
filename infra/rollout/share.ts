/** Sets the release's share of a stack's traffic: the one way in, for a rollout and for a person. */

import * as v from "valibot";
import { type UpdateOptions, update } from "../apply/update.ts";
import { updateLine } from "../apply/update-line.ts";
import type { Serving } from "../plan/traffic.ts";
import { sharesOf } from "../plan/traffic-words.ts";
import type { PublicSettings } from "../stack/config.ts";
import { Interrupted } from "../stack/interrupted.ts";
import { openStack } from "../stack/open.ts";
import { fullKey, projectName, readStackFile } from "../stack/project.ts";
import type { SettingKey } from "../stack/schema.ts";
import { changeSetting, settingsFile, takeOut } from "../stack/settings-file.ts";
import { isUserError, UserError } from "../stack/user-error.ts";
import { updateAsLeft } from "./as-left.ts";
import { LEAST_SHARE } from "./steps.ts";

/** An error whose message says where the traffic is, and what to do about it. */
export class TrafficTold extends UserError {
  override readonly name = "TrafficTold";
}

/** What a step of a rollout knows beside its share. */
export interface StepGiven {
  /**
   * What a person does where the update failed, or was interrupted: the command goes on where the account stands.
   * `isAsItWas`: whether it stands where it did before.
   */
  readonly again: (isAsItWas: boolean) => string;
  /** The deployment that the step was decided by: where another one is in force, nothing is sent. Undefined: any may be. */
  readonly left?: string | undefined;
  /** Asked after a failure: what became of the traffic. */
  readonly now?: () => Promise<Now>;
}

/** The traffic after an update that failed; an error: something else has changed it; undefined: it has moved, or nobody knows. */
export type Now = "as it was" | TrafficTold | undefined;

/**
 * Writes the share (per cent; under 1 it is a trial without users) into the stack's settings, and brings it into force.
 * @throws Interrupted with what to do, or TrafficTold where it failed. The settings have the share, and say again what they
 * said where the traffic is as it was, or something else has changed it: else the next update would send it where nobody
 * thinks of any more.
 */
export async function setShare(
  stack: string,
  dir: string,
  share: number,
  { again, left, now: ask }: StepGiven,
): Promise<void> {
  const file = settingsFile(stack, dir);
  const putBack = keptShare(file);
  writeShare(stack, dir, share);
  const failure = await updateAsLeft(left, () => failureOf(stack, dir, () => undefined));
  if (failure === undefined) return;
  const isDone = failure instanceof Interrupted && failure.isDone;
  const now = isDone ? undefined : await ask?.();
  if (now !== undefined) putBack();
  const isAsItWas = now === "as it was";
  const stands = isAsItWas ? `The traffic is as it was, and so are the settings in ${file}. ` : "";
  if (failure instanceof Interrupted) {
    const what = now instanceof TrafficTold ? now.message : `${stands}${sentence(again(isAsItWas))}`;
    throw new Interrupted(failure.signal, isDone, `${failure.message}\n${what}`);
  }
  if (now instanceof TrafficTold) throw now;
  throw new TrafficTold(
    isAsItWas
      ? `${failure} ${stands}${sentence(again(true))}`
      : `${failure} ${written(share)} in ${file}: ${again(false)}`,
  );
}

/**
 * The same for a person, who may meet an update that is under way, such as a step of `rollout run`. Where the update
 * changed nothing, the settings say again what they said: else the next update would send the traffic where nobody
 * thinks of any more. `deployment` asks which deployment is in force.
 * @throws Interrupted, or TrafficTold where it failed: with what the settings say.
 */
export async function changeShare(
  stack: string,
  dir: string,
  share: number,
  deployment: () => Promise<string | undefined>,
): Promise<void> {
  const file = settingsFile(stack, dir);
  const before = await deployment();
  // Read only now: whoever was asked may have taken their time.
  const shareBefore = shareSet(openStack(stack, { dir, way: share === 0 ? "share" : undefined }).settings);
  const putBack = keptShare(settingsFile(stack, dir));
  writeShare(stack, dir, share);
  const failure = await failureOf(stack, dir, () => undefined);
  if (failure === undefined) return;
  if (failure instanceof Interrupted && failure.isDone) throw failure;
  const isSame = await deployment().then(
    (now) => now === before,
    () => false,
  );
  if (isSame) putBack();
  if (failure instanceof Interrupted) {
    const what = isSame
      ? `The traffic is as it was, and so is the setting: ${written(shareBefore)} in ${file}. To begin anew: the same command again.`
      : // The same command may find that no rollout is under way any more.
        `${written(share)} in ${file}. To complete it: ${updateLine(stack, dir)}`;
    throw new Interrupted(failure.signal, failure.isDone, `${failure.message}\n${what}`);
  }
  throw new TrafficTold(
    isSame
      ? `${failure} The traffic is as it was, and so is the setting: ${written(shareBefore)} in ${file}. Where another update is under way, such as a step of a rollout, stop that or wait for its end; then run the same command again.`
      : `${failure} ${written(share)} in ${file}, and the traffic may be another: npm run rollout -- status --stack ${stack}\nTo complete it: ${updateLine(stack, dir)}`,
  );
}

/** Why the update failed, as a sentence, or that it was interrupted; undefined: it did not. `next`: as `update` has it. */
async function failureOf(
  stack: string,
  dir: string,
  next: UpdateOptions["next"],
): Promise<string | Interrupted | undefined> {
  try {
    return (await update(stack, dir, next && { next })) ? undefined : "The update failed.";
  } catch (error) {
    if (error instanceof Interrupted) return error;
    if (isUserError(error)) return `The update failed: ${error.message}`;
    throw error;
  }
}

/** The way back from a release. */
export interface Way {
  /** The version before. */
  readonly before: { readonly number: number; readonly versionId: string };
  /** Whether the release has all traffic already, so that no other is beside it: then a pin is the way back. */
  readonly isWhole: boolean;
  /** Asks what serves. */
  readonly serving: () => Promise<readonly Serving[]>;
  /** Per cent of the traffic that the release has. */
  readonly share: number;
  /** Refuses the release in the settings. Where that fails, the traffic goes back all the same. */
  readonly refuse?: () => void;
  /**
   * What to know of the release once it is taken back. `unrefused`: why it could not be refused, where it could not.
   * `isDone`: whether the update that takes it back was complete.
   */
  readonly told: (unrefused: string | undefined, isDone: boolean) => string;
}

/**
 * Sends all traffic back to the version before. Returns what to know of the release then.
 * @throws TrafficTold where the traffic did not go back, or Interrupted; the message says how it does. The settings have
 * the way back, unless they could not be written.
 */
export async function goBack(stack: string, dir: string, way: Way): Promise<string> {
  const { before, isWhole, share, refuse, told } = way;
  const pin = isWhole ? before.number : undefined;
  const file = settingsFile(stack, dir);
  const setting = pin === undefined ? "rollout is 0" : `pin is ${pin}`;
  const kept = `${setting} in ${file}, and that is the way back: leave it there.`;
  const anew =
    pin === undefined
      ? `npm run rollout -- abandon --stack ${stack}`
      : `npm run rollback -- --stack ${stack} --to ${pin}`;
  // A CI job keeps no file: there, the account alone says what is left to do.
  const elsewhere = `Where that file is not kept, as in a CI job: ${anew}`;
  let unrefused: string | undefined;
  let isWritten = false;
  const next = (isDone: boolean) =>
    [
      ...(isDone ? [kept] : [`${kept} To complete it: ${updateLine(stack, dir)}`, elsewhere]),
      told(unrefused, isDone),
    ].join("\n");
  const failure = await (async () => {
    if (pin !== undefined) changeSetting(file, "pin", pin);
    writeShare(stack, dir, pin === undefined ? 0 : 100);
    isWritten = true;
    unrefused = attempted(() => refuse?.());
    return (await update(stack, dir, { next })) ? undefined : new UserError("the update failed.");
  })().catch((error: unknown) => error);
  if (failure === undefined) {
    await mustBeBack(stack, way, told(unrefused, true));
    return told(unrefused, true);
  }
  if (failure instanceof Interrupted) throw failure;
  const because = failure instanceof Error ? failure.message : String(failure);
  const rest = isWritten
    ? [`${kept} Correct what is above, then: ${updateLine(stack, dir)}`, elsewhere]
    : [`The release has ${share} % of it. Correct what is above, then: ${anew}`];
  const text = [`The traffic did not go back: ${because}`, ...rest].join("\n");
  throw isUserError(failure) ? new TrafficTold(text, { cause: failure }) : new Error(text, { cause: failure });
}

/** An update that succeeded may have sent the traffic elsewhere: the account is asked. @throws TrafficTold with what it says. */
async function mustBeBack(stack: string, { before, serving }: Way, told: string): Promise<void> {
  const status = `npm run rollout -- status --stack ${stack}`;
  const now = await serving().catch((error: unknown) => {
    if (!isUserError(error)) throw error;
    const text = `The update that takes the traffic back was complete, but whether version ${before.number} has all of it cannot be read: ${error.message}\nSee: ${status}\n${told}`;
    throw new TrafficTold(text, { cause: error });
  });
  const [only] = now;
  if (now.length === 1 && only?.versionId === before.versionId) return;
  throw new TrafficTold(
    `The traffic did not go back to version ${before.number}, though the update was complete: now it is ${sharesOf(now) || "nobody's"}. Send it there: npm run rollback -- --stack ${stack} --to ${before.number}\n${told}`,
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

/** The text with a capital letter. */
const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** The share that settings say; what an account serves may be another (`shareIn` in standing.ts). */
const shareSet = ({ rollout, rolloutTrial }: Pick<PublicSettings, "rollout" | "rolloutTrial">): number =>
  rolloutTrial && rollout === 0 ? LEAST_SHARE : rollout;

/** How the settings say a share: what is under 1, and more than nothing, is a trial without users. */
const settingsOf = (share: number) => ({
  rollout: share < 1 ? 0 : share,
  rolloutTrial: share > 0 && share < 1 ? true : undefined,
});

function writeShare(stack: string, dir: string, share: number): void {
  const { rollout, rolloutTrial } = settingsOf(share);
  const file = settingsFile(stack, dir);
  changeSetting(file, "rollout", rollout);
  if (rolloutTrial === undefined) takeOut({ stack, dir }, "rolloutTrial", false);
  else changeSetting(file, "rolloutTrial", rolloutTrial);
}

/** The share as a stack's file has it now, to be put back: a key that is not there comes out again. */
function keptShare(file: string): () => void {
  const project = projectName();
  const config = Object.entries(readStackFile(file).config).map(
    ([key, value]) => [fullKey(project, key), value] as const,
  );
  const kept = (["rollout", "rolloutTrial"] satisfies readonly SettingKey[]).map((key) => {
    const [, value] = config.find(([full]) => full === fullKey(project, key)) ?? [];
    return [key, v.is(Value, value) ? value : undefined] as const;
  });
  return () => {
    for (const [key, value] of kept) changeSetting(file, key, value);
  };
}

/** What such a setting is in a file, also where the Pulumi CLI has written it as text. */
const Value = v.union([v.number(), v.boolean(), v.string()]);

/** What `writeShare` has written, in words. */
function written(share: number): string {
  const { rollout, rolloutTrial } = settingsOf(share);
  return `rollout is ${rollout}${rolloutTrial ? " and rolloutTrial is true" : ""}`;
}
