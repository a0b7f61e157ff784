/** Puts the stand-in provider plugin where the engine looks for the real one. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import * as v from "valibot";

/** The version that the program's package asks for. */
const VERSION = v.parse(
  v.object({ version: v.string() }),
  JSON.parse(readFileSync(createRequire(import.meta.url).resolve("@pulumi/cloudflare/package.json"), "utf8")),
).version;

/** Lays the plugin out under `home` (PULUMI_HOME), so that the engine finds it installed and downloads nothing. */
export function installPlugin(home: string): void {
  const plugins = join(home, "plugins");
  const dir = join(plugins, `resource-cloudflare-v${VERSION}`);
  mkdirSync(dir, { recursive: true });
  const command = [
    process.execPath,
    "--disable-warning=ExperimentalWarning",
    join(import.meta.dirname, "main.ts"),
    VERSION,
  ];
  const script = `#!/bin/sh\nexec ${command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ")} "$@"\n`;
  writeFileSync(join(dir, "pulumi-resource-cloudflare"), script, { mode: 0o755 });
  // Beside a plugin's folder: the mark of an installation that has been completed (`.partial` marks one that has not).
  writeFileSync(`${dir}.lock`, "");
}
