/**
 * Builds the demo page into one module that the Worker imports: `worker/page/assets.gen.js` (git-ignored).
 * Each pattern's panel stands in its own folder, as panel.html and panel.ts; the page has them in the patterns' order.
 * The title is the project's name (Pulumi.yaml): the page and the OpenAPI document have it from here.
 * A generated module rather than text imports, because esbuild, wrangler and the test runner all read JavaScript alike;
 * its types (assets.gen.d.ts) are committed, so that editors and tsc need no build.
 * The files are compressed already: half the bundle's bytes for them, and none of the Worker's time.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { gzipSync } from "fflate";
import * as v from "valibot";
import manifest from "../../package.json" with { type: "json" };
import { patterns } from "../../worker/patterns.ts";
import { projectName } from "../stack/project.ts";
import { digestOf } from "./manifest.ts";
import { ROOT } from "./root.ts";

const WORKER = join(ROOT, "worker");
const PAGE = join(WORKER, "page");

/** The patterns that have a panel, by folder. */
const panels = (): readonly string[] =>
  patterns.map(({ folder }) => folder).filter((folder) => existsSync(join(WORKER, folder, "panel/panel.html")));

/**
 * Builds the page's script, style and document; writes only when something changed, so that watchers do not loop.
 * Returns the bytes of the three together, as a browser has them once they are unpacked.
 */
export async function buildPage(): Promise<number> {
  const [js, css] = await Promise.all([
    bundle({ stdin: { contents: clientOf(panels()), resolveDir: PAGE, loader: "ts" } }),
    bundle({ entryPoints: ["page.css"] }),
  ]);
  const title = projectName();
  const html = markup("page/index.html")
    .replace("{{panels}}", () =>
      panels()
        .map((folder) => markup(`${folder}/panel/panel.html`))
        .join(""),
    )
    .replace("{{links}}", () => sourceLinks(Reflect.get(manifest, "repository")))
    .replaceAll("{{title}}", () => asHtml(title));
  const page = { html: asset(html), css: asset(css), js: asset(js) };
  const source = `/** Made by infra/release/page.ts; do not edit. */\nexport const page = ${JSON.stringify(page, null, 2)};\nexport const title = ${JSON.stringify(title)};\n`;
  const target = join(PAGE, "assets.gen.js");
  mkdirSync(PAGE, { recursive: true });
  if (!existsSync(target) || readFileSync(target, "utf8") !== source) writeFileSync(target, source);
  return [html, css, js].reduce((sum, file) => sum + Buffer.byteLength(file), 0);
}

/**
 * A file of HTML without what a browser does not need. A line's end is never between words in it, so it can go with the
 * indentation; so can the quotes around one word.
 */
const markup = (file: string): string =>
  readFileSync(join(WORKER, file), "utf8")
    .replace(/\s*\n\s*/g, "")
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
  const imports = folders.map((folder, i) => `import { start as start${i} } from "../${folder}/panel/panel.ts";`);
  return ['import "./client/main.ts";', ...imports, ...folders.map((_, i) => `start${i}();`)].join("\n");
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

async function bundle(entry: Pick<BuildOptions, "stdin" | "entryPoints">): Promise<string> {
  const result = await build({
    absWorkingDir: PAGE,
    ...entry,
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
