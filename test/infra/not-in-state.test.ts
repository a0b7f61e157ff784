/** Storage that a stack has in the account and not in its state, as `npm run destroy` looks for it. */
import { expect, it } from "vitest";
import { Reads } from "../../infra/plan/account/reads.ts";
import { Known } from "../../infra/plan/state/known.ts";
import { notInState } from "../../infra/plan/storage/in-state.ts";
import { Api } from "../../infra/provider/api.ts";
import { preview, version } from "./preview.ts";

const { settings, live } = preview();
const name = (binding: string) => `${settings.workerName}-${binding}`;

/** What is found where the account has these KV namespaces, and the versions, the newest first, these bindings of them. */
function found(namespaces: Readonly<Record<string, string>>, versions: readonly Readonly<Record<string, string>>[]) {
  const result = Object.entries(namespaces).map(([id, title]) => ({ id, title }));
  const fetch = async (url: string | URL | Request) =>
    (url instanceof Request ? url.url : String(url)).includes("/kv/")
      ? Response.json({ success: true, result, result_info: { page: 1, total_pages: 1 } })
      : Response.json({ success: false, errors: [{ code: 10006, message: "not there" }] }, { status: 404 });
  const none = async () => ({ results: [] });
  const reads = new Reads(
    "a",
    {
      getWorkers: none,
      getWorkersDeployments: async () => ({ results: [] }),
      getWorkerVersion: async () => ({ id: "v", number: 1, exports: {} }),
      getWorkerVersions: none,
    },
    new Api({ baseUrl: "http://account.test/client/v4", token: "t" }, { fetch }),
  );
  const made = versions.map((bindings, i) => ({
    ...version(versions.length - i, String(i), "a"),
    bindings: Object.entries(bindings).map(([binding, namespaceId]) => ({
      name: binding,
      type: "kv_namespace",
      namespaceId,
    })),
  }));
  const newest = made.slice(0, 1).map((one) => ({ ...one, percentage: 100 }));
  return notInState({ reads, settings, known: Known.of([]), live: { ...live, versions: made, serving: newest } });
}

it("is what every stack has, by its name, or by what a version is bound to", async () => {
  expect(await found({ k1: name("reads") }, [{}])).toEqual([`KV namespace ${name("reads")}`]);
  expect(await found({ k1: "renamed" }, [{}, { READS: "k1" }])).toEqual(["KV namespace renamed"]);
  expect(await found({ k1: "somebody-elses" }, [{}])).toEqual([]);
});

it("is what serves is bound to, by the stack's own name for it, and nothing that another lent", async () => {
  expect(await found({ k1: name("users") }, [{ USERS: "k1" }])).toEqual([`KV namespace ${name("users")}`]);
  expect(await found({ k1: "company-users" }, [{ USERS: "k1" }])).toEqual([]);
  expect(await found({ k1: "company-users" }, [{}, { USERS: "k1" }])).toEqual([]);
});
