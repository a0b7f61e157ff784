/** What every workflow under .github/workflows must keep to, so that no run leaks a secret or runs what nobody chose. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { ROOT } from "../../infra/release/root.ts";

const DIR = join(ROOT, ".github/workflows");

const Step = v.object({
  uses: v.optional(v.string()),
  run: v.optional(v.string()),
  with: v.optional(v.record(v.string(), v.unknown()), {}),
});
const Concurrency = v.object({ group: v.string(), "cancel-in-progress": v.union([v.boolean(), v.string()]) });
const Job = v.object({
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
const DEPLOYS = /npm run -s (up|promote|destroy|rollout -- run|rollback)\b/;
const stackOf = ({ environment }: v.InferOutput<typeof Job>) =>
  typeof environment === "string" ? environment : environment?.name;

const files = readdirSync(DIR).map((name) => ({ name, text: readFileSync(join(DIR, name), "utf8") }));

describe.each(files)("$name", ({ name, text }) => {
  const workflow = v.parse(Workflow, parse(text));
  const jobs = Object.entries(workflow.jobs);
  const steps = jobs.flatMap(([, job]) => job.steps);

  it("pins every action by its full commit, with the version beside", () => {
    const lines = text.split("\n").filter((line) => /^\s*(- )?uses:/.test(line));
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.filter((line) => !/uses: (\.\/|\S+@[0-9a-f]{40} # v\d+\.\d+\.\d+)/.test(line))).toEqual([]);
  });
  it("puts no expression into a shell's text", () => {
    expect(steps.flatMap(({ run }) => (run?.includes("${{") ? [run] : []))).toEqual([]);
  });
  it("gives no job the right to write to the repository by default", () => {
    expect(Object.values(workflow.permissions).filter((right) => right !== "read")).toEqual([]);
  });
  it("keeps no credentials in a checkout", () => {
    const checkouts = steps.filter(({ uses }) => uses?.startsWith("actions/checkout@"));
    expect(checkouts.map((step) => step.with["persist-credentials"])).toEqual(checkouts.map(() => false));
  });
  it("ends every job by itself", () => {
    expect(jobs.filter(([, job]) => job.uses === undefined && job["timeout-minutes"] === undefined)).toEqual([]);
  });
  it("is not started by a stranger with rights", () => {
    expect(Object.keys(workflow.on)).not.toContain("pull_request_target");
    expect(Object.keys(workflow.on)).not.toContain("workflow_run");
  });
  it("takes nothing from a cache", () => {
    expect(steps.filter(({ uses }) => uses?.startsWith("actions/cache"))).toEqual([]);
    const tools = steps.filter(({ uses }) => /^actions\/setup-/.test(uses ?? ""));
    expect(tools.map((step) => step.with["package-manager-cache"] ?? step.with.cache)).toEqual(tools.map(() => false));
  });
  it("deploys to a stack one at a time, and cuts no deployment off", () => {
    const deploying = jobs.filter(([, job]) => job.steps.some(({ run }) => DEPLOYS.test(run ?? "")));
    expect(deploying.map(([, job]) => job.concurrency)).toEqual(
      deploying.map(([, job]) => ({ group: `deploy-${stackOf(job)}`, "cancel-in-progress": false })),
    );
    // A group of the whole run that cancels would cut them off all the same.
    if (deploying.length > 0) expect(workflow.concurrency["cancel-in-progress"]).toBe(false);
  });
  it.runIf(name === "release.yml")("deploys what it has verified, and after the tests", () => {
    const raw: unknown = parse(text);
    expect(raw).toMatchObject({
      jobs: { build: { needs: "gate" }, staging: { needs: "build" }, production: { needs: ["build", "staging"] } },
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
  });
});
