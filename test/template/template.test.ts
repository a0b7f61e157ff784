/**
 * `pulumi new <this project>` with other names, then `npm run init`: the new project works from the first command on.
 * Its `npm test` runs once, at night, after init, without the tests of the patterns and packages: those know no name, and
 * run in the template.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectName } from "../../infra/stack/project.ts";
import { type NewProject, Template } from "./new-project.ts";

const template = new Template();
/** A project with another name, with its own packages. */
let renamed: NewProject;
beforeAll(async () => {
  renamed = await template.make("my-app");
  await succeeds(renamed, "npm ci --prefer-offline --no-audit --no-fund");
});
afterAll(() => template.remove());

const git = "git -c user.name=test -c user.email=test@example.com -c commit.gpgsign=false";
const commit = (message: string) => `git add --all && ${git} commit -q -m "${message}"`;

async function succeeds(project: NewProject, command: string): Promise<string> {
  const { code, text } = await project.run(command);
  expect(code, `${command}\n${text}`).toBe(0);
  return text;
}

async function isWell(project: NewProject, name: string): Promise<void> {
  const { start, smoke, plan } = await project.firstDay();
  expect(start).toContain(`//${name}.`);
  expect(smoke.text).toContain(" is well");
  expect(smoke.code).toBe(0);
  expect(plan.text).toMatch(new RegExp(`${name}-staging: fresh, to \\d{4}-create-`));
  expect(plan.code, plan.text).toBe(0);
}

/** A project that is unchanged since `pulumi new`, with the packages of `renamed`. */
async function untouched(name: string): Promise<NewProject> {
  const project = await template.make(name);
  project.share(renamed);
  return project;
}

describe("under another name", () => {
  it("the CLI has changed Pulumi.yaml and no other file", () => {
    const changed = template.files.filter((file) => {
      const made = join(renamed.root, file);
      return !existsSync(made) || !readFileSync(made).equals(readFileSync(join(template.folder, file)));
    });
    expect(template.files.length).toBeGreaterThan(300);
    expect(changed).toEqual(["Pulumi.yaml"]);
    expect(projectName(renamed.root)).toBe("my-app");
  });

  it("types are right before the first build", async () => {
    await succeeds(renamed, "npx tsc -p worker");
    expect(existsSync(join(renamed.root, "worker/page/assets.gen.js"))).toBe(false);
  });

  it("npm start is ready, the smoke test passes, and staging has a plan", () => isWell(renamed, "my-app"));

  it("the rehearsal passes", async () => {
    await succeeds(renamed, "npm run -s build && npm run -s rehearse -- --from dist/release");
  });
});

describe("after npm run init", () => {
  const init = "npm run -s init -- --name my-app --hostname api.example.com";

  it("it has the name everywhere, and nothing that only the template needs", async () => {
    await succeeds(renamed, `git init -q && ${commit("As pulumi new has made it")}`);
    const said = await succeeds(renamed, init);
    expect(said).toMatch(/package\.json +name: my-app/);
    expect(said).not.toMatch(/^Pulumi\.yaml/m);
    for (const file of ["package.json", "package-lock.json", "wrangler.jsonc", "README.md"]) {
      expect(readFileSync(join(renamed.root, file), "utf8"), file).not.toMatch(
        /"name": "durable-stack"|^# durable-stack/m,
      );
    }
    expect(existsSync(join(renamed.root, "test/template"))).toBe(false);
    await succeeds(renamed, commit("This is my-app"));
    expect(await succeeds(renamed, init)).toBe("Nothing to change: this is my-app.\n");
    await succeeds(renamed, "npm ls --package-lock-only >/dev/null && bash -n .ci/run");
  });

  it("npm start is ready again with its data, and the smoke test passes", () => isWell(renamed, "my-app"));

  it.each(["npm run check", "npm run typecheck", "npm run -s migrations -- lint"])("%s passes", async (command) => {
    await succeeds(renamed, command);
  });

  // About five minutes on 2 cores, with patterns.test.ts beside it.
  it("npm test passes", { timeout: 900_000, tags: ["nightly"] }, async () => {
    await succeeds(renamed, "npm test -- test/infra test/provider test/local test/worker");
  });
});

describe.each(["42", "a-project-with-the-name-of-forty-letters", projectName()])("as %s", (name) => {
  it("npm start is ready, the smoke test passes, and staging has a plan", async () => {
    await isWell(await untouched(name), name);
  });
});

it("check and migrations lint pass before npm run init too", async () => {
  await succeeds(await untouched("app3"), "npm run check && npm run -s migrations -- lint");
});

it("a name with a dot is refused by npm start, with the reason and what to do", async () => {
  const project = await untouched("my.app");
  const { code, text } = await project.run("npm start -- --port 0 --api-port 0");
  expect(code).toBe(1);
  expect(text).toMatch(/"my\.app" is not lower-case letters, digits and hyphens between them/);
  expect(text).toMatch(
    /Fix: set workerName in Pulumi\.local\.yaml; or, before anything is deployed, rename the project/,
  );
  expect(text).not.toMatch(/\n\s+at /);
  // npm run init renames it, once git could bring back what it removes.
  const refused = await project.run("npm run -s init -- --name my-app");
  expect(refused.code).toBe(1);
  expect(refused.text).toContain("git init && git add --all");
  expect(projectName(project.root)).toBe("my.app");
  await succeeds(project, `git init -q && echo node_modules >> .git/info/exclude && ${commit("As it was")}`);
  await succeeds(project, "npm run -s init -- --name my-app");
  expect(projectName(project.root)).toBe("my-app");
});
