/** Writes the folder of a release, all of it or nothing. */
import { randomUUID } from "node:crypto";
import { mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, isAbsolute, join, relative } from "node:path";
import * as v from "valibot";
import { codeOf } from "../common/errors.ts";
import { attempt, namesIn, readNamed } from "../common/named-file.ts";
import { MANIFEST } from "./manifest.ts";
import { ROOT } from "./root.ts";
import type { Files } from "./tarball.ts";

const TRIES = 20;

/**
 * Puts a folder with `files` in the place of what is at `dir`. Two at once do not mix: each writes a folder of its own
 * and renames it, and the last one stays. @throws UserError where the folder cannot be written.
 */
export function writeRelease(dir: string, files: Files): void {
  const mine = `${dir}.${randomUUID()}`;
  attempt(dir, "written", () => {
    try {
      for (const [name, contents] of files) {
        mkdirSync(dirname(join(mine, name)), { recursive: true });
        writeFileSync(join(mine, name), contents);
      }
      replace(dir, mine);
    } finally {
      rmSync(mine, { recursive: true, force: true });
    }
  });
}

/** A manifest of any format. */
const AnyManifest = v.pipe(v.string(), v.parseJson(), v.object({ format: v.number(), digest: v.string() }));

/** Why what is at `dir` must not be replaced by a release; undefined if it is one, empty, or not there. */
export function reasonToKeep(dir: string): string | undefined {
  const stat = attempt(dir, "read", () => statSync(dir, { throwIfNoEntry: false }));
  if (stat === undefined) return undefined;
  if (!stat.isDirectory()) return "is a file";
  const up = relative(dir, ROOT);
  if (!up.startsWith("..") && !isAbsolute(up)) return "has this project in it";
  const names = namesIn(dir);
  if (names.length === 0) return undefined;
  const isRelease = names.includes(MANIFEST) && v.is(AnyManifest, readNamed(join(dir, MANIFEST)));
  return isRelease ? undefined : "has something other than a release in it";
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
      if (tries === TRIES || !["ENOTEMPTY", "EEXIST", "EPERM"].includes(codeOf(error) ?? "")) throw error;
    } finally {
      rmSync(old, { recursive: true, force: true });
    }
  }
}
