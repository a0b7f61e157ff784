/**
 * Two runs of the release workflow at once, as where nobody's concurrency group holds one of them back.
 *
 * @module-tag nightly
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { Pipeline, type ReleaseRun } from "./release-run.ts";

let pipeline: Pipeline;
let [older, newer]: ReleaseRun[] = [];
beforeAll(async () => {
  pipeline = await Pipeline.start();
  older = await pipeline.push("older");
  await older.done("build");
  newer = await pipeline.push("newer");
  await newer.done("build");
});
afterAll(() => pipeline?.close());

/**
 * How a job ends that did not go through. Its smoke test may find the other release, and two smoke tests at once count
 * each other's calls at the rate limiter. A folder as backend: the CLI lists the locks while the other one renames its
 * own, and then ends, too.
 */
const TURNED_AWAY =
  /the stack is currently locked|could not list bucket|older_release|staging serves [0-9a-f]{12}|FAIL +(release|rate-limit)|failed: (release|rate-limit)|^ {4}(release|rate-limit): /m;

it("never puts the older release over the newer one on staging, and turns away with the reason", async () => {
  await older?.done("staging", "plan");
  const [first, second] = await Promise.all([older?.job("staging"), newer?.job("staging")]);
  for (const ended of [first, second]) if (!ended?.ok) expect(ended?.text).toMatch(TURNED_AWAY);
  if (second?.ok) expect((await pipeline.names())[0]).toBe("newer");
  else await newer?.done("staging");
  expect((await older?.job("staging"))?.text).toContain("older_release");
  expect((await pipeline.names())[0]).toBe("newer");
});

it("takes only the newer one to production, where one run is started twice beside the older one", async () => {
  await newer?.done("plan");
  const [old, ...same] = await Promise.all([
    older?.job("production"),
    newer?.job("production"),
    newer?.job("production"),
  ]);
  expect(old?.text).toMatch(/may not go from staging to production:\n.*staging serves [0-9a-f]{12}/);
  for (const ended of same) if (!ended?.ok) expect(ended?.text).toMatch(TURNED_AWAY);
  expect((await pipeline.names())[1]).not.toBe("older");
  await newer?.done("production");
  expect(await pipeline.names()).toEqual(["newer", "newer"]);
  expect((await newer?.done("production"))?.summary).toContain("has all traffic already");
});
