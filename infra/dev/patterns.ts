/** The patterns as their files are now: Node reads a module once, and a pattern may come while a command runs. */
import { runInThisContext } from "node:vm";
import { build } from "esbuild";
import * as v from "valibot";
import { messageOf } from "../common/errors.ts";
import { BuildError } from "../release/build-error.ts";
import { building } from "../release/esbuild-errors.ts";
import type { OfPage } from "../release/page.ts";
import { ROOT } from "../release/root.ts";

const LIST = "worker/patterns.ts";
/** What its modules may take to run. They only say what there is. */
const LIMIT_MS = 5_000;

const Exported = v.object({ patterns: v.array(v.object({ folder: v.string() })) });

/** What worker/patterns.ts lists. @throws BuildError where it does not build, or its modules do not run. */
export async function patternsNow(): Promise<readonly OfPage[]> {
  const made = build({
    absWorkingDir: ROOT,
    entryPoints: [LIST],
    bundle: true,
    write: false,
    platform: "neutral",
    mainFields: ["module", "main"],
    format: "iife",
    globalName: "list",
    logLevel: "silent",
  });
  const { outputFiles } = await building("The list of the patterns", made);
  try {
    const list: unknown = runInThisContext(`(() => { ${outputFiles[0]?.text}\nreturn list; })()`, {
      timeout: LIMIT_MS,
    });
    return v.parse(Exported, list).patterns;
  } catch (error) {
    throw new BuildError(`${LIST} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
