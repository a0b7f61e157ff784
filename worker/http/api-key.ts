/** API keys, which callers show in the header `X-API-Key`. */
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

type Record = v.InferOutput<typeof ApiKey>;
/** Records by their key in KV; null if there is no record. */
const known = new Memory<Record | null>();

/** The record of the caller's API key, if the stack has it. 503 if KV does not answer. */
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
