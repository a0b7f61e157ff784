/**
 * Snapshots: an account's state in a folder of its own. It has all of it: Workers, data, secrets and the token.
 *
 * Copies are made in a folder of their own, and moved to their place when they are complete; the state file, by which a
 * snapshot or an account is known, comes last. So half a copy is never taken for a whole one.
 *
 * A snapshot has the files of an account, and a mark. Only what is marked is ever replaced without being asked.
 */
import { randomUUID } from "node:crypto";
import { constants, existsSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import path from "node:path";
import { Account, Unreadable } from "./account.ts";
import { answeringAccount } from "./address.ts";
import { faultOfDisk } from "./disk.ts";
import { CannotStart } from "./errors.ts";
import {
  ASSETS_FOLDER,
  checkFolder,
  DATA_FOLDER,
  dataIn,
  IGNORE_FILE,
  ignoreAll,
  isEmpty,
  makeFolder,
  ownFile,
  ownFolder,
  SNAPSHOT_MARK,
  STATE_FILE,
  STATE_LOG,
} from "./own-files.ts";

/** What a snapshot has, in the order in which it gets it. SQLite's log belongs to the state file, if there is one. */
const PARTS = [ASSETS_FOLDER, DATA_FOLDER, STATE_LOG, STATE_FILE];

const MARK = "A snapshot of a local account. What makes a new one (makeSnapshot) may replace it.\n";

/** A snapshot cannot be made or taken. The message says why, and what to do. */
export class NoSnapshot extends CannotStart {}

/** Saves the state of an account that does not run. @throws NoSnapshot, or CannotStart if it runs. */
export const saveSnapshot = (dir: string, folder: string): Promise<void> =>
  whileLocked(dir, () => copyState(dir, folder));

/**
 * Saves it in place of an older snapshot, which stays until the new one is complete. Other files there stay, too.
 * @throws NoSnapshot if something else is there, CannotStart if an account runs in one of the two.
 */
export const replaceSnapshot = (dir: string, folder: string): Promise<void> =>
  whileLocked(dir, () => {
    checkReplaceable(folder);
    return copyParts(dir, folder, { isAccount: false, makeRoom: () => removeState(folder) });
  });

async function whileLocked(dir: string, work: () => Promise<void>): Promise<void> {
  if (!existsSync(path.join(dir, STATE_FILE))) throw new NoSnapshot(`There is no account in ${dir}.`);
  const store = Account.lock(dir);
  try {
    store.checkpoint();
    await work();
  } finally {
    store.close();
  }
}

/**
 * Makes an account of a snapshot. `forget` removes the account that is there; it is called when the copy is complete.
 * @throws NoSnapshot if there is no snapshot, or the directory has an account and there is no `forget`.
 */
export async function loadSnapshot(folder: string, dir: string, forget?: (dir: string) => void): Promise<void> {
  if (!existsSync(path.join(folder, STATE_FILE)))
    throw new NoSnapshot(`${folder} is no snapshot: there is no ${STATE_FILE} in it.`);
  if (existsSync(dir) && realpathSync(dir) === realpathSync(folder))
    throw new NoSnapshot(`${folder} is the account itself, and no snapshot of it.`);
  const running = await answeringAccount(folder);
  if (running !== undefined)
    throw new NoSnapshot(
      `${folder} is no snapshot: the account there is running (process ${running.pid}). Save one of it first (snapshot save), and load that.`,
    );
  if (!existsSync(path.join(dir, STATE_FILE))) checkRoom(dir);
  else if (forget === undefined)
    throw new NoSnapshot(`There is an account in ${dir}. Choose another --dir, or lose that one with --fresh.`);
  await copyParts(folder, dir, { isAccount: true, makeRoom: () => forget?.(dir) });
}

/** Copies the state of an account that writes nothing meanwhile. @throws NoSnapshot if the folder is not empty. */
export async function copyState(dir: string, folder: string): Promise<void> {
  checkTarget(folder);
  await copyParts(dir, folder, { isAccount: false });
}

/**
 * Checks that a snapshot can be made in the folder: it is empty, or can be made. For before the account stands still.
 * @throws NoSnapshot
 */
export function checkTarget(folder: string): void {
  try {
    if (existsSync(folder)) {
      if (!isEmpty(folder)) throw new NoSnapshot(`${folder} is not empty. Choose another folder, or remove it first.`);
    } else checkFolder(folder);
  } catch (error) {
    throw refusal(folder, error);
  }
}

/**
 * Checks that a folder is one for a new snapshot, or has an older one, and no account that somebody works with.
 * @throws NoSnapshot
 */
export function checkReplaceable(folder: string): void {
  if (existsSync(path.join(folder, SNAPSHOT_MARK))) return;
  if (existsSync(path.join(folder, STATE_FILE)))
    throw new NoSnapshot(
      `${folder} has an account in it that is not marked as a snapshot, so it stays: somebody may work with it. Choose another folder. If it is a snapshot that an older version has made, remove it.`,
    );
  const isFree = !existsSync(folder) || (statSync(folder).isDirectory() && isEmpty(folder));
  if (!isFree) throw new NoSnapshot(`${folder} is no snapshot, so it stays.`);
}

/** Removes the state of a snapshot, so that it is none until it gets another. @throws CannotStart if it is in use. */
function removeState(folder: string): void {
  if (!existsSync(path.join(folder, STATE_FILE))) return;
  try {
    Account.lock(folder).close();
  } catch (error) {
    // Nobody can have this one open.
    if (!(error instanceof Unreadable)) throw error;
  }
  // An account may have run here since the first look.
  checkReplaceable(folder);
  for (const name of [STATE_LOG, STATE_FILE]) rmSync(path.join(folder, name), { force: true });
}

/** Somebody's own folder may have the name of an account's. */
function checkRoom(dir: string): void {
  const full = dataOf(dir);
  if (full !== undefined)
    throw new NoSnapshot(`${full} is not empty, and no account's. Choose another --dir, or remove it first.`);
}

function dataOf(dir: string): string | undefined {
  try {
    return dataIn(dir);
  } catch (error) {
    throw refusal(dir, error);
  }
}

interface Copying {
  /** Whether the copy is an account's folder: git may get a snapshot, and no account. */
  readonly isAccount: boolean;
  /** Called when all is copied, before the copies get their names. */
  readonly makeRoom?: () => void;
}

/** Copies the parts into a folder. When all are copied, they get their names. */
async function copyParts(from: string, to: string, { isAccount, makeRoom = () => {} }: Copying): Promise<void> {
  const partial = path.join(to, `.copying-${randomUUID()}`);
  const isNew = !existsSync(to);
  let hasMadeRoom = false;
  try {
    const isIgnored = isAccount && isEmpty(to);
    // It has secrets in it, so only its user may read it.
    makeFolder(partial);
    if (isIgnored) ignoreAll(partial);
    if (!isAccount) writeFileSync(path.join(partial, SNAPSHOT_MARK), MARK);
    for (const part of PARTS) {
      const source = path.join(from, part);
      // File systems that can share blocks do so, which takes no time.
      if (existsSync(source))
        await cp(source, path.join(partial, part), { recursive: true, mode: constants.COPYFILE_FICLONE });
    }
    for (const part of [ASSETS_FOLDER, DATA_FOLDER]) ownFolder(path.join(partial, part));
    ownFile(path.join(partial, STATE_FILE));
    makeRoom();
    hasMadeRoom = true;
    for (const part of [IGNORE_FILE, SNAPSHOT_MARK, ...PARTS]) moveInto(to, path.join(partial, part));
    rmSync(partial, { recursive: true, force: true });
  } catch (error) {
    // What was there is gone, so the copy stays, which is whole.
    if (!hasMadeRoom) rmSync(isNew ? to : partial, { recursive: true, force: true });
    throw refusal(to, error);
  }
}

/** What has its name there is an empty folder, or an older snapshot's, whose state `makeRoom` has removed. */
function moveInto(folder: string, source: string): void {
  if (!existsSync(source)) return;
  const target = path.join(folder, path.basename(source));
  rmSync(target, { recursive: true, force: true });
  renameSync(source, target);
}

/** What is the disk's fault, or the path's, is no bug. */
function refusal(folder: string, error: unknown): unknown {
  const fault = faultOfDisk(error);
  return fault === undefined ? error : new NoSnapshot(`${folder} cannot be written (${fault}).`);
}
