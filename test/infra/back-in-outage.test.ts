/** Traffic goes back while parts of the API are not well: an outage may be why somebody goes back. */
import { hashes, history } from "@durable-stack/class-lifecycle";
import { describe, expect, it } from "vitest";
import { Reads } from "../../infra/plan/account/reads.ts";
import { previewOf } from "../../infra/plan/preview/preview.ts";
import { Known } from "../../infra/plan/state/known.ts";
import { Api, ApiError } from "../../infra/provider/api.ts";
import { LOGICAL } from "../../infra/stack/declared.ts";
import { preview } from "./preview.ts";

const { migrations } = history().step("0001-create", (classes) => classes.create("Room"));
const migration = { step: "0001-create", history: hashes(migrations).at(-1) ?? "" };
const base = preview();
const release = { ...base.release, classes: ["Room"], migration };
const settings = {
  ...base.settings,
  zoneId: "1".repeat(32),
  hostname: "api.example.com",
  routes: ["example.com/a/*"],
};
const NAME = settings.workerName;

/** Versions 4 and 5, with their shares of the traffic. Each waits for the objects of Room, so that namespaces are asked. */
const version = (number: number, letter: string) => ({
  id: `v${number}`,
  number,
  annotations: { workersTag: `${letter.repeat(12)}-1` },
  bindings: [
    {
      name: "RELEASE",
      json: JSON.stringify({ digest: letter.repeat(64), migration: migration.step, history: migration.history }),
    },
    { name: "READS", type: "kv_namespace", namespaceId: "kv" },
    { name: "REGIONS", json: JSON.stringify({ environmentPrefix: "old-", home: "eu", regions: [] }) },
  ],
  exports: { Room: { type: "durable-object", storage: "sqlite", transferFrom: "sender" } },
});
const VERSIONS = [version(5, "b"), version(4, "a")];

/** An account whose Workers, deployments and versions can be read, and nothing else: all that is answered with 503. */
function account(...shares: readonly number[]) {
  const asked: string[] = [];
  const fetch = async (request: Request | string | URL) => {
    asked.push(new URL(request instanceof Request ? request.url : request).pathname);
    return Response.json({ success: false, errors: [{ code: 10001, message: "not well" }] }, { status: 503 });
  };
  const api = new Api({ baseUrl: "http://api.test/client/v4", token: "t" }, { fetch, readLimit: 1 });
  const found = VERSIONS.filter((_, i) => shares[i]);
  const reads = new Reads(
    "a",
    {
      getWorkers: async () => ({
        results: [{ id: "w", name: NAME, deployedOn: "2026-11-26", references: { durableObjects: [] } }],
      }),
      getWorkersDeployments: async () => ({
        results: [
          {
            deployments: [
              {
                id: "d",
                versions: found.map(({ id }) => ({
                  versionId: id,
                  percentage: shares[VERSIONS.findIndex((one) => one.id === id)],
                })),
              },
            ],
          },
        ],
      }),
      getWorkerVersion: async ({ versionId }) => VERSIONS.find(({ id }) => id === versionId),
      getWorkerVersions: async () => ({ results: VERSIONS }),
    },
    api,
  );
  return { reads, asked };
}

const urn = (type: string, name: string) => `urn:pulumi:s::p::cloudflare:index/x:${type}::${name}`;
const HELD = [
  [urn("Worker", LOGICAL.worker), { id: "w", accountId: settings.accountId }],
  [urn("WorkersKvNamespace", LOGICAL.reads), { id: "kv-before", title: "reads" }],
  [urn("R2Bucket", LOGICAL.blobs), { name: "blobs" }],
] as const;
const DOMAIN = [urn("WorkersCustomDomain", LOGICAL.domain), { hostname: settings.hostname }] as const;
const ROUTE = [urn("WorkersRoute", LOGICAL.route("example.com/a/*")), { pattern: "example.com/a/*" }] as const;
const WHOLE = Known.of([...HELD, DOMAIN, ROUTE]);

const plan = (more: object, known: Known | undefined, ...shares: readonly number[]) => {
  const { reads, asked } = account(...shares);
  const given = { reads, settings: { ...settings, ...more }, release, migrations, known, promotion: [] };
  return { asked, preview: previewOf(given) };
};

describe("while all that may be refused is answered with 503", () => {
  it.each([
    ["a pin, for the program", { pin: 4 }, WHOLE, [100]],
    ["a pin, for the rollback, which cannot read the state", { pin: 4 }, undefined, [100]],
    ["the end of a rollout, for the program", { rollout: 0 }, WHOLE, [10, 90]],
    ["the end of a rollout, for the command", { rollout: 0 }, undefined, [10, 90]],
  ])("the traffic goes back: %s", async (_, more, known, shares) => {
    const { asked, preview: made } = plan(more, known, ...shares);
    const { errors, traffic } = await made;
    expect([errors, traffic.stable]).toEqual([[], { versionId: "v4", percentage: 100 }]);
    const said = asked.join(" ");
    for (const what of ["/workers/domains", "/workers/routes", "/kv/namespaces", "/durable_objects/namespaces"])
      expect(said).toContain(what);
  });

  it.each([
    ["the program", WHOLE],
    ["a command", undefined],
  ])("no release goes forward: %s", async (_, known) => {
    await expect(plan({}, known, 100).preview).rejects.toBeInstanceOf(ApiError);
  });

  it.each([
    ["a host name", [...HELD, ROUTE]],
    ["a route", [...HELD, DOMAIN]],
    ["a KV namespace", [HELD[0], HELD[2], DOMAIN, ROUTE]],
    ["a bucket", [HELD[0], HELD[1], DOMAIN, ROUTE]],
  ])("nothing is taken on the way back that may be another's: %s that the state does not have", async (_, held) => {
    await expect(plan({ pin: 4 }, Known.of(held), 100).preview).rejects.toBeInstanceOf(ApiError);
  });
});
