/** The article's way: the bucket is read and written for every check. */
import { DurableObject } from "cloudflare:workers";

const MAX_TOKENS = 1_000_000;
const REFILL_MS = 60_000;

interface TokenBucket {
  tokens: number;
  lastRefill: number;
}

export class NaiveRateLimiter extends DurableObject<Env> {
  override async fetch(): Promise<Response> {
    const now = Date.now();
    const stored = await this.ctx.storage.get<TokenBucket>("bucket");
    const bucket = stored ?? { tokens: MAX_TOKENS, lastRefill: now };
    const refilled = ((now - bucket.lastRefill) / REFILL_MS) * MAX_TOKENS;
    const tokens = Math.min(MAX_TOKENS, bucket.tokens + refilled);
    const allowed = tokens >= 1;
    await this.ctx.storage.put("bucket", { tokens: allowed ? tokens - 1 : tokens, lastRefill: now });
    return Response.json({ allowed, remaining: Math.floor(tokens - 1) }, { status: allowed ? 200 : 429 });
  }
}
