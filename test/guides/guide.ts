/**
 * Guides as programs: does what a reader of docs/*.md does, in the order of the page. A fenced block is executed if its
 * info string says how. GitHub shows only the first word's highlighting, and hides the rest.
 *
 * | info string | what the reader does |
 * |---|---|
 * | `ts file=worker/x.ts` | writes the file, whole; any language |
 * | `diff file=worker/x.ts` | replaces the `-` lines by the `+` lines; the file must have them and their context once |
 * | `sh run` | runs the commands to their end; `exit=1` if they must fail |
 * | `sh terminal` | starts a command in another terminal, after Ctrl-C to the one that ran there |
 * | `text output` | sees these lines in this order, perhaps with others between them; `…` matches anything |
 *
 * `<!-- needs: counter, chat -->` on a line of its own names the patterns that the guide, or the section, needs: a
 * project without one of them skips it. `the template's history` among them: the guide adds steps to the history as the
 * template has it, so a project with steps of its own skips it. `<!-- nightly -->` marks a guide, or a section, that
 * takes long (.ci/run).
 *
 * The columns of an output may have other widths than on the page. A command that fails ends its block. `in=../other`
 * after any of these names the folder. A guide is one sequence; after the comment `<!-- each section by itself -->` each
 * of its `##` sections starts from the unchanged project, with the steps that stand before the first section.
 */

export type Step =
  | { readonly do: "write"; readonly file: string; readonly text: string }
  | { readonly do: "edit"; readonly file: string; readonly from: string; readonly to: string }
  | { readonly do: "run"; readonly command: string; readonly exit: number; readonly folder: string }
  | { readonly do: "start"; readonly command: string; readonly folder: string }
  | { readonly do: "see"; readonly lines: readonly string[] };

/** Steps that belong together, under the heading of their section. */
export interface Scenario {
  readonly title: string;
  readonly steps: readonly Step[];
  /** The folders of the patterns that it needs, and TEMPLATE_HISTORY. */
  readonly needs: readonly string[];
  /** Whether CI follows it at night only. */
  readonly isNightly: boolean;
}

/** The guide of the first day. It works only in the template, and has a test of its own there. */
export const MAKE_IT_YOURS = "docs/make-it-yours.md";

/** A need of guides that add steps behind the template's own. */
export const TEMPLATE_HISTORY = "the template's history";

const NIGHTLY = "<!-- nightly -->";
const BY_SECTION = "<!-- each section by itself -->";
const FENCE = /^( *)```(\w*) ?(.*)$/;

/** The scenarios of a guide; none if nothing is executed. @throws Error naming a block of an unknown kind. */
export function scenariosOf(markdown: string): readonly Scenario[] {
  const scenarios: { title: string; steps: Step[]; needs: readonly string[]; isNightly: boolean }[] = [];
  const bySection = markdown.includes(BY_SECTION);
  const lines = markdown.split("\n").entries();
  for (const [number, line] of lines) {
    const heading = /^(#{1,2}) (.+)$/.exec(line);
    if (heading?.[2] && (heading[1] === "#" || bySection)) {
      scenarios.push({ title: heading[2], steps: [], needs: [], isNightly: false });
    }
    const needs = /^<!-- needs: (.+) -->$/.exec(line)?.[1]?.split(", ");
    const current = scenarios.at(-1);
    if (needs && current) current.needs = needs;
    if (line === NIGHTLY && current) current.isNightly = true;
    const [, indent = "", language = "", info = ""] = FENCE.exec(line) ?? [];
    if (language === "" && !FENCE.test(line)) continue;
    const block: string[] = [];
    for (const [, text] of lines) {
      if (text.trim() === "```") break;
      block.push(text.startsWith(indent) ? text.slice(indent.length) : text.trimStart());
    }
    const step = stepOf(language, info, block, number + 1);
    if (step) scenarios.at(-1)?.steps.push(step);
  }
  if (!bySection) return scenarios.filter(({ steps }) => steps.length > 0);
  const [before, ...sections] = scenarios;
  return sections
    .filter(({ steps }) => steps.length > 0)
    .map((section) => ({ ...section, steps: [...(before?.steps ?? []), ...section.steps] }));
}

function stepOf(language: string, info: string, block: readonly string[], line: number): Step | undefined {
  if (info === "") return undefined;
  const words = info.split(" ");
  const value = (key: string) => words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1);
  const folder = value("in") ?? ".";
  const file = value("file");
  if (file !== undefined) {
    const path = `${folder}/${file}`;
    if (language !== "diff") return { do: "write", file: path, text: `${block.join("\n")}\n` };
    const side = (dropped: string) =>
      block
        .filter((text) => !text.startsWith(dropped))
        .map((text) => `${text.slice(1)}\n`)
        .join("");
    return { do: "edit", file: path, from: side("+"), to: side("-") };
  }
  if (words[0] === "run") {
    return { do: "run", command: commandsOf(block, line), exit: Number(value("exit") ?? 0), folder };
  }
  if (words[0] === "terminal") return { do: "start", command: commandsOf(block, line), folder };
  if (words[0] === "output") return { do: "see", lines: block.filter((text) => text.trim() !== "") };
  throw new Error(`line ${line}: "${language} ${info}" is not a known kind of block`);
}

/** One shell's input for the commands of a block, one per line. `set -e` alone would go on after a failed `a && b`. */
function commandsOf(block: readonly string[], line: number): string {
  const text = block.join("\n");
  if (text.includes("<<")) throw new Error(`line ${line}: write a file with a block of its own, not with <<`);
  const commands = text.replaceAll("\\\n", " ").split("\n");
  return commands.map((command) => `${command} || exit $?`).join("\n");
}

/** The first line of `wanted` that `text` does not have after the lines before it; undefined if it has them all. */
export function missing(text: string, wanted: readonly string[]): string | undefined {
  const lines = text.split("\n").map((line) => line.trim());
  let from = 0;
  for (const line of wanted) {
    // A column is as wide as what this project has in it, such as the name of a step.
    const source = line.trim().split("…").map(escaped).join(".*").replaceAll(/ {2,}/g, " {2,}");
    const pattern = new RegExp(`^${source}$`);
    const found = lines.findIndex((candidate, i) => i >= from && pattern.test(candidate));
    if (found < 0) return line;
    from = found + 1;
  }
  return undefined;
}

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");

/** Whether a scenario writes steps into the history, and so must need TEMPLATE_HISTORY. */
export const addsSteps = ({ steps }: Scenario): boolean =>
  steps.some((step) => step.do === "edit" && step.file.endsWith("infra/migrations.ts"));

/** All steps of a scenario, as one text. */
export const textOf = ({ steps }: Scenario): string =>
  steps.map((step) => Object.values(step).flat().join("\n")).join("\n");
