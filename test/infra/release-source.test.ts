/** What a release says of its source, whatever the user's settings of git are. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { isUserError } from "../../infra/common/user-error.ts";
import { sourceOf } from "../../infra/release/source.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "source-"));
  git("init", "-q");
  git("config", "user.name", "t");
  git("config", "user.email", "t@example.com");
  git("config", "commit.gpgsign", "false");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const git = (...args: string[]) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
const commit = (...args: string[]) => {
  writeFileSync(join(root, "index.ts"), "export {};\n");
  git("add", "index.ts");
  git("commit", "-q", "-m", "v1", ...args);
  return git("rev-parse", "HEAD");
};

/** Stands in for gpg: it signs everything, and says so when it is asked. */
const SIGNER = `#!/bin/sh
cat > /dev/null
echo "gpg: Signature made Mon 30 Nov 2026" >&2
echo "[GNUPG:] SIG_CREATED " >&2
printf -- '-----BEGIN PGP SIGNATURE-----\\n\\nx\\n-----END PGP SIGNATURE-----\\n'
`;

it("is the commit, though it is signed and git shows signatures", () => {
  const signer = join(root, ".git/signer");
  writeFileSync(signer, SIGNER);
  chmodSync(signer, 0o755);
  git("config", "gpg.program", signer);
  git("config", "log.showSignature", "true");
  const made = commit("-S");
  expect(git("log", "-1", "--format=%H")).not.toBe(made);
  expect(sourceOf(root)).toEqual({ commit: made, committed: expect.stringMatching(/^\d{4}-.*Z$/), dirty: false });
});

it("is dirty with a file that git does not know, though git is to show none", () => {
  commit();
  git("config", "status.showUntrackedFiles", "no");
  expect(sourceOf(root).dirty).toBe(false);
  writeFileSync(join(root, "Pulumi.mine.yaml"), "config: {}\n");
  expect(sourceOf(root).dirty).toBe(false);
  writeFileSync(join(root, "new.ts"), "export {};\n");
  expect(sourceOf(root).dirty).toBe(true);
});

it("is no commit in a repository without one, and outside of a repository", () => {
  expect(sourceOf(root)).toEqual({ commit: null, committed: null });
  rmSync(join(root, ".git"), { recursive: true });
  expect(sourceOf(root)).toEqual({ commit: null, committed: null });
});

it("is refused where git cannot say it: that is not the same as no commit", () => {
  commit();
  const failure = () => {
    try {
      return sourceOf(root);
    } catch (error) {
      return error;
    }
  };
  rmSync(join(root, ".git/index"));
  mkdirSync(join(root, ".git/index"));
  expect(isUserError(failure())).toBe(true);
  expect(String(failure())).toMatch(/git does not say what commit of .* is built.*index/s);
  writeFileSync(join(root, ".git/config"), "[broken");
  expect(String(failure())).toMatch(/git does not say what commit of .* is built.*bad config/s);
});
