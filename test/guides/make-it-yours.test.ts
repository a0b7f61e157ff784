/** Follows docs/make-it-yours.md to the letter. Only in the template: npm run init removes this file. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../../infra/release/root.ts";
import { MAKE_IT_YOURS, scenariosOf } from "./guide.ts";
import { follow } from "./reader.ts";

it("makes the template a project of one's own", async () => {
  const scenarios = scenariosOf(readFileSync(join(ROOT, MAKE_IT_YOURS), "utf8"));
  expect(scenarios).toHaveLength(1);
  for (const scenario of scenarios) await follow(scenario);
});
