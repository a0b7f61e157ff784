/**
 * One of the two releases of a rehearsal, and the program that deploys it. A release is deployed by a program whose
 * history ends at its own step (infra/plan/planning.ts holds the two together), so the older one needs an older program:
 * of a commit, the commit's own; of a folder, this checkout's with its history cut at the release's step.
 */

import { execFile } from "node:child_process";
import { cpSync, existsSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import type { Migration } from "@durable-stack/class-lifecycle";
import { formatLock, hashes, LOCK_FILE } from "@durable-stack/class-lifecycle";
import * as v from "valibot";
import { interruptionOf } from "../common/interrupted.ts";
import { attempt, temporaryFolder, writeNamed } from "../common/named-file.ts";
import { UserError } from "../common/user-error.ts";
import { gitIn, isWithoutGit, isWithoutRepository, wordsOf } from "../release/git.ts";
import { MANIFEST } from "../release/manifest.ts";
import { ownMigrations, unloadable } from "../release/own-migrations.ts";
import { type Release, readRelease } from "../release/read.ts";
import { HISTORY_FILE, ROOT } from "../release/root.ts";
import { commitIn } from "../release/source.ts";
import { LOCAL, missingStack } from "../stack/project.ts";
import { linkWorkspaces } from "./workspaces.ts";
import { addWorktree, REHEARSAL_FOLDER, removeWorktree } from "./worktrees.ts";

export interface Side {
  /** As the caller named it: a folder, or a tag, branch or commit. */
  readonly name: string;
  readonly release: Release;
  /** The folder of Pulumi.yaml and of the program that deploys it. */
  readonly root: string;
  /** What that program is given as `release`. */
  readonly setting: string;
  /** That program's history, which ends at the release's step. */
  readonly migrations: readonly Migration[];
}

/** What the rehearsal cannot begin with, as a sentence for whoever asked for it. */
export class SideError extends UserError {}

const Storage = v.picklist(["sqlite", "legacy-kv"]);
const className = v.string();
const History = v.object({
  migrations: v.array(
    v.object({
      name: v.string(),
      changes: v.array(
        v.variant("op", [
          v.object({ op: v.literal("create"), className, storage: Storage }),
          v.object({ op: v.literal("rename"), from: v.string(), to: v.string() }),
          v.object({ op: v.literal("remove"), className }),
          v.object({ op: v.literal("send"), className, toWorker: v.string() }),
          v.object({ op: v.literal("receive"), className, fromWorker: v.string(), storage: Storage }),
        ]),
      ),
    }),
  ),
});

/** Finds releases, and makes what is missing in a folder of its own, until `remove`. */
export class Sides {
  readonly #dir = temporaryFolder(REHEARSAL_FOLDER);
  readonly #worktrees: string[] = [];

  constructor() {
    // Found from every program below, and, being above them, no change to a commit's files.
    attempt(this.#dir, "written", () =>
      symlinkSync(join(ROOT, "node_modules"), join(this.#dir, "node_modules"), "junction"),
    );
  }

  /** The release that `name` means: a folder with one, else a tag, branch or commit. @throws SideError */
  async find(name: string): Promise<Side> {
    const folder = resolve(ROOT, name);
    if (existsSync(join(folder, MANIFEST))) return this.#ofFolder(name, folder);
    const commit = commitOf(name);
    if (commit !== undefined) return this.#ofCommit(name, commit);
    throw new SideError(
      `"${name}" is neither a folder with a release (there is no ${join(name, MANIFEST)}) nor a tag, branch or commit. ` +
        `Build a release with \`npm run build\`, or name a tag; ${withoutRepository() ?? "a shallow clone has none (`git fetch --tags --unshallow`)."}`,
    );
  }

  /** As `find`, for a folder that is about to be replaced: what it has in it now. @throws SideError */
  async findCopy(name: string): Promise<Side> {
    const folder = resolve(ROOT, name);
    if (!existsSync(join(folder, MANIFEST))) return this.find(name);
    const copy = join(this.#dir, "copy");
    cpSync(folder, copy, { recursive: true });
    return this.#ofFolder(name, copy);
  }

  /** Removes everything that was made. */
  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
    for (const root of this.#worktrees) removeWorktree(ROOT, root);
  }

  async #ofFolder(name: string, dir: string): Promise<Side> {
    const release = readRelease(dir);
    const { step, history } = release.migration;
    const migrations = ownMigrations();
    const index = migrations.findIndex((migration) => migration.name === step);
    if (index < 0 || hashes(migrations)[index] !== history) {
      throw new SideError(
        `The release in ${name} was built at step ${step}, ${
          index < 0
            ? "which infra/migrations.ts does not have"
            : "with another past than infra/migrations.ts has up to it"
        }: no program here can deploy it. Name the tag or commit that it was built from instead${
          commitIn(release) === null ? "" : ` (${commitIn(release)})`
        }.`,
      );
    }
    const root = index === migrations.length - 1 ? ROOT : this.#programAt(migrations.slice(0, index + 1));
    return side(name, release, root);
  }

  /** This checkout's program with another history, and the lock of that: this one's has steps that it lacks. */
  #programAt(past: readonly Migration[]): string {
    const root = join(this.#dir, `at-${past.at(-1)?.name}`);
    const parts = ["infra", "contract", "worker", "Pulumi.yaml", "package.json", ...stackFiles()];
    attempt(root, "written", () => {
      for (const part of parts) cpSync(join(ROOT, part), join(root, part), { recursive: true });
    });
    writeNamed(join(root, HISTORY_FILE), `export const migrations = ${JSON.stringify(past)};\n`);
    writeNamed(join(root, LOCK_FILE), formatLock(past));
    return root;
  }

  async #ofCommit(name: string, commit: string): Promise<Side> {
    const root = join(this.#dir, `commit-${commit.slice(0, 12)}`);
    if (!existsSync(root)) {
      this.#worktrees.push(root);
      workTree(name, root, commit);
      attempt(root, "written", () => linkWorkspaces(root));
      await promisify(execFile)("npm", ["run", "-s", "build"], { cwd: root }).catch((error: unknown) => {
        if (interruptionOf(error) !== undefined) throw error;
        throw new SideError(`${name} does not build with the packages of this checkout:\n${wordsOf(error)}`);
      });
    }
    return side(name, readRelease(join(root, "dist/release")), root);
  }
}

/** @throws SideError in git's words where it cannot make one, as on a full disk. */
function workTree(name: string, root: string, commit: string): void {
  try {
    addWorktree(ROOT, root, commit);
  } catch (error) {
    if (interruptionOf(error) !== undefined) throw error;
    throw new SideError(`git cannot make a copy of ${name} in ${root}:\n${wordsOf(error)}`);
  }
}

async function side(name: string, release: Release, root: string): Promise<Side> {
  const program: unknown = await import(pathToFileURL(join(root, HISTORY_FILE)).href).catch((error) => {
    throw new SideError(`${name}: ${unloadable(error, root).message}`, { cause: error });
  });
  const { migrations } = v.parse(History, program);
  return { name, release, root, setting: relative(root, release.dir), migrations };
}

const stackFiles = () => readdirSync(ROOT).filter((name) => /^Pulumi\..+\.yaml$/.test(name));

/** @throws SideError where `root`, which is `name`'s, has no such stack. The stack local needs no file. */
export function wantStack(name: string, root: string, stack: string): void {
  const missing = stack === LOCAL ? undefined : missingStack(stack, root);
  if (missing !== undefined) throw new SideError(`${name}: ${missing}`);
}

/** The commit that a tag, a branch or a commit means; undefined where there is none, or no repository. */
export function commitOf(name: string): string | undefined {
  try {
    return git("rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`);
  } catch (error) {
    if (interruptionOf(error) !== undefined) throw error;
    return undefined;
  }
}

/** Why no commit at all can be found here, and what to do; undefined: there is a repository. */
export function withoutRepository(): string | undefined {
  try {
    git("rev-parse", "--git-dir");
    return undefined;
  } catch (error) {
    if (interruptionOf(error) !== undefined) throw error;
    if (isWithoutGit(error)) return "git is not installed, or not on the PATH: install it.";
    // Of a folder that is another user's, git itself says what to do.
    if (!isWithoutRepository(error)) return `git does not say what it has here:\n${wordsOf(error)}`;
    return `git finds no repository here (${wordsOf(error).split("\n")[0]}): clone the project, or begin with \`git init\` and a commit.`;
  }
}

const git = (...args: string[]): string => gitIn(ROOT, ...args).trim();
