/** What a pattern has in wrangler.jsonc. Comments stay as they are. */
import { applyEdits, type JSONPath, modify, parse } from "jsonc-parser";
import * as v from "valibot";

/** `script_name`: the Worker that has the class, where that is another. */
const Binding = v.object({ name: v.string(), class_name: v.string(), script_name: v.optional(v.string()) });

/** As little of the file as is asked for: a build says what else is wrong with it. */
const Wrangler = v.object({
  durable_objects: v.object({ bindings: v.array(Binding) }),
  exports: v.record(v.string(), v.unknown()),
});

/** The class of each binding to one of the Worker's own, and the classes that are declared. @throws ValiError where the file says nothing of them. */
export function objectsOf(text: string): { bindings: Record<string, string>; declared: readonly string[] } {
  const { durable_objects, exports } = v.parse(Wrangler, parse(text));
  return {
    bindings: Object.fromEntries(
      durable_objects.bindings.flatMap(({ name, class_name, script_name }) =>
        script_name === undefined ? [[name, class_name]] : [],
      ),
    ),
    declared: Object.keys(exports),
  };
}

/** Every name that the Worker finds something under: bindings of all kinds, variables, and the secrets of worker/env.d.ts. */
export function namesInEnv(text: string): ReadonlySet<string> {
  const found = new Set(["ADMIN_TOKEN", "ADMIN_TOKEN_PREVIOUS"]);
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if ((key === "name" || key === "binding") && typeof inner === "string") found.add(inner);
      if (key === "vars" && typeof inner === "object" && inner !== null) {
        for (const name of Object.keys(inner)) found.add(name);
      }
      visit(inner);
    }
  };
  visit(parse(text));
  return found;
}

const set = (text: string, path: JSONPath, value: unknown, isArrayInsertion = false): string =>
  applyEdits(text, modify(text, path, value, { isArrayInsertion }));

/** The file with a binding to a class, at the end, and the class. */
export function withClass(text: string, binding: string, className: string): string {
  const bound = set(text, ["durable_objects", "bindings", -1], { name: binding, class_name: className }, true);
  return set(bound, ["exports", className], { type: "durable-object", storage: "sqlite" });
}

/** The file without every binding to a class, and without the class. */
export function withoutClass(text: string, className: string): string {
  const { bindings } = v.parse(Wrangler, parse(text)).durable_objects;
  const at = bindings.findIndex(({ class_name }) => class_name === className);
  if (at < 0) return set(text, ["exports", className], undefined);
  return withoutClass(set(text, ["durable_objects", "bindings", at], undefined), className);
}

/** The file without a key of the settings that `wrangler dev` and the tests have. */
export const withoutSetting = (text: string, key: string): string => set(text, ["vars", "SETTINGS", key], undefined);
