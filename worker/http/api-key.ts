/** API keys, which callers show in the header `X-API-Key`. */
import { waitUntil } from "cloudflare:workers";
import type { Context } from "hono";
import * as v from "valibot";
import { ApiKey, storedAt } from "../../contract/api-keys.ts";
import { Memory } from "../objects/memory.ts";
import type { App } from "./context.ts";
import { mayGuess, wasNoGuess } from "./guesses.ts";
import { refusal } from "./problem.ts";

export const API_KEY_HEADER = "X-API-Key";
/** How long a record is trusted. KV caches as long, so a revoked key is refused everywhere within a minute or two. */
const TRUST_SECONDS = 30;

/** How long a key counts as one that was valid, so that looking it up again is no guess. */
const VALID_MS = 60 * 60_000;
/** How long others wait for a look-up. */
const LOOK_UP_MS = 5_000;
/** How often a request looks whether another one has the answer. */
const POLL_MS = 10;

/** Records by their key in KV; null if there is no record. */
const known = new Memory<ApiKey | null>();
/** The keys in KV that had a record a while ago, and those that a request looks up. */
const valid = new Memory<true>();
const lookingUp = new Memory<true>();

/**
 * The record of the caller's API key, if the stack has it; "unchecked" if the caller's address has no guess left for it.
 * 503 if KV does not answer.
 */
export async function apiKeyOf(c: Context<App>): Promise<ApiKey | undefined | "unchecked"> {
  const key = c.req.header(API_KEY_HEADER);
  const at = key === undefined ? undefined : await storedAt(key);
  if (at === undefined) return undefined;
  const remembered = lookingUp.get(at, Date.now()) ? await byAnother(at) : known.get(at, Date.now());
  if (remembered !== undefined) return remembered ?? undefined;
  if (!valid.get(at, Date.now()) && !mayGuess(c)) return "unchecked";
  lookingUp.set(at, true, Date.now() + LOOK_UP_MS);
  const looking = lookUp(c, at).finally(() => lookingUp.delete(at));
  // Goes on if the caller disconnects, because others may wait for it.
  waitUntil(looking.catch(() => undefined));
  return looking;
}

/** What another request finds. It is looked for, because no promise may be awaited in another request than its own. */
async function byAnother(at: string): Promise<ApiKey | null> {
  while (lookingUp.get(at, Date.now())) await scheduler.wait(POLL_MS);
  const found = known.get(at, Date.now());
  if (found === undefined) throw unavailable();
  return found;
}

async function lookUp(c: Context<App>, at: string): Promise<ApiKey | undefined> {
  const record = v.safeParse(ApiKey, await storedRecord(c, at));
  const found = record.success ? record.output : null;
  const now = Date.now();
  known.set(at, found, now + TRUST_SECONDS * 1_000);
  if (found === null) {
    valid.delete(at);
    return undefined;
  }
  valid.set(at, true, now + VALID_MS);
  wasNoGuess(c);
  return found;
}

async function storedRecord(c: Context<App>, at: string): Promise<unknown> {
  try {
    return await c.env.READS.get(at, { type: "json", cacheTtl: TRUST_SECONDS });
  } catch (error) {
    console.warn(JSON.stringify({ requestId: c.get("requestId"), apiKeys: "unavailable", error: String(error) }));
    throw unavailable();
  }
}

const unavailable = () =>
  refusal("unavailable", "API keys cannot be checked at the moment; try again in a few seconds", {
    headers: { "Retry-After": "5" },
  });
