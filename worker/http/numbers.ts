/**
 * Whole numbers of answers. OpenAPI has them as int64: of a plain number, some generators of clients make a float of 32
 * bits, which has not enough digits for an amount or a time.
 */
import * as v from "valibot";

export const Integer = v.pipe(v.number(), v.integer());
/** A moment, in ms since the epoch. */
export const Moment = v.pipe(v.number(), v.integer(), v.description("ms since the epoch"));
/** A time that something takes, in ms. */
export const Duration = v.pipe(v.number(), v.integer(), v.description("ms"));
