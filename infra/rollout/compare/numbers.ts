/**
 * What the logs that Workers Observability keeps tell of a Worker's versions: requests, errors and wall time. All of it by
 * one source, so that what is not logged is missing everywhere alike (the token needs Workers Observability: read). The
 * GraphQL Analytics API is no such source: to it an answer with 500 is a success, and no guide of Cloudflare says that it
 * can tell versions apart. Whether logs are kept at all, the Worker's settings say (Workers Scripts: read).
 */
import * as v from "valibot";
import { UserError } from "../../common/user-error.ts";
import { type Api, ApiError, at, refusesToken } from "../../provider/api.ts";
import type { Numbers } from "./analysis.ts";
import { type Logged, logged, Observability } from "./logged.ts";
import type { Quantiles } from "./statistics.ts";

/** The operators of the query for quantiles, and their shares. */
const SHARES = { p25: 0.25, median: 0.5, p75: 0.75, p90: 0.9, p99: 0.99 };

/** How an invocation ends that is no error: where a caller is gone, too. */
const WELL = ["ok", "canceled", "responseStreamDisconnected"];

const Answer = v.object({
  calculations: v.array(
    v.object({
      calculation: v.string(),
      alias: v.nullish(v.string()),
      aggregates: v.array(v.object({ value: v.number(), sampleInterval: v.nullish(v.number()) })),
    }),
  ),
  statistics: v.nullish(v.object({ abr_level: v.nullish(v.number()) })),
});

export interface Window {
  readonly accountId: string;
  readonly script: string;
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
}

/** From a time until now. */
export const windowOf = (
  { accountId, workerName }: { readonly accountId: string; readonly workerName: string },
  from: number,
): Window => ({ accountId, script: workerName, from, to: Date.now() });

interface Unread {
  readonly isPassing?: boolean;
  readonly cause?: unknown;
}

/** The metrics of a script cannot be read, for this reason. */
export class MetricsUnread extends UserError {
  override readonly name = "MetricsUnread";
  /** Whether the same question may soon be answered. */
  readonly isPassing: boolean;

  constructor(script: string, reason: string, { isPassing = false, cause }: Unread = {}) {
    super(`The requests of ${script} cannot be counted: ${reason.replace(/\.$/, "")}.`, { cause });
    this.isPassing = isPassing;
  }
}

/** No log of the requests is kept. */
class Unlogged extends MetricsUnread {}

/** Whether it failed because no log of the requests is kept. */
export const isUnlogged = (error: unknown): error is UserError => error instanceof Unlogged;

/** Whether a question about the traffic failed for a reason that passes. */
export const isPassing = (error: unknown): error is UserError =>
  (error instanceof MetricsUnread || error instanceof ApiError) && error.isPassing;

/**
 * What was logged of a version: of what is sampled, only what was kept, because an estimate proves no more than that.
 * @throws MetricsUnread where the logs cannot be read
 */
export async function numbersOf(api: Api, window: Window, versionId: string): Promise<Numbers> {
  const invocations = [
    filter("$workers.scriptName", "eq", window.script),
    filter("$workers.scriptVersion.id", "eq", versionId),
    // Neither what the code writes to the log, nor what an object answers to the Worker: a request counts once.
    filter("$metadata.type", "eq", "cf-worker-event"),
    filter("$workers.executionModel", "eq", "stateless"),
  ];
  const [all, unwell, answers] = await Promise.all([
    measured(api, window, invocations, ["count", ...Object.keys(SHARES)]),
    measured(api, window, [...invocations, ...WELL.map((outcome) => filter("$workers.outcome", "neq", outcome))]),
    measured(api, window, [
      ...invocations,
      filter("$workers.outcome", "eq", "ok"),
      filter("$workers.event.response.status", "gte", 500),
    ]),
  ]);
  const interval = Math.max(all.interval, unwell.interval, answers.interval);
  const kept = (...parts: readonly Measured[]) =>
    Math.round(parts.reduce((sum, part) => sum + part.of("count"), 0) / interval);
  const wall: Quantiles = Object.entries(SHARES).map(([operator, share]) => [share, all.of(operator)]);
  return { requests: kept(all), errors: kept(unwell, answers), wall };
}

/** A Worker without the setting keeps no logs. */
const Settings = v.object({ observability: v.nullish(Observability, { enabled: false }) });

/**
 * How many of the Worker's requests are logged now: somebody may have changed that in the dashboard. Without logs there is
 * nothing to wait for, so whoever counts asks this, too. @throws MetricsUnread where that cannot be read, or none is.
 */
export async function loggedNow(api: Api, { accountId, script }: Window): Promise<Logged> {
  const path = at`/accounts/${accountId}/workers/scripts/${script}/script-settings`;
  const answer = v.safeParse(
    Settings,
    await asked(script, "The token needs Workers Scripts: read", () => api.get(path)),
  );
  if (!answer.success) throw new MetricsUnread(script, "the settings are not as documented");
  const kept = logged(answer.output.observability);
  if (kept.share > 0) return kept;
  const turnOn = "Turn that on in the dashboard, or in wrangler.jsonc with another release";
  throw new Unlogged(script, `no log has them, because ${kept.because}. ${turnOn}`);
}

/** What one query of the logs has calculated. */
interface Measured {
  /** How many events one that was kept stands for: 1 where nothing is sampled. */
  readonly interval: number;
  /** What an operator gave; 0 where no event matched. */
  readonly of: (operator: string) => number;
}

async function measured(
  api: Api,
  { accountId, script, from, to }: Window,
  filters: readonly object[],
  operators: readonly string[] = ["count"],
): Promise<Measured> {
  const calculations = operators.map((operator) => ({
    operator,
    alias: operator,
    ...(operator !== "count" && { key: "$workers.wallTimeMs", keyType: "number" }),
  }));
  const query = {
    queryId: "rollout",
    view: "calculations",
    timeframe: { from, to },
    parameters: { datasets: ["cloudflare-workers"], filters, calculations },
  };
  const path = at`/accounts/${accountId}/workers/observability/telemetry/query`;
  const token = "The token needs Workers Observability: read, or edit where read is refused";
  const answer = v.safeParse(Answer, await asked(script, token, () => api.post(path, query)));
  const undocumented = () => new MetricsUnread(script, "the answer is not as documented");
  if (!answer.success) throw undocumented();
  const { calculations: found, statistics } = answer.output;
  const first = (operator: string) => {
    const one = found.find(({ alias, calculation }) => (alias ?? calculation).toLowerCase() === operator);
    if (one === undefined) throw undocumented();
    return one.aggregates[0];
  };
  // What was sampled when it was stored, and again when it is read.
  const interval = (first("count")?.sampleInterval ?? 1) * (statistics?.abr_level ?? 1);
  return { interval, of: (operator) => first(operator)?.value ?? 0 };
}

const filter = (key: string, operation: string, value: string | number) => ({
  key,
  operation,
  type: typeof value,
  value,
});

/** What `question` is answered. @throws MetricsUnread; it speaks of the `token` only where that was refused. */
async function asked<Answered>(script: string, token: string, question: () => Promise<Answered>): Promise<Answered> {
  try {
    return await question();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const reason = refusesToken(error.status) ? `${error.message}. ${token}` : error.message;
    throw new MetricsUnread(script, reason, { isPassing: error.isPassing, cause: error });
  }
}
