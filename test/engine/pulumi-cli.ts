/**
 * Finds the Pulumi CLI for the engine tests, in the version that they pin: on the PATH, else built from its Go modules
 * into .cache/. If neither is possible it says what is missing, and fails: engine tests are never skipped.
 *
 * As a command (`npm run pulumi:cli`) it prints the CLI's path.
 */
import { execFile, spawn } from "node:child_process";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../../infra/release/root.ts";

const run = promisify(execFile);

/** The module that pins the CLI's version (go.mod) and its dependencies (go.sum). */
const MODULE = join(import.meta.dirname, "pulumi-cli");
const COMMAND = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi";
/** The variable with the version that the CLI prints. A plain build does not set it. */
const VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version";

/** The path of a working Pulumi CLI. Calls `say` if it has to be built, which takes minutes. */
export async function findPulumi(say: (line: string) => void): Promise<string> {
  const version = await pinnedVersion();
  const built = join(ROOT, ".cache", "pulumi-cli", version, "bin", "pulumi");
  const installed = (process.env.PATH ?? "").split(delimiter).map((dir) => join(dir, "pulumi"));
  // The tests know the words of one version: another one that is installed here, or on a runner, is left alone.
  for (const candidate of [...installed, built]) if ((await versionOf(candidate)) === version) return candidate;
  await build(version, built, say);
  return built;
}

/** The version that the CLI at `path` prints; undefined if it prints none. */
async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(path, ["version"], { env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" } });
    return /^v\d+\.\d+\.\d+/.exec(stdout.trim())?.[0];
  } catch {
    return undefined;
  }
}

async function pinnedVersion(): Promise<string> {
  const version = /pulumi\/pkg\/v3 (v\S+)/.exec(await readFile(join(MODULE, "go.mod"), "utf8"))?.[1];
  if (!version) throw new Error(`${MODULE}/go.mod does not require ${COMMAND}`);
  return version;
}

async function build(version: string, target: string, say: (line: string) => void): Promise<void> {
  const help = `Install Go 1.26.6 or later, or the Pulumi CLI ${version}, and try again.`;
  try {
    await run("go", ["version"]);
  } catch {
    throw new Error(`There is no \`pulumi\` ${version} on the PATH, and no \`go\` to build one with. ${help}`);
  }
  say(`Building the Pulumi CLI ${version} from its Go modules, once: this takes some minutes…`);
  await mkdir(dirname(target), { recursive: true });
  // Built beside its place, and moved there when complete, so that nobody runs half a CLI.
  const partial = `${target}.${process.pid}`;
  const flags = `-s -w -X ${VERSION_VARIABLE}=${version}`;
  try {
    // Nobody debugs it: without what a debugger reads, 1,700 packages compile sooner.
    await go(["build", "-o", partial, "-gcflags", "all=-dwarf=false", "-ldflags", flags, COMMAND]);
    const says = await versionOf(partial);
    if (says !== version) throw new Error(`the built CLI prints the version ${says ?? "(none)"}`);
    await rename(partial, target);
  } catch (error) {
    await rm(partial, { force: true });
    const reason = error instanceof Error ? error.message : error;
    throw new Error(`The Pulumi CLI could not be built: ${reason}\n${help}`, { cause: error });
  }
}

function go(args: readonly string[]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const child = spawn("go", args, { cwd: MODULE, stdio: ["ignore", "ignore", "pipe"] });
  let words = "";
  child.stderr.on("data", (chunk) => {
    words += chunk;
  });
  child.once("error", reject);
  child.once("close", (code) =>
    code === 0 ? resolve() : reject(new Error(words.trim().split("\n").slice(-10).join("\n"))),
  );
  return promise;
}

if (import.meta.main) {
  try {
    console.log(await findPulumi(console.error));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
