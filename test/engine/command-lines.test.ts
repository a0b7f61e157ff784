/**
 * Checks every command line of the Pulumi CLI that the project prints, documents or runs, with the CLI's own parser:
 * with `--help` added, the CLI parses the line, refuses unknown words, and does nothing else.
 */
import { execFile, execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../infra/release/root.ts";
import { findPulumi } from "./pulumi-cli.ts";

/** The files with command lines, for people or in code. */
const PLACES = ["infra", "docs", ".github", "packages", "*.md", "*.yaml", "package.json", ".ci"];
const FILES = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "--", ...PLACES], {
  cwd: ROOT,
  encoding: "utf8",
})
  .split("\n")
  .filter((file) => /\.(md|ts|ya?ml|json)$|^\.ci\//.test(file) && !/\/test\//.test(file));

let cli: string;
beforeAll(async () => {
  cli = await findPulumi(console.error);
});

/** The word `pulumi`, and the text after it up to the end of a sentence, a quotation or a shell command. */
const LINE = /(?<!as |[\w@/.-])pulumi +([a-z][^\n`"'\\;|&(),]*)/g;
/** `askPulumi(["stack", "export", "--stack", stack])`. */
const RUN = /(?:\("pulumi",|(?:run|ask)Pulumi\()\s*\[([^\]]+)\]/g;

/** The command lines in a file's text, each as words. Placeholders become `x`. */
function linesIn(text: string): readonly (readonly string[])[] {
  const filled = text.replaceAll(/\$\{[^}\n]*\}|<[^<>\n]*>|"\$\([^)\n]*\)"|\$\w+/g, "x");
  const said = [...filled.matchAll(LINE)].map(([, line = ""]) =>
    line
      .replaceAll("…", "")
      .split(/\s+/)
      .map((word) => word.replace(/[.:]+$/, ""))
      .filter(Boolean),
  );
  const run = [...text.matchAll(RUN)].flatMap(([, array = ""]) => {
    const words = array.split(",").map((word) => word.trim());
    // A line with a list of further options: cli.test.ts runs it to the end.
    if (words.some((word) => word.startsWith("...") || word === "command")) return [];
    return [words.filter(Boolean).map((word) => /^"(.*)"$/.exec(word)?.[1] ?? "x")];
  });
  return [...said, ...run];
}

/** Why the CLI refuses a line; undefined if it takes it. */
async function refusal(words: readonly string[]): Promise<string | undefined> {
  const option = words.findIndex((word) => word.startsWith("-"));
  const bare = option < 0 ? words.length : option;
  let help: string;
  try {
    // Before all options: at the end it could be taken for an option's value.
    ({ stdout: help } = await promisify(execFile)(cli, [...words.slice(0, bare), "--help", ...words.slice(bare)], {
      env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" },
    }));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return message.includes("flag needs an argument") ? undefined : message;
  }
  // The CLI's parser takes an unknown command for an argument of the command above.
  const above = /^ +pulumi(.*) \[command\]$/m.exec(help)?.[1];
  const next = words[above?.split(" ").filter(Boolean).length ?? words.length];
  return next === undefined || next.startsWith("-") ? undefined : `pulumi${above} has no command ${next}`;
}

describe("a command line of the Pulumi CLI", () => {
  const found = new Map<string, { readonly words: readonly string[]; readonly file: string }>();
  const places = new Set<string | undefined>();
  for (const file of FILES) {
    for (const words of linesIn(readFileSync(join(ROOT, file), "utf8"))) {
      found.set(words.join(" "), { words, file });
      places.add(file.split("/")[0]);
    }
  }

  it("is found in infra, in the guides and in the README", () => {
    expect([...places]).toEqual(expect.arrayContaining(["infra", "docs", "README.md"]));
    expect([...found.keys()]).toEqual(expect.arrayContaining(["stack export --stack x", "stack select x --create"]));
  });

  it.each([...found.values()].map(({ words, file }) => [words.join(" "), file, words] as const))(
    "pulumi %s (%s)",
    async (_, __, words) => {
      expect(await refusal(words)).toBeUndefined();
    },
  );

  it.each([
    "stack select local --create --config-file x",
    "up --stacks local",
    "stack forget staging",
    "konfig set x y",
  ])("is refused when the CLI does not know it: pulumi %s", async (line) => {
    expect(await refusal(line.split(" "))).toMatch(/unknown (flag|command)|has no command/);
  });
});
