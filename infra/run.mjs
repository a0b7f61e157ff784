/**
 * The door of package.json's scripts: `node infra/run.mjs smoke …` runs infra/commands/smoke.ts. Without a command it only
 * says what is missing where nothing is installed. It is JavaScript and needs no package, because any Node must be able to
 * run it.
 *
 * Node keeps what it has compiled, and stripped of types, below node_modules: the next command starts in half the time, and
 * so does a program that it starts.
 */
import { existsSync } from "node:fs";
import module, { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);

/** Whether the package that brings the project's own Node is there. */
function isInstalled() {
  try {
    return existsSync(require.resolve("node/package.json"));
  } catch {
    return false;
  }
}

/** What stands against running a command, and what to do; undefined where nothing does. */
function whatIsMissing() {
  if (isInstalled()) {
    return process.features.typescript
      ? undefined
      : `The packages are installed, but not the project's own Node: this one is ${process.version}, and cannot run TypeScript. npm was told to run no install scripts (ignore-scripts). Run: npm rebuild node --ignore-scripts=false`;
  }
  // npm leaves it where it has installed anything.
  return existsSync(new URL("../node_modules/.package-lock.json", import.meta.url))
    ? "The packages are installed without those for development, which every command needs: npm was told to leave them out (NODE_ENV=production, or omit=dev). Run: npm ci --include=dev"
    : "The project's packages are not installed yet. Run this first: npm ci";
}

const missing = whatIsMissing();
const [command] = process.argv.slice(2);
if (missing) {
  console.error(`\n${missing}\n`);
  process.exitCode = 1;
} else if (command !== undefined) {
  process.env.NODE_COMPILE_CACHE ||= fileURLToPath(new URL("../node_modules/.cache/compiled", import.meta.url));
  module.enableCompileCache(process.env.NODE_COMPILE_CACHE);
  (await import("@durable-stack/local-account/no-proxy")).reachOwnDirectly();
  const file = new URL(`./commands/${command}.ts`, import.meta.url);
  // The command sees the arguments as if Node had been called with it.
  process.argv.splice(1, 2, fileURLToPath(file));
  await import(file.href).catch(async (error) => {
    const { loadFault } = await import("./common/load-fault.ts");
    const fault = loadFault(error, file.href);
    if (!fault) throw error;
    console.error(fault.message);
    process.exitCode = 1;
  });
}
