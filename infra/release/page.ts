/**
 * Builds the demo page into one module that the Worker imports: `worker/page/assets.gen.js` (git-ignored).
 * The title is the project's name (Pulumi.yaml): the page and the OpenAPI document have it from here.
 * A generated module rather than text imports, because esbuild, wrangler and the test runner all read JavaScript alike;
 * its types (assets.gen.d.ts) are committed, so that editors and tsc need no build.
 * The files are compressed already: half the bundle's bytes for them, and none of the Worker's time.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { gzipSync } from "fflate";
import { projectName } from "../stack/project.ts";
import { digestOf } from "./manifest.ts";
import { ROOT } from "./root.ts";

const PAGE = join(ROOT, "worker/page");

/**
 * Builds the page's script, style and document; writes only when something changed, so that watchers do not loop.
 * Returns the bytes of the three together, as a browser has them once they are unpacked.
 */
export async function buildPage(): Promise<number> {
  const [js, css] = await Promise.all([bundle("client/main.ts"), bundle("page.css")]);
  // A line's end is never between words in index.html, so it can go with the indentation.
  const title = projectName();
  const html = readFileSync(join(PAGE, "index.html"), "utf8")
    .replace(/\s*\n\s*/g, "")
    .replaceAll("{{title}}", () => asHtml(title));
  const page = { html: asset(html), css: asset(css), js: asset(js) };
  const source = `/** Made by infra/release/page.ts; do not edit. */\nexport const page = ${JSON.stringify(page, null, 2)};\nexport const title = ${JSON.stringify(title)};\n`;
  const target = join(PAGE, "assets.gen.js");
  mkdirSync(PAGE, { recursive: true });
  if (!existsSync(target) || readFileSync(target, "utf8") !== source) writeFileSync(target, source);
  return [html, css, js].reduce((sum, file) => sum + Buffer.byteLength(file), 0);
}

const asHtml = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/**
 * A file as the Worker keeps it. Compressed in JavaScript and not by zlib, whose output differs between processors:
 * the same source must make the same release everywhere.
 */
function asset(text: string): { readonly gzip: string; readonly etag: string } {
  const bytes = Buffer.from(text);
  return {
    gzip: Buffer.from(gzipSync(bytes, { level: 9, mtime: 0 })).toString("base64"),
    etag: `"${digestOf(bytes).slice(0, 32)}"`,
  };
}

async function bundle(entry: string): Promise<string> {
  const result = await build({
    absWorkingDir: PAGE,
    entryPoints: [entry],
    bundle: true,
    write: false,
    minify: true,
    format: "iife",
    target: ["es2022", "chrome110", "firefox115", "safari16.4"],
    legalComments: "none",
    outdir: "out",
  });
  return result.outputFiles[0]?.text ?? "";
}

if (import.meta.main) await buildPage();
