/** The folders of the project where this checkout keeps what it has deployed to local accounts. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { attempt } from "../common/named-file.ts";
import { ROOT } from "../release/root.ts";
import { CLI_FOLDER } from "../stack/settings-file.ts";
import { DEFAULT_DIR } from "./hints.ts";
import { STATE_FILE } from "./state.ts";

/** In the folder of an account: which checkout started it, and so has its state there. */
export const STARTED_FROM_FILE = "started-from";

/** In a local account's folder: the states of accounts that others started, a folder each. */
const INTO = "into";

/** Where this checkout keeps its state of accounts that others started: a folder each. */
export const ELSEWHERE = join(ROOT, DEFAULT_DIR, INTO);

/**
 * Those that something was deployed from, seen from `root`: every `.local…` of it, and what is in their `into`. An
 * account whose folder has another name is not found.
 */
export function deployedFolders(root = ROOT): readonly string[] {
  const beside = foldersIn(root).filter((name) => name.startsWith(DEFAULT_DIR));
  const others = beside.flatMap((name) => foldersIn(join(root, name, INTO)).map((other) => join(name, INTO, other)));
  return [...beside, ...others].filter((folder) =>
    [STATE_FILE, STARTED_FROM_FILE, CLI_FOLDER].some((file) => existsSync(join(root, folder, file))),
  );
}

function foldersIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  const entries = attempt(folder, "read", () => readdirSync(folder, { withFileTypes: true }));
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}
