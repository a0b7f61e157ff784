/**
 * The release workflow's own `run:` lines, parsed from the YAML and executed in order, with two local accounts as staging
 * and production. What `uses:` an action is stood in for: a checkout is the copy, an artifact a file that is copied, an
 * attestation a list of hashes that a `gh` of this test's own looks into.
 */
import { createHash } from "node:crypto";
import { appendFileSync, chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parse } from "yaml";
import { ROOT } from "../../infra/release/root.ts";
import { Terminal } from "../terminal.ts";
import { ADMIN_TOKENS, type Stack, TwoAccounts } from "./two-accounts.ts";

const Step = v.object({
  id: v.optional(v.string()),
  name: v.optional(v.string(), ""),
  uses: v.optional(v.string()),
  run: v.optional(v.string()),
  env: v.optional(v.record(v.string(), v.string()), {}),
});
const Workflow = v.object({ jobs: v.record(v.string(), v.object({ steps: v.optional(v.array(Step), []) })) });
type Step = v.InferOutput<typeof Step>;

const { jobs } = v.parse(Workflow, parse(readFileSync(join(ROOT, ".github/workflows/release.yml"), "utf8")));

let two: TwoAccounts;
let artifacts: string;
beforeAll(async () => {
  two = await TwoAccounts.start();
  artifacts = two.folder("artifacts");
  const gh = join(artifacts, "gh");
  // `gh attestation verify <file> …`: whether the file's hash was attested.
  writeFileSync(
    gh,
    `#!/usr/bin/env bash\ngrep -q "$(sha256sum "$3" | cut -d' ' -f1)" "${join(artifacts, "attested")}"\n`,
  );
  chmodSync(gh, 0o755);
  two.install("gh", gh);
  two.soak(0);
});
afterAll(() => two?.close());

/** What the expressions of a job stand for. */
function meaningOf(expression: string, environment: Stack, digest: string): string {
  const vars: Readonly<Record<string, string>> = {
    "vars.PULUMI_STACK": environment,
    "vars.URL": two.urlOf(environment),
    "vars.FROM_URL": two.urlOf("staging"),
    "secrets.ADMIN_TOKEN": ADMIN_TOKENS[environment],
    "secrets.FROM_ADMIN_TOKEN": ADMIN_TOKENS.staging,
    "needs.build.outputs.digest": digest,
  };
  // The accounts' ids and tokens are in the stacks' files here.
  return vars[expression] ?? "";
}

interface Ended {
  readonly ok: boolean;
  /** What the failed step printed, with its name in front. */
  readonly text: string;
  readonly summary: string;
}

let digest = "";

/** Runs a job as a runner would: step after step, until one fails; those with `if: always()` are left out then. */
async function job(name: "build" | Stack, stopAt?: RegExp): Promise<Ended> {
  const environment: Stack = name === "production" ? "production" : "staging";
  const [output, summary] = ["output", "summary"].map((file) => join(artifacts, `${name}-${file}`));
  if (output === undefined || summary === undefined) throw new Error("no files for the job's outputs");
  for (const file of [output, summary]) writeFileSync(file, "");
  for (const step of jobs[name]?.steps ?? []) {
    if (step.uses !== undefined) action(step.uses);
    if (step.run === undefined || step.run === "npm ci") continue;
    const env: Record<string, string> = {
      GITHUB_OUTPUT: output,
      GITHUB_STEP_SUMMARY: summary,
      GITHUB_REPOSITORY: "me/it",
    };
    for (const [key, text] of Object.entries(step.env)) {
      const value = text.replaceAll(/\$\{\{ (.+?) \}\}/g, (_, expression: string) =>
        meaningOf(expression, environment, digest),
      );
      if (value !== "") env[key] = value;
    }
    if (stopAt?.test(step.run)) return killed(step, env, summary);
    const { code, text } = await two.run(step.run, env);
    if (code !== 0) return { ok: false, text: `${step.name}\n${text}`, summary: readFileSync(summary, "utf8") };
  }
  digest = /^digest=(\w+)$/m.exec(readFileSync(output, "utf8"))?.[1] ?? digest;
  return { ok: true, text: "", summary: readFileSync(summary, "utf8") };
}

/** Starts a step and ends it in the middle, once it has begun to change something. */
async function killed(
  { name, run = "" }: Step,
  env: Readonly<Record<string, string>>,
  summary: string,
): Promise<Ended> {
  const terminal = new Terminal(two.start(run, env));
  await terminal.printed((text) => /0\.01 %|creating|updating/i.test(text));
  await terminal.stop();
  return { ok: false, text: `${name}\n${terminal.text}`, summary: readFileSync(summary, "utf8") };
}

/** What an action of the workflow does to the files here. */
function action(uses: string): void {
  const [file, artifact] = [join(two.copy.root, "dist/release.tar.gz"), join(artifacts, "release.tar.gz")];
  if (uses.startsWith("actions/attest-build-provenance@")) {
    appendFileSync(join(artifacts, "attested"), `${createHash("sha256").update(readFileSync(file)).digest("hex")}\n`);
  }
  if (uses.startsWith("actions/upload-artifact@")) copyFileSync(file, artifact);
  if (uses.startsWith("actions/download-artifact@")) {
    mkdirSync(join(two.copy.root, "dist"), { recursive: true });
    copyFileSync(artifact, file);
  }
}

/** Another release: `/health` says its name. */
async function change(name: string): Promise<void> {
  const file = "worker/http/health.ts";
  two.copy.write(
    file,
    two.copy.read(file).replace(/status: "ok",.*/, `status: "ok", ...({ name: ${JSON.stringify(name)} }),`),
  );
  await two.done(`git commit -qam ${JSON.stringify(name)}`);
}

const names = async () => [await two.health("staging"), await two.health("production")].map((one) => Object(one).name);

it("takes a good release to production, and says what serves", async () => {
  await change("one");
  expect(await job("build")).toMatchObject({ ok: true });
  expect(existsSync(join(artifacts, "release.tar.gz"))).toBe(true);
  const staging = await job("staging");
  expect(staging, staging.text).toMatchObject({
    ok: true,
    summary: expect.stringMatching(/staging .*in sync[\s\S]*100 %/),
  });
  const production = await job("production");
  expect(production, production.text).toMatchObject({ ok: true, summary: expect.stringContaining("production") });
  expect(await names()).toEqual(["one", "one"]);
});

it("stops at a file that was changed between build and deployment, before anything is deployed", async () => {
  await change("two");
  expect(await job("build")).toMatchObject({ ok: true });
  appendFileSync(join(artifacts, "release.tar.gz"), "more");
  expect((await job("staging")).text).toMatch(/^The artifact was built by this workflow/);
  expect(await names()).toEqual(["one", "one"]);
});

it("stops at a release whose smoke test fails on staging", async () => {
  two.copy.replace("worker/page/routes.ts", "/page.css", "/page.sss");
  await change("three");
  expect(await job("build")).toMatchObject({ ok: true });
  expect((await job("staging")).text).toMatch(/^All five patterns answer[\s\S]*FAIL +page/);
  const production = await job("production");
  expect(production.text).toMatch(/Promote what staging serves[\s\S]*smoke/);
  expect((await names())[1]).toBe("one");
  two.copy.replace("worker/page/routes.ts", "/page.sss", "/page.css");
});

it("goes on after it was killed in each deployment", async () => {
  await change("four");
  expect(await job("build")).toMatchObject({ ok: true });
  expect(await job("staging", /npm run -s up/)).toMatchObject({ ok: false });
  await two.run("pulumi cancel --yes --stack staging");
  const staging = await job("staging");
  expect(staging, staging.text).toMatchObject({ ok: true });
  expect(await job("production", /npm run -s promote/)).toMatchObject({ ok: false });
  await two.run("pulumi cancel --yes --stack production");
  const production = await job("production");
  expect(production, production.text).toMatchObject({ ok: true });
  expect(await names()).toEqual(["four", "four"]);
});

it("refuses an older release that comes later", async () => {
  const newer = readFileSync(join(artifacts, "release.tar.gz"));
  await two.done("git checkout -q HEAD~3");
  expect(await job("build")).toMatchObject({ ok: true });
  await two.done("git checkout -q -");
  expect((await job("staging")).text).toMatch(/Deploy it to staging[\s\S]*older_release/);
  expect(await names()).toEqual(["four", "four"]);
  writeFileSync(join(artifacts, "release.tar.gz"), newer);
});
