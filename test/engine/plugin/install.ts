/** Installs the stand-ins for the provider plugin and the language host where the engine looks for the real ones. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { buildSync } from "esbuild";
import * as v from "valibot";
import { digestOf } from "../../../infra/release/manifest.ts";
import { ROOT } from "../../../infra/release/root.ts";

/** The version that the program's package asks for. */
const VERSION = v.parse(
  v.object({ version: v.string() }),
  JSON.parse(readFileSync(createRequire(import.meta.url).resolve("@pulumi/cloudflare/package.json"), "utf8")),
).version;

/** Installs the plugin under `home` (PULUMI_HOME), so that the engine downloads nothing. */
export function installPlugin(home: string): void {
  const plugins = join(home, "plugins");
  const dir = join(plugins, `resource-cloudflare-v${VERSION}`);
  mkdirSync(dir, { recursive: true });
  writeScript(join(dir, "pulumi-resource-cloudflare"), "main.ts", VERSION);
  // The file beside a plugin's folder that marks a complete installation (`.partial` marks an incomplete one).
  writeFileSync(`${dir}.lock`, "");
}

/** Puts the language host into a folder for the PATH. */
export const installLanguageHost = (folder: string): void =>
  writeScript(join(folder, "pulumi-language-nodejs"), "../language/main.ts");

/** Writes a program that runs a module of these tests with this Node. */
function writeScript(path: string, module: string, ...args: readonly string[]): void {
  const command = [process.execPath, bundled(module), ...args];
  const script = `#!/bin/sh\nexec ${command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ")} "$@"\n`;
  writeFileSync(path, script, { mode: 0o755 });
}

/** For packages that are no ES modules: what esbuild takes in asks for `require`. */
const REQUIRE =
  'import { createRequire as requireOf } from "node:module";\nconst require = requireOf(import.meta.url);';

/**
 * Puts a module and all that it imports into one file, and returns its path. The engine starts three of them in each
 * operation, and one file loads in half the time of hundreds.
 */
function bundled(module: string): string {
  const { outputFiles } = buildSync({
    entryPoints: [join(import.meta.dirname, module)],
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    target: "node24",
    banner: { js: REQUIRE },
  });
  const [{ contents } = { contents: Buffer.of() }] = outputFiles;
  // By its content, at one place for all tests: there Node finds what it has compiled before.
  const folder = join(ROOT, ".cache", "stand-ins");
  const path = join(folder, `${digestOf(contents)}.mjs`);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  // Moved there when complete: another test may look for it at the same time.
  writeFileSync(`${path}.${process.pid}`, contents);
  renameSync(`${path}.${process.pid}`, path);
  return path;
}
