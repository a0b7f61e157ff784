/**
 * Which settings a way back does without: a mistake in one of them is told, and does not keep the traffic where it is.
 * What a way back does need, such as the regions, stops it like everything else.
 */
import { SECRET, type SettingKey } from "./schema.ts";

/** How the traffic goes back: by a pin, or because the release's share becomes 0. */
export type Way = "pin" | "share";

/** A mistake in settings that was passed over: each of `keys` is as if it were not set. */
export interface Wrong {
  readonly keys: readonly string[];
  /** What it is called where it is no setting's. */
  readonly subject?: string;
  readonly message: string;
  readonly fix: string;
}

/** A mistake in one line. */
export const inWords = ({ message, fix }: Pick<Wrong, "message" | "fix">): string => `${message} Fix: ${fix}`;

/** What only a release is asked for that is to get traffic. Without a list of allowances more is refused, and not less. */
const FORWARD = [
  "rolloutSteps",
  "rolloutAnalysis",
  "promotesFrom",
  "soakMinutes",
  "promotionOverride",
  "allowDestroy",
  "allowTransferLoss",
  "allowOlderRelease",
  "allowDirtyRelease",
  "allowRefusedRelease",
  "allowMissedRelease",
  "allowDrop",
] as const satisfies readonly SettingKey[];
/** A pin goes over the share, and whoever sets one writes over the one before. */
const BESIDE_A_PIN = ["rollout", "rolloutTrial", "pin"] as const satisfies readonly SettingKey[];

/** A version keeps its secrets, and no new one is made: whoever takes the traffic back need not have them. */
const NEEDLESS: Readonly<Record<Way, ReadonlySet<string>>> = {
  share: new Set<string>([...FORWARD, ...SECRET]),
  pin: new Set<string>([...FORWARD, ...SECRET, ...BESIDE_A_PIN]),
};

/** Whether the way back does without the setting. */
export const doesWithout = (way: Way, key: string): boolean => NEEDLESS[way].has(key);

/** The way back that the settings themselves say, before anything of them is checked; undefined: they say none. */
export function wayOf({ pin, rollout }: Readonly<Record<string, unknown>>): Way | undefined {
  if (typeof pin === "number" && Number.isInteger(pin) && pin > 0) return "pin";
  return rollout === 0 && (pin === undefined || pin === 0) ? "share" : undefined;
}
