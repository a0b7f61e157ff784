/**
 * How a ledger's object tells the outcome of a change: as JSON. An answer that is an object, with another in it, costs
 * workerd more: told as text, 6 to 10 % more transfers go through a ledger with 32 callers (`npm run bench`).
 */
import type { Outcome } from "./decide.ts";
import type { Once } from "./draft.ts";

/** JSON of a `Once<Outcome>`. */
export type Told = string;

export const tell = (once: Once<Outcome>): Told => JSON.stringify(once);

/** What was told. */
export const heard = (told: Told): Once<Outcome> => JSON.parse(told);
