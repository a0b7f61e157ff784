/** Whether a stack has served a release for long enough: pure. */
import type { Finding } from "../plan/rules/codes.ts";
import { type Manifest, shortDigest } from "../release/manifest.ts";

/** How long a stack has served a release to everybody, and how long another one wants it to. */
export interface Soak {
  readonly stack: string;
  /** Since when without a break, in ISO 8601; undefined: that is not known. */
  readonly since: string | undefined;
  /** The setting of the stack that the release is for. */
  readonly soakMinutes: number;
  /** In milliseconds. */
  readonly now: number;
}

/** Why the soak time keeps a release back; undefined: it does not. */
export function soakReason({ stack, since, soakMinutes, now }: Soak): string | undefined {
  if (soakMinutes === 0) return undefined;
  const from = Date.parse(since ?? "");
  if (Number.isNaN(from)) return `since when ${stack} has served this release is not known.`;
  const left = from + soakMinutes * 60_000 - now;
  if (left <= 0) return undefined;
  const end = new Date(now + left).toISOString();
  return `${stack} has served it since ${since}, and soakMinutes is ${soakMinutes}: it may go in ${Math.ceil(left / 60_000)} min, at ${end}.`;
}

/** The same as a finding, for an update that nobody has promoted. */
export function soaking({ digest }: Pick<Manifest, "digest">, soak: Soak): readonly Finding[] {
  const message = soakReason(soak);
  if (message === undefined) return [];
  return [
    {
      code: "soak_not_over",
      subject: `release ${shortDigest(digest)}`,
      message,
      fix:
        soak.since === undefined
          ? `update ${soak.stack} once more with this release: it notes that since.`
          : `wait; or, to go on all the same, \`npm run promote -- --from ${soak.stack} … --override soak="why"\`, which sets promotionOverride: "${shortDigest(digest)} soak: why".`,
    },
  ];
}
