/** The parts of this project that a pattern stands in, as its files are now. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { replay } from "@durable-stack/class-lifecycle";
import { parse } from "jsonc-parser";
import * as v from "valibot";
import { migrations } from "../migrations.ts";
import type { Seen } from "./check.ts";

/** As little of wrangler.jsonc as is asked for: a build says what else is wrong with it. */
const Wrangler = v.object({
  durable_objects: v.object({ bindings: v.array(v.object({ name: v.string(), class_name: v.string() })) }),
  exports: v.record(v.string(), v.unknown()),
});

/** @throws ValiError where wrangler.jsonc has no `durable_objects` or no `exports`. */
export function seenIn(root: string): Seen {
  const read = (file: string) => readFileSync(join(root, file), "utf8");
  const wrangler = v.parse(Wrangler, parse(read("wrangler.jsonc")));
  return {
    has: (file) => existsSync(join(root, file)),
    under: (folder) =>
      existsSync(join(root, folder))
        ? readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((file) => `${folder}/${file}`)
        : [],
    exported: exportsOf(read("worker/index.ts")),
    bindings: Object.fromEntries(wrangler.durable_objects.bindings.map(({ name, class_name }) => [name, class_name])),
    declared: Object.keys(wrangler.exports),
    alive: [...replay(migrations).keys()],
  };
}

/** The names that a module exports by `export { … }`, as worker/index.ts does. */
const exportsOf = (source: string): readonly string[] =>
  [...source.matchAll(/^export\s*\{([^}]*)\}/gm)]
    .flatMap(([, names = ""]) => names.split(","))
    .map(
      (name) =>
        name
          .trim()
          .split(/\s+as\s+/)
          .at(-1) ?? "",
    )
    .filter(Boolean);
