/** `npm run promote` between two stacks of one local account: what it refuses, and what it takes. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ROOT } from "../../infra/release/root.ts";
import { ProjectCopy } from "../project-copy.ts";
import type { Terminal } from "../terminal.ts";
import { started } from "./started.ts";

let project: ProjectCopy;
let terminal: Terminal;
let port: string;

beforeAll(async () => {
  project = new ProjectCopy();
  project.write(
    "Pulumi.production.yaml",
    project.read("Pulumi.production.yaml").replace("promotesFrom: staging", "promotesFrom: local"),
  );
  // As staging goes, and unlike the stack local.
  project.replace("Pulumi.local.yaml", "access: open", "access: rules");
  project.replace("Pulumi.local.yaml", "demoLogin: true", "demoLogin: false");
  // One smoke test after the other, all from one address.
  project.replace("Pulumi.local.yaml", "capacity: 100,", "capacity: 10000,");
  project.commit("v1");
  ({ terminal, port } = await started(project));
});
afterAll(async () => {
  await terminal?.stop();
  project?.remove();
});

/** A promotion from the local account, whatever it is to do. */
const run = (words: string, token = '"$(cat .local/admin-token)"') =>
  project.run(
    `eval "$(npm run -s account -- env)" && FROM_ADMIN_TOKEN=${token} npm run -s promote -- --from local --to production ${words}`,
  );
const promote = (words: string, token?: string) => run(`--check ${words}`, token);

it("refuses what nobody tried and what is too young, at once, and says when it may go", async () => {
  const { code, text } = await promote("");
  expect(text).toMatch(/smoke: local was not smoke-tested[\s\S]*soak: local has served it since .*soakMinutes is 30/);
  expect(code).toBe(1);
});

it("smoke-tests the stack before, and takes a named override", async () => {
  const { code, text } = await promote(`--url http://127.0.0.1:${port}/ --override soak="hotfix 123"`);
  expect(text).toMatch(/ok {4}counter[\s\S]*may go from local to production\.\noverridden: soak: hotfix 123/);
  expect(text, "the plan of what may go").not.toMatch(/refused, \d+ error/);
  expect(code).toBe(0);
});

it("says before the smoke test that the address or the admin token of where it deploys is missing", async () => {
  const from = `--yes --url http://127.0.0.1:${port}/ --override soak="hotfix 123"`;
  const nowhere = await run(from);
  expect(nowhere).toEqual({ code: 1, text: expect.stringMatching(/^production has no hostname: say with --to-url/) });
  const unable = await run(`${from} --to-url http://127.0.0.1:${port}/`);
  expect(unable).toEqual({ code: 1, text: expect.stringMatching(/^A version .* of production is not at hand/) });
});

it("saves the plan for a reviewer while the soak time runs, and calls it no refusal", async () => {
  const { code, text } = await promote(`--url http://127.0.0.1:${port}/ --save-plan plan.json`);
  expect(text).toMatch(/soak: local has served it since[\s\S]*is in plan\.json/);
  expect(text).not.toMatch(/refused, \d+ error/);
  expect(code).toBe(0);
});

it("takes no smoke test without the token, which tries nothing, but saves the plan and says what it takes", async () => {
  const at = `--url http://127.0.0.1:${port}/`;
  const untried = /^smoke: .* only saw that strangers are refused: .*counter.*FROM_ADMIN_TOKEN/m;
  const { code, text } = await promote(`${at} --override soak="hotfix 123"`, '""');
  expect(text).toMatch(untried);
  expect(code).toBe(1);
  const saved = await promote(`${at} --save-plan unapproved.json`, '""');
  expect(saved.text).toMatch(untried);
  expect(saved).toMatchObject({ code: 0, text: expect.stringContaining("is in unapproved.json") });
});

it("the smoke test alone says how many checks tried nothing more than that", async () => {
  // From another checkout, whose account it is not: it finds no token of its own.
  const { code, text } = await project.run(
    `node ${join(ROOT, "infra/commands/smoke.ts")} --url http://127.0.0.1:${port}/`,
    { env: { ADMIN_TOKEN: "" } },
  );
  expect(text).toMatch(/is well as far as it was tried: \d+ of \d+ checks only saw that strangers are refused/);
  expect(code).toBe(0);
});

it("refuses another digest, and a release that the stack before does not serve", async () => {
  expect(await promote(`--digest ${"0".repeat(64)}`)).toMatchObject({
    code: 1,
    text: expect.stringContaining("is not the release that is expected"),
  });
  project.write(
    "worker/http/health.ts",
    project.read("worker/http/health.ts").replace("(c) => {\n", '(c) => {\n  c.header("X-Build", "2");\n'),
  );
  project.commit("v2");
  expect(await project.run("npm run -s build")).toMatchObject({ code: 0 });
  const { code, text } = await promote(`--url http://127.0.0.1:${port}/ --override soak="hotfix 123"`);
  expect(text).toContain("not_promoted");
  expect(code).toBe(1);
});

it("refuses a stack whose way back has not been carried out, before anything else, with an approved plan too", async () => {
  const file = "Pulumi.production.yaml";
  const before = project.read(file);
  project.write(file, `${before}  pin: 1\n`);
  const { code, text } = await promote("");
  // Nothing is deployed there, so that nothing could be carried out.
  expect(text).toMatch(/^production is pinned to version 1/m);
  expect(text).not.toContain("smoke:");
  expect(code).toBe(1);
  project.write(file, before);
});
