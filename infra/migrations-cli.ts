/** `npm run migrations`: the history of classes at the command line. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { describe, type Finding, isError } from "./lifecycle/findings.ts";
import { lint } from "./lifecycle/lint.ts";
import { checkLock, formatLock, LOCK_FILE } from "./lifecycle/lock.ts";
import { migrations } from "./migrations.ts";
import { ROOT } from "./release/root.ts";

const lockFile = join(ROOT, LOCK_FILE);
const readLock = () => (existsSync(lockFile) ? readFileSync(lockFile, "utf8") : null);

/** Prints findings, one a line; returns whether one of them is an error. */
function print(findings: readonly Finding[]): boolean {
  for (const finding of findings) console.error(`${isError(finding) ? "error" : "warning"} ${describe(finding)}`);
  return findings.some(isError);
}

const program = new Command("npm run migrations --").description(
  "The history of the Durable Object classes (infra/migrations.ts).",
);

program
  .command("lint")
  .description("check the history and its lock file")
  .action(() => {
    if (print([...lint(migrations), ...checkLock(migrations, readLock())])) process.exitCode = 1;
    else console.log(`${migrations.length} step${migrations.length === 1 ? "" : "s"}, no errors`);
  });

program
  .command("lock")
  .description("record new steps in the lock file; refuses when a recorded step was changed")
  .action(() => {
    const lock = readLock();
    const past = checkLock(migrations, lock).filter(({ code }) => code === "lock_past_changed");
    if (print([...lint(migrations), ...past])) {
      process.exitCode = 1;
      return;
    }
    const text = formatLock(migrations);
    if (text === lock) {
      console.log(`${LOCK_FILE} is up to date`);
      return;
    }
    writeFileSync(lockFile, text);
    console.log(`${LOCK_FILE} written: ends at ${migrations.at(-1)?.name}`);
  });

await program.parseAsync();
