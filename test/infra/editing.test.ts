/** Commands that delete files of the project do so only where git can bring all of them back. */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { obstaclesToRemoval } from "../../infra/pattern/remove.ts";
import { patterns } from "../../worker/patterns.ts";
import { ProjectCopy } from "../project-copy.ts";

// Of a project with one pattern, none.
const free = patterns.find(({ folder }) => obstaclesToRemoval([folder], { patterns }).length === 0);

describe.skipIf(free === undefined)("pattern remove", () => {
  const folder: string = free?.folder ?? "";
  let copy: ProjectCopy;
  beforeEach(() => {
    copy = new ProjectCopy();
  });
  afterEach(() => copy.remove());
  const isRefused = async (reason: RegExp) => {
    expect(await copy.run(`npm run -s pattern -- remove ${folder}`)).toEqual({
      code: 1,
      text: expect.stringMatching(reason),
    });
    expect(copy.read(`worker/${folder}/pattern.ts`)).not.toBe("");
  };

  it("is refused over a file that git does not have, also where it is set to show none", async () => {
    copy.commit("before");
    await copy.run("git config status.showUntrackedFiles no");
    copy.write("mine.txt", "mine\n");
    await isRefused(/^Nothing was changed: .* not committed\.\n {2}\?\? mine\.txt\n/);
  });

  it("is refused over a file in its folder that git ignores", async () => {
    copy.commit("before");
    await copy.run("echo '*.mine' >> .git/info/exclude");
    copy.write(`worker/${folder}/deep/notes.mine`, "mine\n");
    copy.write("elsewhere.mine", "mine\n");
    await isRefused(new RegExp(`git ignores these files.*\n {2}worker/${folder}/deep/notes\\.mine\nMove`));
  });

  it("is refused in a folder that the repository around it ignores", async () => {
    const around = dirname(copy.root);
    await copy.run("git init -q", { folder: ".." });
    writeFileSync(join(around, ".gitignore"), "project/\n");
    await isRefused(/one that does not have its files[\s\S]*git init && git add --all/);
    const tried = await copy.run(`npm run -s pattern -- remove ${folder} --dry-run`);
    expect(tried).toEqual({ code: 0, text: expect.stringContaining(`worker/${folder}/`) });
  });
});
