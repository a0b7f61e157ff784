/**
 * The release workflow's own `run:` lines, parsed from the YAML and executed in order, with two local accounts as staging
 * and production. What `uses:` an action is stood in for: a checkout is the copy, an artifact a file that is copied, an
 * attestation a list of hashes that a `gh` of this test's own looks into.
 */
import { createHash } from "node:crypto";
import { appendFileSync, chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ADMIN_TOKENS, type Stack, TwoAccounts } from "./two-accounts.ts";
import { type JobEnded, Workflow } from "./workflow.ts";

const release = new Workflow("release.yml");

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
function meaningOf(expression: string, environment: Stack): string | undefined {
  const vars: Readonly<Record<string, string>> = {
    "vars.PULUMI_STACK": environment,
    "vars.URL": two.urlOf(environment),
    "vars.FROM_URL": two.urlOf("staging"),
    "secrets.ADMIN_TOKEN": ADMIN_TOKENS[environment],
    "secrets.FROM_ADMIN_TOKEN": ADMIN_TOKENS.staging,
    "needs.build.outputs.digest": digest,
  };
  // The accounts' ids and tokens are in the stacks' files here.
  return vars[expression];
}

let digest = "";

/** Runs a job; the step that `kill` matches is ended in its middle. */
async function job(name: "build" | Stack, kill?: RegExp): Promise<JobEnded> {
  const environment: Stack = name === "production" ? "production" : "staging";
  const ended = await release.job(name, {
    place: two,
    meaning: (expression) => meaningOf(expression, environment),
    action,
    ...(kill && { kill }),
  });
  digest = ended.outputs["build.digest"] ?? digest;
  return ended;
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
