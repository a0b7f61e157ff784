/** What a person reads of the way back from a release that is worse. */
import { updateLine } from "../apply/update-line.ts";
import { messageOf } from "../common/errors.ts";
import { settingsFile } from "../stack/settings-file.ts";
import { abandonLine, backToLine, unpinLine } from "../stack/traffic-lines.ts";

interface Going {
  readonly stack: string;
  readonly dir: string;
  /** Number of the version that takes the traffic back. */
  readonly to: number;
  /** Whether a pin is the way back. */
  readonly isPin: boolean;
  /** Per cent of the traffic that the release has. */
  readonly share: number;
  /** The release, by the first 12 digits of its digest. */
  readonly digest: string;
  /** Whether the version before is of another release: then this one is refused. */
  readonly isRefused: boolean;
}

/** What becomes of the release, and of the setting that is the way back. */
export function backWords({ stack, dir, to, isPin, share, digest, isRefused }: Going) {
  const file = settingsFile(stack, dir);
  const kept = `${isPin ? `pin is ${to}` : "rollout is 0"} in ${file}, and that is the way back: leave it there.`;
  const update = updateLine(stack, dir);
  const anew = isPin ? backToLine(stack, to, dir) : abandonLine(stack, dir);
  // A CI job keeps no file: there, the account alone says what is left to do.
  const elsewhere = `Where that file is not kept, as in a CI job: ${anew}`;
  return {
    /** What is left to do after an update that was interrupted, a line each. */
    left: (isDone: boolean): readonly string[] => (isDone ? [kept] : [`${kept} To complete it: ${update}`, elsewhere]),

    /** That the traffic is back without the update that was to bring it there. */
    updateFailed: `The update has failed all the same. To complete it: ${update} Where that file is not kept, as in a CI job, leave it: the next release completes it.`,

    /** That it is not, because of `error`, and what sends it back. `isWritten`: whether the setting says so by now. */
    notBack(error: unknown, isWritten: boolean): string {
      const rest = isWritten
        ? [`${kept} Correct what is above, then: ${update}`, elsewhere]
        : [`The release has ${share} % of it. Correct what is above, then: ${anew}`];
      return [`The traffic did not go back: ${messageOf(error)}`, ...rest].join("\n");
    },

    /** What to know of the release. `unrefused`: why it could not be refused; `isDone`: whether the update was complete. */
    ofRelease(unrefused: string | undefined, isDone: boolean): string {
      if (!isRefused) {
        const before = isPin ? ` before ${unpinLine(stack, dir)}` : "";
        return `The version before is of the same release ${digest}: the settings or the secrets of ${stack} made the difference, and not the release, so it is not refused. Change them back${before}.`;
      }
      return unrefused === undefined
        ? `${stack} refuses release ${digest} from now on: ${isDone ? "the deployment says so, and " : ""}refusedReleases in ${file}.`
        : `Release ${digest} could not be refused, so let nothing deploy it: ${unrefused}`;
    },
  };
}
