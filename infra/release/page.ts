/**
 * Builds the demo page into one module that the Worker imports: `worker/page/assets.gen.js` (git-ignored).
 * Each pattern's panel stands in its own folder, as panel.html and panel.ts; the page has them in the patterns' order.
 * What a panel needs only once a visitor uses it is in its later.ts: a module of its own, which the page loads then
 * (worker/page/client/later.ts).
 * The title is the project's name (Pulumi.yaml): the page and the OpenAPI document have it from here.
 * A generated module rather than text imports, because esbuild, wrangler and the test runner all read JavaScript alike;
 * its types (assets.gen.d.ts) are committed, so that editors and tsc need no build.
 * The files are compressed already: half the bundle's bytes for them, and none of the Worker's time.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { gzipSync } from "fflate";
import * as v from "valibot";
import manifest from "../../package.json" with { type: "json" };
import { makeFolder, readNamed, writeNamed } from "../common/named-file.ts";
import { projectName } from "../stack/project.ts";
import { building } from "./esbuild-errors.ts";
import { digestOf } from "./manifest.ts";
import { ROOT } from "./root.ts";

const WORKER = join(ROOT, "worker");
const PAGE = join(WORKER, "page");

/** What the page needs to know of a pattern. */
export interface OfPage {
  /** Below worker/. */
  readonly folder: string;
}

const hasPanel = (folder: string, file: string): boolean => existsSync(join(WORKER, folder, "panel", file));

interface BuiltPage {
  /** Bytes of the document, style and script together, as a browser has them once they are unpacked. */
  readonly bytes: number;
  /** The files that the page is made of, seen from the project. */
  readonly inputs: readonly string[];
}

/**
 * Builds the page's script, style and document, and what loads later, in the order of `patterns`; writes only when
 * something changed, so that watchers do not loop.
 * @throws BuildError with every error that esbuild finds.
 */
export async function buildPage(patterns: readonly OfPage[]): Promise<BuiltPage> {
  const folders = patterns.map(({ folder }) => folder);
  const panels = folders.filter((folder) => hasPanel(folder, "panel.html"));
  const late = folders.filter((folder) => hasPanel(folder, "later.ts"));
  const bundles = Promise.all([
    bundle({ stdin: { contents: clientOf(panels), resolveDir: ROOT, loader: "ts" }, format: "iife" }),
    bundle({ entryPoints: ["./worker/page/page.css"] }),
    ...late.map((folder) => bundle({ entryPoints: [`./worker/${folder}/panel/later.ts`], format: "esm" })),
  ]);
  const [script, style, ...modules] = await building("The page", bundles);
  const [js, css] = [script.text, style.text];
  const later = Object.fromEntries(late.map((folder, i) => [folder, asset(modules[i]?.text ?? "")]));
  const title = projectName();
  const html = markup("page/index.html")
    .replace("{{panels}}", () => panels.map((folder) => markup(`${folder}/panel/panel.html`)).join(""))
    .replace("{{links}}", () => sourceLinks(Reflect.get(manifest, "repository")))
    .replaceAll("{{title}}", () => asHtml(title));
  const page = { html: asset(html), css: asset(css), js: asset(js) };
  const source = `/** Made by npm run build:page; do not edit. */\nexport const page = ${JSON.stringify(page, null, 2)};\nexport const later = ${JSON.stringify(later, null, 2)};\nexport const title = ${JSON.stringify(title)};\n`;
  const target = join(PAGE, "assets.gen.js");
  makeFolder(PAGE);
  if (!existsSync(target) || readNamed(target) !== source) writeNamed(target, source);
  return {
    bytes: [html, css, js].reduce((sum, file) => sum + Buffer.byteLength(file), 0),
    inputs: [script, style, ...modules].flatMap(({ inputs }) => inputs),
  };
}

/**
 * A file of HTML without what a browser does not need. A line's end is never between words in it, so it can go with the
 * indentation; so can the quotes around one word, and the type of a button that submits, which is what a button does.
 */
const markup = (file: string): string =>
  readNamed(join(WORKER, file))
    .replace(/\s*\n\s*/g, "")
    .replaceAll('<button type="submit"', "<button")
    .replace(/="([\w-]+)"(?=[ >])/g, "=$1");

/** Where the source and its guides are, when package.json says so (`repository`). */
export function sourceLinks(repository: unknown): string {
  if (!v.is(Repository, repository)) return "";
  const url = typeof repository === "string" ? repository : repository.url;
  const address = URL.parse(url.replace(/^git\+/, "").replace(/\.git$/, ""));
  if (address?.protocol !== "https:") return "";
  const link = (to: string, text: string) => `<a class=button href="${asHtml(to)}">${text}</a>`;
  return link(address.href, "Source") + link(`${address.href}/tree/HEAD/docs`, "Guides");
}

const Repository = v.union([v.string(), v.object({ url: v.string() })]);

/** The page's script: the shell, then each panel. */
function clientOf(folders: readonly string[]): string {
  const imports = folders.map((folder, i) => `import { start as start${i} } from "./worker/${folder}/panel/panel.ts";`);
  return ['import "./worker/page/client/main.ts";', ...imports, ...folders.map((_, i) => `start${i}();`)].join("\n");
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

interface Bundled {
  readonly text: string;
  /** The files that it is made of, seen from the project. */
  readonly inputs: readonly string[];
}

async function bundle(entry: Pick<BuildOptions, "stdin" | "entryPoints" | "format">): Promise<Bundled> {
  const result = await build({
    absWorkingDir: ROOT,
    ...entry,
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    target: ["es2022", "chrome110", "firefox115", "safari16.4"],
    legalComments: "none",
    outdir: "out",
    logLevel: "silent",
  });
  return { text: result.outputFiles[0]?.text ?? "", inputs: Object.keys(result.metafile.inputs) };
}
