/** The program under Pulumi's mocks: what it declares for a stack, given what is live. Without account and engine. */
import { relative } from "node:path";
import { hashes } from "@durable-stack/class-lifecycle";
import type * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { reveal } from "../../infra/apply/secrets.ts";
import type { DurableWorkerArgs } from "../../infra/durable-worker.ts";
import { migrations } from "../../infra/migrations.ts";
import { READ_STATE } from "../../infra/plan/state/known.ts";
import { problemsInArguments } from "../../infra/provider/functions.ts";
import { kindOf, TYPES } from "../../infra/provider/index.ts";
import { check } from "../../infra/provider/kind.ts";
import { object } from "../../infra/provider/values.ts";
import { buildRelease } from "../../infra/release/build.ts";
import { type Release, readRelease } from "../../infra/release/read.ts";
import { ROOT } from "../../infra/release/root.ts";
import { AS_LEFT, AS_LEFT_TAG } from "../../infra/rollout/as-left.ts";
import { readProject } from "../../infra/stack/project.ts";
import { committedSource } from "../releases.ts";
import { scratch } from "../scratch.ts";
import { shippedConfig } from "../worker-file.ts";

const dir = scratch();
let release: Release;
beforeAll(async () => {
  await buildRelease(dir, committedSource(), shippedConfig());
  release = readRelease(dir);
});

/** Inputs of this test that the real provider would refuse, each with the resource's name. */
const refused: string[] = [];
afterEach(() => {
  expect(refused.splice(0)).toEqual([]);
});

/** Checks inputs by the facts on the provider. Secrets are wrapped in marks, as the engine gets them. */
function judge(type: string, name: string, inputs: object): void {
  if (!type.startsWith("cloudflare:")) return;
  const given = object(reveal(inputs));
  refused.push(...check(kindOf(type), given).problems.map(({ reason }) => `${name}: ${reason}`));
}

interface Declared {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
}
type Answers = Record<string, unknown>;

const baseConfig = (): Record<string, unknown> => ({
  accountId: "0".repeat(32),
  adminToken: "a-token-that-is-long-enough",
  environmentPrefix: "tst-",
  homeRegion: "eu",
  regions: [{ id: "eu", prefix: "eu", locationHint: "weur" }],
  release: relative(ROOT, dir),
});

/** The settings of Pulumi.local.yaml, without the release. */
function localConfig(): Record<string, unknown> {
  const { name, config } = readProject(ROOT, "local");
  const own = Object.entries(config).filter(
    ([key, value]) => key.startsWith(`${name}:`) && key !== `${name}:release` && value !== "",
  );
  return Object.fromEntries(own.map(([key, value]) => [key.slice(name.length + 1), value]));
}

/** What the last run declared, even if it failed. */
let lastDeclared: readonly Declared[] = [];

/** Runs the program with a stack's config. The account answers its data sources with `answers`. */
async function run(config: Record<string, unknown> = {}, answers: Answers = {}) {
  vi.resetModules();
  const declared: Declared[] = [];
  lastDeclared = declared;
  const sdk: typeof pulumi = await import("@pulumi/pulumi");
  await sdk.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        declared.push({ type, name, inputs });
        judge(type, name, inputs);
        const id = `${name} id`;
        if (type.endsWith("Worker"))
          return { id, state: { ...inputs, subdomain: { url: "https://w.example.workers.dev" } } };
        return { id, state: { number: 7, ...inputs } };
      },
      call: ({ token, inputs }) => {
        if (token === "pulumi:pulumi:readStackOutputs") return { outputs: answers.stack ?? {} };
        // As an engine that is too old to tell its state.
        if (token === READ_STATE) throw Object.assign(new Error(), { details: "unrecognized function name" });
        const asked = token.split(":").at(-1) ?? "";
        refused.push(...problemsInArguments(asked, inputs).map(({ reason }) => `${asked}: ${reason}`));
        const answer = answers[asked];
        return typeof answer === "object" && answer !== null ? { ...answer } : { results: [] };
      },
    },
    "durable-stack",
    "test",
    false,
    "organization",
  );
  const entries = Object.entries({ ...baseConfig(), ...config });
  sdk.runtime.setAllConfig(
    Object.fromEntries(
      entries.map(([key, value]) => [
        `durable-stack:${key}`,
        typeof value === "string" ? value : JSON.stringify(value),
      ]),
    ),
  );
  const program: typeof import("../../infra/index.ts") = await import("../../infra/index.ts");
  const outputs = await new Promise<{ floor: number; page: string }>((resolve) => {
    sdk.all([program.rollbackFloor, program.urls.page]).apply(([floor, page]) => resolve({ floor, page }));
  });
  // The outputs of components are registered in the background. Wait, so that they do not reach the next run.
  await sdk.runtime.disconnect();
  const of = (type: string) => declared.filter((resource) => resource.type.endsWith(`:${type}`));
  return { declared, outputs, of, digest: program.digest };
}

const liveClasses = () =>
  Object.fromEntries(
    release.classes.map((name) => [name, { type: "durable-object", state: "created", storage: "sqlite" }]),
  );
const record = (history = hashes(migrations).at(-1)) =>
  JSON.stringify({ digest: "old", migration: migrations.at(-1)?.name, history });

/** An account in which a release of ours serves, with the tags and shares of its versions. `a`: the tag of version 3. */
const serving = (
  versions: readonly { versionId: string; percentage: number; tag: string }[],
  { release = record(), regions, a = "" }: { release?: string; regions?: object; a?: string } = {},
): Answers => ({
  getWorkers: {
    results: [{ id: "w", name: "durable-stack-test", deployedOn: "2026-01-01", references: { durableObjects: [] } }],
  },
  getWorkersDeployments: { results: [{ deployments: [{ id: "d", versions }] }] },
  getWorkerVersion: {
    id: versions[0]?.versionId,
    number: 5,
    exports: liveClasses(),
    annotations: { workersTag: versions[0]?.tag },
    bindings: [
      { name: "RELEASE", json: release },
      ...(regions ? [{ name: "REGIONS", json: JSON.stringify(regions) }] : []),
    ],
  },
  getWorkerVersions: {
    results: [
      { id: "a", number: 3, annotations: { workersTag: a }, bindings: [{ name: "RELEASE", json: release }] },
      { id: "b", number: 5, bindings: [{ name: "RELEASE", json: release }] },
    ],
  },
});

beforeEach(() => {
  vi.spyOn(console, "log").mockImplementation(() => {});
  // With a token the program would read an account. Without one it asks the provider, which is mocked here.
  vi.stubEnv("CLOUDFLARE_API_TOKEN", "");
  vi.stubEnv("ADMIN_TOKEN", "");
  vi.stubEnv(AS_LEFT, "");
  vi.stubEnv(AS_LEFT_TAG, "");
});

it("tells of an override in the message of the version that it is about, and in no other", async () => {
  const message = async (promotionOverride: string) =>
    (await run({ promotionOverride })).of("WorkerVersion").map(({ inputs }) => inputs.annotations);
  const digest = release.digest.slice(0, 12);
  expect(await message(`${digest} soak: hotfix 123`)).toEqual([
    expect.objectContaining({ workersMessage: expect.stringMatching(/^release .*; promoted over soak: hotfix 123$/) }),
  ]);
  expect(await message(`${"0".repeat(12)} soak: hotfix 123`)).toEqual([
    expect.objectContaining({ workersMessage: expect.not.stringContaining("hotfix") }),
  ]);
});

describe("a fresh stack", () => {
  it("gets the Worker, a version that creates the classes and deploys at once, its deployment, KV and R2", async () => {
    const { of, digest, outputs } = await run();
    expect(digest).toBe(release.digest);
    const [version] = of("WorkerVersion");
    expect(version?.name).toMatch(new RegExp(`^worker ${release.digest.slice(0, 12)}-[0-9a-f]{8}$`));
    expect(version?.inputs).toMatchObject({ deploy: true, mainModule: "index.js" });
    expect(Object.keys(Object(version?.inputs.exports)).sort()).toEqual(release.classes);
    expect(of("WorkersDeployment")[0]?.inputs).toMatchObject({
      versions: [{ versionId: `${version?.name} id`, percentage: 100 }],
    });
    expect([of("WorkersKvNamespace"), of("R2Bucket")].map((list) => list.length)).toEqual([1, 1]);
    expect(outputs).toEqual({ floor: 7, page: "https://w.example.workers.dev/" });
  });

  it("gets a bucket in each jurisdiction of its regions", async () => {
    const region = (id: string, more: object = {}) => ({ id, prefix: id, locationHint: "weur", ...more });
    const regions = [
      region("eu"),
      region("law", { jurisdiction: "eu" }),
      region("bank", { jurisdiction: "eu" }),
      region("gov", { jurisdiction: "fedramp-high" }),
    ];
    await expect(run({ regions })).rejects.toThrow(
      /fedramp-high[\s\S]*bind: \{ BLOBS_FEDRAMP_HIGH: <the bucket's name> \}/,
    );
    const { of } = await run({ regions, bind: { BLOBS_FEDRAMP_HIGH: "by-hand" } });
    const buckets = of("R2Bucket").map(({ inputs: { name, jurisdiction } }) => [name, jurisdiction]);
    expect(buckets).toEqual([
      ["durable-stack-test-blobs", undefined],
      ["durable-stack-test-blobs-eu", "eu"],
    ]);
    expect(object(reveal(of("WorkerVersion")[0]?.inputs ?? {})).bindings).toEqual(
      expect.arrayContaining([
        { type: "r2_bucket", name: "BLOBS", bucketName: "durable-stack-test-blobs" },
        { type: "r2_bucket", name: "BLOBS_EU", bucketName: "durable-stack-test-blobs-eu", jurisdiction: "eu" },
        { type: "r2_bucket", name: "BLOBS_FEDRAMP_HIGH", bucketName: "by-hand", jurisdiction: "fedramp-high" },
      ]),
    );
  });

  it("is on workers.dev only while it has no address of its own", async () => {
    const { of, outputs } = await run({
      zoneId: "1".repeat(32),
      hostname: "api.example.com",
      routes: ["example.com/api/*"],
    });
    expect(of("Worker")[0]?.inputs).toMatchObject({ subdomain: { enabled: false } });
    expect(of("WorkersCustomDomain")[0]?.inputs).toMatchObject({ hostname: "api.example.com" });
    expect(of("WorkersRoute")[0]?.inputs).toMatchObject({ pattern: "example.com/api/*" });
    expect(outputs.page).toBe("https://api.example.com/");
  });

  it("names no folder of this machine", async () => {
    const { declared } = await run();
    expect(JSON.stringify(declared.map(({ inputs }) => inputs))).not.toContain(ROOT);
  });
});

describe("a stack that serves a release of ours", () => {
  const old = [{ versionId: "old-version", percentage: 100, tag: "old-tag" }];

  it("gets a version without a lifecycle change, and keeps its rollback floor", async () => {
    const { of, outputs } = await run({}, serving(old));
    expect(of("WorkerVersion")[0]?.inputs).toMatchObject({ deploy: false });
    expect(outputs.floor).toBe(3);
  });

  it("is not updated by a step of a rollout that was decided by another deployment", async () => {
    vi.stubEnv(AS_LEFT, "d");
    await expect(run({}, serving(old))).resolves.toBeDefined();
    vi.stubEnv(AS_LEFT, "c");
    await expect(run({}, serving(old))).rejects.toThrow(/^Nothing was sent: something else has changed the traffic/);
    expect(lastDeclared.filter(({ type }) => type.startsWith("cloudflare:"))).toEqual([]);
  });

  it("is not updated with another release than was decided for", async () => {
    const made = (await run({}, serving(old))).of("WorkerVersion")[0]?.name.replace("worker ", "") ?? "none";
    vi.stubEnv(AS_LEFT_TAG, made);
    await expect(run({}, serving(old))).resolves.toBeDefined();
    vi.stubEnv(AS_LEFT_TAG, `${"0".repeat(12)}-x`);
    await expect(run({}, serving(old))).rejects.toThrow(/^Nothing was sent: another release is at hand/);
    expect(lastDeclared.filter(({ type }) => type.startsWith("cloudflare:"))).toEqual([]);
  });

  it("splits the traffic between the release and the stable version", async () => {
    const { of } = await run({ rollout: 10 }, serving(old));
    expect(of("WorkersDeployment")[0]?.inputs.versions).toMatchObject([
      { percentage: 10 },
      { versionId: "old-version", percentage: 90 },
    ]);
  });

  it("declares nothing for Cloudflare if a secret has a name that it does not take", async () => {
    vi.doMock("../../infra/durable-worker.ts", async (original) => {
      const module = await original<typeof import("../../infra/durable-worker.ts")>();
      class DurableWorker extends module.DurableWorker {
        constructor(name: string, args: DurableWorkerArgs) {
          super(name, { ...args, secrets: { ...args.secrets, "API-KEY": "never shown", "1ST": undefined, _A1: "x" } });
        }
      }
      return { ...module, DurableWorker };
    });
    onTestFinished(() => void vi.doUnmock("../../infra/durable-worker.ts"));
    const refusal = await run().catch((error) => error);
    expect(String(refusal)).toMatch(
      /^UserError: "API-KEY", "1ST" cannot be the name of a secret: it must be letters \(A-Z a-z\), digits and _, and not begin with a digit\. Nothing was sent\. Fix: rename it in `secrets` \(infra\/index\.ts\)/,
    );
    expect(String(refusal)).not.toContain("never shown");
    expect(lastDeclared.filter(({ type }) => type.startsWith("cloudflare:"))).toEqual([]);
  });

  it("declares nothing if the plan is refused, and reports all mistakes", async () => {
    const diverged = serving(old, { release: record("0000000000000000") });
    await expect(run({}, diverged)).rejects.toThrow(/Nothing was sent[\s\S]*state_diverged/);
  });
});

describe("traffic that goes back where the admin token is not at hand", () => {
  const without = { adminToken: "" };
  /** The release at hand serves already: nothing else of it is judged. */
  const own = () =>
    JSON.stringify({ digest: release.digest, migration: migrations.at(-1)?.name, history: hashes(migrations).at(-1) });
  const whole = [{ versionId: "b", percentage: 100, tag: "new-tag" }];
  const before = [{ versionId: "a", percentage: 100 }];

  it.each([
    ["another release", () => serving(whole, { a: "old-tag" })],
    ["the release at hand", () => serving(whole, { release: own(), a: `${release.digest.slice(0, 12)}-tag` })],
  ])("from %s to a pin makes no version, for that would be without the token", async (_, answers) => {
    const { of } = await run({ pin: 3, ...without }, answers());
    expect(of("WorkersDeployment")[0]?.inputs.versions).toEqual(before);
    expect(of("WorkerVersion")).toEqual([]);
  });

  it.each([
    ["serves as the settings say", {}, () => serving(whole)],
    ["has nothing to go back from", { rollout: 0 }, () => serving(before.map((one) => ({ ...one, tag: "old-tag" })))],
    ["serves everybody, and has nothing to go back from", { rollout: 0 }, () => serving(whole, { release: own() })],
    ["is the first", { rollout: 0 }, () => ({})],
  ])("is asked for it where a release %s", async (_, config, answers) => {
    await expect(run({ ...config, ...without }, answers())).rejects.toThrow(/adminToken is missing/);
    expect(lastDeclared.filter(({ type }) => type.startsWith("cloudflare:"))).toEqual([]);
  });
});

describe("inputs that the real provider accepts", () => {
  const old = [{ versionId: "a", percentage: 100, tag: "old-tag" }];
  const zone = { zoneId: "1".repeat(32), hostname: "api.example.com", routes: ["example.com/a/*", "*.example.com/*"] };
  // A stack that adopts a Worker reads the account itself: see test/engine/adopt.test.ts, with the same checks.
  const stacks: Readonly<Record<string, readonly [config: Record<string, unknown>, answers?: () => Answers]>> = {
    "a local one, as its file says": [localConfig()],
    "a staging one": [{ protect: true, corsOrigins: ["https://example.com"], promotesFrom: "" }],
    "one with a zone, a host name and routes": [zone],
    "one of two regions, one in a jurisdiction": [
      {
        homeRegion: "eu",
        regions: [
          { id: "eu", prefix: "eu", locationHint: "weur", jurisdiction: "eu", continents: ["EU"] },
          { id: "us", prefix: "us", locationHint: "enam", continents: ["NA"] },
        ],
      },
    ],
    "one in the middle of a rollout": [{ rollout: 10, ...zone }, () => serving(old)],
    "one that is pinned": [{ pin: 3 }, () => serving(old, { a: "old-tag" })],
  };

  it.each(Object.entries(stacks))("are the inputs of %s", async (_, [config, answers]) => {
    const { of, declared } = await run(config, answers?.());
    expect(of("Worker")).toHaveLength(1);
    expect(of("WorkersDeployment")).toHaveLength(1);
    // A new type of resource needs facts too.
    const types = declared.flatMap(({ type }) => (type.startsWith("cloudflare:") ? [type] : []));
    expect(types.filter((type) => !TYPES.includes(type))).toEqual([]);
  });

  it("do not include the hash of a module, which is read-only", () => {
    const modules = [{ name: "m", contentType: "t", contentFile: "f", contentSha256: "0".repeat(64) }];
    judge("cloudflare:index/workerVersion:WorkerVersion", "v", { accountId: "a", workerId: "w", modules });
    expect(refused.splice(0)).toEqual([
      "v: modules[0].contentSha256: Invalid Configuration for Read-Only Attribute. Cannot set value for this attribute as the provider has marked it as read-only. Remove the configuration line setting the value.",
    ]);
  });
});

describe("the region table", () => {
  const old = [{ versionId: "old-version", percentage: 100, tag: "old-tag" }];
  const live = {
    environmentPrefix: "tst-",
    home: "eu",
    regions: [
      { id: "eu", prefix: "eu" },
      { id: "us", prefix: "us" },
    ],
  };

  it("is refused if it loses a region with uncounted objects, unless the stack allows it by name", async () => {
    await expect(run({}, serving(old, { regions: live }))).rejects.toThrow(/region_prefix_removed\] tst-us/);
    await expect(run({ allowRegionLoss: ["tst-us"] }, serving(old, { regions: live }))).resolves.toBeDefined();
  });
});

describe("mistakes", () => {
  it("are reported at once: promotion, classes, regions", async () => {
    const old = [{ versionId: "old-version", percentage: 100, tag: "old-tag" }];
    const regions = { environmentPrefix: "old-", home: "eu", regions: [{ id: "eu", prefix: "eu" }] };
    const answers = { ...serving(old, { release: record("0000000000000000"), regions }), stack: {} };
    await expect(run({ promotesFrom: "staging" }, answers)).rejects.toThrow(
      /3 errors:[\s\S]*not_promoted[\s\S]*state_diverged[\s\S]*region_prefix_changed\] old-eu/,
    );
  });

  it("do not show a local account's token to Cloudflare, where only wrangler is pointed at that account", async () => {
    const local = "http://127.0.0.1:8788/client/v4";
    vi.stubEnv("CLOUDFLARE_API_TOKEN", "local-token");
    vi.stubEnv("CLOUDFLARE_API_BASE_URL", local);
    const sent = vi.spyOn(globalThis, "fetch").mockImplementation(async () => Response.json({}, { status: 400 }));
    await expect(run()).rejects.toThrow(`for that account export CLOUDFLARE_BASE_URL=${local} too`);
    expect(sent).not.toHaveBeenCalled();
    vi.stubEnv("CLOUDFLARE_BASE_URL", local);
    await expect(run()).rejects.toThrow(/account_unreadable/);
    expect(sent.mock.calls.map(([request]) => new Request(request).url)).toContainEqual(
      expect.stringMatching(/^http:\/\/127\.0\.0\.1:8788\//),
    );
  });

  it("leave nothing declared", async () => {
    await expect(run({ promotesFrom: "staging" }, { stack: {} })).rejects.toThrow(/not_promoted/);
    const { disconnect }: typeof pulumi.runtime = (await import("@pulumi/pulumi")).runtime;
    await disconnect();
    expect(lastDeclared).toEqual([]);
  });
});

describe("promotion", () => {
  it("goes on when the other stack serves the same release, and is refused when it does not", async () => {
    const served = (share?: number) => ({ stack: { digest: release.digest, share } });
    await expect(run({ promotesFrom: "staging" }, served(100))).resolves.toBeDefined();
    await expect(run({ promotesFrom: "staging" }, served(10))).rejects.toThrow(
      /promoted_in_part.*gives it 10 % .*rollout -- set 100 --stack staging/,
    );
    await expect(run({ promotesFrom: "staging" }, served())).rejects.toThrow(/promoted_in_part.*update staging/);
    await expect(run({ promotesFrom: "staging" }, { stack: { digest: "f".repeat(64) } })).rejects.toThrow(
      /not_promoted.*staging serves f{12}/,
    );
    await expect(run({ promotesFrom: "staging" }, {})).rejects.toThrow(/staging serves no release/);
  });

  it("is not asked of a release that all callers get already", async () => {
    const elsewhere = { stack: { digest: "f".repeat(64) } };
    const old = [{ versionId: "old-version", percentage: 100, tag: "old-tag" }];
    const recorded = (digest: string) =>
      JSON.stringify({ digest, migration: migrations.at(-1)?.name, history: hashes(migrations).at(-1) });
    const settings = { promotesFrom: "staging", soakMinutes: 30 };
    const same = { ...serving(old, { release: recorded(release.digest) }), ...elsewhere };
    await expect(run(settings, same)).resolves.toBeDefined();
    const another = { ...serving(old, { release: recorded("e".repeat(64)) }), ...elsewhere };
    await expect(run(settings, another)).rejects.toThrow(/not_promoted/);
  });

  it("lets a release that staging is past out by its name, to catch up, and tells of it in the version's message", async () => {
    const past = { stack: { digest: "f".repeat(64), share: 100, migration: "9999-later" } };
    const settings = { promotesFrom: "staging", soakMinutes: 30 };
    const digest = release.digest.slice(0, 12);
    await expect(run(settings, past)).rejects.toThrow(/promotion_missed.*9999-later/);
    await expect(run({ ...settings, allowMissedRelease: "0".repeat(12) }, past)).rejects.toThrow(/promotion_missed/);
    const allowed = { ...settings, allowMissedRelease: digest };
    const [version] = (await run(allowed, past)).of("WorkerVersion");
    expect(version?.inputs.annotations).toMatchObject({
      workersMessage: expect.stringMatching(/; not from staging, which is past it$/),
    });
    // One that staging could still take is not let out, and neither is one that brings this stack no step further.
    const before = { stack: { ...past.stack, migration: release.migration.step } };
    await expect(run(allowed, before)).rejects.toThrow(/not_promoted/);
    const here = serving([{ versionId: "old-version", percentage: 100, tag: "old-tag" }]);
    await expect(run(allowed, { ...here, ...past })).rejects.toThrow(/promotion_missed/);
  });

  it("waits for the soak time too, unless it is overridden for this release", async () => {
    const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
    const served = (since?: string) => ({ stack: { digest: release.digest, share: 100, since } });
    const settings = { promotesFrom: "staging", soakMinutes: 30 };
    await expect(run(settings, served(ago(31)))).resolves.toBeDefined();
    await expect(run(settings, served(ago(10)))).rejects.toThrow(
      /soak_not_over.*it may go in 20 min.*--override soak=/,
    );
    await expect(run(settings, served())).rejects.toThrow(/soak_not_over.*update staging once more/);
    const promotionOverride = `${release.digest.slice(0, 12)} soak: a hotfix`;
    await expect(run({ ...settings, promotionOverride }, served(ago(10)))).resolves.toBeDefined();
    const another = `${"0".repeat(12)} soak: a hotfix`;
    await expect(run({ ...settings, promotionOverride: another }, served(ago(10)))).rejects.toThrow(/soak_not_over/);
  });
});
