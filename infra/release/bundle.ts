/** Makes the modules of a Worker from its source: what `wrangler deploy` uploads, but minified (docs/wrangler-file.md). */
import { createRequire } from "node:module";
import { basename, extname, join, relative } from "node:path";
import { type BuildOptions, type BuildResult, context, type Plugin } from "esbuild";
import { BuildError } from "./build-error.ts";
import { building } from "./esbuild-errors.ts";
import { MAIN_MODULE } from "./manifest.ts";
import { type Rule, type SideModule, sideModules } from "./module-rules.ts";
import { nodeMode, nodeModules } from "./node-compat.ts";

/** Of wrangler.jsonc, what decides on the modules. */
export interface BundleConfig {
  readonly main: string;
  readonly compatibility_date: string;
  readonly compatibility_flags: readonly string[];
  readonly define: Readonly<Record<string, string>>;
  readonly alias: Readonly<Record<string, string>>;
  readonly rules: readonly Rule[];
  readonly preserve_file_names: boolean;
  readonly minify: boolean;
  readonly keep_names: boolean;
  readonly tsconfig?: string | undefined;
  readonly jsx_factory?: string | undefined;
  readonly jsx_fragment?: string | undefined;
  /** More modules that stay imports; nothing in wrangler.jsonc. */
  readonly external?: readonly string[] | undefined;
}

export interface Bundle {
  readonly main: Uint8Array;
  readonly sourceMap: Uint8Array;
  /** Files that it imports as modules, by name. */
  readonly modules: readonly SideModule[];
  /** What the main module exports. */
  readonly exports: readonly string[];
  /** The files that it and its modules are made of, seen from the project. */
  readonly inputs: readonly string[];
}

const NODE_ENV = JSON.stringify("production");

/** From this date on every Worker has `navigator` (docs: compatibility flags, global_navigator). */
const NAVIGATOR_SINCE = "2022-03-21";
const hasNavigator = (date: string, flags: readonly string[]): boolean =>
  flags.includes("global_navigator") || (date >= NAVIGATOR_SINCE && !flags.includes("no_global_navigator"));

/**
 * Bundles the source in `root`. Nothing of the place or the time gets into the result.
 * @throws BuildError with every error that esbuild finds.
 */
export async function bundle(root: string, config: BundleConfig): Promise<Bundle> {
  const bundler = await bundlerOf(root, config);
  try {
    return await bundler.bundle();
  } finally {
    await bundler.dispose();
  }
}

/** Bundles again and again: what did not change is not read anew. */
export interface Bundler {
  /** @throws BuildError with every error that esbuild finds. */
  bundle(): Promise<Bundle>;
  dispose(): Promise<void>;
}

/** A bundler of the source in `root`. */
export async function bundlerOf(root: string, config: BundleConfig): Promise<Bundler> {
  const { compatibility_date: date, compatibility_flags: flags } = config;
  const found = new Map<string, SideModule>();
  const beside = new Set<string>();
  const mode = nodeMode(date, flags);
  const rules = { own: config.rules, preserveNames: config.preserve_file_names };
  // Only a name: the source map is relative to it, and must be the same wherever the release goes.
  const outdir = join(root, "dist/release");
  const options = {
    absWorkingDir: root,
    entryPoints: { [basename(MAIN_MODULE, extname(MAIN_MODULE))]: config.main },
    outdir,
    bundle: true,
    write: false,
    metafile: true,
    minify: config.minify,
    keepNames: config.keep_names,
    sourcemap: "linked",
    format: "esm",
    target: "es2024",
    supported: { "import-source": true, using: true },
    loader: { ".js": "jsx", ".mjs": "jsx", ".cjs": "jsx" },
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", ...(mode === "full" ? [] : ["node:*"]), ...(config.external ?? [])],
    define: {
      ...(hasNavigator(date, flags) && { "navigator.userAgent": JSON.stringify("Cloudflare-Workers") }),
      "process.env.NODE_ENV": NODE_ENV,
      "global.process.env.NODE_ENV": NODE_ENV,
      "globalThis.process.env.NODE_ENV": NODE_ENV,
      ...config.define,
    },
    plugins: [
      ...(Object.keys(config.alias).length > 0 ? [aliases(root, config.alias)] : []),
      sideModules(rules, (module, file) => {
        found.set(module.name, module);
        beside.add(relative(root, file).replaceAll("\\", "/"));
      }),
      ...(mode === "full" ? [nodeModules(date, flags)] : []),
    ],
    ...(config.tsconfig !== undefined && { tsconfig: config.tsconfig }),
    ...(config.jsx_factory !== undefined && { jsxFactory: config.jsx_factory }),
    ...(config.jsx_fragment !== undefined && { jsxFragment: config.jsx_fragment }),
    legalComments: "none",
    logLevel: "silent",
  } satisfies BuildOptions;
  const esbuild = await building("The Worker", context<typeof options>(options));
  return {
    async bundle() {
      found.clear();
      beside.clear();
      const result = await building("The Worker", esbuild.rebuild());
      const modules = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
      return bundleOf(result, { main: config.main, outdir, modules, beside: [...beside] });
    },
    dispose: () => esbuild.dispose(),
  };
}

/** Where the parts of a result are. */
interface Parts {
  readonly main: string;
  readonly outdir: string;
  readonly modules: readonly SideModule[];
  /** The files of these. */
  readonly beside: readonly string[];
}

function bundleOf(
  { outputFiles, metafile }: BuildResult<{ write: false; metafile: true }>,
  { main: source, outdir, modules, beside }: Parts,
): Bundle {
  const main = outputFiles.find(({ path }) => path === join(outdir, MAIN_MODULE));
  const sourceMap = outputFiles.find(({ path }) => path === join(outdir, `${MAIN_MODULE}.map`));
  const output = Object.values(metafile.outputs).find(({ entryPoint }) => entryPoint !== undefined);
  if (!main || !sourceMap || !output?.exports.includes("default")) {
    throw new BuildError(`${source}: it has no default export. \`main\` must be an ES module Worker.`);
  }
  return {
    main: main.contents,
    sourceMap: sourceMap.contents,
    modules,
    exports: output.exports,
    inputs: [...Object.keys(metafile.inputs), ...beside],
  };
}

/** Modules that stand for others; a path is seen from the project, as in wrangler. */
function aliases(root: string, alias: Readonly<Record<string, string>>): Plugin {
  const { resolve } = createRequire(join(root, "package.json"));
  return {
    name: "alias",
    setup(build) {
      build.onResolve({ filter: /.*/ }, ({ path }) => {
        const target = Object.hasOwn(alias, path) ? alias[path] : undefined;
        if (target === undefined) return undefined;
        try {
          return { path: resolve(target) };
        } catch {
          return { errors: [{ text: `alias ${path}: there is no ${target}.` }] };
        }
      });
    },
  };
}
