/**
 * The smoke test: whether a deployed Worker does what it promises, all its patterns, over real HTTP and WebSocket.
 *
 * It makes objects of its own under names that nobody else uses, needs no more than what any client has, and costs
 * some thirty calls of the rate limiter. What only the admin may do is tried where the token is given.
 */
import { randomUUID } from "node:crypto";
import { patterns } from "../../worker/patterns.ts";
import { toolOf } from "../pattern/tools.ts";
import { Client } from "./client.ts";
import { mustStaySecret } from "./in-the-clear.ts";
import { NEEDS_TOKEN } from "./login.ts";
import type { Check, Probe, SmokeOptions } from "./probe.ts";
import { blindness, isLost, lostBecause, reasonOf } from "./reason.ts";
import { page, release } from "./served.ts";

/**
 * Checks the Worker at `url`. Every pattern is tried, whatever became of those before; without the admin token where it is
 * no Worker of ours that has answered. @throws UserError where the token would be readable on its way.
 */
export async function smoke(url: URL, options: SmokeOptions = {}): Promise<readonly Check[]> {
  mustStaySecret(url, options.adminToken);
  return checksOf(await probes(), url, options);
}

/**
 * What the probes find, by name. One that is lost on its way (no answer, or one of Cloudflare's edge) is tried a second
 * time, and that counts: a lost packet says nothing. What the Worker answers counts at once. Where a second try is lost,
 * too, nothing more is tried twice: a dead address would take twice as long.
 */
export async function checksOf(
  named: readonly (readonly [name: string, probe: Probe])[],
  url: URL,
  options: SmokeOptions = {},
): Promise<readonly Check[]> {
  const client = new Client(url, options.headers);
  // Each try has objects of its own: what a lost one has done to its objects nobody knows.
  const tried = (probe: Probe): Promise<Omit<Check, "name" | "ms">> =>
    probe({ client, id: `smoke-${randomUUID()}`, options }).then(
      (detail) => ({ ok: true, detail, ...(detail === NEEDS_TOKEN && { untried: true }) }),
      (error: unknown) => {
        const blind = blindness(error, options.adminToken);
        return {
          ok: false,
          detail: reasonOf(error),
          ...(blind && { blind }),
          ...(isLost(blind) && { lostBecause: lostBecause(error) }),
        };
      },
    );
  const checks: Check[] = [];
  let isTriedTwice = true;
  for (const [name, probe] of named) {
    const start = performance.now();
    let outcome = await tried(probe);
    if (isTriedTwice && isLost(outcome.blind)) {
      const first = outcome.detail;
      outcome = await tried(probe);
      if (outcome.ok) outcome = { ...outcome, detail: `${outcome.detail}; at the second try, after: ${first}` };
      isTriedTwice = !isLost(outcome.blind);
    }
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
  let isOurs = false;
  const guarded =
    (probe: Probe): Probe =>
    (subject) => {
      const { adminToken: _, ...others } = subject.options;
      return probe(isOurs ? subject : { ...subject, options: others });
    };
  const first = release(() => {
    isOurs = true;
  });
  return [["release", first], ["page", page], ...inTurn.map(({ name, probe }) => [name, guarded(probe)] as const)];
}
