/** Snapshots: an account's state in a folder of its own. It has all of it: Workers, data, secrets and the token. */
import { constants, existsSync, mkdirSync, readdirSync } from "node:fs";
import { cp } from "node:fs/promises";
import path from "node:path";
import { Account, ASSETS_FOLDER, DATA_FOLDER, STATE_FILE } from "./account.ts";
import { CannotStart } from "./errors.ts";

/** What a snapshot has. SQLite's log belongs to the state file, if there is one. */
const PARTS = [STATE_FILE, `${STATE_FILE}-wal`, ASSETS_FOLDER, DATA_FOLDER];

/** A snapshot cannot be made or taken. The message says why, and what to do. */
export class NoSnapshot extends CannotStart {}

/** Saves the state of an account that does not run. @throws NoSnapshot, or CannotStart if it runs. */
export async function saveSnapshot(dir: string, folder: string): Promise<void> {
  if (!existsSync(path.join(dir, STATE_FILE))) throw new NoSnapshot(`There is no account in ${dir}.`);
  const store = Account.lock(dir);
  try {
    store.checkpoint();
    await copyState(dir, folder);
  } finally {
    store.close();
  }
}

/** Makes an account of a snapshot. @throws NoSnapshot if there is none, or the directory has an account. */
export async function loadSnapshot(folder: string, dir: string): Promise<void> {
  if (!existsSync(path.join(folder, STATE_FILE)))
    throw new NoSnapshot(`${folder} is no snapshot: there is no ${STATE_FILE} in it.`);
  if (existsSync(path.join(dir, STATE_FILE)))
    throw new NoSnapshot(`There is an account in ${dir}. Choose another --dir, or lose that one with --fresh.`);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  await copyParts(folder, dir);
}

/** Copies the state of an account that writes nothing meanwhile. @throws NoSnapshot if the folder is not empty. */
export async function copyState(dir: string, folder: string): Promise<void> {
  // It has secrets in it, so only its user may read it.
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (readdirSync(folder).length > 0)
    throw new NoSnapshot(`${folder} is not empty. Choose another folder, or remove it first.`);
  await copyParts(dir, folder);
}

async function copyParts(from: string, to: string): Promise<void> {
  for (const part of PARTS) {
    const source = path.join(from, part);
    // File systems that can share blocks do so, which takes no time.
    if (existsSync(source))
      await cp(source, path.join(to, part), { recursive: true, mode: constants.COPYFILE_FICLONE });
  }
}
