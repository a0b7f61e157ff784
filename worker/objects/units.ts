/** Units of times and sizes. */

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
export const MEBIBYTE = 1_024 * 1_024;
