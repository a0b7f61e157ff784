/** Whether a release may go from one stack to another: every reason against it at once. Pure. */
import { type Finding, isError } from "@durable-stack/class-lifecycle";
import { shortDigest } from "../release/manifest.ts";
import { notServed, type Served } from "../release/served.ts";

/** Checks that somebody may override, with a reason that is recorded. */
export const OVERRIDABLE = ["smoke", "soak", "rehearsal"] as const;
export type Overridable = (typeof OVERRIDABLE)[number];

export interface Facts {
  readonly from: string;
  readonly release: { readonly digest: string };
  /** What `from` serves; undefined: no release of this program. */
  readonly served: Served | undefined;
  /** When the deployment that serves it was made (ms since the epoch); undefined: it is not known. */
  readonly servedSince: number | undefined;
  readonly soakMinutes: number;
  readonly now: number;
  /** The checks of the smoke test that failed on `from`. */
  readonly smoke: readonly string[];
  /** What the plan of the target says. */
  readonly plan: readonly Finding[];
  /** Why the rehearsal with the target's settings failed; undefined: it passed, or nothing changes that needs one. */
  readonly rehearsal: string | undefined;
  readonly overrides: Readonly<Partial<Record<Overridable, string>>>;
}

/** What stands against a promotion. `override`: what it takes to go on all the same; undefined: nothing does. */
export interface Reason {
  readonly what: string;
  readonly fix: string;
  readonly override?: Overridable;
}

export interface Decision {
  /** Empty: it may go. */
  readonly against: readonly Reason[];
  /** Reasons that were overridden, as they are recorded: `soak: hotfix 123`. */
  readonly overridden: readonly string[];
}

/** Decides on a promotion. */
export function decide(facts: Facts): Decision {
  const reasons = [
    ...servedReasons(facts),
    ...smokeReasons(facts),
    ...soakReasons(facts),
    ...planReasons(facts),
    ...rehearsalReasons(facts),
  ];
  const isOverridden = ({ override }: Reason) => override !== undefined && facts.overrides[override] !== undefined;
  return {
    against: reasons.filter((reason) => !isOverridden(reason)),
    overridden: reasons
      .filter(isOverridden)
      .flatMap(({ override }) => (override ? [`${override}: ${facts.overrides[override]}`] : [])),
  };
}

const asReason = ({ message, fix, subject }: Finding): Reason => ({ what: `${subject}: ${message}`, fix });

const servedReasons = ({ from, release, served }: Facts): readonly Reason[] =>
  notServed(from, release, served).map(asReason);

const isServed = ({ release, served }: Facts) => served?.digest === release.digest && served.share === 100;

function smokeReasons(facts: Facts): readonly Reason[] {
  if (!isServed(facts) || facts.smoke.length === 0) return [];
  return [
    {
      what: `the smoke test fails on ${facts.from}: ${facts.smoke.join("; ")}`,
      fix: `mend it, and promote the release that passes there.`,
      override: "smoke",
    },
  ];
}

function soakReasons(facts: Facts): readonly Reason[] {
  const { from, servedSince, soakMinutes, now } = facts;
  if (!isServed(facts) || soakMinutes === 0) return [];
  const minutes = servedSince === undefined ? 0 : Math.floor((now - servedSince) / 60_000);
  if (minutes >= soakMinutes) return [];
  const over =
    servedSince === undefined
      ? ""
      : ` Its time is over at ${new Date(servedSince + soakMinutes * 60_000).toISOString().slice(0, 16)}Z.`;
  return [
    {
      what: `${from} has served it to all callers for ${minutes} of ${soakMinutes} minutes (soakMinutes).${over}`,
      fix: "wait until then.",
      override: "soak",
    },
  ];
}

/** What the guard of the target says of `from` is said already, with more than the target can know. */
const planReasons = ({ plan }: Facts): readonly Reason[] =>
  plan.filter((finding) => isError(finding) && !finding.code.includes("promot")).map(asReason);

function rehearsalReasons({ rehearsal, release }: Facts): readonly Reason[] {
  if (rehearsal === undefined) return [];
  return [
    {
      what: `release ${shortDigest(release.digest)} changes classes or tables, and its rehearsal ${rehearsal}`,
      fix: "see what it prints, and mend that: npm run rehearse -- --help.",
      override: "rehearsal",
    },
  ];
}
