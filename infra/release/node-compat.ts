/**
 * Node's modules for a Worker with `nodejs_compat`: those that workerd has stay imports, the rest is unenv's, as in
 * wrangler (its hybrid-nodejs-compat.ts, 4.156.2). Both packages are wrangler's own versions; a test says so.
 */
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import type { Plugin, PluginBuild } from "esbuild";
import type { ResolvedEnvironment } from "unenv";
import { ROOT } from "./root.ts";

type NodeMode = "full" | "imports" | "async-storage" | "none";

/** From this date on `nodejs_compat` brings everything (docs: Node.js compatibility). */
const FULL_SINCE = "2024-09-23";
/** From this date on every Worker has it, without a flag (wrangler 4.156.2, NODEJS_COMPAT_DEFAULT_ON_DATE). */
const DEFAULT_SINCE = "2026-08-04";

/** How much of Node a Worker has, by its compatibility date and flags: wrangler's rule. */
export function nodeMode(date: string, flags: readonly string[]): NodeMode {
  const has = (flag: string) => flags.includes(flag);
  const byDefault = date >= DEFAULT_SINCE;
  const on = has("nodejs_compat") || (byDefault && !has("no_nodejs_compat"));
  if (has("nodejs_compat_v2")) return "full";
  if (!has("no_nodejs_compat_v2") && (byDefault || (on && date >= FULL_SINCE))) return "full";
  if (on) return "imports";
  return has("nodejs_als") ? "async-storage" : "none";
}

const REQUIRED_BUILT_IN = "required-built-in";
const REQUIRED_UNENV = "required-unenv";
const GLOBALS = "_node_globals-";
/** Out of esbuild's own, whose modules are files: the source map would name one that nobody has written. */
const GLOBALS_NAMESPACE = "node-globals";

/** Resolves Node's modules and sets Node's globals. */
export function nodeModules(compatibilityDate: string, compatibilityFlags: readonly string[]): Plugin {
  return {
    name: "node-modules",
    async setup(build) {
      const [{ defineEnv }, { getCloudflarePreset, nonPrefixedNodeModules }] = await Promise.all([
        import("unenv"),
        import("@cloudflare/unenv-preset"),
      ]);
      const preset = getCloudflarePreset({ compatibilityDate, compatibilityFlags: [...compatibilityFlags] });
      // unenv would put an empty `debug` in place of the package.
      const { env } = defineEnv({ presets: [preset, { alias: { debug: "debug" } }], npmShims: true });
      // The first that resolves a module has it.
      requireBuiltIns(build, nonPrefixedNodeModules);
      redirectAliases(build, env);
      injectGlobals(build, env);
    },
  };
}

/** Finds a module from the project, whose dependency unenv is. */
const { resolve } = createRequire(join(ROOT, "package.json"));

/** A `require` of what workerd has becomes an import: a Worker has no other. */
function requireBuiltIns(build: PluginBuild, modules: readonly string[]): void {
  const builtIn = new RegExp(`^(${modules.join("|")}|node:.+)$`);
  build.onResolve({ filter: builtIn }, ({ path, kind }) =>
    kind === "require-call" ? { path, namespace: REQUIRED_BUILT_IN } : undefined,
  );
  build.onLoad({ filter: /.*/, namespace: REQUIRED_BUILT_IN }, ({ path }) => ({
    contents: `import whole from ${JSON.stringify(path)};\nmodule.exports = whole;`,
    loader: "js",
    resolveDir: ROOT,
  }));
}

/** Puts unenv's module in the place of one that workerd does not have; what workerd has stays outside the bundle. */
function redirectAliases(
  build: PluginBuild,
  { alias, external }: Pick<ResolvedEnvironment, "alias" | "external">,
): void {
  const files = new Map<string, string>();
  for (const [module, target] of Object.entries(alias)) {
    try {
      files.set(module, resolve(target));
    } catch {
      // Not installed (`debug`), so nobody imports it either.
    }
  }
  const aliased = new RegExp(`^(${[...files.keys()].map(escaped).join("|")})$`);
  build.onResolve({ filter: aliased }, ({ path, kind }) => {
    const target = alias[path] ?? "";
    if (kind === "require-call" && /^unenv\/(npm|mock)\//.test(target)) return { path, namespace: REQUIRED_UNENV };
    return { path: files.get(path) ?? path, external: external.includes(target) };
  });
  build.onLoad({ filter: /.*/, namespace: REQUIRED_UNENV }, ({ path }) => ({
    contents: [
      `import * as esm from ${JSON.stringify(path)};`,
      `module.exports = Object.entries(esm).filter(([key]) => key !== "default")`,
      `  .reduce((cjs, [key, value]) => Object.defineProperty(cjs, key, { value, enumerable: true }), "default" in esm ? esm.default : {});`,
    ].join("\n"),
    loader: "js",
    resolveDir: ROOT,
  }));
}

/** Sets what Node has as globals, before the Worker's own code. */
function injectGlobals(
  build: PluginBuild,
  { inject, polyfill }: Pick<ResolvedEnvironment, "inject" | "polyfill">,
): void {
  const globals = globalsByModule(inject);
  build.initialOptions.inject = [
    ...(build.initialOptions.inject ?? []),
    ...globals.map((_, i) => join(ROOT, `${GLOBALS}${i}`)),
    ...polyfill.map((module) => resolve(module)),
  ];
  const module = new RegExp(`${GLOBALS}\\d+$`);
  build.onResolve({ filter: module }, ({ path }) => ({ path: basename(path), namespace: GLOBALS_NAMESPACE }));
  build.onLoad({ filter: /.*/, namespace: GLOBALS_NAMESPACE }, ({ path }) => ({
    contents: globals[Number(path.slice(path.lastIndexOf("-") + 1))] ?? "",
    resolveDir: ROOT,
  }));
}

/** One module of code for each module that globals come from. */
function globalsByModule(inject: Readonly<Record<string, string | readonly string[] | false>>): readonly string[] {
  const byModule = new Map<string, { name: string; exported: string; local: string }[]>();
  for (const [name, source] of Object.entries(inject)) {
    if (source === false) continue;
    const [module = "", exported = "default"] = typeof source === "string" ? [source] : source;
    const local = exported === "default" ? "whole" : exported;
    byModule.set(module, [...(byModule.get(module) ?? []), { name, exported, local }]);
  }
  return [...byModule].map(([module, names]) => {
    const imports = names.map(({ exported, local }) => (exported === local ? local : `${exported} as ${local}`));
    const sets = names.map(({ name, local }) => `globalThis.${name} = ${local};`);
    return [`import { ${imports.join(", ")} } from ${JSON.stringify(module)};`, ...sets].join("\n");
  });
}

const escaped = (text: string): string => text.replaceAll(/[^\w]/g, "\\$&");
