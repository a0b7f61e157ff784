/** The files of an account: what other users of the machine can read of them, and what git sees. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { loadSnapshot, saveSnapshot } from "../src/snapshots.ts";
import { account, temporaryDirectory } from "./support.ts";

it("keeps the token from other users, though a killed account has left its address to be read by all", async () => {
  const dir = temporaryDirectory();
  const file = path.join(dir, "account.json");
  writeFileSync(file, "{}");
  chmodSync(file, 0o644);
  await account({ dir });
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

it("are ignored by git in a folder of any name, loaded from a snapshot too; the snapshot is not", async () => {
  const repository = temporaryDirectory();
  const git = (...args: readonly string[]) => execFileSync("git", args, { cwd: repository, encoding: "utf8" });
  git("init", "-q");
  const dir = path.join(repository, "second");
  await (await account({ dir })).close();
  await saveSnapshot(dir, path.join(repository, "saved"));
  await loadSnapshot(path.join(repository, "saved"), path.join(repository, "third"));
  expect(git("status", "--porcelain")).toBe("?? saved/\n");
});

it("are not ignored in a folder that had something else in it, which git may have to see", async () => {
  const dir = temporaryDirectory();
  writeFileSync(path.join(dir, "notes.txt"), "mine");
  await account({ dir });
  expect(existsSync(path.join(dir, ".gitignore"))).toBe(false);
  const own = temporaryDirectory();
  writeFileSync(path.join(own, ".gitignore"), "data/\n");
  await account({ dir: own });
  expect(readFileSync(path.join(own, ".gitignore"), "utf8")).toBe("data/\n");
});
