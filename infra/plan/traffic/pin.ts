/** A stack that is pinned to a version: all its traffic goes there, whatever the release and its rollout. Pure. */
import { DEPLOYABLE } from "@durable-stack/local-account/limits";
import { backToLine, listLine, unpinLine } from "../../stack/traffic-lines.ts";
import { isOurs, type Marked } from "../live/ours.ts";
import type { Finding } from "../rules/codes.ts";
import type { Traffic } from "./split.ts";

/** A version that may be pinned to. */
interface Candidate extends Marked {
  readonly versionId: string;
  readonly number: number;
}

/** What decides which versions can serve. */
export interface Servable {
  /** The versions of the Worker, the newest first. */
  readonly versions: readonly Candidate[];
  /** Those that serve now. */
  readonly serving: readonly Pick<Candidate, "versionId">[];
  /** Number of the first version that can serve. */
  readonly rollbackFloor: number | undefined;
}

interface Pinning extends Servable {
  readonly stack: string;
  /** Number of the version. */
  readonly pin: number;
}

/** All traffic for the pinned version, and none for the release until the pin is ended. */
export function pinned(pinning: Pinning): Traffic {
  const { stack, pin, versions } = pinning;
  const obstacle = whyNot(pinning);
  if (obstacle) return { release: 0, findings: [obstacle] };
  const version = versions.find(({ number }) => number === pin);
  return {
    release: 0,
    ...(version && { stable: { versionId: version.versionId, percentage: 100 } }),
    findings: [
      {
        code: "stack_pinned",
        subject: `pin ${pin}`,
        message: `all traffic goes to version ${pin}, with the bindings and secrets of its time; no release gets any.`,
        fix: `when the release is to serve again: \`${unpinLine(stack)}\`.`,
      },
    ],
  };
}

/** Says that an update ends the pin of somebody else's checkout; `pinned`: what the account says; `pin`: the setting. */
export function endedPin(stack: string, pinned: number | undefined, pin: number): readonly Finding[] {
  if (pinned === undefined || pin > 0) return [];
  return [
    {
      code: "stack_pinned",
      subject: `pin ${pinned}`,
      message: `the account says that ${stack} is pinned to version ${pinned}, as a rollback leaves it, and these settings have no pin: this update ends it.`,
      fix: `to stay there, take over the settings of whoever rolled back, or \`${backToLine(stack, pinned)}\`; to end it: \`${unpinLine(stack)}\`.`,
    },
  ];
}

/** What an update is for that sends the traffic back, whatever release is at hand: a pin, or the end of a rollout. */
export type Back = "pinned" | "abandoned";

/** Says that a release stays where it is while the traffic goes back: `reasons` are why it is not even uploaded. */
export const notUploaded = (stack: string, release: string, reasons: readonly string[], back: Back): Finding => ({
  code: "release_not_uploaded",
  subject: `release ${release}`,
  message: `it is not uploaded while ${back === "pinned" ? "the stack is pinned" : "a rollout is abandoned"}: ${reasons.join("; ")}.`,
  fix:
    back === "pinned"
      ? `nothing to do while the pin holds; \`${unpinLine(stack)}\` ends it.`
      : "nothing to do for the traffic, which goes back; before this release is to serve, correct what is named.",
});

/** Whether Cloudflare would refuse the version for its age: it is not among the newest, and does not serve. */
export const isTooOld = ({ versionId }: Candidate, { versions, serving }: Omit<Servable, "rollbackFloor">): boolean =>
  versions.findIndex((version) => version.versionId === versionId) >= DEPLOYABLE &&
  !serving.some((version) => version.versionId === versionId);

/** Whether a version of ours can serve again: one that neither the rollback floor nor its age excludes. */
export const canServe = (version: Candidate, servable: Servable): boolean =>
  isOurs(version) &&
  servable.rollbackFloor !== undefined &&
  version.number >= servable.rollbackFloor &&
  !isTooOld(version, servable);

/** Why a stack cannot be pinned to a version; undefined: it can. */
export function whyNot({ stack, pin, ...servable }: Pinning): Finding | undefined {
  const { versions, rollbackFloor } = servable;
  const subject = `pin ${pin}`;
  const possible = versions.filter((version) => canServe(version, servable));
  const numbers = possible.map(({ number }) => number).join(", ");
  const fix = numbers
    ? `name one of ${numbers} (\`${listLine(stack)}\`), or end the pin with --unpin.`
    : "end the pin with --unpin: no earlier version can serve again.";
  const version = versions.find(({ number }) => number === pin);
  if (!version) return { code: "pin_version_missing", subject, message: `the Worker has no version ${pin}.`, fix };
  if (!isOurs(version)) {
    const message =
      version.digest === undefined
        ? `version ${pin} was made by something else, and does not say which classes it is for.`
        : `version ${pin} was made by something else from one of ours, with secrets or settings that this stack does not know.`;
    return { code: "pin_version_not_ours", subject, message, fix };
  }
  if (rollbackFloor !== undefined && pin < rollbackFloor) {
    return {
      code: "pin_below_rollback_floor",
      subject,
      message: `version ${pin} is from before version ${rollbackFloor}, the first one for the classes and tables as they are now.`,
      fix,
    };
  }
  if (!isTooOld(version, servable)) return undefined;
  const message = `version ${pin} is not among the ${DEPLOYABLE} newest, and Cloudflare deploys no older one. To have its code again, deploy its release as a new version.`;
  return { code: "pin_version_too_old", subject, message, fix };
}
