/** Whether a rollout that is under way is of the release and the settings at hand: pure. */
import { versionName } from "../plan/traffic/words.ts";
import type { PublicSettings } from "../stack/config.ts";
import { abandonLine } from "../stack/traffic-lines.ts";

interface AtHand {
  readonly live: {
    /** The one that is rolled out first, the stable one last. */
    readonly servedLast: readonly {
      readonly number: number;
      readonly tag: string | undefined;
      readonly digest: string | undefined;
    }[];
  };
  /** The tag of the version that the release makes with the settings at hand. */
  readonly tag: string;
  readonly settings: Pick<PublicSettings, "stack" | "release">;
}

/** Why a share that is set now would not be that of the version that is rolled out; undefined: it would, or none is. */
export function otherAtHand({ live: { servedLast }, tag, settings }: AtHand, dir: string): string | undefined {
  const [rolledOut] = servedLast;
  if (!rolledOut || servedLast.length < 2 || rolledOut.tag === tag) return undefined;
  const what = servedLast.some((version) => version.tag === tag)
    ? "the release and the settings of the stable version are at hand"
    : "another release is at hand, or other settings";
  return [
    `In ${settings.stack} ${versionName(rolledOut)} is rolled out, and ${what}: a share that is set now would not be that version's.`,
    `To go on with it: put its release into ${settings.release} and its settings back. To end its rollout: ${abandonLine(settings.stack, dir)}`,
  ].join("\n");
}
