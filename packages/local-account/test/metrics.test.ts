/** Metrics of invocations by version, through Cloudflare's two APIs for them. */
import type Cloudflare from "cloudflare";
import { expect, it } from "vitest";
import { account, type TestAccount } from "./support.ts";

const QUERY = `query ($accountTag: string, $from: Time, $to: Time, $script: string, $version: string) {
  viewer { accounts(filter: { accountTag: $accountTag }) {
    workersInvocationsAdaptive(limit: 100, filter: {
      scriptName: $script, datetime_geq: $from, datetime_leq: $to, scriptVersion: $version
    }) { sum { requests errors } quantiles { wallTimeP50 wallTimeP99 cpuTimeP50 } dimensions { scriptVersion status } }
  } }
}`;

interface Row {
  readonly sum: { readonly requests: number; readonly errors: number };
  readonly quantiles: { readonly wallTimeP50: number; readonly wallTimeP99: number; readonly cpuTimeP50: number };
  readonly dimensions: { readonly scriptVersion: string; readonly status: string };
}

/** The answer to a client of the GraphQL API. */
async function graphql(test: TestAccount, query: string, variables: object, token = test.running.token) {
  const response = await fetch(`${test.running.apiUrl}/graphql`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const answer: {
    data?: { viewer: { accounts: { workersInvocationsAdaptive: Row[] }[] } };
    errors?: { message: string }[];
  } = JSON.parse(await response.text());
  return {
    status: response.status,
    rows: answer.data?.viewer.accounts[0]?.workersInvocationsAdaptive,
    errors: answer.errors,
  };
}

const FETCH = `
  if (url.pathname === "/throw") throw new Error("meant");
  if (url.pathname === "/slow") await scheduler.wait(1_000);
  return new Response("", { status: url.pathname === "/503" ? 503 : 200 });`;

it("count the objects of a bucket and their bytes, in the words of `wrangler r2 bucket info`", async () => {
  const test = await account();
  const params = { account_id: test.id, bucket_name: "blobs" };
  await test.sdk.r2.buckets.create({ account_id: test.id, name: "blobs" });
  await test.sdk.r2.buckets.create({ account_id: test.id, name: "blobs", "cf-r2-jurisdiction": "eu" });
  for (const [key, text] of [
    ["a", "four"],
    ["b", "sixsix"],
  ] as const)
    await test.sdk.r2.buckets.objects.upload(key, Buffer.from(text), params);
  const storage = async (bucketName: string) => {
    const { data } = await test.sdk.post<{ data: unknown }>("/graphql", {
      body: {
        query: `query q($accountTag: String, $filter: R2StorageAdaptiveGroupsFilter_InputObject) {
          viewer { accounts(filter: { accountTag: $accountTag }) {
            r2StorageAdaptiveGroups(limit: 1, filter: $filter, orderBy: [datetime_DESC]) {
              max { objectCount payloadSize metadataSize } dimensions { datetime }
            }
          } }
        }`,
        operationName: "q",
        variables: { accountTag: test.id, filter: { bucketName, datetime_leq: new Date().toISOString() } },
      },
    });
    return data;
  };
  const rows = (...max: object[]) => ({
    viewer: { accounts: [{ r2StorageAdaptiveGroups: max.map((each) => ({ max: each })) }] },
  });
  expect(await storage("blobs")).toMatchObject(rows({ objectCount: 2, payloadSize: 10, metadataSize: 0 }));
  expect(await storage("eu_blobs")).toMatchObject(rows({ objectCount: 0, payloadSize: 0 }));
  expect(await storage("nothing")).toMatchObject(rows());
});

/** A Worker with two versions, and the requests that one of them answered. */
async function served() {
  const test = await account();
  const before = new Date(Date.now() - 1_000).toISOString();
  const old = await test.deploy("app", { fetch: FETCH, tag: "old" });
  const next = await test.upload("app", { fetch: FETCH, tag: "new" });
  await test.split("app", { [old.id]: 99.99, [next.id]: 0.01 });
  const ask = (version: string, path: string) =>
    test.ask("app", path, { "cloudflare-workers-version-overrides": `app="${version}"` });
  for (const path of ["/", "/", "/slow", "/503", "/throw"]) await ask(next.id, path);
  for (const path of ["/", "/503"]) await ask(old.id, path);
  const window = { accountTag: test.id, from: before, to: new Date(Date.now() + 1_000).toISOString(), script: "app" };
  return { test, old, next, window };
}

it("are counted for each version and outcome, with the times that they took", async () => {
  const { test, old, next, window } = await served();
  const { rows = [] } = await graphql(test, QUERY, window);
  const of = (version: string, status: string) =>
    rows.find(({ dimensions }) => dimensions.scriptVersion === version && dimensions.status === status);
  expect(rows).toHaveLength(3);
  expect(of(next.id, "success")?.sum).toEqual({ requests: 4, errors: 0 });
  expect(of(next.id, "scriptThrewException")?.sum).toEqual({ requests: 1, errors: 1 });
  expect(of(old.id, "success")?.sum).toEqual({ requests: 2, errors: 0 });
  // In microseconds.
  expect(of(next.id, "success")?.quantiles.wallTimeP99).toBeGreaterThanOrEqual(1_000_000);
  expect(of(next.id, "success")?.quantiles.wallTimeP50).toBeLessThan(1_000_000);

  const { rows: one = [] } = await graphql(test, QUERY, { ...window, version: old.id });
  expect(one.map(({ dimensions }) => dimensions.scriptVersion)).toEqual([old.id]);
  const { rows: none } = await graphql(test, QUERY, { ...window, from: window.to });
  expect(none).toEqual([]);
});

it("are grouped by the selected dimensions", async () => {
  const { test, window } = await served();
  const { rows = [] } = await graphql(
    test,
    QUERY.replace("dimensions { scriptVersion status }", "dimensions { status }"),
    window,
  );
  expect(rows.map(({ sum, dimensions }) => [dimensions.status, sum.requests]).sort()).toEqual([
    ["scriptThrewException", 1],
    ["success", 6],
  ]);
});

it("are refused without the token, for another data set, and for an invalid query", async () => {
  const test = await account();
  expect((await graphql(test, QUERY, {}, "guess")).status).toBe(401);
  const other = "{ viewer { accounts { httpRequestsAdaptiveGroups(limit: 1) { count } } } }";
  expect((await graphql(test, other, {})).errors?.[0]?.message).toContain(
    'Cannot query field "httpRequestsAdaptiveGroups"',
  );
  expect((await graphql(test, "{", {})).errors?.[0]?.message).toContain("Syntax Error");
});

/** What the query for logs calculates, through the official SDK. */
async function calculated(
  { id, sdk }: TestAccount,
  { from, to }: { readonly from: string; readonly to: string },
  parameters: NonNullable<Cloudflare.Workers.Observability.TelemetryQueryParams["parameters"]>,
) {
  const { calculations = [] } = await sdk.workers.observability.telemetry.query({
    account_id: id,
    queryId: "rollout",
    timeframe: { from: Date.parse(from), to: Date.parse(to) },
    view: "calculations",
    parameters,
  });
  return calculations;
}

it("count answers by their HTTP status, through the query for logs of the official SDK", async () => {
  const { test, old, next, window } = await served();
  const [counted] = await calculated(test, window, {
    filters: [
      { key: "$workers.scriptName", operation: "eq", type: "string", value: "app" },
      { key: "$workers.event.response.status", operation: "gte", type: "number", value: 500 },
    ],
    calculations: [{ operator: "count" }],
    groupBys: [{ type: "string", value: "$workers.scriptVersion.id" }],
  });
  const counts = counted?.aggregates.map(({ value, groups }) => [groups?.[0]?.value, value]);
  expect(counts?.sort()).toEqual(
    [
      [old.id, 1],
      [next.id, 1],
    ].sort(),
  );
});

it("give the quantiles of wall time, of the invocations that the query asks for, and sample nothing", async () => {
  const { test, next, window } = await served();
  const asked = (model: string, operator: "median" | "p99") =>
    calculated(test, window, {
      filters: [
        { key: "$workers.scriptVersion.id", operation: "eq", type: "string", value: next.id },
        { key: "$metadata.type", operation: "eq", type: "string", value: "cf-worker-event" },
        { key: "$workers.executionModel", operation: "eq", type: "string", value: model },
      ],
      calculations: [{ operator: "count" }, { operator, key: "$workers.wallTimeMs", keyType: "number" }],
    });
  const [count, slowest] = await asked("stateless", "p99");
  expect(count?.aggregates).toMatchObject([{ value: 5, sampleInterval: 1 }]);
  expect(slowest?.calculation).toBe("p99");
  expect(slowest?.aggregates[0]?.value).toBeGreaterThanOrEqual(1_000);
  expect((await asked("stateless", "median"))[1]?.aggregates[0]?.value).toBeLessThan(1_000);
  expect((await asked("durableObject", "p99")).map(({ aggregates }) => aggregates)).toEqual([[], []]);
});
