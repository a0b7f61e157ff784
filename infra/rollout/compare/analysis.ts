/** Whether the new version is worse than the stable one, from what was counted of both in the same time: pure. */
import { boundsOf, chanceOfMore, type Quantiles } from "./statistics.ts";

/** One version, over the window. */
export interface Numbers {
  readonly requests: number;
  /** Requests that did not end well (numbers.ts says which), and answers with 5xx. */
  readonly errors: number;
  /** Wall time in milliseconds. */
  readonly wall: Quantiles;
}

export interface AnalysisSettings {
  /** Fewer requests of a version say nothing. */
  readonly minRequests: number;
  /** How likely a rollout of a release that is as good may be stopped all the same. */
  readonly risk: number;
  /** How many times as long the new version may take. */
  readonly slower: number;
}

export type Verdict =
  | { readonly kind: "no worse" }
  | { readonly kind: "unknown"; readonly because: string }
  | { readonly kind: "worse"; readonly because: readonly string[] };

/** A difference that is real but smaller than this stops nothing: one error in a thousand requests, five milliseconds. */
const LEAST_ERRORS = 0.001;
const LEAST_MS = 5;
/** The quantiles that are compared. The last per cent is left out: of a hundred requests it is one. */
const COMPARED = [0.5, 0.9];

/** The tests of one look. Each gets its share of the risk, and so does each look (Bonferroni). */
const TESTS = 1 + COMPARED.length;

/** `looks`: how often a rollout is judged in all; the risk is shared among them. */
export function judge(next: Numbers, stable: Numbers, settings: AnalysisSettings, looks: number): Verdict {
  const { minRequests, slower } = settings;
  const behind = [
    ...moreErrorsThanRequests("the new version", next),
    ...moreErrorsThanRequests("the stable one", stable),
  ];
  if (behind.length > 0) {
    return { kind: "unknown", because: `${behind.join("; ")}: not all requests are in the logs yet` };
  }
  const risk = settings.risk / (looks * TESTS);
  const because = [
    ...moreErrors(next, stable, risk),
    ...(enough(next, stable, minRequests) ? slowerBy(next, stable, slower, risk) : []),
  ];
  if (because.length > 0) return { kind: "worse", because };
  if (enough(next, stable, minRequests)) return { kind: "no worse" };
  return {
    kind: "unknown",
    because: `${next.requests} requests of the new version and ${stable.requests} of the stable one, where ${minRequests} of each say something`,
  };
}

const enough = (next: Numbers, stable: Numbers, least: number) => next.requests >= least && stable.requests >= least;

/** What says that not all requests are counted yet: logs come in while they are counted, by more than one question. */
const moreErrorsThanRequests = (whose: string, { errors, requests }: Numbers): readonly string[] =>
  errors > requests ? [`${whose} has ${errors} errors and only ${requests} requests`] : [];

/** Errors are compared however few requests there are: the test is exact. */
function moreErrors(next: Numbers, stable: Numbers, risk: number): readonly string[] {
  if (next.requests === 0 || stable.requests === 0) return [];
  const [rate, stableRate] = [next.errors / next.requests, stable.errors / stable.requests];
  const counted = ({ errors, requests }: Numbers) => ({ errors, total: requests });
  if (rate - stableRate < LEAST_ERRORS || chanceOfMore(counted(next), counted(stable)) >= risk) return [];
  return [`errors: ${percent(rate)} of ${next.requests} requests, where the stable version has ${percent(stableRate)}`];
}

/** Slower is a version whose quantile is above the stable one's by the factor, even if chance has made the most of it. */
function slowerBy(next: Numbers, stable: Numbers, factor: number, risk: number): readonly string[] {
  return COMPARED.flatMap((q) => {
    const [least] = boundsOf(q, next.wall, next.requests, risk / 2);
    const [, most] = boundsOf(q, stable.wall, stable.requests, risk / 2);
    if (least <= most * factor || least - most < LEAST_MS) return [];
    const ms = ({ wall }: Numbers) => Math.round(wall.find(([share]) => share === q)?.[1] ?? 0);
    return [`${q * 100} % of its requests take up to ${ms(next)} ms, where the stable version takes ${ms(stable)} ms`];
  });
}

const percent = (rate: number): string => `${Number((rate * 100).toPrecision(2))} %`;

/** `1,204 requests, 0.17 % errors`; no share where not all requests are counted yet. */
export function numbersInWords({ requests, errors }: Numbers): string {
  const share = errors > requests ? errors.toLocaleString("en") : percent(requests === 0 ? 0 : errors / requests);
  return `${requests.toLocaleString("en")} requests, ${share} errors`;
}
