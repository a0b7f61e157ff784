/** Runs the Pulumi CLI. */
import { spawnSync } from "node:child_process";
import { UserError } from "../stack/user-error.ts";

/** Variables over this process's own; undefined takes one away. */
export type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Runs the CLI in this terminal and returns its exit code; `quiet`: without what it prints when all is well.
 * @throws UserError where there is no CLI.
 */
export function runPulumi(args: readonly string[], folder: string, env: Variables = {}, quiet = false): number {
  const { status, error } = spawnSync("pulumi", args, {
    cwd: folder,
    stdio: ["inherit", quiet ? "ignore" : "inherit", "inherit"],
    env: { ...process.env, ...env },
  });
  if (error && "code" in error && error.code === "ENOENT") {
    throw new UserError(
      "The Pulumi CLI is not installed: https://www.pulumi.com/docs/install/ (npm start needs none).",
    );
  }
  if (error) throw error;
  return status ?? 1;
}
