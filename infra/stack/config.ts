/** A stack's settings, from the text of its files. */
import { join } from "node:path";
import * as v from "valibot";
import { ROOT } from "../release/root.ts";
import { type Found, problemsOf, SettingsError, unreadProblems } from "./mistakes.ts";
import { type Owner, type SetOver, toldSetOver } from "./placed.ts";
import { fullKey, splitKey, type Unread } from "./project.ts";
import { BackSchema, CONFIG_KEYS, DEFAULT_REGIONS, PublicSchema, Schema, TEXT_KEYS } from "./schema.ts";
import { doesWithout, type Way, type Wrong, wayOf } from "./way-back.ts";
import { defaultWorkerName, unfitProjectName } from "./worker-name.ts";

/** What is known of settings beside their values. */
interface About extends Owner {
  /** Mistakes that the way back passes over; on any other way there are none. */
  readonly wrong: readonly Wrong[];
  readonly setOver: SetOver;
}
/** Without the admin token only where the traffic goes back, and no version is made. */
export type Settings = v.InferOutput<typeof BackSchema> & About;
export type PublicSettings = v.InferOutput<typeof PublicSchema> & About;

/** Whose settings are looked at. */
interface Source extends Found {
  /** How the traffic goes back, where they are looked at for that. */
  readonly way: Way | undefined;
  readonly unread: readonly Unread[];
}

/** What else is known where a person's settings are looked at. */
interface Beside {
  readonly setOver?: SetOver;
  readonly unread?: readonly Unread[];
  readonly way?: Way | "as set" | undefined;
}

/**
 * A stack's settings from its config (`<project>:<key>` to text; lists, objects, numbers and booleans as JSON).
 * `env` fills in what is not set: CLOUDFLARE_ACCOUNT_ID, ADMIN_TOKEN, ADMIN_TOKEN_PREVIOUS. `unread`: what Pulumi
 * does not read as it stands.
 * @throws SettingsError with every mistake; settings that send the traffic back pass over those that they do without.
 */
export function parseSettings(
  owner: Owner,
  config: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>> = {},
  unread: readonly Unread[] = [],
): Settings {
  const own = givenBy(owner, config);
  const { given, exported } = filledIn(own, { ...PUBLIC_VARIABLES, ...SECRET_VARIABLES }, env);
  const source = { ...owner, setOver: toldSetOver(env), unread, exported, way: wayOf(given) };
  return checked<v.InferOutput<typeof BackSchema>>({ all: Schema, back: BackSchema }, source, given, config);
}

/**
 * As `parseSettings`, without the secret ones, which may be encrypted or missing. `setOver`: what does not stand in the
 * stack's own file; `unread`: what Pulumi does not read as it stands; `way`: how the traffic goes back, where the settings are
 * looked at for that; `as set`: as they themselves say, as to the program.
 * @throws SettingsError with every mistake that the way does not do without.
 */
export function parsePublicSettings(
  owner: Owner,
  config: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>> = {},
  { setOver = new Map(), unread = [], way }: Beside = {},
): PublicSettings {
  const { adminToken: _, adminTokenPrevious: __, ...own } = givenBy(owner, config);
  const { given, exported } = filledIn(own, PUBLIC_VARIABLES, env);
  const source = { ...owner, setOver, unread, exported, way: way === "as set" ? wayOf(given) : way };
  return checked({ all: PublicSchema, back: PublicSchema }, source, given, config);
}

function givenBy({ project, stack }: Owner, config: Readonly<Record<string, string>>): Record<string, unknown> {
  const given: Record<string, unknown> = { regions: DEFAULT_REGIONS };
  if (unfitProjectName(project, stack) === undefined) given.workerName = defaultWorkerName(project, stack);
  for (const [key, text] of Object.entries(config)) {
    const [namespace, name] = splitKey(fullKey(project, key));
    // Pulumi.yaml gives every key a default, and empty text is: not set.
    if (namespace === project && text !== "") given[name] = TEXT_KEYS.has(name) ? text : jsonOrText(text);
  }
  return given;
}

/** Variables of the environment that fill in settings, by the settings' keys. */
const PUBLIC_VARIABLES = { accountId: "CLOUDFLARE_ACCOUNT_ID" };
const SECRET_VARIABLES = { adminToken: "ADMIN_TOKEN", adminTokenPrevious: "ADMIN_TOKEN_PREVIOUS" };

/** The settings with those that they lack and a variable has; `exported`: which variable, by the key. */
function filledIn(
  own: Readonly<Record<string, unknown>>,
  variables: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>>,
): { readonly given: Readonly<Record<string, unknown>>; readonly exported: ReadonlyMap<string, string> } {
  const missing = Object.entries(variables).filter(([key, variable]) => !Object.hasOwn(own, key) && env[variable]);
  const filled = missing.map(([key, variable]) => [key, env[variable]] as const);
  return { given: { ...own, ...Object.fromEntries(filled) }, exported: new Map(missing) };
}

/** What settings must be; `back`: those whose way back passes over mistakes. */
interface Schemas<Output> {
  readonly all: v.GenericSchema<unknown, Output>;
  readonly back: v.GenericSchema<unknown, Output>;
}

function checked<Output>(
  { all, back }: Schemas<Output>,
  source: Source,
  given: Readonly<Record<string, unknown>>,
  config: Readonly<Record<string, string>>,
): Output & About {
  const { project, stack, setOver, way, unread } = source;
  const result = v.safeParse(all, given);
  const problems = problemsOf(source, { given, result, config });
  // No version that serves has been made with them, so every way back does without.
  const misread = unreadProblems(unread);
  const isStopped =
    problems.some(({ keys }) => way === undefined || !isPassedOver(way, keys)) ||
    (way === undefined && misread.length > 0);
  if (isStopped) throw new SettingsError([...misread, ...problems]);
  const about = { project, stack, setOver, wrong: [...misread, ...problems] };
  if (result.success && problems.length === 0) return { ...result.output, ...about };
  const passedOver = new Set(problems.flatMap(({ keys }) => keys));
  const rest = Object.fromEntries(Object.entries(given).filter(([key]) => !passedOver.has(key)));
  return { ...v.parse(back, rest), ...about };
}

/** Whether a way back does without all these settings; one that is unknown nobody needs. */
const isPassedOver = (way: Way, keys: readonly string[]): boolean =>
  keys.length > 0 && keys.every((key) => doesWithout(way, key) || !CONFIG_KEYS.includes(key));

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The folder of the stack's release. */
export const releaseDir = ({ release }: PublicSettings): string => join(ROOT, release);
