/** Brings a stack's changed settings into force, by whatever deployed it: the Pulumi CLI, or `npm start`. */
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { ROOT } from "../release/root.ts";
import { localAccount } from "../stack/account.ts";
import { LOCAL } from "../stack/project.ts";
import { isApplied } from "../stack/settings-file.ts";
import { ApplyFailed } from "./apply.ts";
import { applyHere } from "./apply-here.ts";

/**
 * Updates the stack in this terminal; whether it succeeded. Why it did not has been printed. `here`: whether `npm start`
 * deployed it; what it has left says so when not given.
 */
export async function update(stack: string, dir: string, here = stack === LOCAL && isApplied(dir)): Promise<boolean> {
  if (here) return apply(dir);
  const args = [
    join(ROOT, "infra/commands/pulumi.ts"),
    "up",
    "--stack",
    stack,
    "--dir",
    dir,
    "--yes",
    "--skip-preview",
  ];
  const { status } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: "inherit" });
  return status === 0;
}

async function apply(dir: string): Promise<boolean> {
  try {
    await applyHere(resolve(ROOT, dir), localAccount(dir), (line) => console.error(line));
    return true;
  } catch (error) {
    if (!(error instanceof ApplyFailed)) throw error;
    console.error(error.message);
    return false;
  }
}
