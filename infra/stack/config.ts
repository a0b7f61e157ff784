/**
 * A stack's settings: one schema for all of Pulumi.<stack>.yaml, every mistake at once, each with its key and the fix.
 * What the Worker is told too is in contract/settings.ts. Pulumi.yaml declares the same keys for `pulumi new` and
 * `pulumi config`; a test holds the two together.
 */
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import * as v from "valibot";
import { EnvironmentPrefix, Region, RegionName } from "../../contract/regions.ts";
import { sharedSettings, Settings as WorkerSettings } from "../../contract/settings.ts";
import { slug, whole, yesOrNo } from "../../contract/values.ts";
import { ROOT } from "../release/root.ts";
import { configKey, projectName } from "./project-name.ts";
import { unknownPaths } from "./unknown.ts";

const hexId = v.pipe(v.string("must be text"), v.regex(/^[0-9a-f]{32}$/, "must be 32 lower-case hex digits"));
const hostname = v.pipe(
  v.string("must be text"),
  v.regex(
    /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$/,
    "must be a host name like api.example.com",
  ),
);

/** The regions of a stack whose file names none, as after `pulumi new`. */
const DEFAULT_REGIONS = [
  { id: "eu", prefix: "eu", locationHint: "weur", continents: ["EU", "AF"] },
  { id: "us", prefix: "us", locationHint: "enam", continents: ["NA", "SA"] },
  { id: "ap", prefix: "ap", locationHint: "apac", continents: ["AS", "OC", "AN"] },
];

/** Every key of a stack's config, without the project's name in front. */
const Schema = v.object({
  accountId: hexId,
  workerName: slug(54),
  adminToken: v.pipe(
    v.string("must be text"),
    v.minLength(24, "must have at least 24 characters"),
    v.maxLength(512, "must have at most 512 characters"),
  ),
  protect: v.optional(yesOrNo, true),
  release: v.optional(v.pipe(v.string("must be text"), v.nonEmpty("must name a folder")), "dist/release"),
  promotesFrom: v.optional(slug(100)),
  rollout: v.optional(whole(0, 100), 100),
  pin: v.optional(whole(0, 1_000_000), 0),
  allowDestroy: v.optional(v.array(v.string("must be a class name"), "must be a list of class names"), []),
  allowRegionLoss: v.optional(v.array(v.string("must be a prefix like prd-eu"), "must be a list of prefixes"), []),
  adopt: v.optional(yesOrNo, false),
  zoneId: v.optional(hexId),
  hostname: v.optional(hostname),
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

/** The same without what only the Pulumi CLI can decrypt: what a command can know of a stack. */
const PublicSchema = v.omit(Schema, ["adminToken"]);

interface Named {
  /** The stack's name, which is also its environment's. */
  readonly stack: string;
}
export type Settings = v.InferOutput<typeof Schema> & Named;
export type PublicSettings = v.InferOutput<typeof PublicSchema> & Named;

/** What to run when a key is missing or wrong. Keys without a line of their own are set in the stack's file. */
const FIXES: Readonly<Record<string, string>> = {
  accountId: "pulumi config set accountId <the account's id>, or export CLOUDFLARE_ACCOUNT_ID",
  adminToken: 'pulumi config set --secret adminToken "$(openssl rand -hex 32)"',
  workerName: `pulumi config set workerName ${projectName}-<stack>`,
  environmentPrefix: "pulumi config set environmentPrefix <three letters and a hyphen>",
  zoneId: "pulumi config set zoneId <the zone's id>",
};

/** All that is wrong with a stack's config, in one error. */
export class SettingsError extends pulumi.RunError {
  readonly problems: readonly string[];

  constructor(stack: string, problems: readonly string[]) {
    super(
      `Pulumi.${stack}.yaml has ${problems.length} mistake${problems.length === 1 ? "" : "s"}:\n${problems.map((line) => `  ${line}`).join("\n")}`,
    );
    this.problems = problems;
  }
}

/**
 * A stack's settings from its config (`<project>:<key>` to text; lists, objects, numbers and booleans as JSON).
 * `env` fills in what is not set: CLOUDFLARE_ACCOUNT_ID, ADMIN_TOKEN.
 * @throws SettingsError with every mistake.
 */
export function parseSettings(
  stack: string,
  config: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>> = {},
): Settings {
  const given = givenBy(stack, config, env);
  return { ...checked(Schema, stack, env.ADMIN_TOKEN ? { adminToken: env.ADMIN_TOKEN, ...given } : given), stack };
}

/**
 * As `parseSettings`, without the admin token, which may be encrypted or missing.
 * @throws SettingsError with every mistake.
 */
export function parsePublicSettings(
  stack: string,
  config: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>> = {},
): PublicSettings {
  const { adminToken: _, ...given } = givenBy(stack, config, env);
  return { ...checked(PublicSchema, stack, given), stack };
}

function givenBy(
  stack: string,
  config: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, unknown> {
  const given: Record<string, unknown> = { workerName: `${projectName}-${stack}`, regions: DEFAULT_REGIONS };
  if (env.CLOUDFLARE_ACCOUNT_ID) given.accountId = env.CLOUDFLARE_ACCOUNT_ID;
  for (const [key, text] of Object.entries(config)) {
    const [namespace, name] = splitKey(key);
    // Pulumi.yaml gives every key a default, and empty text is: not set.
    if (namespace === projectName && text !== "") given[name] = TEXT_KEYS.has(name) ? text : jsonOrText(text);
  }
  return given;
}

function checked<Output>(
  schema: v.GenericSchema<unknown, Output>,
  stack: string,
  given: Readonly<Record<string, unknown>>,
): Output {
  const result = v.safeParse(schema, given);
  const problems = [
    ...nameProblems(stack),
    ...(result.issues ?? []).map((issue) => problem(stack, issue)),
    ...unknownPaths(given, result.output).map(unknown),
    ...contradictions(given).map(([key, message]) => sentence(stack, key, message)),
  ];
  if (!result.success || problems.length) throw new SettingsError(stack, problems);
  return result.output;
}

/** What is wrong with the stack's name, which the Worker is told as its environment. */
function nameProblems(stack: string): readonly string[] {
  const { issues } = v.safeParse(WorkerSettings.entries.environment, stack);
  return (issues ?? []).map(
    ({ message }) => `the stack's name ${message} (it is "${stack}"). Fix: pulumi stack init <another name>.`,
  );
}

/** Keys whose value is text even where it looks like a number: an id of digits only, say. */
const TEXT_KEYS: ReadonlySet<string> = new Set([
  "accountId",
  "zoneId",
  "workerName",
  "adminToken",
  "release",
  "promotesFrom",
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

function problem(stack: string, issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue) ?? "";
  const [key] = path.split(".");
  if (issue.received === "undefined") return sentence(stack, path, "is missing");
  const shown = key === "adminToken" || issue.received === "Object" || issue.received === "Array";
  return sentence(stack, path, shown ? issue.message : `${issue.message} (it is ${issue.received})`);
}

function unknown(path: string): string {
  const others = path.includes(".") ? "" : `; there are: ${CONFIG_KEYS.join(", ")}`;
  return `${configKey(path)} is not a setting. Fix: take it away, or correct its name${others}.`;
}

function sentence(stack: string, path: string, message: string): string {
  const key = path.split(".")[0] ?? "";
  return `${configKey(path)} ${message}. Fix: ${FIXES[key] ?? `correct ${configKey(key)} in Pulumi.${stack}.yaml`}.`;
}

/** As much of the config as the contradictions are about, whatever else is wrong with it. */
const Related = v.object({
  homeRegion: v.fallback(v.optional(v.string()), undefined),
  regions: v.fallback(v.array(v.object({ id: v.fallback(v.string(), ""), prefix: v.fallback(v.string(), "") })), []),
  zoneId: v.optional(v.unknown()),
  hostname: v.optional(v.unknown()),
  routes: v.fallback(v.array(v.unknown()), []),
});

/** Settings that are right each by itself but not together: the key and what is wrong. */
function contradictions(
  given: Readonly<Record<string, unknown>>,
): readonly (readonly [key: string, message: string])[] {
  const { homeRegion, regions, zoneId, hostname, routes } = v.parse(Related, given);
  const found: [string, string][] = [];
  const ids = regions.map(({ id }) => id);
  if (homeRegion !== undefined && ids.length && !ids.includes(homeRegion)) {
    found.push(["homeRegion", `must be the id of one of the regions, ${ids.join(", ")} (it is "${homeRegion}")`]);
  }
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

/** The settings of the stack that the program runs for. */
export const readSettings = (): Settings => parseSettings(pulumi.getStack(), pulumi.runtime.allConfig(), process.env);

/** The folder of the stack's release. */
export const releaseDir = ({ release }: PublicSettings): string => join(ROOT, release);
