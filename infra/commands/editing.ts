/** What the commands share that change the project's own files: git, the files, and writing them. */

import { execFileSync } from "node:child_process";
import { existsSync, globSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { isOfMachine } from "@durable-stack/local-account/disk";
import { deployedFolders } from "../apply/folders.ts";
import { END_SIGNALS, type EndSignal, Interrupted, interruptionOf } from "../common/interrupted.ts";
import { makeFolder, readIfThere, refusal, removeNamed, writeNamed } from "../common/named-file.ts";
import { table } from "../common/table.ts";
import { isUserError, UserError } from "../common/user-error.ts";
import type { Change, ProjectFiles } from "../init/draft.ts";
import { type Deployed, releasedReasons } from "../init/released.ts";
import { tagsOf } from "../init/tags.ts";
import { madeAnew } from "../pattern/made.ts";
import { knownToGit, linesOfGit } from "../release/git.ts";
import { ROOT } from "../release/root.ts";
import { projectName, stackNames } from "../stack/project.ts";

export const files: ProjectFiles = {
  read: (file) => readIfThere(join(ROOT, file)),
  has: (folder) => existsSync(join(ROOT, folder)),
};

const git = (...args: readonly string[]) => linesOfGit(ROOT, ...args);

/** Where something of this project may have been deployed from here. */
export function deployed(): Deployed {
  const project = projectName();
  return { project, stacks: stackNames(ROOT), ...tagsOf(ROOT, project), deployedLocally: deployedFolders() };
}

/** Why the history may be known somewhere, in words; none: nothing was released. */
export const released = (): readonly string[] => releasedReasons(deployed(), files);

interface Making {
  /** Shows what would change, and changes nothing. */
  readonly dryRun: boolean;
  /** Formats what was changed, and makes anew what is made of it. */
  readonly tidied: boolean;
}

/**
 * Shows the changes and makes them, unless it is only tried.
 * @throws UserError where something is not committed, or cannot be written; Interrupted: both say what is half done.
 */
export async function make(changes: readonly Change[], { dryRun, tidied }: Making): Promise<void> {
  if (!dryRun) wantClean(changes);
  const anew = tidied ? madeAnew(changes).map(({ path, script }) => [path, `made anew: npm run ${script}`]) : [];
  // Nothing here waits, so that a signal is heard only after all of it; it ends the tool that runs then.
  let heard: EndSignal | undefined;
  const hear = (signal: EndSignal) => {
    heard = signal;
  };
  for (const signal of END_SIGNALS) process.on(signal, hear);
  try {
    console.log(table([...changes.map(({ path, what }) => [path, what.join("; ")]), ...anew]));
    if (dryRun) {
      console.log("\nNothing was changed (--dry-run).");
      return;
    }
    for (const change of changes) write(change);
    if (tidied) tidy(changes);
    await setImmediate();
    if (heard !== undefined) throw new Interrupted(heard, true, "\nInterrupted. All of it was done all the same.");
  } catch (error) {
    throw halfDone(error);
  } finally {
    for (const signal of END_SIGNALS) process.off(signal, hear);
  }
}

/** An error in the middle of the changes, with the way back to what was there before. A bug stays one. */
function halfDone(error: unknown): unknown {
  if (error instanceof Interrupted) return error;
  const undo = isInGit()
    ? "Only a part of this is done. To take it back, which leaves all as it was committed: git checkout -- . && git clean -fd ."
    : "Only a part of this is done. Put back the copy that you have of this project.";
  const signal = interruptionOf(error);
  if (signal !== undefined) return new Interrupted(signal, false, `\nInterrupted. ${undo}`);
  const told = isUserError(error)
    ? error
    : isOfMachine(error)
      ? refusal("A file of the project", "written", error)
      : undefined;
  if (told !== undefined) return new UserError(`${told.message}\n${undo}`, { cause: error });
  console.error(undo);
  return error;
}

/** What may be undone must be told apart from what was there before, and git has to have all that is deleted. */
function wantClean(changes: readonly Change[]): void {
  // Whatever git is set to show.
  const status = (...args: readonly string[]) =>
    knownToGit(ROOT, "status", "--porcelain", "--untracked-files=normal", ...args) ?? [];
  const open = status("--", ".");
  if (open.length > 0) {
    throw new UserError(
      `Nothing was changed: there are changes that are not committed.\n${listed(open)}\nCommit them first, so that you can tell them from what this command does. --dry-run shows that without doing it.`,
    );
  }
  const going = changes.filter(({ text }) => text === undefined).map(({ path }) => path);
  if (going.length === 0) return;
  const ignored = status("--ignored=matching", "--", ...going).map((line) => line.replace(/^!! /, ""));
  if (ignored.length === 0) return;
  throw new UserError(
    `Nothing was changed: git ignores these files, so it could not bring them back, and the folder that they are in would be deleted.\n${listed(ignored)}\nMove them away, or delete them.`,
  );
}

/** The first lines, and how many more there are. */
function listed(lines: readonly string[]): string {
  const more = lines.length > 5 ? [`  and ${lines.length - 5} more`] : [];
  return [...lines.slice(0, 5).map((line) => `  ${line}`), ...more].join("\n");
}

function write({ path, text }: Change): void {
  const file = join(ROOT, path);
  if (text === undefined) {
    // A folder that it was in may be gone already.
    removeNamed(file);
    return;
  }
  makeFolder(dirname(file));
  writeNamed(file, text);
}

/** The files that git knows or would add. Outside of a repository: those that are not in a folder of tools or data. */
export function paths(): readonly string[] {
  // Without it git puts a path that is not ASCII in quotes, with numbers in it.
  const known = knownToGit(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard") ?? [];
  // None: a repository around this folder ignores it.
  const all = known.length > 0 ? known : globSync("**/*", OUTSIDE_GIT);
  return all.filter((path) => statSync(join(ROOT, path), { throwIfNoEntry: false })?.isFile());
}

const OUTSIDE_GIT = { cwd: ROOT, exclude: (name: string) => /^(node_modules|dist|\.cache|\.local.*)$/.test(name) };

/** Whether git has this project; a repository around it may ignore its folder. */
const isInGit = (): boolean => git("ls-files", "--error-unmatch", "package.json") !== undefined;

/** @throws UserError where git does not have this project, so that nothing could bring back what a command deletes. */
export function wantGit(): void {
  if (isInGit()) return;
  throw new UserError(
    'Nothing was changed: this folder is in no git repository, or in one that does not have its files, so what this command deletes could not be brought back. Make one first, here: git init && git add --all && git commit -m "As it was". --dry-run shows what it would do.',
  );
}

/** Formats what was changed, and makes anew what is made of it: the page, which git does not keep, and what it does. */
function tidy(changes: readonly Change[]): void {
  const run = (program: string, ...args: readonly string[]) => {
    try {
      execFileSync(process.execPath, [join(ROOT, program), ...args], { cwd: ROOT, stdio: "pipe", encoding: "utf8" });
    } catch (error) {
      throw notRun([program, ...args].join(" "), error);
    }
  };
  const written = changes.filter(({ text }) => text !== undefined).map(({ path }) => path);
  const known = written.filter((path) => /\.(ts|json|jsonc|css)$/.test(path));
  run("node_modules/@biomejs/biome/bin/biome", "check", "--write", "--no-errors-on-unmatched", ...known);
  const scripts = madeAnew(changes).map(({ script }) => script);
  if (scripts.includes("types")) run("node_modules/wrangler/bin/wrangler.js", "types", "--strict-vars=false");
  if (written.includes("worker/index.ts")) run("infra/commands/page.ts");
  if (scripts.includes("access")) run("infra/commands/access.ts");
}

/**
 * What a tool of another project, or a command of this one, could not do, in its own words; every other error as it is. A
 * command that found a bug of its own ends with another code than 1.
 */
function notRun(line: string, error: unknown): unknown {
  if (!(error instanceof Error) || interruptionOf(error) !== undefined || !("stderr" in error)) return error;
  const said = String(error.stderr).trim().split("\n").slice(0, TOLD_LINES).join("\n");
  const isBug = line.startsWith("infra/") && Reflect.get(error, "status") !== 1;
  return isBug ? error : new UserError(`\`node ${line}\` failed:\n${said}`, { cause: error });
}

/** As many lines of a tool's error as say what is wrong. */
const TOLD_LINES = 20;
