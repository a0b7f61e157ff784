/**
 * The stack of a pull request, by the workflows' own `run:` lines, with the real Pulumi CLI and a local account: made with
 * a label, deployed again, asked for its address, taken down, and swept away where something of it is left.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type RunningAccount, startAccount } from "@durable-stack/local-account";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ProjectCopy } from "../project-copy.ts";
import { memberOf } from "./expression.ts";
import { GitHub } from "./github.ts";
import { Ground } from "./ground.ts";
import { type JobEnded, type JobOptions, type Place, Workflow } from "./workflow.ts";

const workflow = new Workflow("pr-stack.yml");
const sweep = new Workflow("pr-sweep.yml");

let ground: Ground;
let account: RunningAccount;
let github: GitHub;
let origin: ProjectCopy;
beforeAll(async () => {
  ground = await Ground.make();
  account = await startAccount({ dir: ground.folder("account"), port: 0, apiPort: 0, onLog: () => {} });
  github = new GitHub(ground.folder("github"));
  ground.install("gh", github.program);
  origin = new ProjectCopy();
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
}

/** What the workflow may ask for, when that happened to a pull request. */
function meaning(event: Event): JobOptions["meaning"] {
  const { action = "synchronize", label, labels = ["stack"], from = "me/it", number = 5, needs } = event;
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
    vars: { CLOUDFLARE_ACCOUNT_ID: account?.accountId },
    secrets: { CLOUDFLARE_API_TOKEN: account?.token, ADMIN_TOKEN: "a-token-of-this-stack-0123456789" },
  };
  return (path) => memberOf(context, path.split("."));
}

/** Runs a job as on a runner: on a checkout of its own, of which nothing stays. */
async function job(name: string, event: Event = {}, more: Partial<JobOptions> = {}): Promise<JobEnded> {
  const copy = new ProjectCopy(origin);
  const env = { CLOUDFLARE_BASE_URL: account.apiUrl };
  const place: Place = {
    run: (command, own) => copy.run(...ground.command(copy, command, { ...env, ...own })),
    start: (command, own) => {
      const [line, options] = ground.command(copy, command, { ...env, ...own });
      return copy.start(line, { ...options, detached: true });
    },
  };
  try {
    const one = name === "sweep" ? sweep : workflow;
    return await one.job(name, { place, meaning: meaning(event), ...more });
  } finally {
    copy.remove();
  }
}

async function done(...args: Parameters<typeof job>): Promise<JobEnded> {
  const ended = await job(...args);
  if (!ended.ok) throw new Error(ended.text);
  return ended;
}

/** The names of all that the account has. */
async function inAccount(): Promise<readonly unknown[]> {
  const ask = async (path: string) => {
    const answer = await fetch(`${account.apiUrl}/accounts/${account.accountId}${path}`, {
      headers: { authorization: `Bearer ${account.token}` },
    });
    return Object(await answer.json()).result;
  };
  const [workers, namespaces, { buckets }] = [
    await ask("/workers/workers"),
    await ask("/storage/kv/namespaces"),
    await ask("/r2/buckets"),
  ];
  return [...workers, ...namespaces, ...buckets].map((one: unknown) => Object(one).name ?? Object(one).title);
}

const put = (bucket: string, key: string) =>
  fetch(`${account.apiUrl}/accounts/${account.accountId}/r2/buckets/${bucket}/objects/${key}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${account.token}` },
    body: "a file",
  });

const ALL = ["durable-stack-pr-5", "durable-stack-pr-5-reads", "durable-stack-pr-5-blobs"];
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
  const { outputs } = await done("up");
  const url = new URL(outputs["address.url"] ?? "");
  expect(url.hostname).toMatch(/^durable-stack-pr-5\./);
  expect((await (await fetch(new URL("/health", url))).json()).environment ?? "pr-5").toBe("pr-5");
  expect((await inAccount()).toSorted()).toEqual(ALL.toSorted());

  const needs = { up: { result: "success", outputs: { url: url.href } }, down: { result: "skipped" } };
  await done("tell", { needs });
  origin.replace("worker/http/health.ts", 'status: "ok",', 'status: "ok", pushed: true,');
  await origin.run("git commit -qam pushed");
  await done("up");
  expect(await (await fetch(new URL("/health", url))).json()).toMatchObject({ pushed: true });
  await done("tell", { needs });
  expect(github.comments).toMatchObject([{ issue: 5, body: expect.stringContaining(`: ${url.href}\n`) }]);
});

it("says that a deployment failed, and takes no address that is none", async () => {
  await done("tell", { needs: { ...NONE, up: { result: "failure" } } });
  expect(github.comments).toMatchObject([{ body: expect.stringContaining("could not be deployed") }]);
  const url = "https://evil.example/](x) @everyone";
  await done("tell", { needs: { ...NONE, up: { result: "success", outputs: { url } } } });
  expect(github.comments[0]?.body).not.toContain("evil");
});

it("goes with all its data, by the default branch's code", async () => {
  expect((await put("durable-stack-pr-5-blobs", "room/a file.txt")).ok).toBe(true);
  const inputs: string[] = [];
  const { ok } = await done(
    "down",
    { action: "closed" },
    {
      action: (uses, { ref = "" }) => {
        if (uses.startsWith("actions/checkout@")) inputs.push(ref);
      },
    },
  );
  expect([ok, inputs]).toEqual([true, ["main"]]);
  expect(await inAccount()).toEqual([]);
  // Once more: there is nothing to do.
  await done("down", { action: "closed" });
  await done("tell", { needs: { ...NONE, down: { result: "success" } } });
  expect(github.comments).toMatchObject([{ body: expect.stringContaining("is gone, with its data") }]);
});

it("leaves nothing where its deployment was killed", async () => {
  expect(await job("up", { number: 6 }, { kill: /npm run -s up/, killWhen: /Worker worker creating/ })).toMatchObject({
    code: null,
  });
  await done("down", { action: "closed", number: 6 });
  expect(await inAccount()).toEqual([]);
});

it("is swept away at night where its pull request is closed, and no other stack is", async () => {
  await done("up", { number: 7 });
  await done("up", { number: 8 });
  github.answer("pr list", [
    { number: 8, headRefName: "topic$(touch pwned)", labels: [{ name: "stack" }], isCrossRepository: false },
  ]);
  github.answer("GET repos/me/it/branches", [[{ name: "main" }, { name: "topic$(touch pwned)" }]]);
  await done("sweep");
  expect((await inAccount()).toSorted()).toEqual(
    ["durable-stack-pr-8", "durable-stack-pr-8-reads", "durable-stack-pr-8-blobs"].toSorted(),
  );
  github.answer("GET repos/me/it/branches", [[{ name: "main" }]]);
  await done("sweep");
  expect(await inAccount()).toEqual([]);
});
