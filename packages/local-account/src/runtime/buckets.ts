/** Buckets on disk: each has a folder for its objects, and a database of them whose file follows from the folder's name. */
import { existsSync, renameSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { isJurisdiction } from "../bindings.ts";
import type { State } from "../model.ts";
import { objectFile, sweepObjects } from "./databases.ts";
import { bucketDirectory } from "./names.ts";

/** What SQLite adds to the name of a database for its log. The log comes first: a database without it is an older one. */
const SUFFIXES = ["-wal", "-shm", ""];

/** The names that a bucket's folder can have (`bucketDirectory`). Other folders are not the account's to remove. */
const FOLDER = /^([a-z]+(-[a-z]+)*\.)?[a-z0-9][a-z0-9-]*$/;

/**
 * Gives buckets in a jurisdiction the folders that they have now. Once `foo` in `eu` was kept in `eu--foo`, which may
 * also be the name of a bucket without a jurisdiction. If there is such a bucket, all objects stay with it. workerd must
 * not run.
 */
export function moveBuckets(directory: string, { buckets }: State): void {
  for (const { id, name, jurisdiction } of buckets.values()) {
    const before = `${jurisdiction}--${name}`;
    if (jurisdiction !== "default" && isJurisdiction(jurisdiction) && !buckets.has(before))
      moveBucket(directory, before, bucketDirectory(id));
  }
}

/** The database comes last: once it has its new name, the move is over. */
function moveBucket(directory: string, before: string, now: string): void {
  const database = objectFile("r2", directory, before);
  const moved = objectFile("r2", directory, now);
  if (!existsSync(database) || existsSync(moved)) return;
  const rename = (from: string, to: string) => {
    if (existsSync(from)) renameSync(from, to);
  };
  rename(path.join(directory, before), path.join(directory, now));
  for (const suffix of SUFFIXES) rename(`${database}${suffix}`, `${moved}${suffix}`);
}

/** Removes the objects of deleted buckets: a new one of the same name does not have them. */
export async function sweepBuckets(directory: string, { buckets }: State): Promise<void> {
  const kept = new Set([...buckets.keys()].map(bucketDirectory));
  for (const name of await readdir(directory).catch(() => []))
    if (FOLDER.test(name) && !kept.has(name)) await rm(path.join(directory, name), { recursive: true, force: true });
  await sweepObjects("r2", directory, kept);
}
