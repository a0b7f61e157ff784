/** Writes the folder of a release, all of it or nothing. */
import { randomUUID } from "node:crypto";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Files } from "./tarball.ts";

const TRIES = 20;

/**
 * Puts a folder with `files` in the place of what is at `dir`. Two at once do not mix: each writes a folder of its own
 * and renames it, and the last one stays.
 */
export function writeRelease(dir: string, files: Files): void {
  const mine = `${dir}.${randomUUID()}`;
  try {
    for (const [name, contents] of files) {
      mkdirSync(dirname(join(mine, name)), { recursive: true });
      writeFileSync(join(mine, name), contents);
    }
    replace(dir, mine);
  } finally {
    rmSync(mine, { recursive: true, force: true });
  }
}

function replace(dir: string, next: string): void {
  for (let tries = 1; ; tries++) {
    const old = `${dir}.${randomUUID()}`;
    try {
      renameSync(dir, old);
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
    }
    try {
      renameSync(next, dir);
      return;
    } catch (error) {
      // Another one has put its folder there in the meantime.
      if (tries === TRIES || !["ENOTEMPTY", "EEXIST", "EPERM"].includes(codeOf(error))) throw error;
    } finally {
      rmSync(old, { recursive: true, force: true });
    }
  }
}

const codeOf = (error: unknown): string => (error instanceof Error && "code" in error ? String(error.code) : "");
