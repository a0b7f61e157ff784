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
import { fullKey, readProject } from "../../infra/stack/project.ts";
import { Analysis, DEFAULT_STEPS, type Step as RolloutStep, Steps } from "../../infra/stack/rollout-steps.ts";
import { evaluate, isTrue, memberOf } from "../engine/expression.ts";

const DIR = join(ROOT, ".github/workflows");

const Values = v.optional(v.record(v.string(), v.unknown()), {});
const Step = v.object({
  uses: v.optional(v.string()),
  run: v.optional(v.string()),
  with: Values,
  env: Values,
});
const Concurrency = v.object({ group: v.string(), "cancel-in-progress": v.union([v.boolean(), v.string()]) });
const Job = v.object({
  if: v.optional(v.string()),
  needs: v.optional(v.union([v.string(), v.array(v.string())]), []),
  uses: v.optional(v.string()),
  env: Values,
  environment: v.optional(v.union([v.string(), v.object({ name: v.string() })])),
  concurrency: v.optional(Concurrency),
  permissions: v.optional(v.record(v.string(), v.string())),
  "timeout-minutes": v.optional(v.number()),
  steps: v.optional(v.array(Step), []),
});
const Workflow = v.object({
  on: v.record(v.string(), v.unknown()),
  env: Values,
  permissions: v.record(v.string(), v.string()),
  concurrency: Concurrency,
  jobs: v.record(v.string(), Job),
});

/** What leaves a stack as it is. Any other command of the project may change what it serves. */
const READS =
  /^(build|smoke|drift|release -- |migrations -- |rollout -- status|promote .*--(save-plan|check)|pr -- (look|plan|comment|post|stack-comment|address|stale))\b/;
const deploys = ({ run = "" }: v.InferOutput<typeof Step>): boolean =>
  [...run.matchAll(/\bnpm run (?:-s )?([^\n|;)]*)/g)].some(([, command = ""]) => !READS.test(command));
const stackOf = ({ environment }: Job) => (typeof environment === "string" ? environment : environment?.name);

type Job = v.InferOutput<typeof Job>;
/** The environment `pr` has a stack for each pull request. */
const OF_PULL = /^deploy-pr-\$\{\{ (github\.event\.pull_request\.number|matrix\.pull) \}\}$/;
const isInGroup = (job: Job): boolean => {
  const group = job.concurrency?.group ?? "";
  return stackOf(job) === "pr" ? OF_PULL.test(group) : group === `deploy-${stackOf(job)}`;
};

/** The jobs that deploy beside others, or may be cut off in it. */
function unguarded({ jobs, concurrency }: v.InferOutput<typeof Workflow>): readonly string[] {
  const deploying = Object.entries(jobs).filter(([, job]) => job.steps.some(deploys));
  return deploying
    .filter(
      ([, job]) =>
        !isInGroup(job) ||
        job.concurrency?.["cancel-in-progress"] !== false ||
        // A group of the whole run that cancels would cut them off all the same.
        concurrency["cancel-in-progress"] !== false,
    )
    .map(([name]) => name);
}
const mayWrite = ({ permissions = {} }: Job) => Object.values(permissions).includes("write");
/** Names of variables that hold a secret or a token. */
const secretsIn = (values: Readonly<Record<string, unknown>>): readonly string[] =>
  Object.keys(values).filter((name) => /secrets\.|github\.token|GITHUB_TOKEN/.test(String(values[name])));
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
/** Whether releases are attested, which GitHub does not do in every private repository (docs/production.md, 5). */
const attests = files.some(({ text }) => text.includes("attest-build-provenance@"));

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
  it("gives a secret or a token to the steps that need it, and none to the install scripts of packages", () => {
    const installing = jobs.flatMap(([, { steps }]) => steps.filter(({ run }) => run?.includes("npm ci")));
    const wide = [workflow.env, ...jobs.map(([, { env }]) => env), ...installing.map(({ env }) => env)];
    expect(wide.flatMap(secretsIn)).toEqual([]);
  });
  it("deploys to a stack one at a time, and cuts no deployment off", () => {
    expect(unguarded(workflow)).toEqual([]);
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
        attests ? at(/gh attestation verify/) : 0,
        at(/unpack .*--digest/),
        at(/npm run -s (up|promote) /),
      ];
      expect(attested).toBeGreaterThanOrEqual(attests ? 1 : 0);
      expect(unpacked).toBeGreaterThan(attested);
      expect(deployed).toBeGreaterThan(unpacked);
      expect(order.at(-2)).toContain("smoke");
      expect(order.at(-1)).toContain("GITHUB_STEP_SUMMARY");
    }
    const promoted = workflow.jobs.production?.steps.find(({ run }) => run?.includes("npm run -s promote"))?.run;
    expect(promoted).toContain("--plan dist/plan.json");
  });
});

describe("the rule of one deployment at a time", () => {
  const workflow = (run: string, concurrency: string) =>
    v.parse(
      Workflow,
      parse(`
on: { schedule: [] }
permissions: {}
concurrency: { group: one, cancel-in-progress: false }
jobs:
  job:
    environment: pr
    ${concurrency}
    steps: [{ run: ${JSON.stringify(run)} }]
`),
    );

  it.each([
    "npm run -s up -- --stack pr-5 --yes",
    "npm run -s pr -- down --pull 5",
    "npm run -s migrations -- status\nnpm run -s pr -- sweep --pulls pulls.json",
    "echo $(npm run what-nobody-knows)",
  ])("refuses a workflow without the group of its stack: %s", (run) => {
    expect(unguarded(workflow(run, ""))).toEqual(["job"]);
    expect(unguarded(workflow(run, "concurrency: { group: pr-sweep, cancel-in-progress: false }"))).toEqual(["job"]);
    const group = `deploy-pr-\${{ matrix.pull }}`;
    expect(unguarded(workflow(run, `concurrency: { group: "${group}", cancel-in-progress: true }`))).toEqual(["job"]);
    expect(unguarded(workflow(run, `concurrency: { group: "${group}", cancel-in-progress: false }`))).toEqual([]);
  });

  it("lets through what only reads", () => {
    expect(unguarded(workflow("npm run -s pr -- stale --json | jq .\nnpm run build", ""))).toEqual([]);
  });
});

/** Minutes that a job takes before and after the steps that are watched: installation, updates, smoke tests. */
const AROUND_STEPS = 20;
/** How many minutes a rollout with these steps may take. */
const minutesOf = (steps: readonly RolloutStep[], patience: number): number =>
  steps.reduce((sum, { minutes }) => sum + (minutes > 0 ? minutes + patience : 0), AROUND_STEPS);

/** Runs lines in the shell of a runner. `programs`: what stands in for a program, as lines of sh. */
function onRunner(lines: string, programs: Readonly<Record<string, string>>) {
  const dir = mkdtempSync(join(tmpdir(), "durable-stack-runner-"));
  try {
    for (const [program, script] of Object.entries(programs)) {
      writeFileSync(join(dir, program), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
    const env = { ...process.env, PATH: `${dir}${delimiter}${process.env.PATH}`, GITHUB_REPOSITORY: "me/it" };
    return spawnSync("bash", ["-eo", "pipefail", "-c", lines], { cwd: dir, env, encoding: "utf8" });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

describe("the gate", () => {
  it.each([
    [{ event_name: "push", workflow: "ci" }, false],
    [{ event_name: "pull_request", workflow: "ci" }, false],
    [{ event_name: "schedule", workflow: "ci" }, true],
    [{ event_name: "workflow_dispatch", workflow: "ci" }, true],
    [{ event_name: "push", workflow: "release" }, true],
  ])("has the long sequences at night, by hand and for a release: %j", (github, isLong) => {
    const { jobs } = v.parse(Workflow, parse(readFileSync(join(DIR, "ci.yml"), "utf8")));
    const given = jobs.gate?.steps.find(({ run }) => run === ".ci/run")?.env.CI_NIGHTLY;
    const [, condition = ""] = /^\$\{\{(.*)\}\}$/.exec(String(given)) ?? [];
    expect(isTrue(evaluate(condition, (path) => memberOf({ github }, path.split("."))))).toBe(isLong);
  });
  const gate = (steps: string, npm: string) => onRunner(`CI_ONLY="${steps}" "${join(ROOT, ".ci/run")}"`, { npm });

  it("refuses a step that it does not know, before it runs any", () => {
    const { status, stdout, stderr } = gate("check chek", "echo ran");
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/no step chek\. There are: install check .* browser\n$/);
  });
  it("runs those that are asked for in its own order, and ends with the first command that fails", () => {
    const ran = (npm: string) => {
      const { status, stdout } = gate("build\ncheck", `echo "npm $*"\n${npm}`);
      return [status, ...stdout.split("\n").filter((line) => line.startsWith("npm "))];
    };
    const check = ["npm run -s check", "npm run -s migrations -- lint"];
    expect(ran("exit 0")).toEqual([0, ...check, "npm run -s build"]);
    expect(ran('[ "$3" != check ]')).toEqual([1, "npm run -s check"]);
  });

  it.each([
    ["leaves out what is for the night", "push", "false", "test -- --tagsFilter=!nightly, seed 20261125"],
    ["runs all before a release, with the same random sequences", "push", "true", "test, seed 20261125"],
    ["runs all at night, with others", "schedule", "true", "test, seed "],
  ])("%s", (_, event, night, ran) => {
    const env = `env -u PROPERTY_SEED GITHUB_EVENT_NAME=${event} CI_NIGHTLY=${night} CI_ONLY=test`;
    const { stdout } = onRunner(`${env} "${join(ROOT, ".ci/run")}"`, { npm: 'echo "npm $*, seed $PROPERTY_SEED"' });
    expect(stdout).toContain(`\nnpm run -s ${ran}\n`);
  });
});

describe("production's job", () => {
  const { jobs } = v.parse(Workflow, parse(readFileSync(join(DIR, "release.yml"), "utf8")));
  const job = jobs.production;
  const minutes = job?.["timeout-minutes"] ?? 0;

  it("has time for the steps of its rollout, as the settings of production are, and is logged in as long", () => {
    const read = (key: string): unknown => {
      const { name, config } = readProject(ROOT, "production");
      const text = config[fullKey(name, key)];
      return text === undefined ? undefined : JSON.parse(text);
    };
    const steps = v.parse(v.optional(Steps, [...DEFAULT_STEPS]), read("rolloutSteps"));
    const { patienceMinutes } = v.parse(v.optional(Analysis, {}), read("rolloutAnalysis"));
    const needs = minutesOf(steps, patienceMinutes);
    expect(
      needs,
      `rolloutSteps in Pulumi.production.yaml may take ${needs} minutes: set timeout-minutes of the job production in release.yml to no less (docs/promote.md)`,
    ).toBeLessThanOrEqual(minutes);
    const [, hours] = /--oidc-expiration (\d+)h/.exec(job?.steps.map(({ run }) => run ?? "").join("\n") ?? "") ?? [];
    expect(Number(hours) * 60, "the login ends before the job may (--oidc-expiration)").toBeGreaterThanOrEqual(minutes);
  });

  it("has too little for steps that are longer, and it counts how long they may wait for requests", () => {
    expect(minutesOf([...DEFAULT_STEPS], 30)).toBe(20 + 2 * 30 + AROUND_STEPS);
    const slow = v.parse(Steps, [{ percent: 10, minutes: 120 }, { percent: 100 }]);
    expect(minutesOf(slow, 0)).toBeGreaterThan(minutes);
  });
});

describe("the search for a release by its digest", () => {
  const searches = (file: string) => {
    const { jobs } = v.parse(Workflow, parse(readFileSync(join(DIR, file), "utf8")));
    const steps = Object.values(jobs).flatMap((job) => job.steps);
    return steps.flatMap(({ run }) => /^runs=[\s\S]*/m.exec(run ?? "")?.[0] ?? []);
  };

  it("is the same to rotate a token and to look for drift", () => {
    expect(searches("drift.yml")).toEqual([expect.stringContaining(attests ? "gh attestation verify" : "unpack")]);
    expect(searches("drift.yml")).toEqual(searches("rotate.yml"));
  });

  it("is followed by the same build in both, where no run has the artifact any more", () => {
    const builds = (file: string) => {
      const { jobs } = v.parse(Workflow, parse(readFileSync(join(DIR, file), "utf8")));
      return Object.values(jobs).flatMap(({ steps }) => steps.filter(({ run }) => run?.includes("npm run build")));
    };
    const [build] = builds("rotate.yml");
    expect(builds("drift.yml")).toEqual([build]);
    // The digest of what serves is all that lets it pass, and no secret is beside it.
    expect(build?.env).toEqual({ GONE: `\${{ steps.artifact.outputs.gone }}` });
    const programs = { npm: 'echo "$*" >> asked\n[ "$1 $2" = "run build" ]' };
    const { status, stdout } = onRunner(`export GONE=abc STACK=staging\n${build?.run}\n`, programs);
    expect([status, stdout]).toEqual([1, expect.stringContaining("this source builds another one")]);
  });

  it.runIf(attests)("takes what a tag v* has attested, or the branch that it runs from, and no other branch's", () => {
    const by = "https://github.com/me/it/.github/workflows/release.yml";
    // An artifact is the ref that attested it, which each of gh's flags is held to as gh does it.
    const gh = `
case "$1 $2" in
  "run list") printf '%s\\n' $REFS ;;
  "run download") mkdir dist && echo "$3" > dist/release.tar.gz ;;
  *)
    san="${by}@$(cat "$3")"
    while [ $# -gt 0 ]; do
      case "$1" in
        --signer-workflow) echo "$san" | grep -q "^https://github.com/$2" || exit 1 ;;
        --cert-identity-regex) echo "$san" | grep -Eq "$2" || exit 1 ;;
        --cert-identity) [ "$san" = "$2" ] || exit 1 ;;
      esac
      shift
    done ;;
esac`;
    const taken = (refs: string) => {
      const given = `export GITHUB_SERVER_URL=https://github.com GITHUB_REF=refs/heads/main REFS="${refs}"`;
      const lines = `${given} GITHUB_OUTPUT=gone\n${searches("drift.yml").join("\n")}`;
      return onRunner(lines, { gh, npm: "echo took $(cat dist/release.tar.gz)" }).stdout.trim();
    };
    expect(taken("refs/heads/evil refs/heads/v1 refs/tags/other refs/tags/v1.0.0")).toBe("took refs/tags/v1.0.0");
    expect(taken("refs/heads/main-too refs/heads/main")).toBe("took refs/heads/main");
    expect(taken("refs/heads/evil")).toBe("");
  });

  it("runs the code of no commit that only another branch has, whatever the release says that it was built from", () => {
    const { jobs } = v.parse(Workflow, parse(readFileSync(join(DIR, "drift.yml"), "utf8")));
    const [source] = Object.values(jobs).flatMap(({ steps }) => steps.filter(({ run }) => run?.includes("checkout")));
    const ranFor = (ref: string) => {
      const commit = (name: string) => `git commit -q --allow-empty -m ${name}`;
      const lines = `
export GITHUB_REF_NAME=main GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b.c GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b.c
git init -q -b main && ${commit("released")} && ${commit("later")}
git checkout -q -b side && ${commit("tagged")} && git tag v1 && ${commit("evil")} && git tag not-a-release
git checkout -q main && mkdir -p dist/release
git rev-parse ${ref} > dist/release/manifest.json
trap "git log -1 --format=%s" EXIT
${source?.run}`;
      return onRunner(lines, { jq: "cat dist/release/manifest.json" }).stdout.trim().split("\n");
    };
    expect(ranFor("main~1")).toEqual(["released"]);
    expect(ranFor("v1")).toEqual(["tagged"]);
    expect(ranFor("side")).toEqual([expect.stringContaining("neither in main nor in a tag v*"), "later"]);
  });

  it("says what GitHub said where the runs cannot be listed, and not that there is no artifact", () => {
    const programs = { gh: "echo 'HTTP 502' >&2\nexit 1" };
    const { status, stdout, stderr } = onRunner(searches("rotate.yml").join("\n"), programs);
    expect([status, stdout, stderr]).toEqual([1, "", "HTTP 502\n"]);
  });
});

describe("the token that may write secrets", () => {
  it("is in the environment of gh, and of no other program that a rotation starts", () => {
    const { jobs } = v.parse(Workflow, parse(readFileSync(join(DIR, "rotate.yml"), "utf8")));
    const steps = Object.values(jobs).flatMap((job) => job.steps);
    const [rotate] = steps.filter(({ run }) => run?.includes("openssl rand"));
    const given = "STACK=staging WHAT=leaked URL=https://a.example ADMIN_TOKEN=old GITHUB_REPOSITORY=o/r";
    const programs = {
      gh: 'echo "gh $1 $2: $GH_TOKEN" >> asked',
      npm: 'echo "npm: $(env | grep -c wide)" >> asked',
    };
    const { stdout } = onRunner(`export ${given} SECRETS_TOKEN=wide\n${rotate?.run}\ncat asked`, programs);
    const asked = stdout.split("\n").filter((line) => /^(gh|npm)/.test(line));
    expect(new Set(asked)).toEqual(
      new Set(["gh secret list: wide", "gh secret set: wide", "gh secret delete: wide", "npm: 0"]),
    );
  });
});

describe.each(["drift.yml", "pr-sweep.yml"])("%s in a project whose environments are not there yet", (file) => {
  const { jobs } = v.parse(Workflow, parse(readFileSync(join(DIR, file), "utf8")));
  const [first] = jobs.ready?.steps ?? [];
  const ends = (variables: string) =>
    onRunner(
      `export GITHUB_OUTPUT=$PWD/output GITHUB_STEP_SUMMARY=$PWD/summary ${variables}\n${first?.run}\ncat output summary 2>/dev/null || true`,
      {},
    );

  it("ends well, says what is missing, and does nothing else", () => {
    const { status, stdout } = ends("");
    expect([status, stdout]).toEqual([
      0,
      expect.stringMatching(/^::warning::(?<line>.* no CLOUDFLARE_API_TOKEN.*)\n\k<line>\n$/),
    ]);
    // GitHub skips a job that needs a skipped one, whatever its condition says, unless that asks how the others ended.
    const isSkipped = (name: string): boolean => {
      const { if: condition, needs = [] } = jobs[name] ?? {};
      if (/\b(always|cancelled|failure)\(/.test(condition ?? "")) return false;
      // What did not run has no outputs, and neither has this first job.
      const isRefused = condition !== undefined && !isTrue(evaluate(condition, () => undefined));
      return isRefused || [needs].flat().some(isSkipped);
    };
    expect(Object.keys(jobs).filter((name) => !isSkipped(name))).toEqual(["ready"]);
  });
  it("goes on, and fails where it must, as soon as something is set", () => {
    for (const name of Object.keys(first?.env ?? {})) {
      const { status, stdout } = ends(`${name}=x`);
      expect([status, stdout], name).toEqual([0, "is=yes\n"]);
    }
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
    const { status } = onRunner(line, { npm: `exit ${code}`, gh: "exit 0" });
    expect(status === 0).toBe(isWell);
  });
});
