/**
 * `npm run up -- --stack S` and `npm run preview -- --stack S`: the Pulumi CLI, with every further option passed on.
 *
 * The stack `local` is pointed at the local account that runs (`npm run account`), with its own backend and its own
 * copy of the stack's file under `.local/`, so that neither a Pulumi login nor the committed file is touched.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { runningAccount } from "@durable-stack/local-account/address";
import { ROOT } from "../release/root.ts";

const LOCAL_DIR = join(ROOT, ".local");
/** For the Worker of this stack, on this machine only; ADMIN_TOKEN sets another one. */
const LOCAL_ADMIN_TOKEN = "local-admin-token-of-the-cli";

const [command = "", ...options] = process.argv.slice(2);
const stack = options[options.findIndex((option) => option === "--stack" || option === "-s") + 1];

try {
  process.exitCode = stack === "local" ? runLocal() : run([command, ...options]);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

function runLocal(): number {
  const account = runningAccount(LOCAL_DIR);
  if (!account) throw new Error("No local account runs. Start one in another terminal: npm run account -- --fresh");
  const { apiUrl, accountId, token } = account;
  const backend = join(LOCAL_DIR, "pulumi");
  const stackFile = join(backend, "Pulumi.local.yaml");
  mkdirSync(backend, { recursive: true });
  if (!existsSync(stackFile)) copyFileSync(join(ROOT, "Pulumi.local.yaml"), stackFile);
  const env = {
    PULUMI_BACKEND_URL: `file://${backend}`,
    PULUMI_CONFIG_PASSPHRASE: process.env.PULUMI_CONFIG_PASSPHRASE ?? "local",
    CLOUDFLARE_BASE_URL: apiUrl,
    CLOUDFLARE_API_TOKEN: token,
    CLOUDFLARE_ACCOUNT_ID: accountId,
    ADMIN_TOKEN: process.env.ADMIN_TOKEN ?? LOCAL_ADMIN_TOKEN,
  };
  const made = run(["stack", "select", "local", "--create", "--config-file", stackFile], env);
  return made || run([command, ...options, "--config-file", stackFile], env);
}

/** Runs the CLI in this terminal and returns its exit code. */
function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): number {
  const { status, error } = spawnSync("pulumi", args, { cwd: ROOT, stdio: "inherit", env: { ...process.env, ...env } });
  if (error && "code" in error && error.code === "ENOENT") {
    throw new Error("The Pulumi CLI is not installed: https://www.pulumi.com/docs/install/ (npm start needs none).");
  }
  if (error) throw error;
  return status ?? 1;
}
