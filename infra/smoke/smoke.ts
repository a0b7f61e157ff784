/**
 * The smoke test: whether a deployed Worker does what it promises, all five patterns, over real HTTP and WebSocket.
 *
 * It makes objects of its own under names that nobody else uses, needs no more than what any client has, and costs
 * some thirty calls of the rate limiter. What only the admin may do is tried where the token is given.
 */
import { randomUUID } from "node:crypto";
import { chat } from "../../test/chat/smoke.ts";
import { counter } from "../../test/counter/smoke.ts";
import { ledger } from "../../test/ledger/smoke.ts";
import { limiter } from "../../test/rate-limit/smoke.ts";
import { session } from "../../test/session/smoke.ts";
import { Client } from "./client.ts";
import type { Check, Probe, SmokeOptions } from "./probe.ts";
import { page, release } from "./served.ts";

/** In this order: the limiter last, since it uses up tokens. */
const PROBES: Record<string, Probe> = { release, page, counter, chat, ledger, session, "rate limiter": limiter };

/** Checks the Worker at `url`. Every pattern is tried, whatever became of those before. */
export async function smoke(url: URL, options: SmokeOptions = {}): Promise<Check[]> {
  const subject = { client: new Client(url), id: `smoke-${randomUUID()}`, options };
  const checks: Check[] = [];
  for (const [name, probe] of Object.entries(PROBES)) {
    const start = performance.now();
    const outcome = await probe(subject).then(
      (detail) => ({ ok: true, detail }),
      (error: unknown) => ({ ok: false, detail: reasonOf(error) }),
    );
    const check = { name, ...outcome, ms: Math.round(performance.now() - start) };
    checks.push(check);
    options.onCheck?.(check);
  }
  return checks;
}

/** A failed `fetch` hides its reason in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
