/** Whether what was counted of two versions is more than chance: pure arithmetic. */

/** So many of `total` requests had an error: never more than all. */
export interface Counted {
  readonly errors: number;
  readonly total: number;
}

/**
 * Fisher's exact test, one-sided: how likely `next` has so many of all errors, or more, if both versions are alike
 * (R. A. Fisher, "The Design of Experiments", 1935). Exact also where there are few errors, which is where comparing two
 * percentages goes wrong.
 */
export function chanceOfMore(next: Counted, stable: Counted): number {
  const errors = next.errors + stable.errors;
  const most = Math.min(errors, next.total);
  let chance = 0;
  // The hypergeometric distribution, from the count that was seen upwards.
  for (let k = next.errors; k <= most; k++) {
    const part = Math.exp(
      logChoose(next.total, k) + logChoose(stable.total, errors - k) - logChoose(next.total + stable.total, errors),
    );
    chance += part;
    if (part < 1e-18 && k > (errors * next.total) / (next.total + stable.total)) break;
  }
  return Math.min(1, chance);
}

const logChoose = (n: number, k: number): number =>
  k < 0 || k > n ? Number.NEGATIVE_INFINITY : logFactorial(n) - logFactorial(k) - logFactorial(n - k);

const SMALL = 256;
const small = [0];
for (let n = 1; n < SMALL; n++) small.push((small[n - 1] ?? 0) + Math.log(n));

/** ln n!, by Stirling's series where n is not small: right to 12 digits. */
const logFactorial = (n: number): number =>
  small[n] ?? n * Math.log(n) - n + Math.log(2 * Math.PI * n) / 2 + 1 / (12 * n) - 1 / (360 * n ** 3);

/** Values that shares of all requests do not pass, by share (0 to 1), in the order of the shares. */
export type Quantiles = readonly (readonly [share: number, value: number])[];

/**
 * The least and the most that the quantile `q` may be, given quantiles of `total` requests, each missed with `risk`: the
 * ranks between which it lies (binomial, approximated by the normal distribution; W. J. Conover, "Practical Nonparametric
 * Statistics", 3.2), read off by interpolation. No shape of the distribution is assumed.
 */
export function boundsOf(q: number, quantiles: Quantiles, total: number, risk: number): readonly [number, number] {
  const margin = normalQuantile(1 - risk) * Math.sqrt((q * (1 - q)) / total);
  return [valueAt(q - margin, quantiles), valueAt(q + margin, quantiles)];
}

/** The value at a share, between the two that are known; beyond them, the first or last known one. */
function valueAt(share: number, quantiles: Quantiles): number {
  const after = quantiles.findIndex(([known]) => known >= share);
  const [left, right] = [quantiles[after - 1], quantiles[after]];
  if (!right) return quantiles.at(-1)?.[1] ?? 0;
  if (!left) return right[1];
  return left[1] + ((right[1] - left[1]) * (share - left[0])) / (right[0] - left[0]);
}

/** The value that a standard normal variable stays below with probability `p` (Abramowitz and Stegun, 26.2.23; to 4.5e-4). */
export function normalQuantile(p: number): number {
  if (p < 0.5) return -normalQuantile(1 - p);
  const t = Math.sqrt(-2 * Math.log(1 - p));
  return t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}
