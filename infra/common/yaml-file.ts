/** YAML that a person writes: the file, the line and what is wrong, in one. */
import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument, stringify } from "yaml";
import { messageOf } from "./errors.ts";
import { UserError } from "./user-error.ts";

/** A file's YAML: what it says, how that is written there, and where. */
export interface Yaml {
  readonly contents: unknown;
  readonly document: Document;
  /** The line on which a node begins. */
  readonly lineOf: (node: Node) => number;
}

/** @throws UserError with the line of the file's first mistake. It repeats no line of it, which may have a secret. */
export function parseYaml(file: string, text: string): Yaml {
  if (text.includes("\0")) throw new UserError(`${file} is not YAML: it is no UTF-8 text. Save it as UTF-8.`);
  const lineCounter = new LineCounter();
  // Pulumi's CLI knows `<<`, which is none of YAML 1.2.
  const document = parseDocument(text, { prettyErrors: false, lineCounter, merge: true });
  const [error] = document.errors;
  if (error) throw notYaml(`${file}:${lineCounter.linePos(error.pos[0]).line}`, error);
  const contents = contentsOf(file, document);
  if (hasCycle(contents)) throw notYaml(file, "an alias stands within what it is an alias of");
  return { contents, document, lineOf: ({ range }) => lineCounter.linePos(range?.[0] ?? 0).line };
}

/** What a file says. @throws UserError as `parseYaml` does. */
export const readYaml = (file: string, text: string): unknown => parseYaml(file, text).contents;

/** YAML that Pulumi's CLI reads as it is meant: to its YAML, a text such as 2024-01-01 is one only in quotes. */
export const writtenYaml = (value: unknown): string =>
  stringify(value, { version: "1.1", defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN" });

/** The line of each key of a file's map, by the key as it is written; none of what is no map. */
export function linesOfKeys({ document: { contents }, lineOf }: Yaml): ReadonlyMap<string, number> {
  const keys = isMap(contents) ? contents.items.map(({ key }) => key).filter(isScalar) : [];
  return new Map(keys.map((key) => [String(key.source ?? key.value), lineOf(key)]));
}

function contentsOf(file: string, document: Document): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    // Its aliases are followed only here.
    throw notYaml(file, cause);
  }
}

/** Whether a value is within itself; `around`: what it is in. */
function hasCycle(value: unknown, around: readonly unknown[] = []): boolean {
  if (typeof value !== "object" || value === null) return false;
  return around.includes(value) || Object.values(value).some((inner) => hasCycle(inner, [...around, value]));
}

const notYaml = (where: string, cause: unknown) => {
  return new UserError(`${where} is not YAML: ${messageOf(cause).split("\n")[0]}. Correct it there.`, { cause });
};
