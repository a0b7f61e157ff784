/**
 * Lets a stack in workerd name the lines of the source. @cloudflare/vitest-plugin 1.5.0 hands the runner a module's source
 * map as a part of its code, as Vitest 5.1 keeps both in one file; so the runner finds no map, and names lines of the
 * code without its types and comments.
 */
import * as v from "valibot";

/** What stands between a module's code and its map in that file. */
const SEPARATOR = "\n//# vitestSourceMap=";

const Runner = v.object({ evaluatedModules: v.custom<Modules>((value) => typeof value === "object") });
const Meta = v.looseObject({ code: v.string(), sourceMap: v.optional(v.string()) });

/** Of the runner's modules, what is used here. */
interface Modules {
  getModuleById(id: string): { meta?: unknown } | undefined;
  getModuleSourceMapById(id: string): unknown;
}

const { evaluatedModules } = v.parse(Runner, Reflect.get(globalThis, "__vitest_worker__"));
// Files may share a runner.
if (!Object.hasOwn(evaluatedModules, "getModuleSourceMapById")) {
  const find = evaluatedModules.getModuleSourceMapById.bind(evaluatedModules);
  evaluatedModules.getModuleSourceMapById = (id) => {
    const found = evaluatedModules.getModuleById(id);
    if (found && v.is(Meta, found.meta) && found.meta.sourceMap === undefined) {
      const [, sourceMap] = found.meta.code.split(SEPARATOR);
      if (sourceMap) found.meta = { ...found.meta, sourceMap };
    }
    return find(id);
  };
}
