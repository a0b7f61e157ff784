/**
 * The smoke test: whether a deployed Worker does what it promises, all its patterns, over real HTTP and WebSocket.
 *
 * It makes objects of its own under names that nobody else uses, needs no more than what any client has, and costs
 * some thirty calls of the rate limiter. What only the admin may do is tried where the token is given.
 */
import { randomUUID } from "node:crypto";
import { patterns } from "../../worker/patterns.ts";
import { Client } from "./client.ts";
import type { Check, Probe, SmokeOptions } from "./probe.ts";
import { blindness, reasonOf } from "./reason.ts";
import { page, release } from "./served.ts";
import { toolOf } from "./tools.ts";

/** Checks the Worker at `url`. Every pattern is tried, whatever became of those before. */
export async function smoke(url: URL, options: SmokeOptions = {}): Promise<Check[]> {
  const subject = { client: new Client(url, options.headers), id: `smoke-${randomUUID()}`, options };
  const checks: Check[] = [];
  for (const [name, probe] of await probes()) {
    const start = performance.now();
    const outcome = await probe(subject).then(
      (detail) => ({ ok: true, detail }),
      (error: unknown) => {
        const blind = blindness(error, options.adminToken);
        return { ok: false, detail: reasonOf(error), ...(blind && { blind }) };
      },
    );
    const check: Check = { name, ...outcome, ms: Math.round(performance.now() - start) };
    checks.push(check);
    options.onCheck?.(check);
  }
  return checks;
}

/** A pattern's test/<pattern>/smoke.ts. */
interface Tool {
  readonly probe: Probe;
  /** Whether it runs last, because it uses up what the others need. */
  readonly last?: boolean;
}

/** What is looked at, by name: what is served, then each pattern that has a probe (test/<pattern>/smoke.ts). */
async function probes(): Promise<readonly (readonly [string, Probe])[]> {
  const ofPatterns = await Promise.all(
    patterns.map(async ({ folder }): Promise<(Tool & { readonly name: string })[]> => {
      const tool: Tool | undefined = await toolOf(folder, "smoke");
      return tool ? [{ name: folder, ...tool }] : [];
    }),
  );
  const inTurn = ofPatterns.flat().sort((a, b) => Number(a.last ?? false) - Number(b.last ?? false));
  return [["release", release], ["page", page], ...inTurn.map(({ name, probe }) => [name, probe] as const)];
}
