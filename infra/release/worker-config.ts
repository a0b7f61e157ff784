/**
 * What the build takes from wrangler.jsonc. Read here and not by wrangler's own reader, which takes longer to load
 * than the whole build; a test holds the two against each other.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ParseError, parse, printParseErrorCode } from "jsonc-parser";
import * as v from "valibot";
import { issueLines } from "../stack/issues.ts";
import { ROOT } from "./root.ts";

const WorkerConfig = v.object({
  name: v.string(),
  main: v.string(),
  compatibility_date: v.pipe(v.string(), v.isoDate()),
  compatibility_flags: v.optional(v.array(v.string()), []),
  durable_objects: v.object({
    bindings: v.array(v.object({ name: v.string(), class_name: v.string(), script_name: v.optional(v.string()) })),
  }),
});
export type WorkerConfig = v.InferOutput<typeof WorkerConfig>;

/**
 * The part of wrangler.jsonc that a release is built from.
 * @throws Error naming each field that is missing or wrong.
 */
export function readWorkerConfig(file = join(ROOT, "wrangler.jsonc")): WorkerConfig {
  const errors: ParseError[] = [];
  const json: unknown = parse(readFileSync(file, "utf8"), errors, { allowTrailingComma: true });
  const syntax = errors.map(({ error, offset }) => `  ${printParseErrorCode(error)} at offset ${offset}`);
  if (syntax.length) throw new Error(`${file} is not JSON with comments:\n${syntax.join("\n")}`);
  const result = v.safeParse(WorkerConfig, json);
  if (result.success) return result.output;
  const problems = issueLines(result.issues).map((line) => `  ${line}`);
  throw new Error(`${file} lacks what a release is built from:\n${problems.join("\n")}`);
}
