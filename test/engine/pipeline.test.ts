/** The release workflow, run here by its own lines: what goes to production, what does not, and after which kill it goes on. */
import { appendFileSync, existsSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Pipeline } from "./release-run.ts";

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await Pipeline.start();
});
afterAll(() => pipeline?.close());

it("takes a good release to production as it was approved, and says what serves", async () => {
  const run = await pipeline.push("one");
  await run.done("build");
  expect(existsSync(run.artifact("release.tar.gz"))).toBe(true);
  expect((await run.done("staging")).summary).toMatch(/staging .*in sync[\s\S]*100 %/);
  const plan = await run.done("plan");
  expect(plan.summary).toMatch(
    /## plan for production: release [0-9a-f]{12}[\s\S]*\+ \w+DO \(sqlite\)[\s\S]*Plan [0-9a-f]{12} of/,
  );
  expect((await pipeline.names())[1]).toBeUndefined();
  const { summary } = await run.done("production");
  expect(summary).toMatch(/It is the plan that was approved[\s\S]*production .*in sync[\s\S]*100 %/);
  expect(await pipeline.names()).toEqual(["one", "one"]);
});

it("stops at a file that was changed between build and deployment, before anything is deployed", async () => {
  const run = await pipeline.push("two");
  await run.done("build");
  appendFileSync(run.artifact("release.tar.gz"), "more");
  expect((await run.job("staging")).text).toMatch(/^The artifact was built by this workflow/);
  expect(await pipeline.names()).toEqual(["one", "one"]);
});

it("stops at a release whose smoke test fails on staging", async () => {
  pipeline.two.copy.replace("worker/page/routes.ts", "/page.css", "/page.sss");
  const run = await pipeline.push("three");
  await run.done("build");
  expect((await run.job("staging")).text).toMatch(/^All patterns answer[\s\S]*FAIL +page/);
  expect((await run.job("plan")).text).toMatch(/^Plan what goes to production[\s\S]*smoke/);
  expect((await pipeline.names())[1]).toBe("one");
  pipeline.two.copy.replace("worker/page/routes.ts", "/page.sss", "/page.css");
});

it("goes on after it was killed in each job, and not with a plan that production has left behind", async () => {
  const run = await pipeline.push("four");
  expect(await run.job("build", { kill: /npm run build/, killWhen: /run\.mjs build/ })).toMatchObject({
    code: null,
    text: expect.not.stringContaining("digest"),
  });
  await run.done("build");
  expect(await run.job("staging", { kill: /npm run -s up/ })).toMatchObject({ code: null });
  await pipeline.two.run("pulumi cancel --yes --stack staging");
  await run.done("staging");
  expect(await run.job("plan", { kill: /npm run -s promote/, killWhen: /ok +/ })).toMatchObject({ code: null });
  expect(existsSync(run.artifact("plan.json"))).toBe(false);
  await run.done("plan");
  // Somebody else touches production after it was approved.
  await pipeline.two.move("production", 1);
  const { ok, text } = await run.job("production");
  expect(text).toMatch(
    /Plan [0-9a-f]{12} was approved, and now it would be another.*\n.*new warning: deployment_not_ours/,
  );
  expect([ok, (await pipeline.names())[1]]).toEqual([false, "one"]);
  await run.done("plan");
  expect(await run.job("production", { kill: /npm run -s promote/ })).toMatchObject({ code: null });
  await pipeline.two.run("pulumi cancel --yes --stack production");
  expect((await run.done("production")).summary).toContain("It is the plan that was approved");
  expect(await pipeline.names()).toEqual(["four", "four"]);
});

it("refuses an older release that comes later", async () => {
  const run = await pipeline.run("HEAD~3");
  await run.done("build");
  expect((await run.job("staging")).text).toMatch(/Deploy it to staging[\s\S]*older_release/);
  expect(await pipeline.names()).toEqual(["four", "four"]);
});

it("looks at night with what was deployed last, not with what was built since, and tells what something else moved", async () => {
  // The newest run is of an older release, and main is ahead of what serves.
  pipeline.two.copy.replace("Pulumi.production.yaml", "capacity: 1000", "capacity: 2000");
  await pipeline.two.done("git commit -qam ahead");
  const quiet = await pipeline.drift();
  expect([quiet.text, pipeline.github.issues]).toEqual(["", ""]);
  await pipeline.two.move("production", 1);
  const told = await pipeline.drift();
  expect([told.text, pipeline.github.issues]).toEqual([
    "",
    expect.stringMatching(/^\[deployment_not_ours\] deployment .*version 1 100 %/),
  ]);
});
