/**
 * What Pulumi's CLI and the commands read otherwise in a stack's file. The CLI's YAML (gopkg.in/yaml.v3) keeps some of
 * YAML 1.1, so a date, `010` or `1_000` without quotes is something else to it. Pure.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Scalar } from "yaml";
import type { Yaml } from "../common/yaml-file.ts";

export interface ReadOtherwise {
  readonly line: number;
  /** Where in the config, as in `vars.SINCE`. */
  readonly path: string;
  /** What it is, in words: its own may be a secret. */
  readonly what: string;
}

/** All of them below `config`. */
export function readOtherwiseIn({ document, lineOf }: Yaml): readonly ReadOtherwise[] {
  const { contents } = document;
  const config = isMap(contents) ? contents.get("config", true) : undefined;
  return found(config, "", document).map(({ node, path, what }) => ({ line: lineOf(node), path, what }));
}

interface Found {
  readonly node: Node;
  readonly path: string;
  readonly what: string;
}

function found(given: unknown, path: string, document: Document): readonly Found[] {
  const node = isAlias(given) ? given.resolve(document) : given;
  if (isScalar(node)) return told(node, path, otherwise(node));
  if (!isMap(node) && !isSeq(node)) return [];
  const typed = told(node, path, node.tag === undefined ? undefined : TYPED);
  if (isSeq(node)) return [...typed, ...node.items.flatMap((item, i) => found(item, `${path}.${i}`, document))];
  const pairs = node.items.flatMap(({ key, value }) => {
    if (!isScalar(key)) return [];
    const below = path === "" ? String(key.source ?? key.value) : `${path}.${String(key.source ?? key.value)}`;
    return [...told(key, below, otherwiseAsKey(key)), ...found(value, below, document)];
  });
  return [...typed, ...pairs];
}

const told = (node: Node, path: string, what: string | undefined): readonly Found[] =>
  what === undefined ? [] : [{ node, path, what }];

const TYPED = "a value with its type in front (`!!`)";

/** What a value is that Pulumi reads otherwise; undefined: it reads it as it is read here. */
function otherwise({ type, tag, source, value }: Scalar): string | undefined {
  if (tag !== undefined && tag !== "tag:yaml.org,2002:str") return TYPED;
  if (type !== "PLAIN" || tag !== undefined || source === undefined) return undefined;
  if (isDate(source)) return "a date";
  if (isOtherNumber(source)) return "a number that is written in a way of its own (`_`, a 0 in front, or 0b)";
  if (typeof value !== "number") return undefined;
  if (!Number.isFinite(value)) return "no finite number";
  return /^([-+]?\d+|0[xo][\da-fA-F]+)$/.test(source) && !Number.isSafeInteger(value)
    ? "a number of so many digits that the last ones are lost"
    : undefined;
}

/** Keys are text in the end, and only whole numbers become the same text. */
function otherwiseAsKey(key: Scalar): string | undefined {
  const { type, tag, value } = key;
  if (type !== "PLAIN" || tag !== undefined) return otherwise(key);
  if (value === null) return "a key without a name";
  return otherwise(key) ?? (typeof value === "number" && !Number.isInteger(value) ? "a fraction as a key" : undefined);
}

const DAY = String.raw`\d{4}-(0?[1-9]|1[0-2])-(0?[1-9]|[12]\d|3[01])`;
const TIME = String.raw`\d{1,2}:\d{1,2}:\d{1,2}([.,]\d+)?`;
const DATE = new RegExp(String.raw`^${DAY}( ${TIME}|[Tt]${TIME}(Z|[-+]\d\d:\d\d))?$`);

/** As the CLI's YAML takes one: a day, with or without a time. */
const isDate = (source: string): boolean => DATE.test(source);

/** How a number is written that the CLI's YAML takes for another one, or that is text to YAML 1.2. */
const OTHER_NUMBERS: readonly RegExp[] = [
  /^[-+]?0[0-7]*[1-7][0-7]*$/,
  /^[-+]?0[bB][01]+$/,
  /^(0X|[-+]0[xX])[\da-fA-F]+$/,
  /^(0O|[-+]0[oO])[0-7]+$/,
];
const NUMBER = /^[-+]?(0[xX][\da-fA-F]+|0[oO][0-7]+|(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?)$/;

function isOtherNumber(source: string): boolean {
  const digits = source.replaceAll("_", "");
  if (digits !== source && !/^[-+\d]/.test(source)) return false;
  return OTHER_NUMBERS.some((pattern) => pattern.test(digits)) || (digits !== source && NUMBER.test(digits));
}
