/**
 * The shell lines of every page work where they are pasted, in zsh as in bash: zsh, which macOS has, takes `#` at a prompt
 * for a word, and gives up a line with a `?` or `[` that matches no file.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { paths } from "../../infra/commands/editing.ts";
import { ROOT } from "../../infra/release/root.ts";

const BLOCK = /^( *)```sh\b.*\n((?:.*\n)*?)\1```$/gm;

const PAGES = paths().filter((path) => path.endsWith(".md"));
const LINES = PAGES.flatMap((page) =>
  [...readFileSync(join(ROOT, page), "utf8").matchAll(BLOCK)].flatMap(([, , block = ""]) =>
    block
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map((line) => `${page}: ${line.trim()}`),
  ),
);

/** What a shell reads as more than plain words: without what is quoted, and what a person fills in. */
const unquoted = (line: string) => line.replaceAll(/<[^<>]*>|'[^']*'|"(?:\\.|[^"\\])*"/g, "x");

it("shell lines are in the pages", () => expect(LINES.length).toBeGreaterThan(50));

it("no shell line has a comment, which zsh hands to the command", () => {
  expect(LINES.filter((line) => /\s#/.test(unquoted(line)))).toEqual([]);
});

it("no shell line has a word that zsh takes for a pattern of file names", () => {
  expect(LINES.filter((line) => /[?[\]]/.test(unquoted(line)))).toEqual([]);
});

it("no shell line needs another Node than the person's own, which may be 20, or a curl of 2022", () => {
  const own = /(?:^|&& |: )node (?!-p\b)/;
  expect(LINES.filter((line) => own.test(unquoted(line)) || /\bcurl .*--json\b/.test(unquoted(line)))).toEqual([]);
});
