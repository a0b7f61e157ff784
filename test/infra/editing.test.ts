/**
 * Commands that delete files of the project do so only where git can bring all of them back; and which of git's tags are
 * releases.
 */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { obstaclesToRemoval } from "../../infra/pattern/remove.ts";
import { patterns } from "../../worker/patterns.ts";
import { ProjectCopy } from "../project-copy.ts";
import { ANOTHER_OWNER } from "../user-environment.ts";

const NONE = { code: 0, text: "" };

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

it("files whose names are not ASCII are seen like all others", async () => {
  const copy = new ProjectCopy();
  try {
    copy.write("docs/übersicht – neu.md", "# Übersicht\n");
    copy.commit("before");
    copy.write("docs/später.md", "# Später\n");
    const asked = 'import("./infra/commands/editing.ts").then(({ paths }) => console.log(paths().join("\\n")))';
    const { text } = await copy.run(`node -e '${asked}'`);
    expect(text.split("\n")).toEqual(expect.arrayContaining(["docs/übersicht – neu.md", "docs/später.md"]));
  } finally {
    copy.remove();
  }
});

it("a repository that git does not answer about is not taken for none, and git's words are passed on", async () => {
  const copy = new ProjectCopy();
  try {
    copy.commit("before");
    copy.write("mine.txt", "mine\n");
    const lines = [
      "init -- --name my-app",
      "pattern -- add try-out",
      ...(free ? [`pattern -- remove ${free.folder}`] : []),
    ];
    for (const line of lines) {
      expect(await copy.run(`npm run -s ${line}`, { env: ANOTHER_OWNER }), line).toEqual({
        code: 1,
        text: expect.stringMatching(
          /^Nothing was changed: git .*\nfatal: detected dubious ownership[\s\S]*safe\.directory/,
        ),
      });
    }
    expect(await copy.run("git status --porcelain")).toEqual({ code: 0, text: "?? mine.txt\n" });
  } finally {
    copy.remove();
  }
});

describe("a clone that came without the tags of releases", () => {
  const asked = 'import("./infra/commands/editing.ts").then(({ released }) => console.log(released().join("; ")))';
  let copy: ProjectCopy;
  beforeAll(async () => {
    copy = new ProjectCopy();
    copy.commit("v1.0.0");
    expect(await copy.run("git commit -q --allow-empty -m more")).toEqual(NONE);
  });
  afterAll(() => copy.remove());

  it.each([
    ["shallow", "--depth 1", "git fetch -q --unshallow --tags"],
    ["without-tags", "--no-tags", "git config --unset remote.origin.tagopt && git fetch -q --tags"],
  ])("(%s) is taken for a released one, and says what brings them", async (name, option, brings) => {
    const folder = `../${name}`;
    const cloned = `git clone -q ${option} "file://$PWD" ${folder} && ln -s "$PWD/node_modules" ${folder}/node_modules`;
    expect(await copy.run(cloned)).toEqual(NONE);
    const before = await copy.run(`node -e '${asked}'`, { folder });
    expect(before).toEqual({ code: 0, text: expect.stringContaining(brings.replaceAll(" -q", "")) });
    if (free) {
      const tried = await copy.run(`npm run -s pattern -- remove ${free.folder} --dry-run`, { folder });
      expect(tried).toEqual({ code: 0, text: expect.stringMatching(/infra\/migrations\.ts +a step \d+-remove-/) });
    }
    expect(await copy.run(brings, { folder })).toEqual(NONE);
    expect(await copy.run(`node -e '${asked}'`, { folder })).toEqual({ code: 0, text: "git has the tag v1.0.0\n" });
  });
});

it("a history that was released is replaced by an import only by force, whatever its steps are called", async () => {
  const copy = new ProjectCopy();
  try {
    copy.write("visits.json", '{ "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Visits"] }] }');
    copy.commit("v1.0.0");
    const line = "npm run -s migrations -- import --wrangler visits.json --write";
    // In the template, and in a project whose first step is called like the template's: by its tag.
    const refused = { code: 1, text: expect.stringMatching(/^(Nothing .* git has the tag v1\.0\.0|.* of its own)/) };
    expect(await copy.run(line)).toEqual(refused);
    expect(await copy.run("git status --porcelain")).toEqual(NONE);
    expect(await copy.run(`${line} --force`)).toMatchObject({ code: 0 });
    const own = copy.read("infra/migrations.ts").replaceAll("0001-v1", "0001-create-patterns");
    copy.write("infra/migrations.ts", own);
    expect(await copy.run(line)).toEqual({
      code: 1,
      text: expect.stringMatching(/^Nothing .* tag v1\.0\.0\. Use --fo/),
    });
    await copy.run("git tag -d v1.0.0");
    // Something that is to be taken over has been released by others.
    copy.write("Pulumi.staging.yaml", `${copy.read("Pulumi.staging.yaml").trimEnd()}\n  adopt: true\n`);
    expect(await copy.run(line)).toMatchObject({ code: 0, text: expect.stringContaining("written: 0001-v1") });
  } finally {
    copy.remove();
  }
});

describe("a tag of a commit with another project's name, such as the template's in a clone of it", () => {
  let copy: ProjectCopy;
  beforeAll(async () => {
    copy = new ProjectCopy();
    copy.commit("v1.0.0");
    copy.write("Pulumi.yaml", copy.read("Pulumi.yaml").replace(/^name: .*$/m, 'name: "made-of-it" # ours'));
    expect(await copy.run("git commit -qam named && git tag v0.1.0 && git commit -q --allow-empty -m more")).toEqual(
      NONE,
    );
  });
  afterAll(() => copy.remove());

  it("is no release of this project to the commands that ask whether there is one", async () => {
    const asked = 'import("./infra/commands/editing.ts").then(({ deployed }) => console.log(...deployed().releases))';
    expect(await copy.run(`node -e '${asked}'`)).toEqual({ code: 0, text: "v0.1.0\n" });
  });

  it("is not what CI rehearses from", async () => {
    // What npm is asked to do, instead of doing it.
    copy.write("bin/npm", '#!/bin/sh\necho "npm $*"\n');
    const rehearse = 'chmod +x bin/npm; PATH="$PWD/bin:$PATH" CI_ONLY=rehearse .ci/run';
    expect((await copy.run(rehearse)).text).toContain("rehearse -- --from v0.1.0\n");
    await copy.run("git tag -d v0.1.0");
    expect((await copy.run(rehearse)).text).toContain("rehearse -- --from dist/release\n");
    await copy.run("git tag v0.2.0 && git tag v0.1.0 HEAD^");
    expect((await copy.run(rehearse)).text).toContain("rehearse -- --from v0.1.0\n");
  });
});
