/** What an instance of a workflow has done, from the log that Miniflare's engine keeps. Pure. */
import * as v from "valibot";

/** The engine's numbers for the entries that are shown. */
const EVENT = {
  queued: 0,
  started: 1,
  succeeded: 2,
  failed: 3,
  terminated: 4,
  stepStart: 5,
  stepSuccess: 6,
  stepFailure: 7,
  sleepStart: 8,
  sleepEnd: 9,
  attemptStart: 10,
  attemptSuccess: 11,
  attemptFailure: 12,
  waitStart: 14,
  waitEnd: 15,
  waitTimedOut: 16,
} as const;

const Entry = v.object({
  timestamp: v.string(),
  event: v.number(),
  group: v.nullable(v.string()),
  target: v.nullable(v.string()),
  metadata: v.nullish(v.looseObject({})),
});
export const Described = v.object({ status: v.string(), logs: v.array(Entry) });

type Log = v.InferOutput<typeof Entry>[];

const Failure = v.object({ name: v.optional(v.string(), "Error"), message: v.optional(v.string(), "") });
const failureOf = (metadata: unknown) => {
  const { success, output } = v.safeParse(v.object({ error: Failure }), metadata);
  return success ? output.error : null;
};

/** A step's configuration, with the engine's defaults where the log has none. */
const Config = v.object({
  retries: v.object({
    limit: v.optional(v.number(), 5),
    delay: v.optional(v.union([v.string(), v.number()]), 10_000),
    backoff: v.optional(v.picklist(["constant", "linear", "exponential"]), "exponential"),
  }),
  timeout: v.optional(v.union([v.string(), v.number()]), "10 minutes"),
});

/** The answer of `GET …/instances/:instance`. */
export function shownInstance({ status, logs }: v.InferOutput<typeof Described>, versionId: string) {
  const one = (event: number) => logs.find((entry) => entry.event === event);
  const [queued, succeeded, failed] = [one(EVENT.queued), one(EVENT.succeeded), one(EVENT.failed)];
  const end = succeeded ?? failed ?? one(EVENT.terminated);
  const groups = Map.groupBy(
    logs.filter(({ group }) => group !== null),
    ({ group }) => group,
  );
  const steps = [...groups.values()].flatMap((log) => step(log) ?? []);
  return {
    status,
    params: queued?.metadata?.params ?? null,
    trigger: { source: "api" },
    versionId,
    queued: queued?.timestamp ?? "",
    start: one(EVENT.started)?.timestamp ?? null,
    end: end?.timestamp ?? null,
    success: end === undefined ? null : succeeded !== undefined,
    output: succeeded?.metadata?.result ?? "",
    error: failureOf(failed?.metadata),
    rollback: null,
    steps,
    step_count: steps.length,
  };
}

function step(log: Log) {
  const one = (event: number) => log.find((entry) => entry.event === event);
  const name = log[0]?.target ?? "";
  const [sleep, wait, start] = [one(EVENT.sleepStart), one(EVENT.waitStart), one(EVENT.stepStart)];
  if (sleep !== undefined) {
    const ends = new Date(Date.parse(sleep.timestamp) + Number(sleep.metadata?.durationMs ?? 0)).toISOString();
    const end = one(EVENT.sleepEnd);
    return { type: "sleep", name, start: sleep.timestamp, end: end?.timestamp ?? ends, finished: !!end, error: null };
  }
  if (wait !== undefined) {
    const [came, late] = [one(EVENT.waitEnd), one(EVENT.waitTimedOut)];
    const end = came ?? late;
    return {
      type: "waitForEvent",
      name,
      start: wait.timestamp,
      end: end?.timestamp ?? null,
      finished: end !== undefined,
      error: late === undefined ? null : v.parse(Failure, late.metadata),
      ...(came !== undefined && { output: JSON.stringify(came.metadata?.payload ?? null) }),
    };
  }
  return start && work(name, start, log);
}

function work(name: string, start: Log[number], log: Log) {
  const one = (event: number) => log.find((entry) => entry.event === event);
  const [success, failure] = [one(EVENT.stepSuccess), one(EVENT.stepFailure)];
  const attempts = log
    .filter(({ event }) => event === EVENT.attemptStart)
    .map((attempt) => {
      const ended = (event: number) =>
        log.find((entry) => entry.event === event && entry.metadata?.attempt === attempt.metadata?.attempt);
      const [good, bad] = [ended(EVENT.attemptSuccess), ended(EVENT.attemptFailure)];
      const end = good ?? bad;
      return {
        start: attempt.timestamp,
        end: end?.timestamp ?? null,
        success: end === undefined ? null : good !== undefined,
        error: failureOf(bad?.metadata),
      };
    });
  const config = v.safeParse(Config, start.metadata?.config);
  const end = success ?? failure;
  return {
    type: "step",
    name,
    start: start.timestamp,
    end: end?.timestamp ?? null,
    success: end === undefined ? null : success !== undefined,
    output: success === undefined ? null : JSON.stringify(success.metadata?.result ?? null),
    config: config.success ? config.output : v.parse(Config, { retries: {} }),
    attempts,
  };
}
