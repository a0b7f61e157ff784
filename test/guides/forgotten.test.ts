/** Each line that docs/add-a-pattern.md lists as forgotten is found as the page says. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../../infra/release/root.ts";
import { type Step, scenariosOf } from "./guide.ts";
import { lacks } from "./lacks.ts";
import { follow } from "./reader.ts";

const [guide] = scenariosOf(readFileSync(join(ROOT, "docs/add-a-pattern.md"), "utf8"));
const edits = (guide?.steps ?? []).filter((step) => step.do === "write" || step.do === "edit");
const to = (file: string) => (step: Step) => step.do === "edit" && step.file === `./${file}`;
const run = (command: string): Step => ({ do: "run", command, exit: 1, folder: "." });
const see = (...lines: readonly string[]): Step => ({ do: "see", lines });

const lint = run("npm run -s migrations -- lint");
const deploy = run("npm run -s build && npm run -s rehearse -- --from dist/release --objects 1");

const isWhole = guide !== undefined && lacks(guide).length === 0;

// Two of a file at a time (vitest.config.ts), and two files, because each mostly waits for processes.
it.skipIf(!isWhole).each<[string, readonly Step[], readonly Step[]]>([
  [
    "the step in infra/migrations.ts",
    edits.filter((step) => !to("infra/migrations.ts")(step)),
    [deploy, see("Nothing was sent. …", "[binding_without_class] LeaderboardDO: …")],
  ],
  [
    "the export in worker/index.ts",
    edits.filter((step) => !to("worker/index.ts")(step)),
    [deploy, see("Nothing was sent. …", "[config_references_nonexistent_class] LeaderboardDO: …")],
  ],
  ["the line in the lock file", edits, [lint, see("error [lock_behind] 0003-create-leaderboard: …")]],
  [
    "the exports line in wrangler.jsonc",
    edits.filter((step) => !(to("wrangler.jsonc")(step) && step.do === "edit" && step.to.includes('"type"'))),
    [
      run("npm run -s check"),
      see("leaderboard: exports in wrangler.jsonc has no LeaderboardDO. …"),
      run("npx vitest run --project infra test/infra/release.test.ts"),
      see("…exports the classes that the history leaves…"),
    ],
  ],
])("finds %s missing", { concurrent: true }, async (_, made, steps) => {
  expect(made.length).toBeGreaterThan(9);
  await follow({ steps: [...made, ...steps] });
});
