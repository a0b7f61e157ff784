/** Which file a stack's settings are changed in, and the change of one; setting-text.ts has how. */

import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { STATE_FILE } from "../apply/state.ts";
import { makeFolder, readNamed, writeNamed } from "../common/named-file.ts";
import { ROOT } from "../release/root.ts";
import { fullKey, LOCAL, ownFile, projectName, readStackFile } from "./project.ts";
import { type SettingValue, withSetting } from "./setting-text.ts";

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
  const name = ownFile(stack);
  return stack === LOCAL ? join(resolve(ROOT, dir), name) : join(root, name);
}

/**
 * Sets the project's `key` in the file, or takes it out where `value` is undefined. It keeps the file's way to write
 * keys, bare (`pin`) or with the project's name in front. A file that is not there is made.
 * @throws UserError when the file is not YAML with a `config`, or cannot be read or written; Error when nothing but the setting cannot be changed.
 */
export function changeSetting(
  file: string,
  key: string,
  value: SettingValue | undefined,
  project = projectName(),
): void {
  const before = existsSync(file) ? readNamed(file) : "";
  const after = withSetting(before, { key, project, file }, value);
  if (after === before) return;
  makeFolder(dirname(file));
  writeNamed(file, after);
}

/** Whose settings are changed; `dir` and `root` as for `settingsFile`. */
interface Where {
  readonly stack: string;
  readonly dir: string;
  readonly root?: string;
}

/**
 * Takes the project's `key` out of the file that a command changes. Where the project's own file lies under that one and
 * has the key, it is set to `off` instead, which is the same as not set. Returns what the settings say then, in words.
 * @throws as `changeSetting` does.
 */
export function takeOut({ stack, dir, root = ROOT }: Where, key: string, off: SettingValue): string {
  const file = settingsFile(stack, dir, root);
  const under = join(root, ownFile(stack));
  const project = projectName(root);
  const isUnder =
    file !== under &&
    Object.keys(readStackFile(under).config).some((set) => fullKey(project, set) === `${project}:${key}`);
  changeSetting(file, key, isUnder ? off : undefined, project);
  return isUnder ? `${key} is ${off} in ${file}, over that in ${under}` : `The ${key} is out of ${file}`;
}
