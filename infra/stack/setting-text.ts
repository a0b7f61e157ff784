/**
 * A stack's file with one setting changed, everything else in it as it was. Pure.
 *
 * YAML's own writer keeps what a file says and its comments, but not how its lines are written. So the one line is
 * changed here, where that is enough, and the writer does the rest. Whichever did it: the outcome is read again, and
 * what does not say exactly what was asked is never written.
 */
import { isDeepStrictEqual } from "node:util";
import { type Document, isMap, isScalar, type Pair, parseDocument, stringify, type YAMLMap } from "yaml";
import { UserError } from "../common/user-error.ts";
import { readYaml } from "../common/yaml-file.ts";
import { fullKey } from "./project.ts";

export type SettingValue = number | string | boolean;

interface Setting {
  readonly key: string;
  readonly project: string;
  readonly file: string;
}

/** No line is folded, and a text of several lines is quoted: its own lines would need the indentation of their place. */
const STYLE = { lineWidth: 0, blockQuote: false } as const;

/**
 * The text with the setting set to `value`, or without it where that is undefined.
 * @throws UserError when it is not YAML with a `config`; Error when the change cannot be made without changing more.
 */
export function withSetting(before: string, setting: Setting, value: SettingValue | undefined): string {
  const { key, file } = setting;
  const { config } = read(before, file);
  if (value === undefined && pairsOf(config, setting).length === 0) return before;
  for (const attempt of [byLine, byWriter]) {
    const after = attempt(before, setting, value);
    if (after !== undefined && says(after, before, setting, value)) return after;
  }
  throw new Error(
    `${file}: ${key} cannot be ${value === undefined ? "taken out" : `set to ${stringify(value, STYLE).trimEnd()}`} without changing something else in the file. Nothing was written to it: change it by hand.`,
  );
}

/** The file's document and its `config`. @throws UserError where it is not what Pulumi takes. */
function read(text: string, file: string): { readonly document: Document; readonly config: YAMLMap | undefined } {
  readYaml(file, text);
  const document = parse(text);
  const { contents } = document;
  if (isMap(contents)) {
    const config: unknown = contents.get("config");
    if (isMap(config)) return { document, config };
    if (config === undefined || config === null) return { document, config: undefined };
    throw new UserError(`${file}: config must be a map of settings. Correct it by hand; nothing was written.`);
  }
  if (contents === null || (isScalar(contents) && contents.value === null)) return { document, config: undefined };
  throw new UserError(
    `${file} must be a map with the key config, and is something else. Correct it by hand; nothing was written.`,
  );
}

/** A number of many digits stays what it is. */
const parse = (text: string): Document => parseDocument(text, { intAsBigInt: true });

const namesOf = ({ key, project }: Setting): readonly string[] => [key, fullKey(project, key)];

/** Where the setting is written: once, or both ways. */
const pairsOf = (config: YAMLMap | undefined, setting: Setting): readonly Pair[] =>
  config?.items.filter(({ key }) => isScalar(key) && namesOf(setting).includes(String(key.value))) ?? [];

/** How a new key is written: as the file's others are, bare or with the project's name in front. */
const newName = (config: YAMLMap | undefined, { key, project }: Setting): string =>
  config?.items.some((pair) => isScalar(pair.key) && String(pair.key.value).startsWith(`${project}:`))
    ? fullKey(project, key)
    : key;

/** The change as one of lines; undefined where the file is not written so that this can be enough. */
function byLine(before: string, setting: Setting, value: SettingValue | undefined): string | undefined {
  const document = parse(before);
  const top = document.errors.length === 0 && isMap(document.contents) ? document.contents : undefined;
  const config = top?.get("config");
  if (!isMap(config) || config.flow) return undefined;
  const text = value === undefined ? undefined : stringify(value, STYLE).trimEnd();
  const [pair, again] = pairsOf(config, setting);
  if (pair && (again || text === undefined)) {
    const without = withoutLines(before, pair);
    // Written both ways: one of them is enough.
    return again && without !== undefined ? byLine(without, setting, value) : without;
  }
  if (text === undefined) return before;
  if (pair) return withValue(before, pair, text);
  const configKey = top?.items.find(({ key }) => isScalar(key) && key.value === "config")?.key;
  const first = config.items[0]?.key;
  if (!isScalar(first) || !first.range || !isScalar(configKey) || !configKey.range) return undefined;
  // Right below `config:`, so that a comment stays above the setting that it is about.
  const place = before.indexOf("\n", configKey.range[1]) + 1;
  const indent = before.slice(lineOf(before, first.range[0]), first.range[0]);
  const end = before[place - 2] === "\r" ? "\r\n" : "\n";
  return `${before.slice(0, place)}${indent}${newName(config, setting)}: ${text}${end}${before.slice(place)}`;
}

/** Where the line of a place begins. */
const lineOf = (text: string, place: number): number => text.lastIndexOf("\n", place - 1) + 1;

/** The text with another value of a setting. */
function withValue(before: string, { value }: Pair, text: string): string | undefined {
  if (!isScalar(value) || !value.range) return undefined;
  const [start, end] = value.range;
  // A block scalar goes to the beginning of the next line, and is about its lines' indentation.
  if (before.slice(start, end).includes("\n")) return undefined;
  const gap = before[start - 1] === ":" ? " " : "";
  return `${before.slice(0, start)}${gap}${text}${before.slice(end)}`;
}

/** The text without a setting's lines. */
function withoutLines(before: string, { key, value }: Pair): string | undefined {
  if (!isScalar(key) || !key.range || !isScalar(value) || !value.range) return undefined;
  // A block scalar ends where the next line begins.
  const end = Math.max(key.range[1], value.range[1] - (before[value.range[1] - 1] === "\n" ? 1 : 0));
  const next = before.indexOf("\n", end);
  return before.slice(0, lineOf(before, key.range[0])) + (next < 0 ? "" : before.slice(next + 1));
}

/** The change by YAML's own writer; undefined where it cannot write what comes of it. */
function byWriter(before: string, setting: Setting, value: SettingValue | undefined): string | undefined {
  const { document, config } = read(before, setting.file);
  // A file that says `null` has no place for a key.
  if (!isMap(document.contents)) document.contents = null;
  const [pair] = pairsOf(config, setting);
  const name = pair && isScalar(pair.key) ? pair.key.value : newName(config, setting);
  for (const other of namesOf(setting)) if (value === undefined || other !== name) config?.delete(other);
  if (value !== undefined && config) config.set(name, value);
  else if (value !== undefined) document.set("config", { [String(name)]: value });
  return attempted(() => document.toString(STYLE));
}

/** What `work` makes; undefined where it cannot: there is an alias of what was taken out. */
function attempted<Made>(work: () => Made): Made | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

/** Whether the text after says what was asked, and all else that the text before said. */
function says(after: string, before: string, setting: Setting, value: SettingValue | undefined): boolean {
  const document = parse(after);
  if (document.errors.length > 0) return false;
  const now = attempted(() => contentOf(document, setting));
  if (now === undefined) return false;
  const then = contentOf(parse(before), setting);
  const wanted = typeof value === "number" && Number.isInteger(value) ? BigInt(value) : value;
  return isDeepStrictEqual(now.others, then.others) && isDeepStrictEqual(now.set, value === undefined ? [] : [wanted]);
}

interface Content {
  /** The setting's values: one for each way in which it is written. */
  readonly set: readonly unknown[];
  /** Everything else. No `config` and an empty one are the same. */
  readonly others: readonly unknown[];
}

function contentOf(document: Document, setting: Setting): Content {
  const all: unknown = document.toJS() ?? {};
  const { config, ...rest } = isRecord(all) ? all : { config: undefined };
  const settings = Object.entries(isRecord(config) ? config : {});
  const isIt = ([key]: readonly [string, unknown]) => namesOf(setting).includes(key);
  return {
    set: settings.filter(isIt).map(([, value]) => value),
    others: [rest, Object.fromEntries(settings.filter((entry) => !isIt(entry)))],
  };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
