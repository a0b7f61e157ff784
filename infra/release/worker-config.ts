/**
 * What the build takes from wrangler.jsonc. Read here and not by wrangler's own reader, which takes longer to load
 * than the whole build; a test holds the two against each other. Whatever is in the file and no release would take
 * along is refused, all of it at once (wrangler-keys.ts).
 */
import { basename, join } from "node:path";
import { type ParseError, parse } from "jsonc-parser";
import * as v from "valibot";
import { issueLines } from "../common/issues.ts";
import { jsonMistakes } from "../common/json-mistakes.ts";
import { readIfThere } from "../common/named-file.ts";
import { BuildError } from "./build-error.ts";
import { EXTRA_KEYS } from "./extras.ts";
import { ROOT } from "./root.ts";
import { isAbove, isEnd, listOf, OF_THE_PROGRAM } from "./wrangler-keys.ts";

const names = v.record(v.string(), v.string());

const Rule = v.object({
  type: v.picklist(["Text", "Data", "CompiledWasm"], "must be Text, Data or CompiledWasm: JavaScript is bundled"),
  globs: v.array(v.string()),
  fallthrough: v.optional(v.boolean()),
});

const WorkerConfig = v.object({
  name: v.string(),
  main: v.string(),
  compatibility_date: v.pipe(v.string(), v.isoDate()),
  compatibility_flags: v.optional(v.array(v.string()), []),
  define: v.optional(names, {}),
  alias: v.optional(names, {}),
  rules: v.optional(v.array(Rule), []),
  preserve_file_names: v.optional(v.boolean(), false),
  minify: v.optional(v.boolean(), true),
  keep_names: v.optional(v.boolean(), false),
  tsconfig: v.optional(v.string()),
  jsx_factory: v.optional(v.string()),
  jsx_fragment: v.optional(v.string()),
  durable_objects: v.object({
    bindings: v.array(v.object({ name: v.string(), class_name: v.string(), script_name: v.optional(v.string()) })),
  }),
  ...EXTRA_KEYS,
});
export type WorkerConfig = v.InferOutput<typeof WorkerConfig>;

/**
 * The part of wrangler.jsonc that a release is built from.
 * @throws BuildError naming each field that is missing or wrong, or each key that no release would take along.
 */
export function readWorkerConfig(file = join(ROOT, "wrangler.jsonc")): WorkerConfig {
  const errors: ParseError[] = [];
  const text = readIfThere(file);
  if (text === undefined) {
    const name = basename(file);
    throw new BuildError(
      `There is no ${file}: a release is built from it. Bring it back with \`git checkout -- ${name}\`, or copy it from the template.`,
    );
  }
  const json: unknown = parse(text, errors, { allowTrailingComma: true });
  const syntax = jsonMistakes(basename(file), text, errors).map((line) => `  ${line}`);
  if (syntax.length) throw new BuildError(`${file} is not JSON with comments:\n${syntax.join("\n")}`);
  const refused = refusedKeys(json).map((line) => `  ${line}`);
  if (refused.length) {
    throw new BuildError(
      `${file} has keys that no release uses. Set each where it belongs, and delete it here (docs/wrangler-file.md):\n${refused.join("\n")}`,
    );
  }
  const result = v.safeParse(WorkerConfig, json);
  if (result.success) return result.output;
  const problems = issueLines(result.issues).map((line) => `  ${line}`);
  throw new BuildError(`${file} lacks what a release is built from:\n${problems.join("\n")}`);
}

/** `key: what to do instead`, for every key of a wrangler file that would be dropped without a word. */
export function refusedKeys(json: unknown): readonly string[] {
  const lines = new Map<string, string>();
  for (const { path, bindings } of keysOf(json, "")) {
    const entry = listOf(path);
    if (entry?.list === "deployed" || entry?.list === "machine") continue;
    // What is no list or map where it has to be one: the schema says so.
    if (!entry && isAbove(path)) continue;
    const listed = entry?.listed ?? path;
    const names = OF_THE_PROGRAM[listed];
    const others = bindings.filter((name) => !names?.includes(name));
    if (names && others.length === 0) continue;
    const shown = names ? `${listed} (${others.join(", ")})` : listed;
    lines.set(listed, `${shown}: ${entry?.why ?? "it is not a key that is known here; correct its name"}.`);
  }
  return [...lines.values()];
}

interface Key {
  readonly path: string;
  /** Names of the bindings at or around it. */
  readonly bindings: readonly string[];
}

/** Every key that has a list of its own, or is below none that has. */
function keysOf(value: unknown, path: string): readonly Key[] {
  const own = OF_THE_PROGRAM[path];
  if (own && isEnd(path)) return [{ path, bindings: bindingsOf(value) }];
  if (isEnd(path)) return [{ path, bindings: [] }];
  if (Array.isArray(value)) return value.flatMap((item) => keysOf(item, `${path}[]`));
  if (typeof value !== "object" || value === null) return [{ path, bindings: [] }];
  return Object.entries(value).flatMap(([key, inner]) => keysOf(inner, path === "" ? key : `${path}.${key}`));
}

const Named = v.object({ binding: v.string() });

/** The names that an entry binds: of a map its keys, else its `binding`. */
function bindingsOf(value: unknown): readonly string[] {
  const single = v.safeParse(Named, value);
  if (single.success) return [single.output.binding];
  return typeof value === "object" && value !== null ? Object.keys(value) : ["?"];
}
