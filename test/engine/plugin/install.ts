/** Installs the stand-ins for the provider plugin and the language host where the engine looks for the real ones. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import * as v from "valibot";

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
  const command = [
    process.execPath,
    "--disable-warning=ExperimentalWarning",
    join(import.meta.dirname, module),
    ...args,
  ];
  const script = `#!/bin/sh\nexec ${command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ")} "$@"\n`;
  writeFileSync(path, script, { mode: 0o755 });
}
