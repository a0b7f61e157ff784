/**
 * What every workflow under .github/workflows must keep to, so that no run leaks a secret or runs what nobody chose:
 * this project's own rules. Those of everybody are in workflow-audits.test.ts.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { ROOT } from "../../infra/release/root.ts";
import { evaluate, isTrue, memberOf } from "../engine/expression.ts";

const DIR = join(ROOT, ".github/workflows");

const Step = v.object({
  uses: v.optional(v.string()),
  run: v.optional(v.string()),
  with: v.optional(v.record(v.string(), v.unknown()), {}),
  env: v.optional(v.record(v.string(), v.unknown()), {}),
});
const Concurrency = v.object({ group: v.string(), "cancel-in-progress": v.union([v.boolean(), v.string()]) });
const Job = v.object({
  if: v.optional(v.string()),
  uses: v.optional(v.string()),
  environment: v.optional(v.union([v.string(), v.object({ name: v.string() })])),
  concurrency: v.optional(Concurrency),
  permissions: v.optional(v.record(v.string(), v.string())),
  "timeout-minutes": v.optional(v.number()),
  steps: v.optional(v.array(Step), []),
});
const Workflow = v.object({
  on: v.record(v.string(), v.unknown()),
  permissions: v.record(v.string(), v.string()),
  concurrency: Concurrency,
  jobs: v.record(v.string(), Job),
});

/** What changes what a stack serves. */
const DEPLOYS = /npm run -s (up|promote|destroy|rollout -- run|rollback|pr -- down)\b(?!.*--(save-plan|check))/;
const stackOf = ({ environment }: Job) => (typeof environment === "string" ? environment : environment?.name);

type Job = v.InferOutput<typeof Job>;
/** The environment `pr` has a stack for each pull request. */
const groupOf = (job: Job): unknown =>
  stackOf(job) === "pr"
    ? expect.stringMatching(/^deploy-pr-\$\{\{ github\.event\.pull_request\.number \}\}$/)
    : `deploy-${stackOf(job)}`;
const mayWrite = ({ permissions = {} }: Job) => Object.values(permissions).includes("write");
const hasSecrets = (job: Job) => job.environment !== undefined || JSON.stringify(job).includes("secrets.");

/** Whether a job starts for a pull request of a fork, with the label that opts in, whatever happened to it. */
function startsForFork(condition: string | undefined): boolean {
  const labels = [{ name: "stack" }];
  return ["opened", "labeled", "synchronize", "unlabeled", "closed"].some((action) => {
    const event = {
      action,
      label: { name: "stack" },
      pull_request: { labels, head: { repo: { full_name: "stranger/it" } } },
    };
    const github = { event, repository: "me/it", event_name: "pull_request" };
    return condition === undefined || isTrue(evaluate(condition, (path) => memberOf({ github }, path.split("."))));
  });
}

const files = readdirSync(DIR).map((name) => ({ name, text: readFileSync(join(DIR, name), "utf8") }));

describe.each(files)("$name", ({ name, text }) => {
  const workflow = v.parse(Workflow, parse(text));
  const jobs = Object.entries(workflow.jobs);

  it("is not started by a stranger with rights", () => {
    expect(Object.keys(workflow.on)).not.toContain("pull_request_target");
  });
  it.runIf("pull_request" in workflow.on)("runs no code of a fork beside a secret or a right to write", () => {
    const withMore = jobs.filter(([, job]) => hasSecrets(job) || mayWrite(job));
    expect(withMore.filter(([, { if: condition }]) => startsForFork(condition)).map(([job]) => job)).toEqual([]);
  });
  it.runIf("pull_request" in workflow.on || "workflow_run" in workflow.on)(
    "runs only the default branch's code beside a right to write",
    () => {
      const checkouts = jobs
        .filter(([, job]) => mayWrite(job))
        .flatMap(([, job]) => job.steps.filter(({ uses }) => uses?.startsWith("actions/checkout@")));
      // A workflow_run stands on the default branch by itself.
      const ref = "pull_request" in workflow.on ? /^\$\{\{ github\.event\.repository\.default_branch \}\}$/ : /^$/;
      for (const { with: inputs } of checkouts) {
        expect(inputs.repository).toBeUndefined();
        expect(inputs.ref ?? "").toMatch(ref);
      }
    },
  );
  it("deploys to a stack one at a time, and cuts no deployment off", () => {
    const deploying = jobs.filter(([, job]) => job.steps.some(({ run }) => DEPLOYS.test(run ?? "")));
    expect(deploying.map(([, job]) => job.concurrency)).toEqual(
      deploying.map(([, job]) => ({ group: groupOf(job), "cancel-in-progress": false })),
    );
    // A group of the whole run that cancels would cut them off all the same.
    if (deploying.length > 0) expect(workflow.concurrency["cancel-in-progress"]).toBe(false);
  });
  it.runIf(name === "release.yml")("deploys what it has verified, and after the tests", () => {
    const raw: unknown = parse(text);
    expect(raw).toMatchObject({
      jobs: {
        build: { needs: "gate" },
        staging: { needs: "build" },
        plan: { needs: ["build", "staging"] },
        production: { needs: ["build", "staging", "plan"] },
      },
    });
    for (const job of ["staging", "production"]) {
      const order = workflow.jobs[job]?.steps.map(({ run, uses }) => run ?? uses ?? "") ?? [];
      const at = (part: RegExp) => order.findIndex((line) => part.test(line));
      const [attested, unpacked, deployed] = [
        at(/gh attestation verify/),
        at(/unpack .*--digest/),
        at(/npm run -s (up|promote) /),
      ];
      expect(attested).toBeGreaterThan(0);
      expect(unpacked).toBeGreaterThan(attested);
      expect(deployed).toBeGreaterThan(unpacked);
      expect(order.at(-2)).toContain("smoke");
      expect(order.at(-1)).toContain("GITHUB_STEP_SUMMARY");
    }
    const promoted = workflow.jobs.production?.steps.find(({ run }) => run?.includes("npm run -s promote"))?.run;
    expect(promoted).toContain("--plan dist/plan.json");
  });
});

describe("the nightly look for drift", () => {
  const parsed = v.parse(Workflow, parse(readFileSync(join(DIR, "drift.yml"), "utf8")));
  const line = parsed.jobs.production?.steps.find(({ run }) => run?.includes("npm run -s drift"))?.run ?? "";

  it.each([
    [0, true],
    [2, true],
    [1, false],
    [70, false],
    [137, false],
  ])("ends as well as the command knew: %d", (code, isWell) => {
    const dir = mkdtempSync(join(tmpdir(), "durable-stack-drift-"));
    try {
      for (const [program, ends] of [
        ["npm", code],
        ["gh", 0],
      ] as const)
        writeFileSync(join(dir, program), `#!/bin/sh\nexit ${ends}\n`, { mode: 0o755 });
      // The shell of a runner.
      const { status } = spawnSync("bash", ["-e", "-c", line], {
        cwd: dir,
        env: { ...process.env, PATH: `${dir}${delimiter}${process.env.PATH}`, GITHUB_REPOSITORY: "me/it" },
      });
      expect(status === 0).toBe(isWell);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
