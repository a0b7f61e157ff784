/** What a command line for the Pulumi CLI says of the stack: pure. The CLI's own parser is pflag, and this follows it. */
import { DEFAULT_DIR } from "./hints.ts";

interface PulumiLine {
  /** Undefined where the line names none. */
  readonly stack: string | undefined;
  /** The local account's folder, which is no option of the CLI. */
  readonly dir: string;
  /** The line without both, as it was given. */
  readonly rest: readonly string[];
}

/** Short options of `up` and `preview` that take a value: what follows in the same word is theirs. */
const WITH_VALUE = "Ccmptv";

/** Takes `--stack`, `-s` and `--dir` out of the options; of two the last one counts, as it does for the CLI. */
export function pulumiLine(options: readonly string[]): PulumiLine {
  const rest: string[] = [];
  let stack: string | undefined;
  let dir = DEFAULT_DIR;
  for (let at = 0; at < options.length; at++) {
    const word = options[at] ?? "";
    if (word === "--") {
      rest.push(...options.slice(at));
      break;
    }
    const named = /^--(stack|dir)(?:=(.*))?$/s.exec(word);
    if (named) {
      const value = named[2] ?? options[++at];
      if (named[1] === "stack") stack = value;
      else dir = value ?? dir;
      continue;
    }
    // `-ys local`, `-slocal`, `-s=local`: letters before it are options without a value.
    const short = new RegExp(`^-([^-${WITH_VALUE}s]*)s(?:=?(.+))?$`, "s").exec(word);
    if (short) {
      if (short[1]) rest.push(`-${short[1]}`);
      stack = short[2] ?? options[++at];
      continue;
    }
    rest.push(word);
  }
  return { stack, dir, rest };
}

/** The stack's own name: `me/durable-stack/local` is the stack `local`, too. */
export const bareName = (stack: string): string => stack.split("/").at(-1) ?? stack;

/** The options with others put where the CLI reads them as options: before a `--`. */
export function withOptions(rest: readonly string[], ...more: readonly string[]): readonly string[] {
  const end = rest.indexOf("--");
  return end < 0 ? [...rest, ...more] : [...rest.slice(0, end), ...more, ...rest.slice(end)];
}
