/** What the commands share that change the project's own files: git, the files, and writing them. */

import { execFileSync } from "node:child_process";
import { existsSync, globSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { deployedFolders } from "../apply/folders.ts";
import type { Change, ProjectFiles } from "../init/draft.ts";
import { type Deployed, releasedReasons } from "../init/released.ts";
import { madeAnew } from "../pattern/made.ts";
import { ROOT } from "../release/root.ts";
import { makeFolder, readIfThere, removeNamed, writeNamed } from "../stack/named-file.ts";
import { projectName, stackNames } from "../stack/project.ts";
import { UserError } from "../stack/user-error.ts";
import { table } from "./command.ts";

export const files: ProjectFiles = {
  read: (file) => readIfThere(join(ROOT, file)),
  has: (folder) => existsSync(join(ROOT, folder)),
};

/** What git says, seen from the project; undefined where the project is in no repository, or there is no git. */
export function git(...args: readonly string[]): readonly string[] | undefined {
  try {
    const text = execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return text.split("\n").filter((line) => line !== "");
  } catch {
    return undefined;
  }
}

/** Where something of this project may have been deployed from here. */
export const deployed = (): Deployed => ({
  project: projectName(),
  stacks: stackNames(ROOT),
  releases: git("tag", "--list", "v*") ?? [],
  deployedLocally: deployedFolders(),
});

/** Why the history may be known somewhere, in words; none: nothing was released. */
export const released = (): readonly string[] => releasedReasons(deployed(), files);

export interface Making {
  /** Shows what would change, and changes nothing. */
  readonly dryRun: boolean;
  /** Formats what was changed, and makes anew what is made of it. */
  readonly tidied: boolean;
}

/** Shows the changes and makes them, unless it is only tried. @throws UserError where something is not committed. */
export function make(changes: readonly Change[], { dryRun, tidied }: Making): void {
  if (!dryRun) wantClean();
  const anew = tidied ? madeAnew(changes).map(({ path, script }) => [path, `made anew: npm run ${script}`]) : [];
  console.log(table([...changes.map(({ path, what }) => [path, what.join("; ")]), ...anew]));
  if (dryRun) {
    console.log("\nNothing was changed (--dry-run).");
    return;
  }
  for (const change of changes) write(change);
  if (tidied) tidy(changes);
}

/** What may be undone must be told apart from what was there before. */
function wantClean(): void {
  const open = git("status", "--porcelain", "--", ".") ?? [];
  if (open.length === 0) return;
  const more = open.length > 5 ? [`  and ${open.length - 5} more`] : [];
  const shown = [...open.slice(0, 5).map((line) => `  ${line}`), ...more].join("\n");
  throw new UserError(
    `Nothing was changed: there are changes that are not committed.\n${shown}\nCommit them first, so that you can tell them from what this command does. --dry-run shows that without doing it.`,
  );
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
export const paths = (): readonly string[] =>
  (git("ls-files", "--cached", "--others", "--exclude-standard") ?? globSync("**/*", OUTSIDE_GIT)).filter((path) =>
    statSync(join(ROOT, path), { throwIfNoEntry: false })?.isFile(),
  );

const OUTSIDE_GIT = { cwd: ROOT, exclude: (name: string) => /^(node_modules|dist|\.cache|\.local.*)$/.test(name) };

/** @throws UserError outside of a git repository, where nothing could bring back what a command deletes. */
export function wantGit(): void {
  if (git("rev-parse", "--git-dir")) return;
  throw new UserError(
    'Nothing was changed: this folder is in no git repository, so what this command deletes could not be brought back. Make one first: git init && git add --all && git commit -m "As it was". --dry-run shows what it would do.',
  );
}

/** Formats what was changed, and makes anew what is made of it: the page, which git does not keep, and what it does. */
function tidy(changes: readonly Change[]): void {
  const run = (program: string, ...args: readonly string[]) =>
    execFileSync(process.execPath, [join(ROOT, program), ...args], { cwd: ROOT, stdio: "pipe" });
  const written = changes.filter(({ text }) => text !== undefined).map(({ path }) => path);
  const known = written.filter((path) => /\.(ts|json|jsonc|css)$/.test(path));
  run("node_modules/@biomejs/biome/bin/biome", "check", "--write", "--no-errors-on-unmatched", ...known);
  const scripts = madeAnew(changes).map(({ script }) => script);
  if (scripts.includes("types")) run("node_modules/wrangler/bin/wrangler.js", "types", "--strict-vars=false");
  if (written.includes("worker/index.ts")) run("infra/release/page.ts");
  if (scripts.includes("access")) run("infra/commands/access.ts");
}
