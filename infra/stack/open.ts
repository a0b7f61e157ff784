/** Opens a stack for a command: its settings and its account, without the Pulumi CLI and without any secret of it. */

import { join, resolve } from "node:path";
import { STATE_FILE, State } from "../apply/state.ts";
import { isUserError, UserError } from "../common/user-error.ts";
import { Reads } from "../plan/account/reads.ts";
import type { Known } from "../plan/state/known.ts";
import { Api, READ_LIMIT } from "../provider/api.ts";
import { ROOT } from "../release/root.ts";
import { complete, describedAccount, type Environment, localAccount } from "./account.ts";
import { type PublicSettings, parsePublicSettings } from "./config.ts";
import { SettingsError } from "./mistakes.ts";
import { absentStack, fullKey, LOCAL, type Project, readProject } from "./project.ts";
import { SECRET_KEYS } from "./schema.ts";
import { isApplied, settingsFile } from "./settings-file.ts";
import { doesWithout, type Way } from "./way-back.ts";

export interface OpenStack {
  readonly name: string;
  readonly settings: PublicSettings;
  /** The account, for requests that write. */
  readonly api: Api;
  readonly reads: Reads;
  /** What `npm start` has deployed; undefined: what the Pulumi engine has is not read here. */
  readonly known: Known | undefined;
}

export interface StackOptions {
  /** Where the local account keeps its state, seen from the project; for the stack `local`. */
  readonly dir: string;
  /** The folder of Pulumi.yaml; this project's when not given. */
  readonly root?: string;
  /** `process.env` when not given. */
  readonly env?: Environment;
  /** For a command that sends the traffic back: how, so that a mistake in what it does without does not stop it. */
  readonly way?: Way | undefined;
}

/** Why a stack cannot be opened: every reason, a line each. */
export class StackUnavailable extends UserError {
  override readonly name = "StackUnavailable";
}

/** In place of the account that runs, for a look at the settings alone. */
const SOME_ACCOUNT = { CLOUDFLARE_ACCOUNT_ID: "0".repeat(32) };

/**
 * Looks at the settings of the stack local before its program does, which does not know in which of both files each
 * stands. @throws SettingsError with every mistake of those that are not secret.
 */
export function checkLocalSettings({ name: project, config, setOver, unread }: Project): void {
  parsePublicSettings({ project, stack: LOCAL }, config, SOME_ACCOUNT, { setOver, unread, way: "as set" });
}

/**
 * Opens the stack `name`. The account of `local` is the one that runs on `dir`, whatever the environment says; any
 * other's is of its config and the environment (account.ts).
 * @throws StackUnavailable when there is no such stack, its settings have mistakes, or its account is not known.
 */
export function openStack(name: string, { dir, root = ROOT, env = process.env, way }: StackOptions): OpenStack {
  const absent = absentStack(name, root);
  if (absent !== undefined) throw new StackUnavailable(absent);
  const problems: string[] = [];
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (error instanceof SettingsError) problems.push(...error.problems);
      else if (isUserError(error)) problems.push(error.message);
      else throw error;
      return undefined;
    }
  };

  const project = readProject(root, name, settingsFile(name, dir, root));
  const { config, setOver, unread } = project;
  const unreadable = unreadableKeys(project, way);
  if (unreadable.length) {
    problems.push(
      `${unreadable.join(", ")}: encrypted, and only the Pulumi CLI can read that. Fix: set it in plain text.`,
    );
  }
  const local = name === LOCAL ? attempt(() => localAccount(dir, undefined, root)) : undefined;
  const given = local ? { ...config, [fullKey(project.name, "accountId")]: local.accountId } : config;
  // Without the account that runs, its id is no second mistake.
  const identified = name === LOCAL ? SOME_ACCOUNT : env;
  const settings = attempt(() =>
    parsePublicSettings({ project: project.name, stack: name }, given, identified, { setOver, unread, way }),
  );
  const described = local ?? describedAccount(env, config, settings?.accountId);
  if (name !== LOCAL && !described.token) {
    problems.push(
      "the account's API token is not known. Fix: export CLOUDFLARE_API_TOKEN (the token of this stack's account).",
    );
  }
  const account = complete(described);
  if (problems.length || !settings || !account) {
    throw new StackUnavailable(`Stack ${name} cannot be opened:\n${problems.map((line) => `  ${line}`).join("\n")}`);
  }
  const api = new Api({ baseUrl: account.apiUrl, token: account.token }, { readLimit: READ_LIMIT });
  const state = name === LOCAL && isApplied(dir) ? join(resolve(ROOT, dir), STATE_FILE) : undefined;
  return {
    name,
    settings,
    api,
    reads: Reads.through(api, account.accountId),
    known: state === undefined ? undefined : State.open(state, account.accountId).known,
  };
}

/** The project's own keys that a command cannot do without, and that only the Pulumi CLI can read. */
function unreadableKeys({ name, encryptedKeys }: Project, way: Way | undefined): readonly string[] {
  const isNeeded = (setting: string) =>
    !SECRET_KEYS.some((secret) => secret === setting) && !(way && doesWithout(way, setting));
  const own = fullKey(name, "");
  return encryptedKeys.filter((key) => key.startsWith(own) && isNeeded(key.slice(own.length)));
}
