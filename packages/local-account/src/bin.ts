#!/usr/bin/env node
/**
 * The command `local-account`. An older Node lacks modules of its own that the account needs, and says only that they are
 * unknown. So this file imports nothing of the package before it has looked.
 */
import { readFileSync } from "node:fs";

const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
const [, needed = ""] = /"node": ">=([\d.]+)"/.exec(manifest) ?? [];
if (process.versions.node.localeCompare(needed, "en", { numeric: true }) >= 0) await import("./command.ts");
else {
  console.error(`local-account needs Node ${needed} or later, and this is ${process.version}.`);
  process.exitCode = 1;
}
