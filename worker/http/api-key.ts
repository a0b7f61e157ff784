/** API keys, as callers show them (`X-API-Key`). */
import type { Context } from "hono";
import * as v from "valibot";
import { ApiKey, storedAt } from "../../contract/api-keys.ts";
import { Memory } from "../objects/memory.ts";
import type { App } from "./context.ts";
import { mayGuess, wasNoGuess } from "./guesses.ts";
import { refusal } from "./problem.ts";

export const API_KEY_HEADER = "X-API-Key";
/** Seconds. With as long in KV's own cache, a revoked key is refused within a minute or two, everywhere. */
const TRUST_SECONDS = 30;

type Record = v.InferOutput<typeof ApiKey>;
/** Records of keys by where they are stored; null for those that are not. */
const known = new Memory<Record | null>();

/** The record of the key that the caller shows, if it is one of the stack's. 503 where KV does not answer. */
export async function apiKeyOf(c: Context<App>): Promise<Record | undefined> {
  const key = c.req.header(API_KEY_HEADER);
  const at = key === undefined ? undefined : await storedAt(key);
  if (at === undefined) return undefined;
  const now = Date.now();
  const remembered = known.get(at, now);
  if (remembered !== undefined) return remembered ?? undefined;
  if (!mayGuess(c)) return undefined;
  const record = v.safeParse(ApiKey, await storedRecord(c, at));
  const found = record.success ? record.output : null;
  known.set(at, found, now + TRUST_SECONDS * 1_000);
  if (found !== null) wasNoGuess(c);
  return found ?? undefined;
}

async function storedRecord(c: Context<App>, at: string): Promise<unknown> {
  try {
    return await c.env.READS.get(at, { type: "json", cacheTtl: TRUST_SECONDS });
  } catch (error) {
    console.warn(JSON.stringify({ requestId: c.get("requestId"), apiKeys: "unavailable", error: String(error) }));
    throw refusal("unavailable", "API keys cannot be checked at the moment; try again in a few seconds", {
      headers: { "Retry-After": "5" },
    });
  }
}
