/** What the CLI has under way, as its state in a folder says. */
import { readFileSync } from "node:fs";
import * as v from "valibot";

const State = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({
    checkpoint: v.object({ latest: v.object({ pending_operations: v.optional(v.array(v.unknown()), []) }) }),
  }),
);

/**
 * How many operations are under way; undefined where the file is being written. A kill in that moment damages the file,
 * which is another subject (state-folder.test.ts).
 */
export function pendingIn(stateFile: string): number | undefined {
  const parsed = v.safeParse(State, readFileSync(stateFile, "utf8"));
  return parsed.success ? parsed.output.checkpoint.latest.pending_operations.length : undefined;
}
