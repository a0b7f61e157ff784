/** The reader of guides is strict: a guide with a wrong statement fails. */
import { expect, it } from "vitest";
import { missing, scenariosOf } from "./guide.ts";
import { follow } from "./reader.ts";

const fence = "```";
const guide = (...blocks: readonly string[]) => `# A guide\n${blocks.join("\n")}\n`;
const block = (info: string, text: string) => `${fence}${info}\n${text}\n${fence}`;

it("reads a page as one sequence, or each section by itself, and skips blocks that only show", () => {
  const sections = `# All\n${block("sh", "shown")}\n## One\n${block("sh run", "one")}\n## Two\n<!-- needs: a, b -->\n<!-- nightly -->\n1. Do\n   ${fence}sh run exit=1 in=../b\n   two\n   ${fence}\n`;
  const one = { do: "run", command: "one || exit $?", exit: 0, folder: "." };
  const two = { do: "run", command: "two || exit $?", exit: 1, folder: "../b" };
  expect(scenariosOf(sections)).toEqual([{ title: "All", steps: [one, two], needs: ["a", "b"], isNightly: true }]);
  expect(scenariosOf(`<!-- each section by itself -->\n${sections}`)).toEqual([
    { title: "One", steps: [one], needs: [], isNightly: false },
    { title: "Two", steps: [two], needs: ["a", "b"], isNightly: true },
  ]);
  const first = `<!-- each section by itself -->\n# All\n${block("sh run", "one")}\n## Two\n${block("sh run exit=1 in=../b", "two")}\n## Three\n`;
  expect(scenariosOf(first)).toEqual([{ title: "Two", steps: [one, two], needs: [], isNightly: false }]);
  expect(() => scenariosOf(guide(block("sh walk", "on")))).toThrow('line 2: "sh walk" is not a known kind of block');
});

it("finds lines in their order, and lets an ellipsis match anything", () => {
  const text = "  one (1)\ntwo 2\nthree\n";
  expect(missing(text, ["one (1)", "three"])).toBeUndefined();
  expect(missing(text, ["one …", "… 2"])).toBeUndefined();
  expect(missing(text, ["three", "one (1)"])).toBe("one (1)");
  expect(missing(text, ["one"])).toBe("one");
});

it("lets a table's columns be as wide as they are in this project", () => {
  const table = "stack   step\nlocal   0003-create-jobs";
  expect(missing(table, ["stack  step", "local     0003-create-jobs"])).toBeUndefined();
  expect(missing(table, ["stack step"])).toBe("stack step");
  expect(missing("one two", ["one  two"])).toBe("one  two");
});

it.each([
  ["a command fails", block("sh run", "echo no; exit 3"), "expected exit code 0, but 3 came from"],
  ["a command fails in the middle", block("sh run", "false && true\necho on"), "expected exit code 0, but 1"],
  ["a command does not fail", block("sh run exit=1", "true"), "expected exit code 1, but 0"],
  [
    "the output differs",
    `${block("sh run", "echo no")}\n${block("text output", "yes")}`,
    "expected to see\nyes\nbut saw\nno",
  ],
  [
    "a terminal ends early",
    `${block("sh terminal", "echo no")}\n${block("text output", "yes")}`,
    "expected to see\nyes",
  ],
  [
    "the text of an edit is missing",
    block("diff file=package.json", "-nothing\n+more"),
    "package.json has this 0 times",
  ],
  ["the text of an edit is not unique", block("diff file=package.json", "-    \n+\t"), "times, where once is needed"],
])("fails if %s", async (_, page, message) => {
  const [scenario] = scenariosOf(guide(page));
  if (!scenario) throw new Error("there is no scenario");
  await expect(follow(scenario)).rejects.toThrow(message);
});
