/** Follows every guide in docs/ to the letter (guide.ts says how), and checks the names of commands. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { uses } from "../../infra/pattern/uses.ts";
import { ROOT } from "../../infra/release/root.ts";
import packageJson from "../../package.json" with { type: "json" };
import { patterns } from "../../worker/patterns.ts";
import { addsSteps, MAKE_IT_YOURS, scenariosOf, TEMPLATE_HISTORY, textOf } from "./guide.ts";
import { lacks } from "./lacks.ts";
import { follow } from "./reader.ts";

const guides = readdirSync(join(ROOT, "docs"))
  .filter((name) => name.endsWith(".md"))
  .map((name) => ({ name: `docs/${name}`, text: readFileSync(join(ROOT, "docs", name), "utf8") }));
const scenarios = guides.flatMap(({ name, text }) =>
  (name === MAKE_IT_YOURS ? [] : scenariosOf(text)).map(
    (scenario) => [`${name}: ${scenario.title}`, scenario] as const,
  ),
);

const whole = scenarios.filter(([, scenario]) => lacks(scenario).length === 0);
const without = scenarios
  .filter(([, scenario]) => lacks(scenario).length > 0)
  .map(([title, scenario]) => `${title} (needs ${lacks(scenario).join(", ")})`);

// Two of a file at a time (vitest.config.ts), and two files, because each mostly waits for processes.
const at = (night: boolean) => whole.filter(([, { isNightly }]) => isNightly === night);
it.concurrent.each(at(false))("%s", (_, scenario) => follow(scenario));
it.concurrent.each(at(true))("%s", { tags: ["nightly"] }, (_, scenario) => follow(scenario));
it.skip.each(without)("%s", () => {});

it("names the patterns that it needs", () => {
  const silent = scenarios.flatMap(([title, scenario]) =>
    patterns
      .filter((facts) => uses(textOf(scenario), facts) && !scenario.needs.includes(facts.folder))
      .map(({ folder }) => `${title}: <!-- needs: ${folder} -->`),
  );
  expect(silent).toEqual([]);
});

it("says where it adds to the template's history", () => {
  const silent = scenarios
    .filter(([, scenario]) => addsSteps(scenario) && !scenario.needs.includes(TEMPLATE_HISTORY))
    .map(([title]) => `${title}: <!-- needs: ${TEMPLATE_HISTORY} -->`);
  expect(silent).toEqual([]);
});

it("no page runs TypeScript with the Node that happens to be first on the PATH", () => {
  const running = guides.flatMap(({ name, text }) =>
    [...text.matchAll(/(npx )?\bnode [^\s`]+\.ts\b/g)]
      .filter(([, npx]) => npx === undefined)
      .map(([command]) => `${name}: ${command}`),
  );
  expect(running).toEqual([]);
});

it("no page names a command that package.json does not have", () => {
  const pages = [...guides, { name: "README.md", text: readFileSync(join(ROOT, "README.md"), "utf8") }];
  const unknown = pages.flatMap(({ name, text }) =>
    [...text.matchAll(/\bnpm run (?:-s )?([a-z][\w:-]*)/g)]
      .filter(([, script = ""]) => !Object.hasOwn(packageJson.scripts, script))
      .map(([command]) => `${name}: ${command}`),
  );
  expect(unknown).toEqual([]);
});
