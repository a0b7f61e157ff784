/**
 * What Cloudflare counted of a Worker's versions: requests, exceptions and wall time from the GraphQL Analytics API
 * (`workersInvocationsAdaptive`; the token needs Account Analytics: read), and answers with 5xx from the logs that
 * Workers Observability keeps, because an answer is no error to the first (the token needs Workers Observability: read).
 * Whether it keeps them at all, the Worker's settings say (Workers Scripts: read): without logs, no answer is an error.
 */
import * as v from "valibot";
import { UserError } from "../../common/user-error.ts";
import { type Api, ApiError, at } from "../../provider/api.ts";
import type { Numbers } from "./analysis.ts";
import { type Logged, logged, Observability } from "./logged.ts";
import type { Quantiles } from "./statistics.ts";

const SHARES = { P25: 0.25, P50: 0.5, P75: 0.75, P90: 0.9, P99: 0.99 };

const QUERY = `query ($account: string, $script: string, $version: string, $from: Time, $to: Time) {
  viewer { accounts(filter: { accountTag: $account }) {
    workersInvocationsAdaptive(limit: 1, filter: {
      scriptName: $script, scriptVersion: $version, datetime_geq: $from, datetime_leq: $to
    }) {
      sum { requests errors }
      quantiles { ${Object.keys(SHARES)
        .map((name) => `wallTime${name}`)
        .join(" ")} }
    }
  } }
}`;

const Metrics = v.object({
  data: v.nullable(
    v.object({
      viewer: v.object({
        accounts: v.array(
          v.object({
            workersInvocationsAdaptive: v.array(
              v.object({
                sum: v.object({ requests: v.number(), errors: v.number() }),
                quantiles: v.record(v.string(), v.number()),
              }),
            ),
          }),
        ),
      }),
    }),
  ),
  errors: v.nullish(v.array(v.object({ message: v.string() }))),
});

const Counts = v.object({
  calculations: v.array(
    v.object({
      aggregates: v.array(
        v.object({
          value: v.number(),
          groups: v.optional(v.array(v.object({ key: v.string(), value: v.unknown() })), []),
        }),
      ),
    }),
  ),
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

/** The metrics cannot be read. */
export class MetricsUnread extends UserError {
  override readonly name = "MetricsUnread";
  /** Whether the same question may soon be answered. */
  readonly isPassing: boolean;

  constructor(what: string, reason: string, isPassing: boolean, cause?: unknown) {
    super(`${what}: ${reason.replace(/\.$/, "")}.`, { cause });
    this.isPassing = isPassing;
  }
}

/** No log of the answers is kept. */
class Unlogged extends MetricsUnread {}

/** Whether it failed because no log of the answers is kept. */
export const isUnlogged = (error: unknown): error is UserError => error instanceof Unlogged;

/** Whether a question about the traffic failed for a reason that passes. */
export const isPassing = (error: unknown): error is UserError =>
  (error instanceof MetricsUnread || error instanceof ApiError) && error.isPassing;

/** What was counted of a version. @throws MetricsUnread where the metrics cannot be read. */
export async function numbersOf(api: Api, window: Window, versionId: string): Promise<Numbers> {
  const [{ sum, quantiles }, answers] = await Promise.all([
    metricsOf(api, window, versionId),
    failedAnswers(api, window, versionId),
  ]);
  const wall: Quantiles = Object.entries(SHARES).map(([name, share]) => [
    share,
    (quantiles[`wallTime${name}`] ?? 0) / 1_000,
  ]);
  return { requests: sum.requests, errors: sum.errors + answers, wall };
}

/** A Worker without the setting keeps no logs. */
const Settings = v.object({ observability: v.nullish(Observability, { enabled: false }) });
const UNCOUNTED = "Answers with 5xx cannot be counted";

/**
 * How many of the Worker's answers are logged now: somebody may have changed that in the dashboard. Without logs no answer
 * is an error, so whoever counts asks this, too. @throws MetricsUnread where that cannot be read, or none is.
 */
export async function loggedNow(api: Api, { accountId, script }: Window): Promise<Logged> {
  const path = at`/accounts/${accountId}/workers/scripts/${script}/script-settings`;
  const answer = v.safeParse(
    Settings,
    await asked(UNCOUNTED, "The token needs Workers Scripts: read", () => api.get(path)),
  );
  if (!answer.success) throw new MetricsUnread(UNCOUNTED, "the settings are not as documented", false);
  const kept = logged(answer.output.observability);
  if (kept.share > 0) return kept;
  const turnOn = "Turn that on in the dashboard, or in wrangler.jsonc with another release";
  throw new Unlogged(UNCOUNTED, `no log of ${script} has them, because ${kept.because}. ${turnOn}`, false);
}

async function metricsOf(api: Api, { accountId, script, from, to }: Window, version: string) {
  const variables = { account: accountId, script, version, from: iso(from), to: iso(to) };
  const what = `The metrics of ${script} cannot be read`;
  const token = "The token needs Account Analytics: read";
  const answer = v.safeParse(Metrics, await asked(what, token, () => api.ask("graphql", { query: QUERY, variables })));
  if (!answer.success) throw new MetricsUnread(what, "the answer is not as documented", false);
  // GraphQL says in an answer with 200 what went wrong.
  const wrong = answer.output.errors?.[0]?.message;
  if (wrong !== undefined) {
    throw new MetricsUnread(what, REFUSED.test(wrong) ? `${wrong}. ${token}` : wrong, PASSING.test(wrong));
  }
  const [found] = answer.output.data?.viewer.accounts[0]?.workersInvocationsAdaptive ?? [];
  return found ?? { sum: { requests: 0, errors: 0 }, quantiles: {} };
}

async function failedAnswers(api: Api, { accountId, script, from, to }: Window, version: string): Promise<number> {
  const filter = (key: string, operation: string, value: string | number) => ({
    key,
    operation,
    type: typeof value,
    value,
  });
  const query = {
    queryId: "rollout",
    view: "calculations",
    timeframe: { from, to },
    parameters: {
      datasets: ["cloudflare-workers"],
      filters: [
        filter("$workers.scriptName", "eq", script),
        filter("$workers.scriptVersion.id", "eq", version),
        filter("$workers.event.response.status", "gte", 500),
        // An invocation that ended in an exception is an error of the metrics already, whatever its answer was.
        filter("$workers.outcome", "eq", "ok"),
      ],
      calculations: [{ operator: "count" }],
    },
  };
  const path = at`/accounts/${accountId}/workers/observability/telemetry/query`;
  const answer = v.safeParse(
    Counts,
    await asked(UNCOUNTED, "The token needs Workers Observability: read", () => api.post(path, query)),
  );
  if (!answer.success) throw new MetricsUnread(UNCOUNTED, "the answer is not as documented", false);
  return answer.output.calculations[0]?.aggregates.reduce((sum, { value }) => sum + value, 0) ?? 0;
}

/** What GraphQL says of a token without the permission, and of what passes. */
const REFUSED = /authenticat|authoriz|\bauthz\b|permission|not allowed|does not have access/i;
const PASSING = /rate limit|budget|too many|time-?out|timed out|internal|unavailable|try again/i;

/** What `question` is answered. @throws MetricsUnread; it speaks of the `token` only where that was refused. */
async function asked<Answer>(what: string, token: string, question: () => Promise<Answer>): Promise<Answer> {
  try {
    return await question();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const isRefused = error.status === 401 || error.status === 403;
    const reason = isRefused ? `${error.message}. ${token}` : error.message;
    throw new MetricsUnread(what, reason, error.isPassing, error);
  }
}

const iso = (time: number) => new Date(time).toISOString();
