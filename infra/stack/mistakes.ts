/** What is wrong with a stack's settings: every mistake at once, each with its key, its file and the fix. */
import * as v from "valibot";
import { sharedSettings, Settings as WorkerSettings } from "../../contract/settings.ts";
import { unknownPaths } from "../common/unknown.ts";
import { UserError } from "../common/user-error.ts";
import { contradictions, regionIds } from "./contradictions.ts";
import { leftFromOthers } from "./other-name.ts";
import { fileOf, overFile, type Placed } from "./placed.ts";
import { fullKey, LOCAL, OF_PULUMI, ownFile, splitKey, type Unread } from "./project.ts";
import { CONFIG_KEYS, SECRET_KEYS } from "./schema.ts";
import { inWords, type Wrong } from "./way-back.ts";
import { unfitProjectName } from "./worker-name.ts";

/** All that is wrong with a stack's config, in one error. */
export class SettingsError extends UserError {
  readonly problems: readonly string[];

  constructor(problems: readonly Problem[]) {
    const files = [...new Set(problems.map(({ file }) => file))];
    const lines = problems.map((one) => `  ${inWords(one)}`).join("\n");
    const where = files
      .join(" and ")
      .replace(/^./, (first) => (files[0] === ENVIRONMENT ? first.toUpperCase() : first));
    super(
      `${where} ${files.length === 1 ? "has" : "have"} ${problems.length} mistake${problems.length === 1 ? "" : "s"}:\n${lines}`,
    );
    this.problems = problems.map(inWords);
  }
}

/** In place of a file, where a variable has the setting. */
const ENVIRONMENT = "the environment";

/** Whose settings they are, where they stand, and which of them are in the environment. */
export interface Found extends Placed {
  /** The variables of the environment that have settings which no file has, by their keys. */
  readonly exported: ReadonlyMap<string, string>;
}

/** One mistake, and the file where it stands; without keys it is in no setting. */
export interface Problem extends Wrong {
  readonly file: string;
}

/** Settings that are looked at. */
interface Looked {
  /** Their values by key. */
  readonly given: Readonly<Record<string, unknown>>;
  /** What the schema says of them. */
  readonly result: v.SafeParseResult<v.GenericSchema>;
  /** What they were made of, by full key. */
  readonly config: Readonly<Record<string, string>>;
}

/** All that is wrong with settings. */
export function problemsOf(source: Found, { given, result, config }: Looked): readonly Problem[] {
  const elsewhere = ofAnotherName(source, config, result.issues ?? []);
  const regions = regionIds(given);
  return [
    ...elsewhere.problems,
    ...nameProblems(source.stack),
    ...(result.issues ?? [])
      .filter((issue) => !elsewhere.keys.has(v.getDotPath(issue) ?? ""))
      .map((issue) => problem(source, issue, regions)),
    ...unknownProblems(source, unknownPaths(given, result.output)),
    ...contradictions(source.stack, given).map(([key, message]) => sentence(source, key, message, regions)),
  ];
}

/**
 * Settings that stand beside `config:`, or below another spelling of it: Pulumi ignores them without a word. And those
 * that it reads otherwise than commands do, which would not know the versions of its program.
 */
export const unreadProblems = (unread: readonly Unread[]): readonly Problem[] =>
  unread.flatMap(({ file, line, key, what }) => {
    const about = { file, keys: [], subject: key };
    const at = `${file}:${line}: ${key}`;
    if (what !== undefined) {
      const fix = "put it in quotes where it is text, or write the number in plain digits.";
      return [{ ...about, message: `${at} is ${what}, without quotes, and Pulumi hands on something else.`, fix }];
    }
    if (key.toLowerCase() === "config") {
      return [{ ...about, message: `${at} is no key that Pulumi reads.`, fix: "move what is below it to `config`." }];
    }
    // Other keys may be there for what only YAML needs, such as an anchor.
    if (!CONFIG_KEYS.includes(key) && !key.includes(":")) return [];
    const fix = "move it under `config:`, as far in as the settings there, or take it out.";
    return [{ ...about, message: `${at} stands beside \`config:\`, where Pulumi does not read it.`, fix }];
  });

/** Settings under the name of another project; `keys` are those that may be missing because of that. */
function ofAnotherName(
  source: Placed,
  config: Readonly<Record<string, string>>,
  issues: readonly v.BaseIssue<unknown>[],
): { readonly keys: ReadonlySet<string>; readonly problems: readonly Problem[] } {
  const { project } = source;
  const found = leftFromOthers({
    project,
    keys: Object.keys(config).map((key) => splitKey(fullKey(project, key))),
    ours: CONFIG_KEYS,
    shared: Object.keys(sharedSettings),
    missing: new Set(issues.flatMap((issue) => (issue.received === "undefined" ? (v.getDotPath(issue) ?? []) : []))),
  });
  const problems = [...found].map(([other, keys]) => {
    const settings = keys.map((name) => `${other}:${name}`);
    const file = [...new Set(settings.map((key) => fileOf(source, key)))].join(" and ");
    return {
      file,
      keys,
      message: `${settings.join(", ")}: these belong to a project ${other}, and this one is ${project} (Pulumi.yaml).`,
      fix: `remove "${other}:" in front of them in ${file}.`,
    };
  });
  return { keys: new Set([...found.values()].flat()), problems };
}

/** What is wrong with the stack's name, which the Worker is told as its environment. */
function nameProblems(stack: string): readonly Problem[] {
  const { issues } = v.safeParse(WorkerSettings.entries.environment, stack);
  return (issues ?? []).map(({ message }) => ({
    file: ownFile(stack),
    keys: [],
    message: `the stack's name ${message} (it is "${stack}").`,
    fix: "pulumi stack init <another name>.",
  }));
}

function problem(source: Found, issue: v.BaseIssue<unknown>, regions: readonly string[]): Problem {
  const { project, stack } = source;
  const path = v.getDotPath(issue) ?? "";
  const key = keyOf(path);
  if (issue.received === "undefined") {
    const unfit = path === "workerName" ? unfitProjectName(project, stack) : undefined;
    return unfit === undefined
      ? sentence(source, path, "is missing", regions)
      : { file: ownFile(stack), keys: [key], ...unfit };
  }
  const shown = SECRET_KEYS.includes(key) || issue.received === "Object" || issue.received === "Array";
  return sentence(source, path, shown ? issue.message : `${issue.message} (it is ${issue.received})`, regions);
}

/** Where the project is called as Pulumi's own settings are, those look like unknown ones of its. */
function unknownProblems(source: Placed, paths: readonly string[]): readonly Problem[] {
  const { project } = source;
  if (!OF_PULUMI.has(project) || paths.length === 0) return paths.map((path) => unknown(source, path));
  const settings = paths.map((path) => `${project}:${path}`).join(", ");
  return [
    {
      file: "Pulumi.yaml",
      keys: [],
      message: `the project is called ${project}, as settings of Pulumi's own are, which cannot be told from its own: ${settings}.`,
      fix: "give the project another name (`name:` in Pulumi.yaml).",
    },
  ];
}

function unknown(source: Placed, path: string): Problem {
  const others = path.includes(".") ? "" : `; there are: ${CONFIG_KEYS.join(", ")}`;
  const key = keyOf(path);
  const over = overFile(source, key);
  return {
    file: fileOf(source, key),
    keys: [key],
    message: `${path} is not a setting.`,
    fix: `remove it${over === undefined ? "" : ` from ${over}`}, or correct its name${others}.`,
  };
}

function sentence(source: Found, path: string, message: string, regions: readonly string[]): Problem {
  const key = keyOf(path);
  const variable = source.exported.get(key);
  if (variable !== undefined) {
    const fix = `${EXPORT[key] ?? "export another"} as ${variable}.`;
    return { file: ENVIRONMENT, keys: [key], message: `${path}, which ${variable} has, ${message}.`, fix };
  }
  const file = fileOf(source, key);
  const own = overFile(source, key) === undefined ? FIXES[key]?.(source.stack) : undefined;
  const fix = own ?? FIXES_ANYWHERE[key]?.(file, regions) ?? `correct ${key} in ${file}`;
  return { file, keys: [key], message: `${path} ${message}.`, fix: `${fix}.` };
}

/** The setting that a path is in. */
const keyOf = (path: string): string => path.split(".")[0] ?? "";

/**
 * What to do when a key is missing or wrong that is to stand in the stack's own file. What is set over it, no change of
 * that one mends. Keys without a line here or below are corrected where they stand.
 */
const FIXES: Readonly<Record<string, (stack: string) => string>> = {
  accountId: (stack) => `${configSet(stack)} accountId <the account's id>, or export CLOUDFLARE_ACCOUNT_ID`,
  // By a pipe: what stands in a command line every user of the machine can read.
  adminToken: (stack) =>
    `openssl rand -hex 32 | ${configSet(stack)} --secret adminToken; or, where it is kept elsewhere, as a secret of CI is, export it as ADMIN_TOKEN: one in the stack's file goes before that`,
  adminTokenPrevious: (stack) =>
    `${configSet(stack)} --secret adminTokenPrevious (it asks for the token before), or remove it`,
  environmentPrefix: (stack) =>
    stack === LOCAL
      ? `set it in ${ownFile(stack)}, as in \`environmentPrefix: loc-\``
      : `${configSet(stack)} environmentPrefix <three letters and a hyphen>`,
  zoneId: (stack) =>
    stack === LOCAL
      ? `set it in ${ownFile(stack)} to a zone of the local account, which a look-up by name makes: curl -H "Authorization: Bearer $CLOUDFLARE_API_TOKEN" "$CLOUDFLARE_API_BASE_URL/zones?name=example.com" (eval "$(npm run -s account -- env)" sets both)`
      : `${configSet(stack)} zoneId <the zone's id>`,
};

/** The same, in whatever file the key stands; `regions` are the ids of the stack's. */
const FIXES_ANYWHERE: Readonly<Record<string, (file: string, regions: readonly string[]) => string>> = {
  homeRegion: (file, regions) =>
    `set it in ${file} to the id of one of the stack's regions${regions.length ? `: ${regions.join(", ")}` : ""}`,
};

/** What to do about a setting that the environment has. */
const EXPORT: Readonly<Record<string, string>> = {
  accountId: "export the account's id",
  adminToken: "export one that `openssl rand -hex 32` makes",
  adminTokenPrevious: "export the token before",
};

const configSet = (stack: string) => `pulumi config set --stack ${stack}`;
