/** What a release is built from: the commit that is checked out, and whether files differ from it. */
import { interruptionOf } from "../common/interrupted.ts";
import { BuildError } from "./build-error.ts";
import { gitIn, isWithoutRepository, wordsOf } from "./git.ts";
import type { Manifest } from "./manifest.ts";

export type Source = Pick<Manifest, "commit" | "committed" | "dirty">;

/**
 * The source of what is built in `root`; nothing is known where git, a repository or a commit is missing. What a user's
 * settings of git would add to its answers, or leave out of them, is said here anew.
 * @throws BuildError where git does not answer for another reason: that is not the same as no commit.
 */
export function sourceOf(root: string): Source {
  const git = (...args: string[]) => gitIn(root, ...args).trim();
  if (!hasCommit(root)) return { commit: null, committed: null };
  try {
    const said = git("-c", "log.showSignature=false", "log", "-1", "--format=%H %ct");
    const [, commit, seconds] = /^([0-9a-f]+) (\d+)$/.exec(said) ?? [];
    if (commit === undefined) throw new BuildError(`\`git log\` in ${root} does not say the commit, but: ${said}`);
    return {
      commit,
      committed: new Date(Number(seconds) * 1_000).toISOString(),
      // A stack's settings are in no release; `pulumi stack init` and our own commands write them.
      dirty: git("status", "--porcelain", "--untracked-files=normal", "--", ".", ":(exclude)Pulumi.*.yaml") !== "",
    };
  } catch (error) {
    throw unanswered(root, error);
  }
}

/** Whether a commit is checked out in `root`. @throws BuildError where git does not say. */
function hasCommit(root: string): boolean {
  try {
    gitIn(root, "rev-parse", "--verify", "--quiet", "HEAD");
    return true;
  } catch (error) {
    const status = error instanceof Error && "status" in error ? error.status : undefined;
    // With `--quiet`, 1 is: a repository without a commit.
    if (isWithoutRepository(error) || status === 1) return false;
    throw unanswered(root, error);
  }
}

/** Not told as a release of no commit: no guard would then stop what is in none. */
function unanswered(root: string, error: unknown): unknown {
  if (error instanceof BuildError || interruptionOf(error) !== undefined) return error;
  const message = `git does not say what commit of ${root} is built, so the release could not name it: ${wordsOf(error)}`;
  return new BuildError(message, { cause: error });
}

/** Whether a release has changes that are in no commit. Until format 5 the commit itself said so. */
export const isDirty = ({ commit, dirty }: Pick<Manifest, "commit" | "dirty">): boolean =>
  dirty ?? commit?.endsWith("-dirty") ?? false;

/** The commit alone; null where none is known. */
export const commitIn = ({ commit }: Pick<Manifest, "commit">): string | null => commit?.replace(/-dirty$/, "") ?? null;

/** The commit as a version records it, for people: `-dirty` says that files differ from it. */
export const recordedCommit = (manifest: Pick<Manifest, "commit" | "dirty">): string | undefined => {
  const commit = commitIn(manifest);
  return commit === null ? undefined : `${commit}${isDirty(manifest) ? "-dirty" : ""}`;
};

/** `commit 1f3a2b4c5d6e`, `1f3a2b4c5d6e with changes that are in no commit`, `no commit`. */
export function describeSource(manifest: Pick<Manifest, "commit" | "dirty">): string {
  const commit = commitIn(manifest);
  if (commit === null) return "no commit";
  return `commit ${commit.slice(0, 12)}${isDirty(manifest) ? " with changes that are in no commit" : ""}`;
}
