/** `npm run migrations`: the history of classes at the command line. */

import { join, resolve } from "node:path";
import type { Migration } from "@durable-stack/class-lifecycle";
import { checkLock, describe, formatLock, historyOfClasses, LOCK_FILE, lint } from "@durable-stack/class-lifecycle";
import { Command, Option } from "commander";
import { readIfThere, readNamed, writeNamed } from "../common/named-file.ts";
import { inFull, isUserError, UserError } from "../common/user-error.ts";
import { deployedReasons } from "../init/released.ts";
import { TEMPLATE_STEPS } from "../init/template-steps.ts";
import { Reads } from "../plan/account/reads.ts";
import { readWorker } from "../plan/live/worker.ts";
import { terminalColors } from "../plan/paint.ts";
import { planData, report } from "../plan/report.ts";
import { type Finding, isError } from "../plan/rules/codes.ts";
import { previewStack } from "../plan/stack-preview.ts";
import { type StackStatus, statusOf, statusTable } from "../plan/status.ts";
import { Api } from "../provider/api.ts";
import { findRelease } from "../release/find.ts";
import { ownMigrations } from "../release/own-migrations.ts";
import { type Release, readRelease } from "../release/read.ts";
import { HISTORY_FILE, ROOT } from "../release/root.ts";
import { staleLine } from "../release/stale.ts";
import { historyOfFile } from "../release/wrangler-file.ts";
import { namedAccount } from "../stack/account.ts";
import { releaseDir } from "../stack/config.ts";
import { openStack } from "../stack/open.ts";
import { stackNames } from "../stack/project.ts";
import { runCommand } from "./command.ts";
import { dirAs, folder } from "./options.ts";

const historyPath = join(ROOT, HISTORY_FILE);
const historyLockPath = join(ROOT, LOCK_FILE);
const readLock = () => readIfThere(historyLockPath) ?? null;

/** Prints findings, one a line; returns whether one of them is an error. */
function print(findings: readonly Finding[]): boolean {
  for (const finding of findings) console.error(`${isError(finding) ? "error" : "warning"} ${describe(finding)}`);
  return findings.some(isError);
}

const counted = (count: number, what: string): string => `${count || "no"} ${what}${count === 1 ? "" : "s"}`;

const program = new Command("npm run migrations --").description(
  "The history of the Durable Object classes (infra/migrations.ts).",
);

program
  .command("lint")
  .description("check the history and its lock file")
  .action(() => {
    const migrations = ownMigrations();
    const findings = [...lint(migrations), ...checkLock(migrations, readLock())];
    if (print(findings)) process.exitCode = 1;
    // Without an error all of them are warnings.
    else console.log(`${counted(migrations.length, "step")}, no errors, ${counted(findings.length, "warning")}`);
  });

program
  .command("lock")
  .description("record new steps in the lock file; refuses when a recorded step was changed")
  .action(() => {
    const migrations = ownMigrations();
    const lock = readLock();
    const past = checkLock(migrations, lock).filter(
      ({ code }) => code === "lock_conflict" || code === "lock_past_changed",
    );
    if (print([...lint(migrations), ...past])) {
      process.exitCode = 1;
      return;
    }
    const text = formatLock(migrations);
    if (text === lock) {
      console.log(`${LOCK_FILE} is up to date`);
      return;
    }
    writeNamed(historyLockPath, text);
    console.log(`${LOCK_FILE} written: ends at ${migrations.at(-1)?.name}`);
  });

const collect = (name: string, before: readonly string[]) => [...before, name];
const DIR = dirAs("where the local account keeps its state, for the stack local");

program
  .command("status")
  .description("show where each stack stands, and what promoting the built release would do to it")
  .addOption(
    new Option("--stack <name>", "only this stack; may be repeated")
      .default([], "every Pulumi.*.yaml")
      .argParser(collect),
  )
  .option("--json", "print JSON", false)
  .option(...DIR)
  .action(async ({ stack, json, dir }: { stack: readonly string[]; json: boolean; dir: string }) => {
    const asked = stack.length ? stack : stackNames(ROOT);
    const migrations = ownMigrations();
    const rows: StackStatus[] = [];
    const unreachable: { stack: string; reason: string }[] = [];
    const releases = new Map<string, Release>();
    for (const name of asked) {
      try {
        const open = openStack(name, { dir });
        const built = findRelease(open.settings);
        if (!(built instanceof Error)) releases.set(built.dir, built);
        rows.push(await statusOf(open, built, migrations, { dir }));
      } catch (error) {
        if (!isUserError(error)) throw error;
        unreachable.push({ stack: name, reason: inFull(error) });
      }
    }
    if (json) console.log(JSON.stringify({ stacks: rows, unreachable }, null, 2));
    else {
      if (rows.length) console.log(statusTable(rows));
      for (const release of releases.values()) {
        const stale = staleLine(release);
        if (stale !== undefined) console.error(`\n${stale}`);
      }
    }
    // Those that were asked for by name, and at least one of all, must answer.
    const failed = unreachable.length > 0 && (stack.length > 0 || rows.length === 0);
    if (failed) process.exitCode = 1;
    // Also beside JSON, which a workflow keeps in a variable: else its job would end without a reason.
    if (failed || !json) {
      for (const { stack: name, reason } of unreachable) console.error(`\n${name}: not reached\n${reason}`);
    }
  });

program
  .command("plan")
  .description(
    "show what the next `npm run up` does to a stack, as far as the account tells; exit code 1 when it would be refused",
  )
  .requiredOption("--stack <name>", "the stack")
  .option("--release <folder>", "the release (default: the stack's setting)", folder)
  .option("--json", "print JSON", false)
  .option(...DIR)
  .action(async ({ stack, release, json, dir }: { stack: string; release?: string; json: boolean; dir: string }) => {
    const open = openStack(stack, { dir });
    const built = readRelease(release === undefined ? releaseDir(open.settings) : resolve(release));
    const stale = json ? undefined : staleLine(built);
    if (stale !== undefined) console.error(stale);
    const preview = await previewStack(open, built, { dir });
    if (json) console.log(JSON.stringify(planData(preview), null, 2));
    else console.log(report(preview, terminalColors(process.stdout)));
    if (!json) print([...preview.warnings, ...preview.errors]);
    if (preview.errors.length) process.exitCode = 1;
  });

interface Import {
  readonly stack?: string;
  readonly worker?: string;
  readonly wrangler?: string;
  readonly env?: string;
  readonly write: boolean;
  readonly force: boolean;
  readonly dir: string;
}

program
  .command("import")
  .description("print a first history for a Worker that something else deployed (docs/adopt.md)")
  .addOption(new Option("--stack <name>", "the live Worker of this stack").conflicts(["worker", "wrangler"]))
  .addOption(new Option("--worker <name>", "a live Worker of the account").conflicts(["stack", "wrangler"]))
  .addOption(new Option("--wrangler <file>", "what this wrangler file declares").conflicts(["stack", "worker"]))
  .addOption(new Option("--env <name>", "with --wrangler: the file's environment").conflicts(["stack", "worker"]))
  .option(
    "--write",
    "write infra/migrations.ts and its lock, when it holds only the template's own history, unreleased",
    false,
  )
  .option("--force", "with --write: whatever it holds", false)
  .option(...DIR)
  .action(async (options: Import, command: Command) => {
    const imported = await historyFrom(options, command.getOptionValueSource("dir") === "cli");
    if (print(lint(imported))) {
      process.exitCode = 1;
      return;
    }
    // Loaded here only: it reads the file as TypeScript does, and no other command needs that.
    const { withHistory } = await import("../pattern/history.ts");
    const text = withHistory(readNamed(historyPath), imported);
    if (!options.write) {
      process.stdout.write(text);
      return;
    }
    if (!options.force) await wantUnknownHistory();
    writeNamed(historyPath, text);
    writeNamed(historyLockPath, formatLock(imported));
    console.log(`${HISTORY_FILE} and ${LOCK_FILE} written: ${imported.map(({ name }) => name).join(", ")}`);
  });

/** @throws UserError where a stack may have the history that an import would replace. */
async function wantUnknownHistory(): Promise<void> {
  const before = ownMigrations();
  if (!before.every(({ name }) => TEMPLATE_STEPS.includes(name))) {
    throw new UserError(
      `${HISTORY_FILE} has a history of its own, which ends at ${before.at(-1)?.name ?? "no step"}. Use --force to replace it; stacks that have it would be diverged.`,
    );
  }
  // A project's first steps are called like the template's. Loaded here only, as above.
  const { deployed, files } = await import("./editing.ts");
  const reasons = deployedReasons(deployed(), files);
  if (reasons.length === 0) return;
  throw new UserError(
    `Nothing was changed: the history in ${HISTORY_FILE} may have been released: ${reasons.join("; ")}. Use --force to replace it, where no stack has it; stacks that have it would be diverged.`,
  );
}

async function historyFrom(
  { stack, worker, wrangler, env, dir }: Import,
  isDirNamed: boolean,
): Promise<readonly Migration[]> {
  if (wrangler !== undefined) return historyOfFile(resolve(wrangler), env);
  if (env !== undefined)
    throw new UserError("--env is an environment of a wrangler file: name the file with --wrangler.");
  if (stack !== undefined) {
    const { settings, reads } = openStack(stack, { dir });
    return historyOfWorker(reads, settings.workerName);
  }
  if (worker === undefined) throw new UserError("Say what to import: --stack, --worker or --wrangler.");
  const { apiUrl, accountId, token } = namedAccount(dir, isDirNamed);
  return historyOfWorker(Reads.through(new Api({ baseUrl: apiUrl, token }), accountId), worker);
}

async function historyOfWorker(reads: Reads, name: string): Promise<readonly Migration[]> {
  const { classes, complete: all } = await readWorker(reads, name);
  if (classes === undefined) throw new UserError(`The account has no Worker ${name} that was deployed.`);
  if (!all) throw new UserError(`The Durable Object namespaces of ${name} cannot be read with this token.`);
  if (classes.size === 0) throw new UserError(`The Worker ${name} has no Durable Object classes.`);
  return historyOfClasses(classes);
}

await runCommand(program);
