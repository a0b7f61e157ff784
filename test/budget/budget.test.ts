/**
 * The template's own budgets, a step of its CI (.ci/run) and no part of `npm test`. Your project has its own: change
 * the numbers, or take the step out. Cloudflare's limit is held by the build itself (infra/release/size.ts).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Built, buildRelease } from "../../infra/release/build.ts";
import { sizeOf } from "../../infra/release/manifest.ts";

const KIB = 1_024;
/** patterns.md, Numbers. */
const MOST = { bundle: 180 * KIB, page: 38 * KIB };

const dir = mkdtempSync(join(tmpdir(), "budget-"));
let built: Built;
beforeAll(async () => {
  built = await buildRelease(join(dir, "release"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

it("the bundle has at most 180 KiB, minified, with the page", () => {
  expect(sizeOf(built.manifest)).toBeLessThanOrEqual(MOST.bundle);
});

it("the page has at most 38 KiB, minified", () => {
  expect(built.page).toBeLessThanOrEqual(MOST.page);
});
