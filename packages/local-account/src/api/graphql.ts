/**
 * `POST /graphql`: Cloudflare's GraphQL Analytics API (docs: "Querying Workers Metrics with GraphQL"), with two data
 * sets: `workersInvocationsAdaptive`, of all requests through the front door, and `r2StorageAdaptiveGroups`
 * (graphql-r2.ts). Nothing is sampled. CPU time is always 0. Cloudflare's page does not have
 * `scriptVersion`; others use it.
 */
import {
  buildSchema,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  type FieldNode,
  GraphQLError,
  type GraphQLResolveInfo,
  Kind,
  parse,
  type SelectionSetNode,
  specifiedRules,
  VariablesInAllowedPositionRule,
  validate,
} from "graphql";
import { Hono } from "hono";
import * as v from "valibot";
import { type Invocation, quantile, wallTimes } from "../invocations.ts";
import { body } from "./body.ts";
import type { Api } from "./context.ts";
import { R2_TYPES, r2Storage } from "./graphql-r2.ts";

const QUANTILES = { P25: 0.25, P50: 0.5, P75: 0.75, P90: 0.9, P99: 0.99, P999: 0.999 };

const schema = buildSchema(`
  scalar Time
  scalar string
  scalar uint64
  scalar float64

  type Query { viewer: viewer }
  type viewer { accounts(filter: AccountFilter): [account!]! }
  input AccountFilter { accountTag: string }
  type account {
    workersInvocationsAdaptive(
      limit: uint64!, filter: WorkersFilter, orderBy: [string!]
    ): [WorkersInvocations!]!
    r2StorageAdaptiveGroups(
      limit: uint64!, filter: R2StorageAdaptiveGroupsFilter_InputObject, orderBy: [string!]
    ): [R2Storage!]!
  }
  input WorkersFilter {
    scriptName: string, scriptVersion: string, status: string
    datetime: Time, datetime_geq: Time, datetime_gt: Time, datetime_leq: Time, datetime_lt: Time
  }
  ${R2_TYPES}
  type WorkersInvocations { sum: Sum, quantiles: Quantiles, dimensions: Dimensions }
  type Sum { requests: uint64!, errors: uint64!, subrequests: uint64! }
  type Quantiles {
    ${Object.keys(QUANTILES)
      .map((name) => `cpuTime${name}: float64!, wallTime${name}: float64!`)
      .join("\n")}
  }
  type Dimensions {
    datetime: Time!, datetimeMinute: Time!, datetimeHour: Time!
    scriptName: string!, scriptVersion: string!, status: string!
  }
`);

const Asked = v.object({
  query: v.string(),
  variables: v.optional(v.nullable(v.record(v.string(), v.unknown()))),
  operationName: v.optional(v.nullable(v.string())),
});

const Text = v.optional(v.nullable(v.string()));
const Filter = v.object({
  scriptName: Text,
  scriptVersion: Text,
  status: Text,
  datetime: Text,
  datetime_geq: Text,
  datetime_gt: Text,
  datetime_leq: Text,
  datetime_lt: Text,
});
const Arguments = v.object({
  limit: v.pipe(v.union([v.number(), v.string()]), v.transform(Number), v.integer(), v.minValue(1), v.maxValue(10_000)),
  filter: v.optional(v.nullable(Filter)),
});

export const graphql = ({ account, invocations }: Api) =>
  new Hono().post("/", async (c) => {
    const { query, variables, operationName } = await body(c, Asked);
    const workersInvocationsAdaptive = (given: unknown, _: unknown, { fieldNodes }: GraphQLResolveInfo) => {
      const { limit, filter } = v.parse(Arguments, given);
      const found = invocations.find(wanted(filter ?? {}));
      return grouped(found, dimensionsIn(fieldNodes)).slice(0, limit);
    };
    const viewer = {
      accounts: ({ filter }: { readonly filter?: { readonly accountTag?: string } }) =>
        filter?.accountTag === undefined || filter.accountTag === account.identity.accountId
          ? [{ workersInvocationsAdaptive, r2StorageAdaptiveGroups: (given: unknown) => r2Storage(account, given) }]
          : [],
    };
    const result = await run(query, {
      schema,
      rootValue: { viewer },
      ...(variables && { variableValues: variables }),
      ...(operationName && { operationName }),
    });
    return c.json({ data: result.data ?? null, errors: result.errors?.map((error) => error.toJSON()) ?? null });
  });

/** As at Cloudflare, a variable of type `String` may stand where a `string` is expected: wrangler writes both. */
const RULES = specifiedRules.filter((rule) => rule !== VariablesInAllowedPositionRule);

async function run(query: string, request: Omit<ExecutionArgs, "document">): Promise<ExecutionResult> {
  try {
    const document = parse(query);
    const errors = validate(request.schema, document, RULES);
    return errors.length > 0 ? { errors } : await execute({ ...request, document });
  } catch (error) {
    if (error instanceof GraphQLError) return { errors: [error] };
    throw error;
  }
}

function wanted(filter: v.InferOutput<typeof Filter>) {
  const time = (text: string | null | undefined, fallback: number) => (text ? Date.parse(text) : fallback);
  const { datetime, datetime_geq: geq, datetime_gt: gt, datetime_leq: leq, datetime_lt: lt } = filter;
  return {
    script: filter.scriptName ?? undefined,
    versionId: filter.scriptVersion ?? undefined,
    status: filter.status ?? undefined,
    from: Math.max(time(datetime ?? geq, 0), time(gt, -1) + 1),
    to: Math.min(time(datetime ?? leq, Number.MAX_SAFE_INTEGER), time(lt, Number.MAX_SAFE_INTEGER) - 1),
  };
}

/** The dimensions that a query selects. As at Cloudflare, rows are grouped only by these. */
const dimensionsIn = (nodes: readonly FieldNode[]): readonly string[] =>
  nodes
    .flatMap(({ selectionSet }) => fieldsIn(selectionSet))
    .filter(({ name }) => name.value === "dimensions")
    .flatMap(({ selectionSet }) => fieldsIn(selectionSet).map(({ name }) => name.value));

const fieldsIn = (set: SelectionSetNode | undefined): readonly FieldNode[] =>
  set?.selections.flatMap((selection) => (selection.kind === Kind.FIELD ? [selection] : [])) ?? [];

const DIMENSIONS: Readonly<Record<string, (invocation: Invocation) => string>> = {
  datetime: ({ at }) => iso(at, 1_000),
  datetimeMinute: ({ at }) => iso(at, 60_000),
  datetimeHour: ({ at }) => iso(at, 3_600_000),
  scriptName: ({ script }) => script,
  scriptVersion: ({ versionId }) => versionId,
  status: ({ status }) => status,
};

const iso = (at: number, step: number) => new Date(Math.floor(at / step) * step).toISOString().replace(/\.000Z$/, "Z");

function grouped(invocations: readonly Invocation[], names: readonly string[]) {
  const groups = Map.groupBy(invocations, (one) => JSON.stringify(names.map((name) => DIMENSIONS[name]?.(one))));
  return [...groups.values()].map((group) => {
    const [first] = group;
    const wall = wallTimes(group);
    return {
      dimensions: first && Object.fromEntries(Object.entries(DIMENSIONS).map(([name, of]) => [name, of(first)])),
      sum: {
        requests: group.length,
        errors: group.filter(({ status }) => status !== "success" && status !== "clientDisconnected").length,
        subrequests: 0,
      },
      // In microseconds, as at Cloudflare.
      quantiles: Object.fromEntries(
        Object.entries(QUANTILES).flatMap(([name, q]) => [
          [`cpuTime${name}`, 0],
          [`wallTime${name}`, Math.round(quantile(wall, q) * 1_000)],
        ]),
      ),
    };
  });
}
