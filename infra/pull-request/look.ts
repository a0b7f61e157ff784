/** Looks at a pull request's release beside its base's, with no account but throw-away ones on this machine. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { checkLock, describe, LOCK_FILE, lint, type Migration } from "@durable-stack/class-lifecycle";
import * as v from "valibot";
import { readIfThere } from "../common/named-file.ts";
import { isUserError } from "../common/user-error.ts";
import type { Costs } from "../cost/operation.ts";
import { costs } from "../cost/patterns.ts";
import { rehearse } from "../rehearsal/rehearse.ts";
import { asText } from "../rehearsal/report.ts";
import { commitOf, type Side, SideError, type Sides, withoutRepository } from "../rehearsal/side.ts";
import { sizeOf } from "../release/manifest.ts";
import { ownUnless } from "../release/own.ts";
import type { Release } from "../release/read.ts";
import { ROOT } from "../release/root.ts";
import { compressedSize } from "../release/size.ts";
import { classChanges, rowChanges, rowsOf, tableChanges } from "./changes.ts";
import type { Facts, SideFacts } from "./found.ts";

interface LookOptions {
  readonly sides: Sides;
  /** The commit that the pull request would be merged into. */
  readonly base: string;
  /** The release, as `Sides` finds one; undefined: this checkout's, which is built. */
  readonly release: string | undefined;
  /** An empty folder for the rehearsal's account. */
  readonly dir: string;
  /** Objects of each class that get data in the rehearsal. */
  readonly objects: number | undefined;
  readonly onProgress: (line: string) => void;
}

/** The stack whose settings the rehearsal uses: it needs no account. */
const REHEARSED = "local";

const SHALLOW =
  "In a shallow clone, as CI makes it, fetch it first: `git fetch --unshallow`, or `fetch-depth: 2` for HEAD^1.";

/** @throws SideError where there is no release, or no such base; what else is wrong with the base is in the facts. */
export async function look({ sides, base, release, dir, objects, onProgress }: LookOptions): Promise<Facts> {
  if (commitOf(base) === undefined) {
    throw new SideError(
      `There is no commit "${base}" here to look at the release beside. ${withoutRepository() ?? SHALLOW}`,
    );
  }
  const after = await sides.find(await ownUnless(release, onProgress));
  onProgress(`building ${base}`);
  const before = await sides.find(base).catch((error: unknown) => {
    if (error instanceof SideError) return error;
    throw error;
  });
  const common = {
    after: sizes(after.release),
    history: findings(after.migrations),
    settings: changed(base, SETTINGS),
    program: changed(base, [...PROGRAM, ...PASSED]),
  };
  if (before instanceof SideError) {
    return {
      ...common,
      before: { because: before.message },
      steps: [],
      classes: [],
      tables: [],
      rows: [],
      rehearsal: { ok: false, text: "There is no release of the base to rehearse over." },
    };
  }
  const [was, is] = [await costsIn(before.root), await costs()];
  return {
    ...common,
    before: sizes(before.release),
    ...classChanges(before.migrations, after.migrations),
    tables: [...tableChanges(tablesOf(before), tablesOf(after))],
    rows: was ? rowChanges(was, is) : [],
    ...(was && { operations: rowsOf(is).size }),
    rehearsal: await rehearsed(before, after, { dir, objects, onProgress }),
  };
}

const tablesOf = ({ migrations, release }: Side) => ({ migrations, schemas: release.schemas });

function sizes(release: Release): SideFacts {
  const modules = release.modules.map(({ name }) => readFileSync(join(release.dir, name)));
  return {
    digest: release.digest,
    step: release.migration.step,
    bytes: sizeOf(release),
    compressed: compressedSize(modules),
  };
}

/** As `npm run migrations -- lint` says it. */
function findings(migrations: readonly Migration[]): string[] {
  const file = join(ROOT, LOCK_FILE);
  const lock = readIfThere(file) ?? null;
  return [...lint(migrations), ...checkLock(migrations, lock)].map(describe);
}

/** Folders and files that decide what is declared, or whether it may be, beside the release: its digest says nothing of them. */
export const PROGRAM = [
  "infra",
  "contract",
  "packages/class-lifecycle/src",
  // Where a rehearsal is held.
  "packages/local-account/src",
  ".github/workflows",
  // What commands stand for, and the versions of packages.
  "package.json",
  "package-lock.json",
];
/** What a release must pass, pattern by pattern. */
const PASSED = ["test/*/smoke.ts", "test/*/rehearsal.ts"];
/** How many are named. */
const MOST_FILES = 500;
const SETTINGS = ["Pulumi.yaml", "Pulumi.*.yaml"];

/** Which of these files are not as the base has them. Their names are somebody's text. */
function changed(base: string, paths: readonly string[]): string[] {
  const args = ["diff", "--name-only", "-z", base, "--", ...paths];
  const names = execFileSync("git", args, { cwd: ROOT, encoding: "utf8" }).split("\0").filter(Boolean);
  return names.slice(0, MOST_FILES).map((name) => name.replaceAll(/[^\w./-]/g, "_").slice(-100));
}

type Rehearsed = Pick<LookOptions, "dir" | "objects" | "onProgress">;

/** A rehearsal that cannot be held has not passed. */
async function rehearsed(from: Side, to: Side, options: Rehearsed): Promise<Facts["rehearsal"]> {
  try {
    const rehearsal = await rehearse({ from, to, stack: REHEARSED, ...options });
    return { ok: rehearsal.ok, text: asText(from, to, REHEARSED, rehearsal) };
  } catch (error) {
    if (!isUserError(error)) throw error;
    return { ok: false, text: error.message };
  }
}

const Rows = v.object({ ours: v.number(), articles: v.number() });
const Told = v.object({
  operations: v.array(v.object({ option: v.string(), says: v.string(), ...Rows.entries })),
  /** A checkout from before the leases asks the object for every check. */
  check: v.optional(v.object({ ...Rows.entries, callsWhenOften: v.optional(v.number(), 1) })),
});
const Module = v.object({
  costs: v.pipe(
    v.unknown(),
    v.check((value) => typeof value === "function"),
  ),
});

/** What another checkout's patterns cost; undefined where it does not tell it in this way. */
async function costsIn(root: string): Promise<Costs | undefined> {
  const file = join(root, "infra/cost/patterns.ts");
  if (!existsSync(file)) return undefined;
  const module = v.safeParse(Module, await import(pathToFileURL(file).href));
  if (!module.success || typeof module.output.costs !== "function") return undefined;
  const told = v.safeParse(Told, await module.output.costs());
  return told.success ? { operations: told.output.operations, check: told.output.check } : undefined;
}
