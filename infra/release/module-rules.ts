/**
 * Files that an import makes modules of their own: text, data and WebAssembly, by wrangler's rules (its
 * deployment-bundle/rules.ts and module-collection.ts, 4.156.2). A test holds the result against wrangler's own.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, isAbsolute, join } from "node:path";
import type { Plugin } from "esbuild";

/** An entry of wrangler's `rules`. */
export interface Rule {
  readonly type: "Text" | "Data" | "CompiledWasm";
  readonly globs: readonly string[];
  readonly fallthrough?: boolean | undefined;
}

/** A file that the bundle imports and that is a module beside it. */
export interface SideModule {
  /** Its name, and its path in the release's folder. */
  readonly name: string;
  readonly contentType: string;
  readonly contents: Uint8Array;
}

const CONTENT_TYPES: Readonly<Record<Rule["type"], string>> = {
  Text: "text/plain",
  Data: "application/octet-stream",
  CompiledWasm: "application/wasm",
};

/** Wrangler's rules, which come after a project's own. */
const DEFAULT_RULES: readonly Rule[] = [
  { type: "Text", globs: ["**/*.txt", "**/*.html", "**/*.sql"] },
  { type: "Data", globs: ["**/*.bin"] },
  { type: "CompiledWasm", globs: ["**/*.wasm", "**/*.wasm?module"] },
];

interface Rules {
  readonly used: readonly Rule[];
  /** Rules behind one of the same type that lets nothing through. A file of theirs is refused. */
  readonly shadowed: readonly Rule[];
}

/** The rules in force: the first of a type ends the type, unless it says `fallthrough`. */
function rulesOf(own: readonly Rule[]): Rules {
  const ended = new Set<string>();
  const used: Rule[] = [];
  const shadowed: Rule[] = [];
  for (const rule of [...own, ...DEFAULT_RULES]) {
    if (ended.has(rule.type)) shadowed.push(rule);
    else used.push(rule);
    if (rule.fallthrough !== true) ended.add(rule.type);
  }
  return { used, shadowed };
}

/** A glob as wrangler reads it: a star is any text, slashes too, and everything else is itself. */
const matcher = (glob: string): RegExp =>
  new RegExp(`^${glob.replaceAll(/\*+|[^\w*]/g, (part) => (part.startsWith("*") ? ".*" : `\\${part}`))}$`);

/** Marks our own question to esbuild, which is not to be answered by us. */
const ASKED = Symbol("asked");

/** Makes modules of the files that `own` rules and wrangler's name, and hands each to `add` with its absolute path. */
export function sideModules(
  { own, preserveNames }: { readonly own: readonly Rule[]; readonly preserveNames: boolean },
  add: (module: SideModule, file: string) => void,
): Plugin {
  const { used, shadowed } = rulesOf(own);
  return {
    name: "side-modules",
    setup(build) {
      for (const { type, globs } of used) {
        for (const glob of globs) {
          build.onResolve({ filter: matcher(glob) }, async ({ path, kind, importer, resolveDir, pluginData }) => {
            if (pluginData === ASKED) return undefined;
            const cleaned = path.replace(/\?.*$/, "");
            const resolved = await build.resolve(cleaned, { kind, importer, resolveDir, pluginData: ASKED });
            const file = resolved.path === "" ? join(resolveDir, cleaned) : resolved.path;
            let contents: Uint8Array;
            try {
              contents = readFileSync(file);
            } catch {
              return { errors: [{ text: `Could not read "${path}", which is a ${type} module by its name.` }] };
            }
            const name = nameOf(cleaned, createHash("sha1").update(contents).digest("hex"), preserveNames);
            add({ name, contentType: CONTENT_TYPES[type], contents }, file);
            return { path: `./${name}`, external: true };
          });
        }
      }
      for (const rule of shadowed) {
        for (const glob of rule.globs) {
          build.onResolve({ filter: matcher(glob) }, ({ path, pluginData }) =>
            pluginData === ASKED
              ? undefined
              : {
                  errors: [
                    {
                      text: `"${path}" is for the rule ${JSON.stringify(rule)}, but an earlier rule of type ${rule.type} ends the type. Add "fallthrough": true to that one.`,
                    },
                  ],
                },
          );
        }
      }
    },
  };
}

/** A module's name, as wrangler gives it: the hash keeps files of one name in two folders apart. */
function nameOf(cleaned: string, hash: string, preserve: boolean): string {
  if (!preserve) return `${hash}-${basename(cleaned)}`;
  if (isAbsolute(cleaned) || cleaned.startsWith("../")) return `${hash}/${basename(cleaned)}`;
  return cleaned.replace(/^\.\//, "");
}
