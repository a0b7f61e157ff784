/** The account's answers have the types of Cloudflare's official SDK, and the check of that finds what is wrong. */
import { expect, it } from "vitest";
import { Account } from "../src/account.ts";
import { api } from "../src/api/app.ts";
import { ApiCalls } from "../src/api-calls.ts";
import { Faults } from "../src/faults.ts";
import { Invocations } from "../src/invocations.ts";
import { mistakesOf, sdkSchemas } from "./shapes/answers.ts";
import { EXCEPTIONS } from "./shapes/exceptions.ts";
import { ROUTES } from "./shapes/routes.ts";
import { walk } from "./shapes/walk.ts";
import { account, temporaryDirectory } from "./support.ts";

const schemas = await sdkSchemas();

const answer = (result: unknown, rest: object = {}) => ({
  method: "GET",
  route: "/accounts/:account/workers/scripts/:script/subdomain",
  status: 200,
  json: JSON.stringify({ success: true, errors: [], messages: [], result, ...rest }),
});
const found = (result: unknown, rest?: object) =>
  mistakesOf(answer(result, rest), schemas).map(({ where, why }) => `${where.slice(where.indexOf("):") + 3)} ${why}`);

it("finds a field that is missing, wrong or unknown, and says which", () => {
  expect(found({ enabled: true, previews_enabled: false })).toEqual([]);
  expect(mistakesOf(answer({ enabled: true }), schemas)).toEqual([
    {
      where:
        "GET /accounts/:account/workers/scripts/:script/subdomain (workers.scripts.subdomain.get): result.previews_enabled",
      why: "is missing",
    },
  ]);
  expect(found({ enabled: "yes", previews_enabled: true })).toEqual(['result.enabled must be a boolean, and is "yes"']);
  expect(found({ enabled: true, previews_enabled: true, more: 1 })).toEqual(["result.more is not in the type (1)"]);
  expect(found({ enabled: true, previews_enabled: true }, { messages: undefined })).toEqual(["messages is missing"]);
});

it("finds a mistake inside a list and a union, by the kind that the value says it is", () => {
  const version = (binding: object) =>
    mistakesOf(
      {
        ...answer({ created_on: "", id: "v", number: 1, urls: [], bindings: [binding] }),
        route: "/accounts/:account/workers/workers/:worker/versions/:version",
      },
      schemas,
    ).map(({ where, why }) => `${where.slice(where.indexOf("):") + 3)} ${why}`);
  expect(version({ type: "kv_namespace", name: "KV", namespace_id: "k" })).toEqual([]);
  expect(version({ type: "kv_namespace", name: "KV" })).toEqual(["result.bindings[].namespace_id is missing"]);
  expect(version({ type: "nothing", name: "KV" })[0]).toMatch(/^result\.bindings\[\] must be an object of type "ai"/);
});

it("holds a refusal to Cloudflare's envelope", () => {
  const json = JSON.stringify({ success: false, errors: [{ message: "no" }], messages: [], result: null });
  expect(mistakesOf({ ...answer(null), status: 400, json }, schemas)).toMatchObject([{ why: "is missing" }]);
});

it("has a line for every route, and none for another", async () => {
  const dir = temporaryDirectory();
  const account = await Account.open({ dir, plan: "paid" });
  const context = { account, dir, addressOf: String, invocations: new Invocations(), calls: new ApiCalls() };
  const { routes } = api(context, new Faults());
  await account.close();
  const served = routes.filter(({ method }) => method !== "ALL");
  expect(Object.keys(ROUTES).sort()).toEqual(
    served.map(({ method, path }) => `${method} ${path.replace("/client/v4", "")}`).sort(),
  );
});

it("has no exception for a route that is gone", () => {
  const unused = EXCEPTIONS.filter(({ routes }) => !Object.keys(ROUTES).some((route) => routes.test(route)));
  expect(unused).toEqual([]);
});

it("writes Cloudflare's annotations, and leaves out lists that are empty", async () => {
  const test = await account();
  await test.deploy("app", { tag: "a" });
  const uploaded = await test.upload("app", { annotations: { "workers/message": "mine" } });
  const at = "/workers/scripts/app";
  expect(await test.call("get", `${at}/deployments`)).toMatchObject({
    deployments: [
      { annotations: { "workers/message": "Automatic deployment on upload.", "workers/triggered_by": "upload" } },
    ],
  });
  expect(await test.call("get", `${at}/versions`)).toMatchObject({
    items: [
      { annotations: { "workers/message": "mine", "workers/triggered_by": "version_upload" } },
      { annotations: { "workers/triggered_by": "upload" } },
    ],
  });
  const { resources } = await test.sdk.workers.scripts.versions.get(uploaded.id, {
    account_id: test.id,
    script_name: "app",
  });
  expect(resources.script?.handlers).toEqual(["fetch", "scheduled"]);
  expect(resources.script).not.toHaveProperty("named_handlers");
  expect(resources.script_runtime).not.toHaveProperty("compatibility_flags");
});

it("pages deployments, and finds them by time", async () => {
  const test = await account();
  await test.deploy("app", { tag: "a" });
  const { id } = await test.deploy("app", { tag: "b" });
  const list = (query: string) => test.sdk.get<Paged>(`/accounts/${test.id}/workers/scripts/app/deployments?${query}`);
  expect(await list("per_page=1&page=2")).toMatchObject({
    result: { deployments: [{ versions: [{ percentage: 100 }] }] },
    result_info: { page: 2, per_page: 1, count: 1, total_count: 2 },
  });
  const { result } = await list("");
  expect(result.deployments).toMatchObject([{ versions: [{ version_id: id }] }, {}]);
  const newest = result.deployments[0]?.created_on ?? "";
  expect((await list(`since=${newest}`)).result.deployments).toHaveLength(1);
  expect((await list(`since=${new Date(Date.parse(newest) + 1).toISOString()}`)).result.deployments).toEqual([]);
});

interface Paged {
  readonly result: { readonly deployments: readonly { readonly created_on: string }[] };
}

// A walk of all routes: half a minute on a slow machine by itself.
it("answers every route in the SDK's shape", { timeout: 180_000 }, async () => {
  const answered = new Set<string>();
  const test = await account({
    onAnswer: ({ method, route, status }) => {
      if (status < 400) answered.add(`${method} ${route}`);
    },
  });
  await walk(test);
  expect([...answered].sort()).toEqual(Object.keys(ROUTES).sort());
});
