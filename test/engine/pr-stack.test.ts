/**
 * The stack of a pull request, by the workflows' own `run:` lines, with the real Pulumi CLI and a local account: made with
 * a label, deployed again, asked for its address, taken down, and swept away where something of it is left.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RunningAccount } from "@durable-stack/local-account";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectName } from "../../infra/stack/project.ts";
import { startChecked, TestAccount } from "../../packages/local-account/test/support.ts";
import { ProjectCopy } from "../project-copy.ts";
import { memberOf } from "./expression.ts";
import { GitHub } from "./github.ts";
import { Ground } from "./ground.ts";
import { type JobEnded, type JobOptions, type Place, Workflow } from "./workflow.ts";

const NAME = projectName();

const workflow = new Workflow("pr-stack.yml");
const sweep = new Workflow("pr-sweep.yml");

const RESOLVER = `
const dns = require("node:dns");
const { lookup } = dns;
dns.lookup = (name, ...rest) => lookup(name.endsWith(".localhost") ? "127.0.0.1" : name, ...rest);
`;

let ground: Ground;
let account: RunningAccount;
let github: GitHub;
let origin: ProjectCopy;
let resolver: string;
beforeAll(async () => {
  ground = await Ground.make();
  account = await startChecked({ dir: ground.folder("account"), port: 0, apiPort: 0, onLog: () => {} });
  github = new GitHub(ground.folder("github"));
  ground.install("gh", github.program);
  // Browsers and some systems know where names under localhost lead; Node asks the system.
  resolver = join(ground.folder("resolver"), "localhost.cjs");
  writeFileSync(resolver, RESOLVER);
  origin = new ProjectCopy();
  origin.bindAsShipped();
  origin.commit("v1");
});
afterAll(async () => {
  await account?.close();
  origin?.remove();
  ground?.remove();
});

interface Event {
  readonly action?: string;
  readonly label?: string;
  readonly labels?: readonly string[];
  readonly from?: string;
  readonly number?: number;
  readonly needs?: object;
  /** In the sweep: the pull request of the job. */
  readonly pull?: number;
}

/** What the workflow may ask for, when that happened to a pull request. */
function meaning(event: Event): JobOptions["meaning"] {
  const { action = "synchronize", label, labels = ["stack"], from = "me/it", number = 5, needs, pull } = event;
  const context = {
    github: {
      repository: "me/it",
      server_url: "https://github.com",
      run_id: "7",
      event: {
        action,
        label: { name: label },
        repository: { default_branch: "main" },
        pull_request: {
          number,
          labels: labels.map((name) => ({ name })),
          head: { sha: "5".repeat(40), repo: { full_name: from } },
        },
      },
    },
    needs,
    matrix: { pull },
    vars: { CLOUDFLARE_ACCOUNT_ID: account?.accountId, PULUMI_BACKEND_URL: `file://${ground?.backend}` },
    secrets: {
      CLOUDFLARE_API_TOKEN: account?.token,
      PULUMI_CONFIG_PASSPHRASE: "a phrase",
      ADMIN_TOKEN: "a-token-of-this-stack-0123456789",
    },
  };
  return (path) => memberOf(context, path.split("."));
}

/** Runs a job as on a runner: on a checkout of its own, of which nothing stays. */
async function job(
  name: string,
  event: Event = {},
  { of = workflow, ...more }: Partial<JobOptions> & { readonly of?: Workflow } = {},
): Promise<JobEnded> {
  const copy = new ProjectCopy(origin);
  const env = { CLOUDFLARE_BASE_URL: account.apiUrl, NODE_OPTIONS: `--require=${resolver}` };
  const place: Place = {
    run: (command, own) => copy.run(...ground.command(copy, command, { ...env, ...own })),
    start: (command, own) => {
      const [line, options] = ground.command(copy, command, { ...env, ...own });
      return copy.start(line, { ...options, detached: true });
    },
  };
  try {
    return await of.job(name, { place, meaning: meaning(event), ...more });
  } finally {
    copy.remove();
  }
}

async function done(...args: Parameters<typeof job>): Promise<JobEnded> {
  const ended = await job(...args);
  if (!ended.ok) throw new Error(ended.text);
  return ended;
}

/** The pull requests whose stacks the sweep would take down, as it says to the matrix of its second job. */
async function swept(): Promise<string> {
  const { outputs } = await done("list", {}, { of: sweep });
  const pulls = outputs["stale.pulls"] ?? "";
  const needs = { list: { outputs: { pulls } } };
  // GitHub refuses a matrix of nothing.
  expect(sweep.starts("down", meaning({ needs }))).toBe(pulls !== "[]");
  return pulls;
}

const Buckets = v.object({ result: v.object({ buckets: v.array(v.object({ name: v.string() })) }) });

/** The names of all that the account has. */
async function inAccount(): Promise<readonly string[]> {
  const cloudflare = new TestAccount(account);
  const [workers, namespaces] = [
    v.parse(v.array(v.object({ name: v.string() })), await cloudflare.call("get", "/workers/workers")),
    v.parse(v.array(v.object({ title: v.string() })), await cloudflare.call("get", "/storage/kv/namespaces")),
  ];
  const buckets = await Promise.all(
    ["default", "eu"].map(async (jurisdiction) => {
      const answer = await r2("", { headers: { "cf-r2-jurisdiction": jurisdiction } });
      return v.parse(Buckets, await answer.json()).result.buckets;
    }),
  );
  return [...workers, ...buckets.flat()]
    .map(({ name }) => name)
    .concat(namespaces.map(({ title }) => title))
    .sort();
}

/** All that a pull request's stack has. */
const allOf = (pull: number) => ["", "-blobs", "-reads"].map((part) => `${NAME}-pr-${pull}${part}`);

const health = async (pull: number) =>
  JSON.parse((await new TestAccount(account).ask(`${NAME}-pr-${pull}`, "/health")).text);

const r2 = (path: string, { headers, ...request }: RequestInit) =>
  fetch(`${account.apiUrl}/accounts/${account.accountId}/r2/buckets${path}`, {
    ...request,
    headers: { authorization: `Bearer ${account.token}`, ...headers },
  });

const put = (bucket: string, key: string, headers: Record<string, string> = {}) =>
  r2(`/${bucket}/objects/${key}`, { method: "PUT", body: "a file", headers });

/** What a request to a bucket in the EU says. */
const IN_EU = { "cf-r2-jurisdiction": "eu" };

const OTHERS = `${NAME}-pr-60-blobs`;
const NONE = { up: { result: "skipped" }, down: { result: "skipped" } };

describe("the label", () => {
  const starts = (name: string, event: Event) => workflow.starts(name, meaning(event));

  it("and nothing else makes a stack, and never for a fork", () => {
    expect(starts("up", { action: "labeled", label: "stack" })).toBe(true);
    expect(starts("up", { action: "synchronize" })).toBe(true);
    expect(starts("up", { action: "synchronize", labels: ["bug"] })).toBe(false);
    expect(starts("up", { action: "labeled", label: "bug" })).toBe(false);
    for (const action of ["labeled", "synchronize", "reopened", "unlabeled", "closed"]) {
      const event = { action, label: "stack", from: "stranger/it", needs: { up: { result: "success" } } };
      expect(["up", "down", "tell"].filter((name) => starts(name, event))).toEqual([]);
    }
  });

  it("takes it down when it goes, or the pull request is closed", () => {
    expect(starts("down", { action: "unlabeled", label: "stack", labels: [] })).toBe(true);
    expect(starts("down", { action: "unlabeled", label: "bug" })).toBe(false);
    expect(starts("down", { action: "closed" })).toBe(true);
    expect(starts("down", { action: "closed", labels: [] })).toBe(false);
    expect(starts("up", { action: "closed" })).toBe(false);
    expect(starts("up", { action: "unlabeled", label: "stack" })).toBe(false);
    expect(starts("tell", { needs: NONE })).toBe(false);
  });
});

it("serves on an address of its own, again after a push, and is told of in one comment", async () => {
  // A binding and a region that the push takes back, with what is in them.
  origin.replace("wrangler.jsonc", '{ "binding": "READS" }', '{ "binding": "READS" }, { "binding": "FOO" }');
  const law = "    - { id: law, prefix: law, locationHint: weur, jurisdiction: eu }\n";
  origin.replace("Pulumi.staging.yaml", "  regions:\n", `  regions:\n${law}`);
  await origin.run("git commit -qam more");
  const { outputs } = await done("up");
  const url = new URL(outputs["address.url"] ?? "");
  expect(url.hostname).toMatch(new RegExp(String.raw`^${NAME}-pr-5\.`));
  expect(await health(5)).toMatchObject({ status: "ok" });
  expect(await inAccount()).toEqual([...allOf(5), `${NAME}-pr-5-blobs-eu`, `${NAME}-pr-5-foo`].sort());
  expect((await put(`${NAME}-pr-5-blobs-eu`, "file", IN_EU)).ok).toBe(true);

  const needs = { up: { result: "success", outputs: { url: url.href } }, down: { result: "skipped" } };
  await origin.run("git reset -q --hard v1");
  origin.replace("worker/http/health.ts", 'status: "ok",', 'status: "ok", pushed: true,');
  await origin.run("git commit -qam pushed");
  await done("up");
  expect(await health(5)).toMatchObject({ pushed: true });
  expect(await inAccount()).toEqual(allOf(5));
  await done("tell", { needs });
  expect(github.comments).toMatchObject([{ issue: 5, body: expect.stringContaining(`: ${url.href}\n`) }]);
});

it("is swept away at night with all that a killed deployment left, and no other stack is", async () => {
  const killed = await job("up", { number: 6 }, { kill: /npm run -s up/, killWhen: /Worker worker creating/ });
  expect(killed).toMatchObject({ code: null });
  // What no state has, and what only begins like it.
  const cloudflare = new TestAccount(account);
  for (const name of [`${NAME}-pr-6-more`, OTHERS]) await cloudflare.call("post", "/r2/buckets", { name });
  await put(`${NAME}-pr-6-more`, "left");
  const branch = "topic$(touch pwned)";
  const open = (number: number) => ({
    number,
    headRefName: branch,
    labels: [{ name: "stack" }],
    isCrossRepository: false,
  });
  github.answer("GET repos/me/it/branches", [[{ name: "main" }], [{ name: branch }]]);
  github.answer("pr list", [open(5)]);
  expect(await swept()).toBe("[6]");
  const before = await inAccount();
  // It was opened again, or given its label, while the job waited for the deployment that this began.
  github.answer("pr list", [open(5), open(6)]);
  await done("down", { pull: 6 }, { of: sweep });
  expect(await inAccount()).toEqual(before);
  github.answer("pr list", [open(5)]);
  await done("down", { pull: 6 }, { of: sweep });
  expect(await inAccount()).toEqual([...allOf(5), OTHERS]);
  expect(await swept()).toBe("[]");
  // What went meanwhile is nobody's fault.
  await done("down", { pull: 6 }, { of: sweep });
});

it("goes with all its data, by the default branch's code", async () => {
  expect((await put(`${NAME}-pr-5-blobs`, "room/a file.txt")).ok).toBe(true);
  // In a jurisdiction that the default branch's regions do not have.
  const law = JSON.stringify({ name: `${NAME}-pr-5-blobs-eu` });
  await r2("", { method: "POST", body: law, headers: { "content-type": "application/json", ...IN_EU } });
  expect((await put(`${NAME}-pr-5-blobs-eu`, "room/file", IN_EU)).ok).toBe(true);
  const inputs: string[] = [];
  await done(
    "down",
    { action: "closed" },
    {
      action: (uses, { ref = "" }) => {
        if (uses.startsWith("actions/checkout@")) inputs.push(ref);
      },
    },
  );
  expect(inputs).toEqual(["main"]);
  expect(await inAccount()).toEqual([OTHERS]);
  // Once more: there is nothing to do.
  await done("down", { action: "closed" });
  await done("tell", { needs: { ...NONE, down: { result: "success" } } });
  expect(github.comments).toMatchObject([{ body: expect.stringContaining("is gone, with its data") }]);
});
