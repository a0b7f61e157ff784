/** The built page: small, and nothing in it that its Content-Security-Policy would stop. */
import { gunzipSync } from "node:zlib";
import { beforeAll, expect, it } from "vitest";
import { buildPage } from "../../infra/release/page.ts";

const MAX_BYTES = 35 * 1_024;

let files: Record<"html" | "css" | "js", string>;
beforeAll(async () => {
  await buildPage();
  const { page } = await import("../../worker/page/assets.gen.ts");
  const text = ({ gzip }: { gzip: string }) => gunzipSync(Buffer.from(gzip, "base64")).toString();
  files = { html: text(page.html), css: text(page.css), js: text(page.js) };
});

it("has at most 35 KiB, minified", () => {
  const bytes = Object.values(files).reduce((sum, file) => sum + Buffer.byteLength(file), 0);
  expect(bytes).toBeLessThanOrEqual(MAX_BYTES);
});

it("has no inline script or style, and nothing from elsewhere", () => {
  expect(files.html).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/i);
  expect(files.html + files.css + files.js).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)|@import/);
});
