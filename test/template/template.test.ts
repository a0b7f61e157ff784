/** `pulumi new <this project>` under other names: what a user gets works from the first command on. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectName } from "../../infra/stack/project.ts";
import { type NewProject, Template } from "./new-project.ts";

const template = new Template();
/** Under another name, with packages of its own. */
let renamed: NewProject;
beforeAll(async () => {
  renamed = await template.make("my-app");
  await succeeds("npm ci --prefer-offline --no-audit --no-fund");
});
afterAll(() => template.remove());

async function succeeds(command: string): Promise<void> {
  const { code, text } = await renamed.run(command);
  expect(code, `${command}\n${text}`).toBe(0);
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

  it("types are right before anything was built", async () => {
    await succeeds("npx tsc -p worker");
    await succeeds("npm run typecheck");
    expect(existsSync(join(renamed.root, "worker/page/assets.gen.js"))).toBe(false);
  });

  it("npm start is ready, and all five patterns are well", async () => {
    const { start, smoke } = await renamed.startAndSmoke();
    expect(start).toContain("//my-app.");
    expect(smoke.text).toContain(" is well");
    expect(smoke.code).toBe(0);
  });

  it.each(["npm run check", "npm run -s migrations -- lint"])("%s passes", succeeds);

  it("the rehearsal passes", async () => {
    await succeeds("npm run -s build && npm run -s rehearse -- --from dist/release");
  });

  it("npm test passes", async () => {
    await succeeds("npm test");
  });
});

describe.each(["app2", "a-project-with-the-name-of-forty-letters", projectName()])("as %s", (name) => {
  it("npm start is ready, all five patterns are well, and npm run check passes", async () => {
    const project = await template.make(name);
    project.share(renamed);
    const { start, smoke } = await project.startAndSmoke();
    expect(start).toContain(`//${name}.`);
    expect(smoke.code, smoke.text).toBe(0);
    const check = await project.run("npm run check");
    expect(check.code, check.text).toBe(0);
  });
});

it("a name with a dot is refused by npm start, with the reason and what to do", async () => {
  const project = await template.make("my.app");
  project.share(renamed);
  const { code, text } = await project.run("npm start -- --port 0 --api-port 0");
  expect(code).toBe(1);
  expect(text).toMatch(/"my\.app" is not lower-case letters, digits and hyphens between them/);
  expect(text).toMatch(
    /Fix: set workerName in Pulumi\.local\.yaml; or, before anything is deployed, rename the project/,
  );
  expect(text).not.toMatch(/\n\s+at /);
});
