/** A file of the project that is missing: a command says which, and how it comes back. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { ProjectCopy } from "../project-copy.ts";
import { ANOTHER_OWNER } from "../user-environment.ts";

describe("a file of the project that is missing", () => {
  const copy = new ProjectCopy();
  afterAll(() => copy.remove());

  it("is no shallow clone's commit where there is no git repository", async () => {
    const { code, text } = await copy.run("node infra/commands/pr.ts look --base main");
    expect(text).toMatch(
      /^There is no commit "main" here .* git finds no repository here \(fatal: not a git repository/,
    );
    expect(code).toBe(1);
    const without = await copy.run("PATH= $(command -v node) infra/commands/pr.ts look --base main");
    expect(without.text).toMatch(/ git is not installed, or not on the PATH: install it\.\n$/);
  });

  it("is no missing repository's where git does not answer: its own words and its own remedy are passed on", async () => {
    const own = new ProjectCopy();
    onTestFinished(() => own.remove());
    own.commit("v1.0.0");
    const { code, text } = await own.run("node infra/commands/pr.ts look --base main", { env: ANOTHER_OWNER });
    expect(text).toMatch(/git does not say what it has here:\nfatal: detected dubious ownership[\s\S]*safe\.directory/);
    expect(text).not.toContain("git init");
    expect(code).toBe(1);
  });

  it.each([
    ["wrangler.jsonc", "build.ts"],
    ["package-lock.json", "build.ts"],
    ["Pulumi.local.yaml", "start.ts start --port 0 --api-port 0"],
    ["Pulumi.local.yaml", "start.ts start --into .local"],
    ["Pulumi.local.yaml", "migrations.ts plan --stack local"],
    ["Pulumi.local.yaml", "pulumi.ts up --stack local"],
    ["Pulumi.local.yaml", "rehearse.ts --from HEAD"],
  ])("%s is told in a sentence with what to do: %s", async (name, line) => {
    const contents = copy.read(name);
    rmSync(join(copy.root, name));
    const { code, text } = await copy.run(`exec node infra/commands/${line}`);
    copy.write(name, contents);
    expect(text).toMatch(/^[^\n]*\n$/);
    expect(text).toContain(`Bring it back with \`git checkout -- ${name}\`, or `);
    expect(code).toBe(1);
  });
});
