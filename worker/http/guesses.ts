/**
 * How many API keys of one network address an isolate looks up before one of them is valid. Each look-up is billed, so an
 * address that keeps guessing gets no more of them. Nor is a session's token looked up for it to choose a bucket; but a
 * route that needs the caller asks the token's session all the same.
 */
import type { Context } from "hono";
import { type Bucket, full, giveBack, type Policy, refill, take } from "../objects/bucket.ts";
import { Memory } from "../objects/memory.ts";
import { addressOf } from "./address.ts";
import type { App } from "./context.ts";
import { refusal } from "./problem.ts";

const GUESSES: Policy = { capacity: 20, periodSeconds: 60 };

const guesses = new Memory<Bucket>();

/** Charges the caller's address for a look-up. False if it has none left. */
export function mayGuess(c: Context<App>): boolean {
  const address = addressOf(c);
  const now = Date.now();
  const guess = take(refill(guesses.get(address, now) ?? full(GUESSES, now), GUESSES, now), GUESSES, 1);
  // Charged before the look-up, so that concurrent guesses count too.
  if (guess.allowed) guesses.set(address, guess.bucket, now + GUESSES.periodSeconds * 1_000);
  return guess.allowed;
}

/** The refusal of a look-up for which an address has no guess left. It may be valid, so it is not told to be invalid. */
export function tooManyGuesses(what: string) {
  const seconds = GUESSES.periodSeconds / GUESSES.capacity;
  const detail = `${what} cannot be checked: your network address has shown too many invalid ones; try again in ${seconds} s`;
  return refusal("rate-limited", detail, { headers: { "Retry-After": `${seconds}` } });
}

/**
 * Gives the address its guesses back after a valid key or token; after one that anybody can get (`isFree`), only the
 * guess that this request was charged.
 */
export function wasNoGuess(c: Context<App>, isFree = false): void {
  const address = addressOf(c);
  const now = Date.now();
  const left = isFree && guesses.get(address, now);
  if (left) guesses.set(address, giveBack(left, GUESSES, 1), now + GUESSES.periodSeconds * 1_000);
  else guesses.delete(address);
}
