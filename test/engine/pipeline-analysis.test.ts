/**
 * What only production's own traffic shows, through the lines of the release workflow: a release passes every smoke test,
 * and its rollout turns back by itself, goes on after a kill, or has no way back.
 *
 * @module-tag nightly
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { patterns } from "../../worker/patterns.ts";
import { underTraffic } from "../callers.ts";
import { Pipeline, type ReleaseRun } from "./release-run.ts";

const HEALTH = "worker/http/health.ts";
const CALLERS = 8;
/** Milliseconds of a release that is well: far more than a busy machine adds to them. */
const USUAL = 100;

let pipeline: Pipeline;
/** The health check as it is in the project. */
let original: string;

beforeAll(async () => {
  pipeline = await Pipeline.start({
    rolloutSteps: [{ percent: 0, smoke: true }, { percent: 50, minutes: 0.25 }, { percent: 100 }],
    rolloutAnalysis: { minRequests: 100, patienceMinutes: 0.5 },
  });
  original = pipeline.two.copy.read(HEALTH);
  await (await release("stable", USUAL)).done("build", "staging", "plan", "production");
});
afterAll(() => pipeline?.close());

/**
 * A release whose callers wait so many milliseconds. `failing`: every so many of their requests, one fails. Smoke tests
 * see neither.
 */
function release(name: string, milliseconds: number, failing = 0) {
  const work = `async (c) => {
  if (c.req.query("caller") !== undefined) {
    await scheduler.wait(${milliseconds});
    ${failing > 0 ? `if (++asked % ${failing} === 0) throw new Error("bad");` : ""}
  }
`;
  pipeline.two.copy.write(HEALTH, `${original.replace("(c) => {\n", work)}\nlet asked = 0;\n`);
  return pipeline.push(name);
}

/** The job that promotes a release to production, with callers there. */
const promote = (run: ReleaseRun, options?: Parameters<ReleaseRun["job"]>[1]) =>
  underTraffic(new URL("/health?caller", pipeline.two.urlOf("production")), CALLERS, () =>
    run.job("production", options),
  );

it.each([
  ["errors in one of twenty requests", USUAL, 20, /Worse: errors: [\d.]+ % of [\d,]+ requests/],
  ["four times as long an answer", 4 * USUAL, 0, /Worse: (50|90) % of its requests take up to \d+ ms/],
])("turns back at %s, says so, and never takes this release again", async (name, milliseconds, failing, worse) => {
  const run = await release(name, milliseconds, failing);
  await run.done("build", "staging", "plan");
  const back = await promote(run);
  expect(back, back.text).toMatchObject({ ok: false, code: 3 });
  const digest = run.digest.slice(0, 12);
  expect(back.summary).toMatch(worse);
  expect(back.summary).toMatch(new RegExp(`All traffic is back[\\s\\S]*100 %[\\s\\S]*refused: .*${digest}`));
  expect(await pipeline.names()).toEqual([name, "stable"]);

  // Its job again, on another runner, which has none of the files that the first one wrote.
  const again = await run.job("production");
  expect(again, again.text).toMatchObject({ ok: false, code: 1, text: expect.stringContaining("refused_release") });
});

it("goes on between two steps where it was killed", async () => {
  const run = await release("as good", USUAL);
  await run.done("build", "staging", "plan");
  const killed = await promote(run, { kill: /npm run -s promote/, killWhen: /\n50 %\n/ });
  expect(killed).toMatchObject({ code: null, text: expect.stringContaining("0.01 %") });
  const { ok, summary } = await promote(run);
  expect(ok, summary).toBe(true);
  expect(summary).toMatch(/It is the plan that was approved[\s\S]*50 %: goes on here[\s\S]*has all traffic/);
  expect(summary).not.toContain("0.01 %");
  expect(await pipeline.names()).toEqual(["as good", "as good"]);
});

it("says before the approval that there is no way back from tables that older code cannot live with", async () => {
  const folder = patterns.find((pattern) => pattern.schema !== undefined)?.folder;
  const { copy } = pipeline.two;
  const file = `worker/${folder}/schema.ts`;
  copy.write(
    file,
    `import { breaking } from "../objects/steps.ts";\n${copy.read(file).replace(/\n\];\s*$/, '\n  breaking("CREATE TABLE added (at INTEGER NOT NULL) STRICT"),\n];\n')}`,
  );
  const run = await release("no way back", USUAL);
  await run.done("build", "staging");
  const { summary } = await run.done("plan");
  expect(summary).toMatch(/nothing before this release can serve again[\s\S]*Rehearsed in a throw-away local account/);
  expect((await run.done("production")).summary).toContain("goes to all traffic at once");
  const back = await pipeline.two.run("npm run -s rollback -- --stack production --to 1 --yes");
  expect(back).toMatchObject({ code: 1, text: expect.stringContaining("rollback floor") });
  expect(await pipeline.names()).toEqual(["no way back", "no way back"]);
});
