/** No page leads to a place that is not there, whichever patterns a project keeps. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { paths } from "../../infra/commands/editing.ts";
import type { ProjectFiles } from "../../infra/init/draft.ts";
import { firstDay } from "../../infra/init/init.ts";
import { migrations } from "../../infra/migrations.ts";
import { withoutPatterns } from "../../infra/pattern/pages.ts";
import { dependentsOf } from "../../infra/pattern/remove.ts";
import { ROOT } from "../../infra/release/root.ts";
import { projectName, stackNames } from "../../infra/stack/project.ts";
import type { PatternFacts } from "../../worker/pattern.ts";
import { patterns } from "../../worker/patterns.ts";
import { deadLinks } from "./links.ts";

const all: readonly PatternFacts[] = patterns;
const folders = all.map(({ folder }) => folder);

const before = new Map(paths().map((path) => [path, readFileSync(join(ROOT, path), "utf8")]));
const isUnder = (folder: string) => (path: string) => path.startsWith(`${folder.replace(/\/$/, "")}/`);
const filesOf = (texts: ReadonlyMap<string, string>): ProjectFiles => ({
  read: (file) => texts.get(file),
  has: (folder) => [...texts.keys()].some(isUnder(folder)),
});

/** What `init` makes of this project with these patterns, and what it says still speaks of the others. */
function madeWith(kept: readonly string[]) {
  const { changes, speaking } = firstDay(
    { name: "my-app", keepHistory: true, patterns: kept },
    {
      ...{ project: projectName(), packageName: projectName(), stacks: stackNames(ROOT), paths: [...before.keys()] },
      ...{ migrations, patterns, releases: [], deployedLocally: [] },
    },
    filesOf(before),
  );
  const after = new Map(before);
  for (const { path, text } of changes) {
    if (text !== undefined) after.set(path, text);
    else for (const file of [path, ...[...after.keys()].filter(isUnder(path))]) after.delete(file);
  }
  return { after, speaking };
}

function deadWith(kept: readonly string[]): readonly string[] {
  const { after } = madeWith(kept);
  const { read, has } = filesOf(after);
  const pages = { read, has: (path: string) => after.has(path) || has(path) };
  return [...after.keys()].filter((path) => path.endsWith(".md")).flatMap((page) => deadLinks(page, pages));
}

const withNeeds = (folder: string): readonly string[] => [
  ...new Set([folder, ...(all.find((facts) => facts.folder === folder)?.needs ?? []).flatMap(withNeeds)]),
];

/** The patterns of a project without this one, and without those that need it. */
function others(folder: string): readonly string[] {
  const gone = [folder, ...dependentsOf(all, folder)];
  return folders.filter((name) => !gone.includes(name));
}

it("every link of a page leads to a file, and a heading, that is there", () => {
  expect(deadWith(folders)).toEqual([]);
});

it.each(folders)("so it does in a project that keeps only %s, and what that needs", (folder) => {
  expect(deadWith(withNeeds(folder))).toEqual([]);
});

const free = folders.filter((folder) => others(folder).length > 0);
it.each(free)("so it does in a project without %s, and what needs that", (folder) => {
  expect(deadWith(others(folder))).toEqual([]);
});

it.each(free)("init without %s lists what still speaks of it, of the files that are left", (folder) => {
  const { after, speaking } = madeWith(others(folder));
  expect(speaking.filter((path) => !after.has(path) && !path.startsWith("package.json ("))).toEqual([]);
  const { class: className } = all.find((facts) => facts.folder === folder) ?? { class: "" };
  const told = ["CHANGELOG.md", "docs/access.md"];
  const naming = [...after].filter(([path, text]) => path.endsWith(".md") && text.includes(`\`${className}\``));
  expect(speaking).toEqual(expect.arrayContaining(naming.map(([path]) => path).filter((path) => !told.includes(path))));
});

it("a page without a pattern has no part that it marks as the pattern's, no row about its guide, and no link there", () => {
  const page = [
    "<!-- <board> Why. -->",
    "## Boards",
    "<!-- </board> -->",
    "<!-- <post> Why. -->",
    "## Posts",
    "<!-- </post> -->",
    "See [how it fits](board.md#parts), [posts](post.md) and [more](https://example.com/board.md).",
    "| [a board](board.md) | delete it |",
    "| [a post](post.md) or [a board](board.md) | delete it |",
  ];
  expect(withoutPatterns(page.join("\n"), "docs/page.md", ["board"]).split("\n")).toEqual([
    ...page.slice(3, 6),
    "See how it fits, [posts](post.md) and [more](https://example.com/board.md).",
    "| [a post](post.md) or a board | delete it |",
  ]);
  expect(withoutPatterns("- [boards](docs/board.md)", "README.md", ["board"])).toBe("- boards");
  expect(withoutPatterns("- [boards](../docs/board.md)", "packages/README.md", ["board"])).toBe("- boards");
});
