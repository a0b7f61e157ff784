/** Whether a release may go from one stack to the next: pure. Every reason against it is told at once. */
import { describe } from "@durable-stack/class-lifecycle";
import type { Manifest } from "../release/manifest.ts";
import { tokenAdvice } from "../smoke/verdict.ts";
import type { Overrides, Rule } from "./override.ts";
import { notServed, type Standing, servedOf } from "./served.ts";
import { soakReason } from "./soak.ts";

/** What is known of the stack that a release comes from. */
export interface Source extends Standing {
  readonly stack: string;
  /** Since when it has served this release to everybody without a break; undefined: it does not. */
  readonly since: string | undefined;
  /** What a smoke test made now has found; undefined: none could be made. */
  readonly smoked: Smoked | undefined;
}

export interface Smoked {
  /** Names of the checks that failed. */
  readonly failed: readonly string[];
  /** Names of those that only saw that strangers are refused, for want of the admin token. */
  readonly untried?: readonly string[];
  /** Why they were lost on their way, so that they say nothing of the release; undefined: they do. */
  readonly lostBecause?: string;
  /** Whether all that failed is that the admin token was refused. */
  readonly isTokenRefused?: boolean;
}

export interface Decision {
  /** Why it may not go. Empty: it may. */
  readonly reasons: readonly string[];
  /** Rules that are broken, and that somebody overrides: what the record says. */
  readonly overridden: readonly string[];
}

export interface Terms {
  /** The target's setting. */
  readonly soakMinutes: number;
  /** In milliseconds. */
  readonly now: number;
  /** Whether a smoke test without the admin token is enough: where nothing goes out before it is made again with it. */
  readonly isTokenLater?: boolean;
}

export function decide(
  release: Pick<Manifest, "digest" | "migration">,
  source: Source,
  overrides: Overrides,
  { soakMinutes, now, isTokenLater = false }: Terms,
): Decision {
  const found = notServed(source.stack, release, servedOf(source, release.digest));
  // What is not served there cannot be judged there: its soak and smoke test would be another release's.
  if (found.length > 0) return { reasons: found.map(describe), overridden: [] };
  const broken: readonly (readonly [Rule, string | undefined])[] = [
    ["smoke", smokeReason(source) ?? (isTokenLater ? undefined : untriedReason(source))],
    ["soak", soakReason({ ...source, soakMinutes, now })],
  ];
  const decision = { reasons: [] as string[], overridden: [] as string[] };
  for (const [rule, reason] of broken) {
    if (reason === undefined) continue;
    const why = overrides.get(rule);
    if (why === undefined) decision.reasons.push(`${rule}: ${reason} To go on all the same: --override ${rule}="why"`);
    else decision.overridden.push(`${rule}: ${why}`);
  }
  return decision;
}

function smokeReason({ stack, smoked }: Source): string | undefined {
  if (smoked === undefined) return `${stack} was not smoke-tested: where it answers is not known. Say it with --url.`;
  const { failed, lostBecause, isTokenRefused = false } = smoked;
  if (failed.length === 0) return undefined;
  if (isTokenRefused) {
    return `${stack} refused the admin token in the smoke test, which need not be the fault of the release: ${failed.join(", ")}. ${tokenAdvice("FROM_ADMIN_TOKEN or --admin-token")}`;
  }
  return lostBecause === undefined
    ? `the smoke test of ${stack} failed: ${failed.join(", ")}.`
    : `${stack} did not answer the smoke test, which says nothing of the release: ${failed.join(", ")}. ${lostBecause} Where it answers at another address, correct --url.`;
}

/** What the smoke test did not try for want of the admin token, in a sentence; undefined: nothing. */
export function untriedReason({ stack, smoked }: Pick<Source, "stack" | "smoked">): string | undefined {
  const untried = smoked?.untried ?? [];
  if (untried.length === 0) return undefined;
  return `the smoke test of ${stack} had no admin token, and only saw that strangers are refused: ${untried.join(", ")}. Give ${stack}'s token as FROM_ADMIN_TOKEN or --admin-token.`;
}
