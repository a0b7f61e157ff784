/** Pulumi.yaml and the stacks' files, read without the Pulumi CLI: the program's folder and a stack's config. */

import { readdirSync } from "node:fs";
import { isAbsolute, join, relative, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import { issueLines } from "../common/issues.ts";
import { readIfThere, readNamed } from "../common/named-file.ts";
import { UserError } from "../common/user-error.ts";
import { linesOfKeys, parseYaml, readYaml } from "../common/yaml-file.ts";
import { ROOT } from "../release/root.ts";
import { type ReadOtherwise, readOtherwiseIn } from "./read-otherwise.ts";

/** The stack whose account is on this machine. */
export const LOCAL = "local";

/** Namespaces of settings that are Pulumi's, and of the provider that the program uses. */
export const OF_PULUMI: ReadonlySet<string> = new Set(["pulumi", "cloudflare"]);

const Declared = v.object({ default: v.optional(v.unknown()), secret: v.optional(v.boolean()) });
const NO_MAP = "must be a map, with a line `key: value` for each setting";
/** A list is an object too, with numbers as its keys. */
const Config = v.pipe(
  v.unknown(),
  v.check((given) => !Array.isArray(given), NO_MAP),
  v.record(v.string(), v.unknown(), NO_MAP),
);
const NO_FILE = "must be a map, with keys such as `config:`";
const Project = v.object(
  {
    /** A name of digits alone is a number to YAML. */
    name: v.pipe(v.union([v.string(), v.number()], "must be text"), v.transform(String)),
    main: v.optional(v.string("must be text"), "."),
    config: v.optional(Config, {}),
  },
  (issue) => (v.getDotPath(issue) === null ? NO_FILE : "is missing"),
);
const Stack = v.object(
  {
    config: v.nullish(Config),
    /** What the CLI makes the key of the stack's secrets with, beside the passphrase. */
    encryptionsalt: v.optional(v.string("must be text")),
    /** What of Pulumi ESC it takes settings from, which are not read here. */
    environment: v.optional(v.unknown()),
  },
  NO_FILE,
);
/** All keys of a stack's file that Pulumi reads (`ProjectStack` of the CLI's workspace package). It ignores any other. */
const READ_BY_PULUMI: ReadonlySet<string> = new Set([
  "config",
  "encryptedkey",
  "encryptionsalt",
  "environment",
  "secretsprovider",
]);
const Encrypted = v.strictObject({ secure: v.string() });

export interface Project {
  readonly name: string;
  /** The program's folder. */
  readonly folder: string;
  /** By full key (`project:key`); values that are not text are JSON, as the engine hands them to a program. */
  readonly config: Readonly<Record<string, string>>;
  /** Keys that Pulumi.yaml declares as secret. */
  readonly secretKeys: readonly string[];
  /** Keys whose values are encrypted, and so not in `config`: only the Pulumi CLI can read them. */
  readonly encryptedKeys: readonly string[];
  /** Keys of the stack's file, as they are written there, that the file over it has with another value. */
  readonly overriddenKeys: readonly string[];
  /** The file over the stack's own by the full keys whose values stand there, seen from the project. */
  readonly setOver: ReadonlyMap<string, string>;
  /** What stands in either file and Pulumi does not read as it stands there. */
  readonly unread: readonly Unread[];
}

/** A key beside a stack's `config`, which Pulumi ignores, or a value there that it reads otherwise. */
export interface Unread {
  /** Seen from the project. */
  readonly file: string;
  readonly line: number;
  readonly key: string;
  /** What the value is; undefined for a key that Pulumi ignores. */
  readonly what?: string;
}

export interface StackFile {
  /** Keys as they are written, with the project's name in front or without; values as YAML has them. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly encryptionsalt?: string | undefined;
  readonly environment?: unknown;
  /** The keys beside these that Pulumi ignores, with their lines. */
  readonly ignored: ReadonlyMap<string, number>;
  /** What of the config it reads otherwise. */
  readonly otherwise: readonly ReadOtherwise[];
}

/** The project's name, which stands in Pulumi.yaml and nowhere else. @throws Error naming what is wrong with that file. */
export const projectName = (root = ROOT): string => read(join(root, "Pulumi.yaml"), Project).name;

/** `key` with its namespace in front: one without is the project's own, in a stack's file as at Pulumi's command line. */
export const fullKey = (project: string, key: string): string => (key.includes(":") ? key : `${project}:${key}`);

/** The namespace of a full key, and its name there. */
export function splitKey(key: string): readonly [namespace: string, name: string] {
  const colon = key.indexOf(":");
  return [key.slice(0, colon), key.slice(colon + 1)];
}

/** The stacks that have a file in `root`, by name. */
export const stackNames = (root: string): readonly string[] =>
  readdirSync(root)
    .flatMap((file) => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1] ?? [])
    .sort();

/** The stack's own file. */
export const ownFile = (stack: string): string => `Pulumi.${stack}.yaml`;

/** Whether Pulumi takes a stack of this name. */
const isStackName = (name: string): boolean => /^[\w.-]{1,100}$/.test(name);

/** Why there is no such stack in `root`, in a sentence; undefined where it has a file. */
export function missingStack(name: string, root: string): string | undefined {
  const names = stackNames(root);
  if (names.includes(name)) return undefined;
  const stacks = `Stacks: ${names.join(", ") || "none"}.`;
  if (name.startsWith("-")) return `${JSON.stringify(name)} is an option, and no stack's name: name one. ${stacks}`;
  if (isStackName(name)) return `There is no ${ownFile(name)}. ${stacks}`;
  const shown = JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}…` : name);
  return `${shown} cannot be the name of a stack: it must be 1 to 100 letters, digits, -, _ and dots. ${stacks}`;
}

/** As `missingStack`, with what to do about it. The stack local comes with the project, and needs no Pulumi CLI. */
export function absentStack(name: string, root: string): string | undefined {
  const missing = missingStack(name, root);
  if (missing === undefined || !isStackName(name) || name.startsWith("-")) return missing;
  const how =
    name === LOCAL
      ? `Bring it back with \`git checkout -- ${ownFile(LOCAL)}\`, or copy it from the template.`
      : `Make one with \`pulumi stack init ${name}\`.`;
  return `${missing} ${how}`;
}

/** @throws UserError where the project has no file of the stack local: all that is to say of its settings. */
export function wantLocal(): void {
  const absent = absentStack(LOCAL, ROOT);
  if (absent !== undefined) throw new UserError(absent);
}

/**
 * The project in `root` with the config of `stack`, and over it that of the file `over` where there is one.
 * @throws Error naming the file and what is wrong with it.
 */
export function readProject(root: string, stack: string, over?: string): Project {
  const project = read(join(root, "Pulumi.yaml"), Project);
  const file = join(root, ownFile(stack));
  const below = readStackFile(file);
  const on = over === undefined || resolve(over) === resolve(file) ? NOTHING : readStackFile(over);
  const [own, there] = [below.config, on.config];
  const set = { ...own, ...there };
  const full = (key: string) => fullKey(project.name, key);
  const above = new Map(Object.entries(there).map(([key, value]) => [full(key), value]));
  const overriddenKeys = Object.keys(own).filter(
    (key) => above.has(full(key)) && !isDeepStrictEqual(above.get(full(key)), own[key]),
  );

  const config: Record<string, string> = {};
  const secretKeys: string[] = [];
  const encryptedKeys: string[] = [];
  for (const [key, declared] of Object.entries(project.config)) {
    const typed = v.is(Declared, declared) ? declared : { default: declared };
    if (typed.secret) secretKeys.push(full(key));
    if (typed.default !== undefined) config[full(key)] = asText(typed.default);
  }
  for (const [key, value] of Object.entries(set)) {
    if (v.is(Encrypted, value)) {
      encryptedKeys.push(full(key));
      continue;
    }
    config[full(key)] = asText(value);
  }
  const folder = resolve(root, project.main);
  const setOver = new Map([...above.keys()].map((key) => [key, seenFrom(root, over ?? "")]));
  const unread = [...unreadOf(below, ownFile(stack)), ...unreadOf(on, seenFrom(root, over ?? ""))];
  return { name: project.name, folder, config, secretKeys, encryptedKeys, overriddenKeys, setOver, unread };
}

/** What Pulumi does not read of a stack's own file as it stands there. @throws UserError naming what is wrong with that file. */
export const unreadIn = (stack: string, root = ROOT): readonly Unread[] =>
  unreadOf(readStackFile(join(root, ownFile(stack))), ownFile(stack));

const unreadOf = ({ ignored, otherwise }: StackFile, file: string): readonly Unread[] => [
  ...Array.from(ignored, ([key, line]) => ({ file, line, key })),
  ...otherwise.map(({ line, path, what }) => ({ file, line, key: path, what })),
];

/** A file as a person in `root` names it. */
function seenFrom(root: string, file: string): string {
  const near = relative(root, file);
  return near.startsWith("..") || isAbsolute(near) ? file : near;
}

const NOTHING: StackFile = { config: {}, ignored: new Map(), otherwise: [] };

/** A stack's file as it is; one that does not exist says nothing. @throws UserError naming what is wrong with it. */
export function readStackFile(file: string): StackFile {
  const text = readIfThere(file);
  if (text === undefined) return NOTHING;
  const yaml = parseYaml(file, text);
  const { config, ...rest } = checked(file, yaml.contents, Stack);
  const ignored = new Map([...linesOfKeys(yaml)].filter(([key]) => !READ_BY_PULUMI.has(key)));
  return { ...rest, config: config ?? {}, ignored, otherwise: readOtherwiseIn(yaml) };
}

/** The keys whose values only the CLI can read. */
export const encryptedIn = (config: Readonly<Record<string, unknown>>): readonly string[] =>
  Object.keys(config).filter((key) => v.is(Encrypted, config[key]));

/**
 * A value as the Pulumi CLI hands it to a program: text as it is, nothing as empty text, all else as JSON with the keys
 * of every object in order. A version's tag is made of settings, so a program and a command must be given the same.
 */
function asText(value: unknown): string {
  if (typeof value === "string") return value;
  return value === null ? "" : JSON.stringify(inOrder(value));
}

/** By code points, as Go's JSON orders keys; `canonical` compares UTF-16, and the digests of releases are made by that. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== "object" || value === null) return value;
  const sorted = Object.entries(value).map(([key, member]) => [key, inOrder(member), Buffer.from(key)] as const);
  sorted.sort(([, , a], [, , b]) => Buffer.compare(a, b));
  return Object.fromEntries(sorted);
}

const read = <Schema extends v.GenericSchema>(path: string, schema: Schema): v.InferOutput<Schema> =>
  checked(path, readYaml(path, readNamed(path)), schema);

/** What a file says. Nothing of it is repeated where it is wrong: it may have a secret. */
function checked<Schema extends v.GenericSchema>(
  path: string,
  contents: unknown,
  schema: Schema,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, contents ?? {});
  if (result.success) return result.output;
  throw new UserError(`${path} is not what Pulumi takes: ${issueLines(result.issues).join("; ")}`);
}
