/** What a release is built from: the commit that is checked out, and whether files differ from it. */
import { execFileSync } from "node:child_process";
import type { Manifest } from "./manifest.ts";

export type Source = Pick<Manifest, "commit" | "committed" | "dirty">;

/** The source of what is built in `root`; nothing is known where git or a commit is missing. */
export function sourceOf(root: string): Source {
  const git = (...args: string[]) =>
    execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    const [commit = null, seconds] = git("log", "-1", "--format=%H %ct").split(" ");
    return {
      commit,
      committed: new Date(Number(seconds) * 1_000).toISOString(),
      // A stack's settings are in no release; `pulumi stack init` and our own commands write them.
      dirty: git("status", "--porcelain", "--", ".", ":(exclude)Pulumi.*.yaml") !== "",
    };
  } catch {
    return { commit: null, committed: null };
  }
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
