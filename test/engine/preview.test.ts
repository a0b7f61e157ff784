/**
 * The workflows that tell what a pull request changes, by their own `run:` lines: preview.yml in a copy of the project
 * whose stacks are two local accounts, comment.yml beside it, with a GitHub that is stood in for.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { projectName } from "../../infra/stack/project.ts";
import { patterns } from "../../worker/patterns.ts";
import { memberOf } from "./expression.ts";
import { GitHub } from "./github.ts";
import { TwoAccounts } from "./two-accounts.ts";
import { type JobEnded, Workflow } from "./workflow.ts";

const NAME = projectName();

const preview = new Workflow("preview.yml");
const comment = new Workflow("comment.yml");

let two: TwoAccounts;
let github: GitHub;
beforeAll(async () => {
  two = await TwoAccounts.start();
  github = new GitHub(two.folder("github"));
  two.install("gh", github.program);
  await two.done("npm run -s build");
  await two.up("staging");
});
afterAll(() => two?.close());

const file = (name: string) => join(two.copy.root, name);
const bytes = (text: string) => new TextEncoder().encode(text);

/** A run of preview.yml for a pull request; what its jobs upload. */
const uploaded: Record<string, Record<string, Uint8Array>> = {};
const pullRequest = (from: string) => ({ event: { pull_request: { number: 5, head: { repo: { full_name: from } } } } });

async function look(job: "look" | "plan", from = "me/it", stack = ""): Promise<JobEnded> {
  return preview.job(job, {
    place: two.in(two.copy),
    meaning: (path) =>
      memberOf({ github: { repository: "me/it", ...pullRequest(from) }, matrix: { stack } }, path.split(".")),
    action: (uses, { name = "", path = "" }) => {
      if (!uses.startsWith("actions/upload-artifact@")) return;
      uploaded[name] = { [path]: readFileSync(file(path)) };
      // The next job has a checkout of its own.
      rmSync(file(path));
    },
  });
}

interface Told {
  readonly branch?: string;
  readonly from?: string;
  readonly sha?: string;
}

const SHA = "5".repeat(40);
const RUN = 7;

/** A run of comment.yml, after one of preview.yml. */
async function tell({ branch = "topic", from = "me/it", sha = SHA }: Told = {}): Promise<JobEnded> {
  for (const name of ["found", "pulls.json", "artifacts.json", "comment.md"])
    rmSync(file(name), { recursive: true, force: true });
  const workflow_run = {
    id: RUN,
    event: "pull_request",
    conclusion: "success",
    head_branch: branch,
    head_sha: sha,
    html_url: "https://github.com/me/it/actions/runs/7",
    head_repository: { full_name: from, owner: { login: from.split("/")[0] } },
  };
  return comment.job("comment", {
    place: two.in(two.copy),
    meaning: (path) => memberOf({ github: { token: "a-token", event: { workflow_run } } }, path.split(".")),
  });
}

/** The open pull requests of that branch. */
const stands = (number: number, from = "me/it") =>
  github.answer("GET repos/me/it/pulls", [{ number, head: { sha: SHA, repo: { full_name: from } } }]);

beforeEach(() => {
  github.comments = [];
  github.asked();
});

describe("a pull request from the same repository", () => {
  it("is told in one comment: classes, sizes, rows, rehearsal, and the plan of each stack", async () => {
    await two.done("git checkout -q -b topic");
    const cost = `test/${patterns[0].folder}/cost.ts`;
    two.copy.write(cost, two.copy.read(cost).replace(/ours: [\d.]+/, "ours: 99"));
    two.copy.write(
      "worker/http/health.ts",
      two.copy.read("worker/http/health.ts").replace('status: "ok",', 'status: "ok", more: 1,'),
    );
    await two.done(
      "git commit -qam 'A change'; git checkout -q -; git merge -q --no-ff --no-edit topic; npm run -s build",
    );
    for (const [job, stack] of [
      ["look", ""],
      ["plan", "staging"],
      ["plan", "production"],
    ] as const) {
      const ended = await look(job, "me/it", stack);
      expect(ended, ended.text).toMatchObject({ ok: true });
    }
    github.artifacts(RUN, uploaded);
    stands(5);
    const told = await tell();
    expect(told, told.text).toMatchObject({ ok: true });
    expect(github.comments).toMatchObject([{ issue: 5 }]);
    const body = github.comments[0]?.body ?? "";
    expect(body).toContain("**Classes and tables:** no change.");
    expect(body).toMatch(/\| `[\w-]+` \| [\d.]+ \| 99 \| \+[\d.]+ \|/);
    expect(body).toMatch(/\| all modules \| \d+\.\d KiB \| \d+\.\d KiB \|/);
    expect(body).toContain("on a local account: passed.");
    expect(body).toMatch(new RegExp(`Plan of \`staging\`\\*\\*\n\n\`\`\`text\n${NAME}-staging: in sync[\\s\\S]+100 %`));
    expect(body).toContain(`Plan of \`production\`**\n\n\`\`\`text\n${NAME}-production: fresh`);
    expect(github.asked()).toContain("head=me:topic");
  });

  it("has its comment edited in place, and nobody else's", async () => {
    const body = "<!-- durable-stack: preview -->\nI say so myself";
    github.comments = [{ id: 1, issue: 5, body, user: { login: "mallory", type: "User" } }];
    expect(await tell()).toMatchObject({ ok: true });
    expect(await tell()).toMatchObject({ ok: true });
    expect(github.comments).toHaveLength(2);
    expect(github.comments[0]).toMatchObject({ body });
  });

  it("gets no comment on a commit that it has left behind", async () => {
    expect(await tell({ sha: "6".repeat(40) })).toMatchObject({ ok: true });
    expect(github.comments).toEqual([]);
  });

  it("runs nothing that its branch is called", async () => {
    const told = await tell({ branch: 'x$(touch pwned)`touch pwned`";touch pwned;"' });
    expect(told, told.text).toMatchObject({ ok: true });
    expect(existsSync(file("pwned"))).toBe(false);
    expect(github.asked()).toContain('head=me:x$(touch pwned)`touch pwned`";touch pwned;"');
  });
});

describe("a pull request from a fork", () => {
  it("starts no job that has a token, and is told what needs none", async () => {
    const meaning = (from: string) => (path: string) =>
      memberOf({ github: { repository: "me/it", ...pullRequest(from) } }, path.split("."));
    expect(preview.starts("plan", meaning("me/it"))).toBe(true);
    expect(preview.starts("plan", meaning("stranger/it"))).toBe(false);
    expect(preview.starts("look", meaning("stranger/it"))).toBe(true);

    const { facts = {} } = uploaded;
    // Its own code may call anything a plan.
    github.artifacts(RUN, { facts, "plan-staging": uploaded["plan-staging"] ?? {} });
    stands(6, "stranger/it");
    const told = await tell({ from: "stranger/it" });
    expect(told, told.text).toMatchObject({ ok: true });
    expect(github.comments).toMatchObject([
      { issue: 6, body: expect.stringContaining("A run for a fork has no token") },
    ]);
    expect(github.comments[0]?.body).not.toContain("Plan of");
  });

  it("cannot write into another one's pull request: its number comes from GitHub", async () => {
    stands(5, "me/it");
    expect(await tell({ from: "stranger/it" })).toMatchObject({ ok: true });
    expect(github.comments).toEqual([]);
  });

  it("gets its artifact refused where it is too large, or has more files", async () => {
    stands(6, "stranger/it");
    const facts = uploaded.facts?.["facts.json"] ?? bytes("");
    const noise = randomBytes(1_100_000);
    for (const [files, why] of [
      [{ "facts.json": noise }, "more than 1,000,000 bytes"],
      [{ "facts.json": facts, "../../infra/commands/pr.ts": bytes("pwned") }, "nothing else"],
    ] as const) {
      github.artifacts(RUN, { facts: files });
      const told = await tell({ from: "stranger/it" });
      expect(told).toMatchObject({ ok: false, text: expect.stringContaining(why) });
    }
    expect(github.comments).toEqual([]);
  });
});

it("a preview that failed is told too", async () => {
  github.artifacts(RUN, {});
  stands(5);
  expect(await tell()).toMatchObject({ ok: true });
  expect(github.comments).toMatchObject([{ body: expect.stringContaining("**The preview failed**") }]);
});
