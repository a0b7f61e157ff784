/** What the CLI has under way, as its state in a folder says. */
import { readFileSync, statSync } from "node:fs";
import * as v from "valibot";

const State = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({
    checkpoint: v.object({ latest: v.object({ pending_operations: v.optional(v.array(v.unknown()), []) }) }),
  }),
);

/** After so long without a write the CLI has begun all that it can begin at once. */
const QUIET_MS = 2_000;

/**
 * How many operations are under way; undefined where the file is being written, or was a moment ago, and may be again. A
 * kill in that moment damages the file, which is another subject (state-folder.test.ts).
 */
export function pendingIn(stateFile: string): number | undefined {
  if (Date.now() - statSync(stateFile).mtimeMs < QUIET_MS) return undefined;
  const parsed = v.safeParse(State, readFileSync(stateFile, "utf8"));
  return parsed.success ? parsed.output.checkpoint.latest.pending_operations.length : undefined;
}
