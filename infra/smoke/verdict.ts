/** What the checks of a smoke test say together: pure. */
import type { Check } from "./probe.ts";
import { isLost } from "./reason.ts";

/** `not answered`: nothing is known of the Worker, because what was asked of it was lost on its way. */
export type Verdict = "well" | "wrong" | "not answered";

export function verdictOf(checks: readonly Check[]): Verdict {
  const failed = checks.filter(({ ok }) => !ok);
  if (failed.length === 0) return "well";
  if (failed.some(({ blind }) => !isLost(blind))) return "wrong";
  const lost = checks.findIndex(({ blind }) => blind === "not reached");
  // What is not reached though the Worker answers what comes after it, twice, is the Worker's own fault.
  return lost >= 0 && hasAnswered(checks.slice(lost + 1)) ? "wrong" : "not answered";
}

/** Whether the Worker has answered one of these checks, however. */
export const hasAnswered = (checks: readonly Check[]): boolean => checks.some(({ blind }) => !isLost(blind));

/** Whether all that failed is that the admin token was refused: the token may be wrong, and not the release. */
export const isTokenRefused = (checks: readonly Check[]): boolean => {
  const failed = checks.filter(({ ok }) => !ok);
  return failed.length > 0 && failed.every(({ blind }) => blind === "token refused");
};

/** The checks that only saw that strangers are refused, by name: what they are for was not tried. */
export const untriedIn = (checks: readonly Check[]): readonly string[] =>
  checks.filter(({ untried }) => untried).map(({ name }) => name);

/** All checks in some words: `8 checks, all well`. */
export function inAll(checks: readonly Check[]): string {
  const failed = checks.filter(({ ok }) => !ok).length;
  if (failed > 0) return `${failed} of ${checks.length} checks failed`;
  const untried = untriedIn(checks).length;
  if (untried === 0) return `${checks.length} checks, all well`;
  return `${checks.length} checks, of which ${untried} had no admin token, and only saw that strangers are refused`;
}

/** The usual cause on a new stack: an update takes the file's token, and CI tests with its own. */
export const IN_ONE_PLACE = "An adminToken in the stack's file goes before CI's ADMIN_TOKEN: keep it in one place.";

/** What to do where the admin token of a stack was refused; `adminToken`: how the command calls it. */
export const tokenAdvice = (adminToken: string): string =>
  `Give this stack's token as ${adminToken}: the new one where it was rotated. ${IN_ONE_PLACE} A version that is pinned, or that shares the traffic, takes the tokens of its time.`;

/** Why checks were lost, a sentence for each reason. */
export const reasonsLost = (checks: readonly Check[]): readonly string[] => [
  ...new Set(checks.flatMap(({ lostBecause }) => (lostBecause === undefined ? [] : [lostBecause]))),
];

/** A check in a line of a terminal: `ok    counter       …`. */
export const checkLine = ({ name, ok, detail, blind }: Check): string =>
  `${ok ? "ok  " : isLost(blind) ? "LOST" : "FAIL"}  ${name.padEnd(12)}  ${detail}`;
