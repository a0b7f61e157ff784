/**
 * Copies of commits: worktrees of a repository. Only a rehearsal's own are removed. The folder of somebody else's may be
 * missing for a while, as on a disk that is unplugged, and `git worktree prune` would take its index and its HEAD.
 */
import { existsSync } from "node:fs";
import { basename, dirname } from "node:path";
import { gitIn, linesOfGit } from "../release/git.ts";

/** How the folder begins that a rehearsal's copies are in. */
export const REHEARSAL_FOLDER = "durable-stack-rehearsal-";

/** Makes one. @throws Error of git's. */
export function addWorktree(repository: string, root: string, commit: string): void {
  forgetLost(repository);
  gitIn(repository, "worktree", "add", "--detach", root, commit);
}

/** Removes one, or its record where the folder is gone. That git cannot now is no error: the next rehearsal does it. */
export const removeWorktree = (repository: string, root: string): void => {
  linesOfGit(repository, "worktree", "remove", "--force", root);
};

/** Removes the records of rehearsals that were killed, where the system has deleted their folders. */
function forgetLost(repository: string): void {
  for (const line of linesOfGit(repository, "worktree", "list", "--porcelain") ?? []) {
    const [, root] = /^worktree (.*)$/.exec(line) ?? [];
    if (root === undefined || !basename(dirname(root)).startsWith(REHEARSAL_FOLDER) || existsSync(root)) continue;
    removeWorktree(repository, root);
  }
}
