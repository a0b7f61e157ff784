/**
 * The template's own size budgets: a step of its CI (.ci/run), not of `npm test`. For your project, change the numbers,
 * or remove the step. The build itself checks Cloudflare's limit (infra/release/size.ts).
 */
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { type Built, buildRelease } from "../../infra/release/build.ts";
import { sizeOf } from "../../infra/release/manifest.ts";
import { scratch } from "../scratch.ts";

const KIB = 1_024;
/**
 * The most bytes, so that growth is noticed. Of the bundle, 166 KiB are documents: Yjs, which is evaluated at its first
 * use, and the editor that their panel loads.
 */
const MOST = { bundle: 420 * KIB, page: 40 * KIB };

const dir = scratch();
let built: Built;
beforeAll(async () => {
  built = await buildRelease(join(dir, "release"));
});

it("the bundle has at most 420 KiB, minified, with the page", () => {
  expect(sizeOf(built.manifest)).toBeLessThanOrEqual(MOST.bundle);
});

it("the page has at most 40 KiB, minified", () => {
  expect(built.page).toBeLessThanOrEqual(MOST.page);
});
