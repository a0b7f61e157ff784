/**
 * Before `npm start` and the other scripts that a newcomer tries first: says what is missing where nothing is installed.
 * It is JavaScript and needs no package, because any Node must be able to run it.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** Whether the package that brings the project's own Node is there. */
function isInstalled() {
  try {
    return existsSync(require.resolve("node/package.json"));
  } catch {
    return false;
  }
}

const missing = isInstalled()
  ? !process.features.typescript &&
    `The packages are installed, but not the project's own Node: this one is ${process.version}, and cannot run TypeScript. npm was told to run no install scripts (ignore-scripts). Run: npm rebuild node --ignore-scripts=false`
  : "The project's packages are not installed yet. Run this first: npm ci";

if (missing) {
  console.error(`\n${missing}\n`);
  process.exitCode = 1;
}
