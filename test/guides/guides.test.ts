/** Every guide in docs/, followed to the letter (guide.ts says how), and the names of its commands. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../../infra/release/root.ts";
import packageJson from "../../package.json" with { type: "json" };
import { MAKE_IT_YOURS, scenariosOf } from "./guide.ts";
import { follow } from "./reader.ts";

const guides = readdirSync(join(ROOT, "docs"))
  .filter((name) => name.endsWith(".md"))
  .map((name) => ({ name: `docs/${name}`, text: readFileSync(join(ROOT, "docs", name), "utf8") }));
const scenarios = guides.flatMap(({ name, text }) =>
  (name === MAKE_IT_YOURS ? [] : scenariosOf(text)).map(
    (scenario) => [`${name}: ${scenario.title}`, scenario] as const,
  ),
);

// Two at a time (vitest.config.ts): each waits for processes more than it works.
it.concurrent.each(scenarios)("%s", (_, scenario) => follow(scenario));

it("no page names a command that package.json does not have", () => {
  const pages = [...guides, { name: "README.md", text: readFileSync(join(ROOT, "README.md"), "utf8") }];
  const unknown = pages.flatMap(({ name, text }) =>
    [...text.matchAll(/\bnpm run (?:-s )?([a-z][\w:-]*)/g)]
      .filter(([, script = ""]) => !Object.hasOwn(packageJson.scripts, script))
      .map(([command]) => `${name}: ${command}`),
  );
  expect(unknown).toEqual([]);
});
