/**
 * Every `npm run …` line that infra/ prints is one that its command takes: no unknown option, and none missing. What is
 * said without options (`npm run rollback`) is a command's name, and … in a line stands for what the person gave before.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import * as v from "valibot";
import { describe, expect, it, vi } from "vitest";
import { ROOT } from "../../infra/release/root.ts";

/** The command lines that were defined since this was emptied, each the uppermost of its own. */
const { made } = vi.hoisted(() => ({ made: [] as Command[] }));
vi.mock("commander", async (original) => {
  const module = await original<typeof import("commander")>();
  class Recorded extends module.Command {
    constructor(name?: string) {
      super(name);
      made.push(this);
    }
    override parse(): this {
      return this;
    }
    override async parseAsync(): Promise<this> {
      return this;
    }
  }
  return { ...module, Command: Recorded };
});
vi.mock("../../infra/commands/command.ts", async (original) => ({ ...(await original<object>()), orFail: () => {} }));

const { scripts } = v.parse(
  v.object({ scripts: v.record(v.string(), v.string()) }),
  JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")),
);
/** The file of a script's command, and the words that the script gives it. */
function door(script: string): { readonly file: string; readonly words: readonly string[] } | undefined {
  const [, file, words = ""] = /^node infra\/run\.mjs ([\w-]+)(?: (.*))?$/.exec(scripts[script] ?? "") ?? [];
  return file === undefined ? undefined : { file, words: words.split(" ").filter(Boolean) };
}

const FILES = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "--", "infra"], {
  cwd: ROOT,
  encoding: "utf8",
})
  .split("\n")
  .filter((file) => file.endsWith(".ts") && !file.startsWith("infra/pattern/template/"));

const LINE = /npm run (?:-s )?([a-z][\w:]*)(?= --(?: |$)) --((?: +[^\s`"'\\;,()[\]]+)*)/gm;

/** The lines in a source, which comments are no part of: the script, and the words after `--`. Values become `x`. */
const linesIn = (source: string) =>
  [
    ...source
      .replaceAll(/^\s*(\/\*\*?|\*|\/\/).*$/gm, "")
      .replaceAll(/\$\{[^{}]*\}/g, " x ")
      .matchAll(LINE),
  ].flatMap(([, script = "", text = ""]) => {
    const words = text
      .replaceAll(/<[^<>]*>/g, "x")
      .split(/\s+/)
      .map((word) => word.replace(/[.:?]+$/, ""))
      .filter(Boolean);
    // Where a command names itself: `new Command("npm run rollout --")`.
    return words.length === 0 ? [] : [{ script, words }];
  });

const commands = new Map<string, Promise<Command | undefined>>();
const commandOf = (file: string): Promise<Command | undefined> => {
  const known = commands.get(file) ?? load(file);
  commands.set(file, known);
  return known;
};
async function load(file: string): Promise<Command | undefined> {
  made.length = 0;
  await import(join(ROOT, `infra/commands/${file}.ts`));
  return made.find(({ parent }) => parent === null);
}

/** Why a command does not take the line; undefined: it does. */
async function refusal(script: string, given: readonly string[]): Promise<string | undefined> {
  if (scripts[script] === undefined) return `there is no script ${script}`;
  const way = door(script);
  if (way === undefined) return undefined;
  const words = [...way.words, ...given];
  if (way.file === "pulumi") return words.includes("--stack") ? undefined : "it needs --stack";
  let command = await commandOf(way.file);
  if (command === undefined) return `${way.file}.ts has no command`;
  let rest = words;
  while (command.commands.length > 0) {
    const [name = ""] = rest;
    const below: Command | undefined = command.commands.find(
      (one) => one.name() === name || one.aliases().includes(name),
    );
    if (below === undefined) break;
    command = below;
    rest = rest.slice(1);
  }
  if (command.commands.length > 0 && !rest[0]?.startsWith("-") && rest[0] !== "…")
    return `there is no command ${rest[0]}`;
  const options = [...command.options, ...(command.parent?.options ?? [])];
  const flags = rest.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.split("=")[0] ?? word);
  const unknown = flags.find(
    (flag) => flag !== "--help" && !options.some((one) => one.long === flag || one.short === flag),
  );
  if (unknown !== undefined) return `there is no option ${unknown}`;
  if (rest.includes("…") || flags.includes("--help")) return undefined;
  const missing = options.find(
    ({ mandatory, long, short, defaultValue }) =>
      mandatory && defaultValue === undefined && !flags.some((flag) => flag === long || flag === short),
  );
  return missing && `it needs ${missing.long}`;
}

describe("a line that infra/ advises", () => {
  const found = new Map<
    string,
    { readonly script: string; readonly words: readonly string[]; readonly file: string }
  >();
  for (const file of FILES)
    for (const { script, words } of linesIn(readFileSync(join(ROOT, file), "utf8")))
      found.set(`npm run ${script} -- ${words.join(" ")}`, { script, words, file });

  it("is found in the commands, the plan and the lines of the traffic", () => {
    expect([...found.keys()]).toEqual(
      expect.arrayContaining(["npm run rollout -- status --stack x x", "npm run rollback -- --stack x x --to x"]),
    );
    const folders = [...found.values()].map(({ file }) => file.split("/")[1]);
    expect(folders).toEqual(expect.arrayContaining(["apply", "commands", "stack", "plan"]));
  });

  it.each([...found].map(([line, { script, words, file }]) => [line, file, script, words] as const))(
    "%s (%s)",
    async (_, __, script, words) => {
      expect(await refusal(script, words)).toBeUndefined();
    },
  );

  it.each([
    ["rollout", ["abandon"], "it needs --stack"],
    ["rollout", ["abort", "--stack", "x"], "there is no command abort"],
    ["rollback", ["--stack", "x", "--version", "3"], "there is no option --version"],
    ["keys", ["create"], "it needs --name"],
    ["up", ["--yes"], "it needs --stack"],
    ["roll", ["--stack", "x"], "there is no script roll"],
  ])("is refused where its command does not take it: npm run %s -- %j", async (script, words, why) => {
    expect(await refusal(script, words)).toBe(why);
  });
});
