/**
 * A stack's settings: one schema for all of Pulumi.<stack>.yaml, every mistake at once, each with its key and the fix.
 * What the Worker is told too is in contract/settings.ts. Pulumi.yaml declares the same keys for `pulumi new` and
 * `pulumi config`; a test holds the two together.
 */
import { join } from "node:path";
import * as v from "valibot";
import { EnvironmentPrefix, Region, RegionName } from "../../contract/regions.ts";
import { sharedSettings, Settings as WorkerSettings } from "../../contract/settings.ts";
import { slug, whole, yesOrNo } from "../../contract/values.ts";
import { ROOT } from "../release/root.ts";
import { Analysis, DEFAULT_STEPS, Steps } from "../rollout/steps.ts";
import { idProblems } from "./ids.ts";
import { leftFromOthers } from "./other-name.ts";
import { fullKey, LOCAL, OF_PULUMI, type Project } from "./project.ts";
import { unknownPaths } from "./unknown.ts";
import { UserError } from "./user-error.ts";
import { doesWithout, inWords, type Way, type Wrong, wayOf } from "./way-back.ts";
import { defaultWorkerName, unfitProjectName, WorkerName } from "./worker-name.ts";

const hexId = v.pipe(v.string("must be text"), v.regex(/^[0-9a-f]{32}$/, "must be 32 lower-case hex digits"));
/** A host name of a zone. */
export const Hostname = v.pipe(
  v.string("must be text"),
  v.regex(
    /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$/,
    "must be a host name like api.example.com",
  ),
);

/** The regions of a stack whose file names none, as after `pulumi new`. */
const DEFAULT_REGIONS: v.InferInput<typeof Region>[] = [
  { id: "eu", prefix: "eu", locationHint: "weur", continents: ["EU", "AF"] },
  { id: "us", prefix: "us", locationHint: "enam", continents: ["NA", "SA"] },
  { id: "ap", prefix: "ap", locationHint: "apac", continents: ["AS", "OC", "AN"] },
];

const MIN_LENGTH = 24;
/** Fewer than a random token has: 24 hex digits have under 8 different ones once in about 200 million. */
const MIN_DIFFERENT = 8;

/** What a caller can show as `Authorization: Bearer` (RFC 6750, 2.1), and nobody tries out. */
const adminToken = v.pipe(
  v.string("must be text"),
  v.minLength(MIN_LENGTH, `must have at least ${MIN_LENGTH} characters`),
  v.maxLength(512, "must have at most 512 characters"),
  v.regex(/^[\w.~+/-]+=*$/, "must be of A-Z a-z 0-9 - . _ ~ + / with = only at its end, or no caller can show it"),
  v.check(
    (token) => token.length < MIN_LENGTH || new Set(token).size >= MIN_DIFFERENT,
    `must have at least ${MIN_DIFFERENT} different characters: it is too easy to guess`,
  ),
);

/** Why a Worker does not take an admin token, in words; undefined: it does. The token is not among them. */
export function adminTokenProblem(token: string): string | undefined {
  const { issues } = v.safeParse(adminToken, token);
  return issues?.[0].message;
}

/** A release for which a guard is lifted, or all of them. */
const allowedRelease = v.pipe(
  v.string("must be text"),
  v.regex(/^(any|[0-9a-f]{12,64})$/, "must be the first 12 digits of a release's digest, in quotes, or any"),
);

/** Every key of a stack's config, without the project's name in front. */
const Schema = v.object({
  accountId: hexId,
  workerName: WorkerName,
  adminToken,
  /** The token before, which is accepted too while callers change over (docs/rotate.md). */
  adminTokenPrevious: v.optional(adminToken),
  protect: v.optional(yesOrNo, true),
  release: v.optional(v.pipe(v.string("must be text"), v.nonEmpty("must name a folder")), "dist/release"),
  promotesFrom: v.optional(slug(100)),
  /** How long that stack must have served a release before `npm run promote` takes it. */
  soakMinutes: v.optional(whole(0, 10_080), 0),
  promotionOverride: v.optional(
    v.pipe(
      v.string("must be text"),
      v.regex(/^[0-9a-f]{12} [\x20-\x7e]{3,500}$/, "must be the first 12 digits of a release's digest, then why"),
    ),
  ),
  rollout: v.optional(whole(0, 100), 100),
  rolloutTrial: v.optional(yesOrNo, false),
  rolloutSteps: v.optional(Steps, [...DEFAULT_STEPS]),
  rolloutAnalysis: v.optional(Analysis, {}),
  refusedReleases: v.optional(
    v.pipe(
      v.string("must be text"),
      v.regex(
        /^[0-9a-f]{12}( [0-9a-f]{12})*$/,
        "must be the first 12 digits of releases' digests, with a space between them",
      ),
    ),
  ),
  pin: v.optional(whole(0, 1_000_000), 0),
  allowDestroy: v.optional(v.array(v.string("must be a class name"), "must be a list of class names"), []),
  allowTransferLoss: v.optional(v.array(v.string("must be a class name"), "must be a list of class names"), []),
  allowRegionLoss: v.optional(v.array(v.string("must be a prefix like prd-eu"), "must be a list of prefixes"), []),
  allowOlderRelease: v.optional(allowedRelease),
  allowDirtyRelease: v.optional(allowedRelease),
  allowRefusedRelease: v.optional(allowedRelease),
  adopt: v.optional(yesOrNo, false),
  allowDrop: v.optional(v.array(v.string("must be a binding's name"), "must be a list of names"), []),
  /** Values of variables of wrangler.jsonc in this stack. */
  vars: v.optional(v.record(v.string(), v.unknown()), {}),
  /** What bindings of wrangler.jsonc lead to in this stack: an id of KV or D1, the name of a bucket, Worker or queue. */
  bind: v.optional(v.record(v.string(), v.pipe(v.string("must be text"), v.nonEmpty("must not be empty"))), {}),
  zoneId: v.optional(hexId),
  hostname: v.optional(Hostname),
  routes: v.optional(
    v.array(
      v.pipe(
        v.string("must be a route pattern"),
        v.regex(/^[^/\s]+\/?\S*$/, "must be a route pattern like example.com/api/*"),
      ),
    ),
    [],
  ),
  environmentPrefix: EnvironmentPrefix,
  homeRegion: RegionName,
  regions: v.pipe(v.array(Region, "must be a list of regions"), v.nonEmpty("must have at least one region")),
  ...sharedSettings,
});

/** The keys of a stack's config, as Pulumi.yaml must declare them. */
export const CONFIG_KEYS: readonly string[] = Object.keys(Schema.entries);

/** Keys whose values are secret: what a command cannot read, and does not need. */
const SECRET = ["adminToken", "adminTokenPrevious"] as const;
export const SECRET_KEYS: readonly string[] = SECRET;

/** The same without what only the Pulumi CLI can decrypt: what a command can know of a stack. */
const PublicSchema = v.omit(Schema, SECRET);

/** Whose settings they are. */
export interface Owner {
  /** The project's name (Pulumi.yaml), which is the namespace of its config keys. */
  readonly project: string;
  /** The stack's name, which is also its environment's. */
  readonly stack: string;
}
/** What is known of settings beside their values. */
interface About extends Owner {
  /** Mistakes that the way back passes over; on any other way there are none. */
  readonly wrong: readonly Wrong[];
  readonly setOver: SetOver;
}
export type Settings = v.InferOutput<typeof Schema> & About;
export type PublicSettings = v.InferOutput<typeof PublicSchema> & About;

/**
 * What to do when a key is missing or wrong that is to stand in the stack's own file. What is set over it, no change of
 * that one mends. Keys without a line here or below are corrected where they stand.
 */
const FIXES: Readonly<Record<string, (stack: string) => string>> = {
  accountId: (stack) => `${configSet(stack)} accountId <the account's id>, or export CLOUDFLARE_ACCOUNT_ID`,
  adminToken: (stack) => `${configSet(stack)} --secret adminToken "$(openssl rand -hex 32)"`,
  adminTokenPrevious: (stack) => `${configSet(stack)} --secret adminTokenPrevious <the token before>, or remove it`,
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

/** The stack's own file. */
const ownFile = (stack: string): string => `Pulumi.${stack}.yaml`;

const configSet = (stack: string) => `pulumi config set --stack ${stack}`;

/** All that is wrong with a stack's config, in one error. */
export class SettingsError extends UserError {
  readonly problems: readonly string[];

  constructor(problems: readonly Problem[]) {
    const files = [...new Set(problems.map(({ file }) => file))];
    const lines = problems.map((one) => `  ${inWords(one)}`).join("\n");
    super(
      `${files.join(" and ")} ${files.length === 1 ? "has" : "have"} ${problems.length} mistake${problems.length === 1 ? "" : "s"}:\n${lines}`,
    );
    this.problems = problems.map(inWords);
  }
}

/** One mistake, and the file where it stands; without keys it is in no setting. */
interface Problem extends Wrong {
  readonly file: string;
}

/** Files over the stack's own, by the full keys whose values stand there (project.ts). */
type SetOver = Project["setOver"];

/** Whose settings are looked at. */
interface Source extends Placed {
  /** How the traffic goes back, where they are looked at for that. */
  readonly way: Way | undefined;
}

/** Whose settings they are, and where they stand. */
export interface Placed extends Owner {
  readonly setOver: SetOver;
}

/** The file over the stack's own in which the project's `key` is set; undefined: it is in none. */
const overFile = ({ project, setOver }: Placed, key: string): string | undefined => setOver.get(fullKey(project, key));

/** The file in which the project's `key` is set, or is to be set. */
export const fileOf = (source: Placed, key: string): string => overFile(source, key) ?? ownFile(source.stack);

/** A variable by which the program learns what does not stand in the stack's own file, which it cannot see by itself. */
const SET_OVER = "DURABLE_STACK_SET_OVER";
const Files = v.pipe(v.string(), v.parseJson(), v.record(v.string(), v.string()));

/** What tells the program so. */
export const setOverVariable = (setOver: SetOver): Readonly<Record<string, string>> => ({
  [SET_OVER]: JSON.stringify(Object.fromEntries(setOver)),
});

function toldSetOver(env: Readonly<Record<string, string | undefined>>): SetOver {
  const told = v.safeParse(Files, env[SET_OVER]);
  return new Map(told.success ? Object.entries(told.output) : []);
}

/**
 * A stack's settings from its config (`<project>:<key>` to text; lists, objects, numbers and booleans as JSON).
 * `env` fills in what is not set: CLOUDFLARE_ACCOUNT_ID, ADMIN_TOKEN, ADMIN_TOKEN_PREVIOUS.
 * @throws SettingsError with every mistake; settings that send the traffic back pass over those that they do without.
 */
export function parseSettings(
  owner: Owner,
  config: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>> = {},
): Settings {
  const given = givenBy(owner, config, env);
  const secrets = {
    ...(env.ADMIN_TOKEN && { adminToken: env.ADMIN_TOKEN }),
    ...(env.ADMIN_TOKEN_PREVIOUS && { adminTokenPrevious: env.ADMIN_TOKEN_PREVIOUS }),
  };
  return checked(Schema, { ...owner, setOver: toldSetOver(env), way: wayOf(given) }, { ...secrets, ...given }, config);
}

/**
 * As `parseSettings`, without the secret ones, which may be encrypted or missing. `setOver`: what does not stand in the
 * stack's own file; `way`: how the traffic goes back, where the settings are looked at for that; `as set`: as
 * they themselves say, as to the program.
 * @throws SettingsError with every mistake that the way does not do without.
 */
export function parsePublicSettings(
  owner: Owner,
  config: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>> = {},
  { setOver = new Map(), way }: { readonly setOver?: SetOver; readonly way?: Way | "as set" | undefined } = {},
): PublicSettings {
  const { adminToken: _, adminTokenPrevious: __, ...given } = givenBy(owner, config, env);
  return checked(PublicSchema, { ...owner, setOver, way: way === "as set" ? wayOf(given) : way }, given, config);
}

function givenBy(
  { project, stack }: Owner,
  config: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, unknown> {
  const given: Record<string, unknown> = { regions: DEFAULT_REGIONS };
  if (unfitProjectName(project, stack) === undefined) given.workerName = defaultWorkerName(project, stack);
  if (env.CLOUDFLARE_ACCOUNT_ID) given.accountId = env.CLOUDFLARE_ACCOUNT_ID;
  for (const [key, text] of Object.entries(config)) {
    const [namespace, name] = splitKey(fullKey(project, key));
    // Pulumi.yaml gives every key a default, and empty text is: not set.
    if (namespace === project && text !== "") given[name] = TEXT_KEYS.has(name) ? text : jsonOrText(text);
  }
  return given;
}

function checked<Output>(
  schema: v.GenericSchema<unknown, Output>,
  source: Source,
  given: Readonly<Record<string, unknown>>,
  config: Readonly<Record<string, string>>,
): Output & About {
  const { project, stack, setOver, way } = source;
  const problems = problemsOf(schema, source, given, config);
  const isStopped = problems.some(({ keys }) => way === undefined || !isPassedOver(way, keys));
  if (isStopped) throw new SettingsError(problems);
  const passedOver = new Set(problems.flatMap(({ keys }) => keys));
  const rest = Object.fromEntries(Object.entries(given).filter(([key]) => !passedOver.has(key)));
  return {
    ...v.parse(schema, rest),
    project,
    stack,
    setOver,
    wrong: problems,
  };
}

/** Whether a way back does without all these settings; one that is unknown nobody needs. */
const isPassedOver = (way: Way, keys: readonly string[]): boolean =>
  keys.length > 0 && keys.every((key) => doesWithout(way, key) || !CONFIG_KEYS.includes(key));

function problemsOf(
  schema: v.GenericSchema,
  source: Source,
  given: Readonly<Record<string, unknown>>,
  config: Readonly<Record<string, string>>,
): readonly Problem[] {
  const result = v.safeParse(schema, given);
  const elsewhere = ofAnotherName(source, config, result.issues ?? []);
  const regions = regionIds(v.parse(Related, given));
  return [
    ...elsewhere.problems,
    ...nameProblems(source.stack),
    ...(result.issues ?? [])
      .filter((issue) => !elsewhere.keys.has(v.getDotPath(issue) ?? ""))
      .map((issue) => problem(source, issue, regions)),
    ...unknownProblems(source, unknownPaths(given, result.output)),
    ...contradictions(given).map(([key, message]) => sentence(source, key, message, regions)),
  ];
}

/** Settings under the name of another project; `keys` are those that may be missing because of that. */
function ofAnotherName(
  source: Source,
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

/** Keys whose value is text even where it looks like a number: an id of digits only, say. */
const TEXT_KEYS: ReadonlySet<string> = new Set([
  "accountId",
  "zoneId",
  "workerName",
  ...SECRET,
  "release",
  "promotesFrom",
  "allowOlderRelease",
  "allowDirtyRelease",
  "allowRefusedRelease",
  "refusedReleases",
  "promotionOverride",
  "hostname",
  "environmentPrefix",
  "homeRegion",
]);

function splitKey(key: string): readonly [namespace: string, name: string] {
  const colon = key.indexOf(":");
  return [key.slice(0, colon), key.slice(colon + 1)];
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function problem(source: Source, issue: v.BaseIssue<unknown>, regions: readonly string[]): Problem {
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
function unknownProblems(source: Source, paths: readonly string[]): readonly Problem[] {
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

function unknown(source: Source, path: string): Problem {
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

function sentence(source: Source, path: string, message: string, regions: readonly string[]): Problem {
  const key = keyOf(path);
  const file = fileOf(source, key);
  const own = overFile(source, key) === undefined ? FIXES[key]?.(source.stack) : undefined;
  const fix = own ?? FIXES_ANYWHERE[key]?.(file, regions) ?? `correct ${key} in ${file}`;
  return { file, keys: [key], message: `${path} ${message}.`, fix: `${fix}.` };
}

/** The setting that a path is in. */
const keyOf = (path: string): string => path.split(".")[0] ?? "";

/** As much of the config as the contradictions are about, whatever else is wrong with it. */
const Related = v.object({
  homeRegion: v.fallback(v.optional(v.string()), undefined),
  regions: v.fallback(v.array(v.object({ id: v.fallback(v.string(), ""), prefix: v.fallback(v.string(), "") })), []),
  protect: v.fallback(v.optional(v.boolean()), undefined),
  access: v.optional(v.unknown()),
  demoLogin: v.optional(v.unknown()),
  zoneId: v.optional(v.unknown()),
  hostname: v.optional(v.unknown()),
  routes: v.fallback(v.array(v.unknown()), []),
});

/** The ids of the regions that have one. */
const regionIds = ({ regions }: v.InferOutput<typeof Related>): readonly string[] =>
  regions.flatMap(({ id }) => (id === "" ? [] : id));

/** Settings that are right each by itself but not together: the key and what is wrong. */
function contradictions(
  given: Readonly<Record<string, unknown>>,
): readonly (readonly [key: string, message: string])[] {
  const { homeRegion, regions, zoneId, hostname, routes, ...related } = v.parse(Related, given);
  const found: (readonly [string, string])[] = [];
  if (related.protect !== false) {
    if (related.access === "open") found.push(["access", "is open, which only a stack with protect: false may be"]);
    if (related.demoLogin === true) found.push(["demoLogin", "is on, which only a stack with protect: false may have"]);
  }
  const ids = regions.map(({ id }) => id);
  if (homeRegion !== undefined && ids.length && !ids.includes(homeRegion)) {
    found.push(["homeRegion", `must be the id of one of the regions, ${ids.join(", ")} (it is "${homeRegion}")`]);
  }
  if (homeRegion !== undefined) found.push(...idProblems(given, homeRegion, ids));
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice !== undefined) found.push(["regions", `have the id "${twice}" twice`]);
  const prefixes = regions.map(({ prefix }) => prefix).filter((prefix) => prefix !== "");
  const clash = ambiguous(prefixes);
  if (clash)
    found.push([
      "regions",
      `have the prefixes "${clash.join('" and "')}": one begins with the other, so that names made of them can be mistaken for each other`,
    ]);
  if (zoneId === undefined && (hostname !== undefined || routes.length)) {
    found.push(["zoneId", "is needed, because the stack has a hostname or routes"]);
  }
  return found;
}

/** Two of `prefixes` of which one begins with the other, or undefined. */
function ambiguous(prefixes: readonly string[]): readonly [string, string] | undefined {
  for (const [i, one] of prefixes.entries()) {
    const other = prefixes.find((candidate, j) => i !== j && candidate.startsWith(one));
    if (other !== undefined) return [one, other];
  }
  return undefined;
}

/** The folder of the stack's release. */
export const releaseDir = ({ release }: PublicSettings): string => join(ROOT, release);
