/** What a schema finds wrong with a client's input, in words. valibot's own messages name types of TypeScript. */
import type * as v from "valibot";

/** Nouns for what a schema expects or has got, by valibot's names. */
const NOUNS: Readonly<Record<string, string>> = {
  Array: "a list",
  Object: "an object",
  boolean: "true or false",
  number: "a number",
  string: "text",
};

/** `(number | null)` as `a number or null`. */
const nouns = (types: string): string =>
  types
    .replace(/^\((.*)\)$/, "$1")
    .split(" | ")
    .map((type) => NOUNS[type] ?? type)
    .join(" or ");

/** The most characters of an input that a sentence repeats. */
const MOST_SHOWN = 50;
const shortened = (text: string): string => (text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text);

const lengthOf = (input: unknown, requirement: unknown): string =>
  `${requirement} ${typeof input === "string" ? "characters" : "entries"}`;

/** The rule that an input breaks; undefined for a rule that has words of its own. */
export function ruleOf({
  kind,
  type,
  expected,
  received,
  input,
  requirement,
}: v.BaseIssue<unknown>): string | undefined {
  if (kind === "schema") {
    if (expected === "never") return "is not known here";
    if (received === "undefined") return "is missing";
    return `must be ${nouns(expected ?? "")} (it is ${shortened(nouns(received))})`;
  }
  switch (type) {
    case "non_empty":
      return "must not be empty";
    case "min_length":
      return `must have at least ${lengthOf(input, requirement)}`;
    case "max_length":
      return `must have at most ${lengthOf(input, requirement)}`;
    case "min_value":
      return `must be at least ${requirement} (it is ${input})`;
    case "max_value":
      return `must be at most ${requirement} (it is ${input})`;
    case "integer":
      return `must be a whole number (it is ${input})`;
    default:
      return undefined;
  }
}
