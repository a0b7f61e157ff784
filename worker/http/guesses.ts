/**
 * Keys and tokens that are looked up for one network address, in one isolate, before it is known whether they are any
 * good. Each look-up is billed, so who keeps guessing is not looked up any more.
 */
import type { Context } from "hono";
import { type Bucket, full, type Policy, refill, take } from "../objects/bucket.ts";
import { Memory } from "../objects/memory.ts";
import { addressKey } from "./address.ts";
import type { App } from "./context.ts";

const GUESSES: Policy = { capacity: 20, periodSeconds: 60 };

const guesses = new Memory<Bucket>();

/** The network address that a request counts against (address.ts); all without one count as one. */
export function addressOf(c: Context<App>): string {
  return addressKey(c.req.header("CF-Connecting-IP") ?? "") ?? "unknown";
}

/** Charges the caller's address for a look-up; false where it has none left. */
export function mayGuess(c: Context<App>): boolean {
  const address = addressOf(c);
  const now = Date.now();
  const guess = take(refill(guesses.get(address, now) ?? full(GUESSES, now), GUESSES, now), GUESSES, 1);
  // Charged before the look-up, so that guesses that come at once are counted at once.
  if (guess.allowed) guesses.set(address, guess.bucket, now + GUESSES.periodSeconds * 1_000);
  return guess.allowed;
}

/** Gives the address its guesses back: what it showed was good. */
export function wasNoGuess(c: Context<App>): void {
  guesses.delete(addressOf(c));
}
