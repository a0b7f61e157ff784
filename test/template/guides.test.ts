/** The guides in the template itself. Only in the template: npm run init removes this file. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../../infra/release/root.ts";
import { scenariosOf } from "../guides/guide.ts";
import { lacks } from "../guides/lacks.ts";

it("are all followed: this project lacks nothing that one of them needs", () => {
  const skipped = readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .flatMap((name) =>
      scenariosOf(readFileSync(join(ROOT, "docs", name), "utf8"))
        .filter((scenario) => lacks(scenario).length > 0)
        .map(({ title, needs }) => `${name}: ${title} (needs ${needs.join(", ")})`),
    );
  expect(skipped).toEqual([]);
});
