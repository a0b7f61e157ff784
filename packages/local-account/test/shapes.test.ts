/** The account's answers have the types of Cloudflare's official SDK, and the check of that finds what is wrong. */
import { expect, it } from "vitest";
import { Account } from "../src/account.ts";
import { api } from "../src/api/app.ts";
import { Calls } from "../src/calls.ts";
import { Faults } from "../src/faults.ts";
import { Invocations } from "../src/invocations.ts";
import { mistakesOf } from "./shapes/answers.ts";
import { ROUTES } from "./shapes/routes.ts";
import { walk } from "./shapes/walk.ts";
import { account, temporaryDirectory } from "./support.ts";

const answer = (result: unknown, rest: object = {}) => ({
  method: "GET",
  route: "/accounts/:account/workers/scripts/:script/subdomain",
  status: 200,
  json: JSON.stringify({ success: true, errors: [], messages: [], result, ...rest }),
});
const found = (result: unknown, rest?: object) =>
  mistakesOf(answer(result, rest)).map(({ where, why }) => `${where.slice(where.indexOf("):") + 3)} ${why}`);

it("finds a field that is missing, wrong or unknown, and says which", () => {
  expect(found({ enabled: true, previews_enabled: false })).toEqual([]);
  expect(mistakesOf(answer({ enabled: true }))).toEqual([
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
    mistakesOf({
      ...answer({ created_on: "", id: "v", number: 1, urls: [], bindings: [binding] }),
      route: "/accounts/:account/workers/workers/:worker/versions/:version",
    }).map(({ where, why }) => `${where.slice(where.indexOf("):") + 3)} ${why}`);
  expect(version({ type: "kv_namespace", name: "KV", namespace_id: "k" })).toEqual([]);
  expect(version({ type: "kv_namespace", name: "KV" })).toEqual(["result.bindings[].namespace_id is missing"]);
  expect(version({ type: "nothing", name: "KV" })[0]).toMatch(/^result\.bindings\[\] must be an object of type "ai"/);
});

it("holds a refusal to Cloudflare's envelope", () => {
  const json = JSON.stringify({ success: false, errors: [{ message: "no" }], messages: [], result: null });
  expect(mistakesOf({ ...answer(null), status: 400, json })).toMatchObject([{ why: "is missing" }]);
});

it("has a line for every route, and none for another", async () => {
  const account = await Account.open({ dir: temporaryDirectory(), plan: "paid" });
  const context = { account, addressOf: String, invocations: new Invocations(), calls: new Calls() };
  const { routes } = api(context, new Faults());
  await account.close();
  const served = routes.filter(({ method }) => method !== "ALL");
  expect(Object.keys(ROUTES).sort()).toEqual(
    served.map(({ method, path }) => `${method} ${path.replace("/client/v4", "")}`).sort(),
  );
});

it("answers every route in the SDK's shape", async () => {
  const answered = new Set<string>();
  const test = await account({
    onAnswer: ({ method, route, status }) => {
      if (status < 400) answered.add(`${method} ${route}`);
    },
  });
  await walk(test);
  expect([...answered].sort()).toEqual(Object.keys(ROUTES).sort());
});
