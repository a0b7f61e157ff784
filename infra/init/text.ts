/** Parts of files that go as a whole. Pure. */
import { applyEdits, modify, parse } from "jsonc-parser";
import * as v from "valibot";

const Scripts = v.object({ scripts: v.record(v.string(), v.string()) });

/** Without the lines from each comment `<name>` to the next `</name>`, both included. */
export const withoutMarked = (text: string, name: string): string =>
  text.replace(
    new RegExp(String.raw`^[ \t]*(?://|#|<!--) <${name}>.*\n[\s\S]*?^[ \t]*(?://|#|<!--) </${name}>.*\n`, "gm"),
    () => "",
  );

/** A package.json without those of the scripts that it has. */
export function withoutScripts(text: string, names: readonly string[]): string {
  const { scripts } = v.parse(Scripts, parse(text));
  return names
    .filter((name) => Object.hasOwn(scripts, name))
    .reduce((sofar, name) => applyEdits(sofar, modify(sofar, ["scripts", name], undefined, {})), text);
}

/** The scripts of a package.json that run files of some patterns' tests and tools. */
interface ScriptsOf {
  /** Those that run nothing else. */
  readonly alone: readonly string[];
  readonly beside: readonly string[];
}

export function scriptsOf(text: string, folders: readonly string[]): ScriptsOf {
  const { scripts } = v.parse(Scripts, parse(text));
  const isOf = (folder: string) => folders.includes(folder);
  const those = Object.keys(scripts).filter((name) => testFolders(scripts[name]).some(isOf));
  const alone = those.filter((name) =>
    scripts[name]?.split(/&&|\|\||[;&|]/).every((command) => {
      const run = testFolders(command);
      return run.length > 0 && run.every(isOf);
    }),
  );
  return { alone, beside: those.filter((name) => !alone.includes(name)) };
}

/** The folders in `test/` that a command names. */
const testFolders = (command = ""): readonly string[] =>
  [...command.matchAll(/(?<![\w./-])(?:\.\/)?test\/([\w-]+)(?=[/\s"']|$)/g)].map(([, folder = ""]) => folder);

/** The rows of the tables of a Markdown text that have one of the words in backticks. */
export const rowsWith = (text: string, words: readonly string[]): readonly string[] =>
  text.split("\n").filter((line) => line.startsWith("|") && words.some((word) => line.includes(`\`${word}\``)));

/** A Markdown text without these rows. */
export function withoutRows(text: string, words: readonly string[]): string {
  const rows = new Set(rowsWith(text, words));
  return text
    .split("\n")
    .filter((line) => !rows.has(line))
    .join("\n");
}
