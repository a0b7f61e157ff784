/** Which worktrees of a repository a rehearsal removes: its own, and those of its likes that were killed. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { addWorktree, REHEARSAL_FOLDER, removeWorktree } from "../../infra/rehearsal/worktrees.ts";

it("keeps another worktree whose folder is not there now, with what is staged in it", () => {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "durable-stack-worktrees-")));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const repository = join(dir, "project");
  const git = (...args: string[]) => execFileSync("git", args, { cwd: repository, encoding: "utf8" });
  const listed = () =>
    [...git("worktree", "list", "--porcelain").matchAll(/^worktree (.*)$/gm)].map(([, root]) => root).sort();
  mkdirSync(repository);
  git("init", "-q");
  git("-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "--allow-empty", "-m", "one");

  const [others, lost, running, own] = [
    join(dir, "others"),
    join(dir, `${REHEARSAL_FOLDER}lost`, "commit"),
    join(dir, `${REHEARSAL_FOLDER}running`, "commit"),
    join(dir, `${REHEARSAL_FOLDER}own`, "commit"),
  ];
  for (const root of [others, lost, running]) git("worktree", "add", "-q", "--detach", root);
  writeFileSync(join(others, "new"), "");
  git("-C", others, "add", "new");
  renameSync(others, join(dir, "unplugged"));
  rmSync(lost, { recursive: true });

  addWorktree(repository, own, "HEAD");
  expect(listed()).toEqual([repository, others, running, own].sort());
  writeFileSync(join(own, "built"), "");
  removeWorktree(repository, own);
  expect([listed(), existsSync(own)]).toEqual([[repository, others, running].sort(), false]);
  addWorktree(repository, own, "HEAD");
  rmSync(own, { recursive: true });
  removeWorktree(repository, own);
  expect(listed()).toEqual([repository, others, running].sort());

  renameSync(join(dir, "unplugged"), others);
  expect(git("-C", others, "status", "--porcelain")).toBe("A  new\n");
});
