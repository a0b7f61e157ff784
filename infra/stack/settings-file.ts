/** Which file a stack's settings are changed in, and how: its comments and everything else in it stay as they are. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { isMap, isScalar, parseDocument, stringify } from "yaml";
import { STATE_FILE } from "../apply/state.ts";
import { ROOT } from "../release/root.ts";
import { fullKey, LOCAL, projectName } from "./project.ts";
import { UserError } from "./user-error.ts";

/** Whether it is `npm start` that deployed to the local account on `dir`, and not the Pulumi CLI. */
export const isApplied = (dir: string): boolean => existsSync(join(resolve(ROOT, dir), STATE_FILE));

/** Whether it is `npm start` that deploys there, also where its state is lost: the Pulumi CLI has never been there. */
export const appliesHere = (dir: string): boolean =>
  isApplied(dir) || !existsSync(join(resolve(ROOT, dir), CLI_FOLDER));

/** What the Pulumi CLI keeps beside a local account: its backend, and a stack's file that is made for it. */
export const CLI_FOLDER = "pulumi";

/**
 * The file that a command changes. The stack `local` has one beside its account (`dir`, seen from the project), over
 * the project's own: so the committed one is left alone, and an account that begins anew begins without it.
 */
export function settingsFile(stack: string, dir: string, root = ROOT): string {
  const name = `Pulumi.${stack}.yaml`;
  return stack === LOCAL ? join(resolve(ROOT, dir), name) : join(root, name);
}

type SettingValue = number | string | boolean;

/**
 * Sets the project's `key` in the file, or takes it out where `value` is undefined. It keeps the file's way to write
 * keys, bare (`pin`) or with the project's name in front. A file that is not there is made.
 * @throws Error when the file is not YAML with a `config`.
 */
export function changeSetting(
  file: string,
  key: string,
  value: SettingValue | undefined,
  project = projectName(),
): void {
  const before = existsSync(file) ? readFileSync(file, "utf8") : "";
  const after = withSetting(before, { key, project, file }, value);
  if (after === before) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, after);
}

interface Setting {
  readonly key: string;
  readonly project: string;
  readonly file: string;
}

/**
 * The text with the one line changed, added or taken out. YAML's own writer would put every other line its own way.
 * @throws UserError when it is not YAML with a `config`.
 */
export function withSetting(before: string, setting: Setting, value: SettingValue | undefined): string {
  const { key, project, file } = setting;
  const document = parseDocument(before);
  const text = value === undefined ? "" : stringify(value).trimEnd();
  if (document.errors.length) throw new UserError(`${file} is not YAML: ${document.errors[0]?.message}`);
  const config: unknown = document.get("config");
  if (config !== undefined && config !== null && !isMap(config)) throw new UserError(`${file}: config must be a map.`);
  const names = [key, fullKey(project, key)];
  const [first] = isMap(config) ? config.items : [];
  if (!isMap(config) || config.flow || !isScalar(first?.key) || !first.key.range) {
    if (value === undefined) return before;
    if (isMap(config)) config.set(key, value);
    else document.set("config", { [key]: value });
    return document.toString({ lineWidth: 0 });
  }
  const lineOf = (place: number) => before.lastIndexOf("\n", place - 1) + 1;
  const there = config.items.filter((pair) => isScalar(pair.key) && names.includes(String(pair.key.value)));
  const [set, again] = there;
  if (isScalar(set?.key) && set.key.range && isScalar(set.value) && set.value.range) {
    const [start, end] = set.value.range;
    if (value !== undefined && !again) return `${before.slice(0, start)}${text}${before.slice(end)}`;
    const next = before.indexOf("\n", end);
    const without = before.slice(0, lineOf(set.key.range[0])) + (next < 0 ? "" : before.slice(next + 1));
    // Written both ways: one of them is enough.
    return again ? withSetting(without, setting, value) : without;
  }
  if (value === undefined) return before;
  // Right below `config:`, so that a comment stays above the setting that it is about.
  const line = lineOf(first.key.range[0]);
  const indent = before.slice(line, first.key.range[0]);
  const top = before.search(/^config:[^\n]*\n/m);
  const place = before.indexOf("\n", top) + 1;
  const named = config.items.some((pair) => isScalar(pair.key) && String(pair.key.value).startsWith(`${project}:`));
  const written = named ? fullKey(project, key) : key;
  return `${before.slice(0, place)}${indent}${written}: ${text}\n${before.slice(place)}`;
}
