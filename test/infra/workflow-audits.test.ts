/**
 * The audits of zizmor that a text can be held to, without zizmor: every workflow under .github keeps to each of them.
 * docs/workflows.md has the whole list, and says of the others how they stand.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { ROOT } from "../../infra/release/root.ts";

const read = (file: string) => readFileSync(join(ROOT, file), "utf8");

const Step = v.looseObject({
  uses: v.optional(v.string()),
  run: v.optional(v.string()),
  shell: v.optional(v.string(), "bash"),
  if: v.optional(v.string(), ""),
  with: v.optional(v.record(v.string(), v.unknown()), {}),
});
const Job = v.looseObject({
  "runs-on": v.optional(v.string()),
  environment: v.optional(v.unknown()),
  if: v.optional(v.string(), ""),
  uses: v.optional(v.string()),
  secrets: v.optional(v.unknown()),
  container: v.optional(v.unknown()),
  services: v.optional(v.unknown()),
  permissions: v.optional(v.record(v.string(), v.string())),
  "timeout-minutes": v.optional(v.number()),
  steps: v.optional(v.array(Step), []),
});
const Workflow = v.looseObject({
  name: v.optional(v.string(), ""),
  permissions: v.optional(v.record(v.string(), v.string()), {}),
  concurrency: v.optional(v.object({ "cancel-in-progress": v.optional(v.union([v.boolean(), v.string()])) }), {}),
  jobs: v.record(v.string(), Job),
});

class Subject {
  readonly text: string;
  readonly workflow: v.InferOutput<typeof Workflow>;

  constructor(text: string) {
    this.text = text;
    this.workflow = v.parse(Workflow, parse(text));
  }

  get jobs() {
    return Object.values(this.workflow.jobs);
  }
  get steps() {
    return this.jobs.flatMap(({ steps }) => steps);
  }
  get runs(): readonly string[] {
    return this.steps.flatMap(({ run }) => run ?? []);
  }
  /** What uses an action, by the text, where the version stands beside. */
  get uses(): readonly string[] {
    return [...this.text.matchAll(/^\s*(?:- )?uses: (.*)$/gm)].map(([, what = ""]) => what);
  }
  /** The steps that use an action. */
  using(action: string) {
    return this.steps.filter(({ uses }) => uses?.startsWith(`${action}@`));
  }
  /** What a pattern finds in the whole text. */
  found(pattern: RegExp): readonly string[] {
    return [...this.text.matchAll(new RegExp(pattern.source, "g"))].map(([what]) => what);
  }
  /** What a pattern finds in the shells' texts. */
  run(pattern: RegExp): readonly string[] {
    return this.runs.flatMap((run) => pattern.exec(run)?.[0] ?? []);
  }
  /** The conditions of jobs and steps. */
  get conditions(): readonly string[] {
    return [...this.jobs, ...this.steps].map((one) => one.if).filter(Boolean);
  }
}

/** What stands against each audit in a workflow; empty: it is kept. */
const AUDITS: Readonly<Record<string, (subject: Subject) => readonly unknown[]>> = {
  "adhoc-packages": (one) =>
    one.run(
      /\b(npm (i|install|add)\b|npx |pnpm |yarn |pip3? install|gem install|go install|cargo install|apt(-get)? install)/,
    ),
  "anonymous-definition": ({ workflow: { name } }) => (name === "" ? ["no name"] : []),
  artipacked: (one) => one.using("actions/checkout").filter((step) => step.with["persist-credentials"] !== false),
  "bot-conditions": (one) => one.conditions.filter((text) => /github\.(actor|triggering_actor)\b/.test(text)),
  "cache-poisoning": (one) => [
    ...one.using("actions/cache"),
    ...one.using("actions/setup-node").filter((step) => step.with["package-manager-cache"] !== false),
    ...one.using("actions/setup-go").filter((step) => step.with.cache !== false),
  ],
  "concurrency-limits": ({ workflow }) =>
    workflow.concurrency["cancel-in-progress"] === undefined ? ["does not say what is cancelled"] : [],
  "excessive-permissions": ({ workflow }) => [
    ...Object.entries(workflow.permissions).filter(([what, right]) => what !== "contents" || right !== "read"),
    ...Object.entries(workflow.jobs)
      .filter(([, { permissions }]) => permissions === undefined && Object.keys(workflow.permissions).length === 0)
      .map(([name]) => name),
  ],
  "github-env": (one) => one.run(/GITHUB_(ENV|PATH)/),
  "hardcoded-container-credentials": (one) => one.jobs.filter(({ container, services }) => container ?? services),
  "insecure-commands": (one) => one.found(/ACTIONS_ALLOW_UNSECURE_COMMANDS/),
  "insecure-url-scheme": (one) => one.found(/\b(http|ftp|git):\/\//),
  misfeature: (one) => one.steps.filter(({ run, shell }) => run !== undefined && shell !== "bash"),
  obfuscation: (one) => [...one.found(/uses: \S*\w\/(\.\/|\/)/), ...one.found(/\$\{\{ '[^']*' \}\}/)],
  "overprovisioned-secrets": (one) => one.found(/toJSON\(secrets\)|secrets\[/),
  "ref-confusion": (one) => one.uses.filter((uses) => !uses.startsWith("./") && !/@[0-9a-f]{40}\b/.test(uses)),
  "secrets-inherit": (one) => one.jobs.filter(({ secrets }) => secrets === "inherit"),
  "secrets-outside-env": ({ workflow }) =>
    Object.entries(workflow.jobs)
      .filter(([, job]) => job.environment === undefined && JSON.stringify(job).includes("secrets."))
      .map(([name]) => name),
  "self-hosted-runner": (one) => one.jobs.filter((job) => job.uses === undefined && job["runs-on"] !== "ubuntu-latest"),
  "template-injection": (one) => one.run(/\$\{\{/),
  "timeout-minutes": (one) => one.jobs.filter((job) => job.uses === undefined && job["timeout-minutes"] === undefined),
  "undocumented-permissions": (one) =>
    one
      .found(/\n +[a-z-]+: (read|write)\b[^\n]*/)
      .filter((line) => !/contents: read$/.test(line) && !line.includes(" # ")),
  "unpinned-images": (one) => one.uses.filter((uses) => uses.startsWith("docker://")),
  "unpinned-tools": (one) => one.using("pulumi/actions").filter((step) => step.with["pulumi-version"] !== CLI),
  "unpinned-uses": (one) => one.uses.filter((uses) => !/^(\.\/|\S+@[0-9a-f]{40} # v\d+\.\d+\.\d+)/.test(uses)),
  "unredacted-secrets": (one) => one.found(/fromJSON\(secrets/),
  "unsound-condition": (one) => one.conditions.filter((text) => text.includes("${{")),
  "unsound-contains": (one) => one.conditions.filter((text) => /contains\('/.test(text)),
  "unsound-ternary": (one) => one.found(/\$\{\{[^}]*&&[^}]*\|\|[^}]*\}\}/),
  "use-trusted-publishing": (one) => one.run(/\b(npm|cargo|gem|twine|bun) (publish|push|upload)\b/),
};

/** The CLI that the tests run. */
const [, CLI] = /pulumi\/pkg\/v3 v(\S+)/.exec(read("test/engine/pulumi-cli/go.mod")) ?? [];

describe.each(readdirSync(join(ROOT, ".github/workflows")))("%s", (file) => {
  const subject = new Subject(read(`.github/workflows/${file}`));
  it.each(Object.keys(AUDITS))("%s", (audit) => {
    expect(AUDITS[audit]?.(subject)).toEqual([]);
  });
});

it("each audit finds what it is about", () => {
  const bad = new Subject(BAD);
  expect(Object.entries(AUDITS).flatMap(([name, audit]) => (audit(bad).length === 0 ? [name] : []))).toEqual([]);
});

it("docs/workflows.md has every audit of this test, and says which ones it holds", () => {
  const rows = [...read("docs/workflows.md").matchAll(/^\| `([a-z-]+)` \|.*\| (.*) \|$/gm)];
  expect(rows.length).toBeGreaterThan(40);
  const held = rows.filter(([, , stand]) => stand?.startsWith("kept, by test")).map(([, name]) => name);
  expect(held.sort()).toEqual(Object.keys(AUDITS).sort());
});

/** Everything that one must not do. */
const BAD = `
on: push
permissions: { contents: write }
jobs:
  one:
    runs-on: my-own
    container: { image: a, credentials: { username: u, password: p } }
    if: \${{ github.actor == 'bot' }} || contains('a b', github.ref)
    permissions:
      issues: write
    steps:
      - uses: actions/checkout@v4
      - uses: actions/cache@v4
      - uses: docker://alpine
      - uses: me/it/./action@v1
      - uses: pulumi/actions@v6
      - shell: cmd
        run: npm install x; echo \${{ github.head_ref }} >> $GITHUB_ENV; npm publish; curl http://example.com
        env:
          ACTIONS_ALLOW_UNSECURE_COMMANDS: "true"
          ALL: \${{ toJSON(secrets) }}
          ONE: \${{ fromJSON(secrets.X).y }}
          NEITHER: \${{ true && '' || 'x' }}
  two:
    uses: ./.github/workflows/x.yml
    secrets: inherit
`;
