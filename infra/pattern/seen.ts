/** The parts of this project that a pattern stands in, as its files are now. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { everNamed, replay } from "@durable-stack/class-lifecycle";
import { ownMigrations } from "../release/own-migrations.ts";
import { ROOT } from "../release/root.ts";
import type { Seen } from "./check.ts";
import { objectsOf } from "./wrangler.ts";

/** @throws ValiError where wrangler.jsonc has no `durable_objects` or no `exports`. */
export function seenHere(): Seen {
  const read = (file: string) => readFileSync(join(ROOT, file), "utf8");
  const migrations = ownMigrations();
  const alive = [...replay(migrations).keys()];
  return {
    has: (file) => existsSync(join(ROOT, file)),
    under: (folder) =>
      existsSync(join(ROOT, folder))
        ? readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((file) => `${folder}/${file}`)
        : [],
    exported: exportsOf(read("worker/index.ts")),
    ...objectsOf(read("wrangler.jsonc")),
    alive,
    gone: [...everNamed(migrations)].filter((className) => !alive.includes(className)),
    readme: existsSync(join(ROOT, "README.md")) ? read("README.md") : "",
  };
}

/** The names that a module exports by `export { … }`, as worker/index.ts does, and by `export class …`. */
export const exportsOf = (source: string): readonly string[] =>
  [...source.matchAll(/^export\s*(?:\{([^}]*)\}|class\s+([\w$]+))/gm)]
    .flatMap(([, names = "", className]) => [...names.split(","), className ?? ""])
    .map(
      (name) =>
        name
          .trim()
          .split(/\s+as\s+/)
          .at(-1) ?? "",
    )
    .filter(Boolean);
