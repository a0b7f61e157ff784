/**
 * `POST /accounts/:account/workers/observability/telemetry/query`: Cloudflare's query for logs, as far as it counts
 * invocations: the view `calculations` with `count` and quantiles of wall time, and filters and groups by these keys.
 * Nothing is sampled, and objects and what the code writes are not in these logs.
 */
import { Hono } from "hono";
import * as v from "valibot";
import { now } from "../clock.ts";
import { ApiError } from "../errors.ts";
import { type Invocation, quantile, wallTimes } from "../invocations.ts";
import { body } from "./body.ts";
import type { Api } from "./context.ts";
import { ok } from "./envelope.ts";

const KEYS: Readonly<Record<string, (invocation: Invocation) => string | number | undefined>> = {
  "$workers.scriptName": ({ script }) => script,
  "$workers.scriptVersion.id": ({ versionId }) => versionId,
  "$workers.outcome": ({ status }) => OUTCOMES[status],
  "$workers.event.response.status": ({ httpStatus }) => httpStatus,
  "$workers.executionModel": () => "stateless",
  "$workers.wallTimeMs": ({ wallMs }) => wallMs,
  "$metadata.type": () => "cf-worker-event",
};

const OUTCOMES: Readonly<Record<Invocation["status"], string>> = {
  success: "ok",
  clientDisconnected: "ok",
  scriptThrewException: "exception",
  exceededResources: "exceededCpu",
  internalError: "unknown",
};
const Key = v.picklist(Object.keys(KEYS), "this key is not there");

const OPERATIONS = {
  eq: (a: string | number, b: string | number | boolean) => a === b,
  neq: (a: string | number, b: string | number | boolean) => a !== b,
  gte: (a: string | number, b: string | number | boolean) => a >= b,
  lt: (a: string | number, b: string | number | boolean) => a < b,
};

/** The operators beside `count`, all of one key. */
const QUANTILES: Readonly<Record<string, number>> = { p25: 0.25, median: 0.5, p75: 0.75, p90: 0.9, p99: 0.99 };
const Alias = { alias: v.optional(v.string()) };
const Calculation = v.variant(
  "operator",
  [
    v.object({ operator: v.literal("count"), ...Alias }),
    v.object({
      operator: v.picklist(Object.keys(QUANTILES)),
      key: v.literal("$workers.wallTimeMs", "only $workers.wallTimeMs is there"),
      ...Alias,
    }),
  ],
  `only ${new Intl.ListFormat("en-GB").format(["count", ...Object.keys(QUANTILES)])} are there`,
);

const Query = v.object({
  queryId: v.string(),
  timeframe: v.object({ from: v.number(), to: v.number() }),
  view: v.literal("calculations", "only the view calculations is there"),
  parameters: v.object({
    filters: v.optional(
      v.array(
        v.object({
          key: Key,
          operation: v.picklist(["eq", "neq", "gte", "lt"], "only eq, neq, gte and lt are there"),
          type: v.string(),
          value: v.union([v.string(), v.number(), v.boolean()]),
        }),
      ),
      [],
    ),
    calculations: v.array(Calculation),
    groupBys: v.optional(v.array(v.object({ type: v.string(), value: Key })), []),
  }),
});

export const telemetry = ({ account, invocations }: Api) =>
  new Hono().post("/query", async (c) => {
    const started = performance.now();
    const { queryId, timeframe, parameters } = await body(c, Query);
    const { filters, calculations, groupBys } = parameters;
    if (timeframe.from >= timeframe.to) throw new ApiError(400, 10021, "timeframe: from must be earlier than to.");
    const found = invocations.find(timeframe).filter((invocation) =>
      filters.every(({ key, operation, value }) => {
        const actual = KEYS[key]?.(invocation);
        return actual !== undefined && OPERATIONS[operation](actual, value);
      }),
    );
    const groups = Map.groupBy(found, (one) =>
      JSON.stringify(groupBys.map(({ value: key }) => KEYS[key]?.(one) ?? "")),
    );
    const parts = [...groups].map(([group, members]) => {
      const values: (string | number)[] = v.parse(v.array(v.union([v.string(), v.number()])), JSON.parse(group));
      return {
        wall: wallTimes(members),
        groups: groupBys.map(({ value: key }, index) => ({ key, value: values[index] ?? "" })),
      };
    });
    const aggregatesOf = (operator: string) => {
      const q = QUANTILES[operator];
      return parts.map(({ wall, groups }) => ({
        count: wall.length,
        value: q === undefined ? wall.length : quantile(wall, q),
        interval: 1,
        sampleInterval: 1,
        groups,
      }));
    };
    const statistics = { elapsed: (performance.now() - started) / 1_000, rows_read: found.length, bytes_read: 0 };
    const [at, by] = [now(), account.identity.accountId];
    return ok(c, {
      run: {
        id: queryId,
        accountId: account.identity.accountId,
        userId: by,
        dry: false,
        granularity: 0,
        status: "COMPLETED",
        timeframe,
        query: {
          id: queryId,
          name: "",
          description: null,
          adhoc: true,
          parameters,
          created: at,
          createdBy: by,
          updated: at,
          updatedBy: by,
        },
        statistics,
      },
      calculations: calculations.map(({ operator, alias }) => ({
        calculation: operator,
        ...(alias !== undefined && { alias }),
        aggregates: aggregatesOf(operator),
        series: [],
      })),
      statistics,
    });
  });
