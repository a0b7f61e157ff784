/** npm run pattern -- add: its changes of this project, and the names that it refuses. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkLock, formatLock, LOCK_FILE, lint, type Migration } from "@durable-stack/class-lifecycle";
import { describe, expect, it } from "vitest";
import { UserError } from "../../infra/common/user-error.ts";
import { type Change, Draft, type ProjectFiles } from "../../infra/init/draft.ts";
import { migrations } from "../../infra/migrations.ts";
import { addPattern, obstacleToName } from "../../infra/pattern/add.ts";
import { nextStepName, withHistory, withStep } from "../../infra/pattern/history.ts";
import { removePatterns } from "../../infra/pattern/remove.ts";
import { withElement } from "../../infra/pattern/source.ts";
import { ownTemplate } from "../../infra/pattern/template.ts";
import { ROOT } from "../../infra/release/root.ts";
import { CONFIG_KEYS } from "../../infra/stack/schema.ts";
import { patterns } from "../../worker/patterns.ts";

const files: ProjectFiles = {
  read: (file) => (existsSync(join(ROOT, file)) ? readFileSync(join(ROOT, file), "utf8") : undefined),
  has: (folder) => existsSync(join(ROOT, folder)),
};
const project = { patterns, migrations, configKeys: CONFIG_KEYS, template: ownTemplate() };

function added(name: string): Map<string, Change> {
  const draft = new Draft(files);
  addPattern(draft, name, project);
  return new Map(draft.changes.map((change) => [change.path, change]));
}

describe("a pattern that is added", () => {
  const changes = added("try-out");
  const text = (file: string) => changes.get(file)?.text ?? "";
  const isOwn = (path: string) => /^(worker|test)\/try-out\//.test(path);

  it("is two folders, a line or two in four files, and a line of the lock", () => {
    const others = [...changes.keys()].filter((path) => !isOwn(path));
    expect(others).toEqual([
      "worker/patterns.ts",
      "worker/index.ts",
      "wrangler.jsonc",
      "infra/migrations.ts",
      LOCK_FILE,
    ]);
    for (const file of others) {
      const before = new Set(files.read(file)?.split("\n"));
      const written = text(file).split("\n");
      expect(written.filter((line) => !before.has(line)).length, file).toBeLessThanOrEqual(12);
    }
  });

  it("has its own name everywhere, and no name of the template", () => {
    for (const [path, change] of changes) expect(`${path}\n${change.text}`).not.toMatch(/sample[- _]?pattern/i);
    expect(text("worker/try-out/pattern.ts")).toMatch(
      /folder: "try-out"[\s\S]*binding: "TRY_OUT"[\s\S]*class: "TryOutDO"[\s\S]*path: "\/try-out"/,
    );
    expect(text("worker/try-out/try-out.ts")).toContain("export class TryOutDO extends DurableObject");
  });

  it("is created by a step at the end of the history, which is locked", () => {
    const name = nextStepName(migrations, "create-try-out");
    const step: Migration = { name, changes: [{ op: "create", className: "TryOutDO", storage: "sqlite" }] };
    expect(text("infra/migrations.ts")).toContain(`.step("${name}", (classes) => classes.create("TryOutDO"));`);
    expect(checkLock([...migrations, step], text(LOCK_FILE))).toEqual([]);
    expect(lint([...migrations, step])).toEqual([]);
  });

  it.each([
    ["was edited after it was recorded", formatLock(migrations).replace(/\w+\n$/, "0\n"), /restore step/],
    ["has no lock", undefined, /the file does not exist/],
  ])("does not lock a history that %s, neither when it comes nor when it goes", (_, lock, reason) => {
    const draft = () => new Draft({ ...files, read: (file) => (file === LOCK_FILE ? lock : files.read(file)) });
    expect(() => addPattern(draft(), "try-out", project)).toThrow(UserError);
    expect(() => addPattern(draft(), "try-out", project)).toThrow(reason);
    const folder = patterns.at(-1)?.folder ?? "";
    for (const released of [[], ["git has the tag v1"]]) {
      const around = { project: "my", patterns, migrations, stacks: [], paths: [], released };
      expect(() => removePatterns(draft(), [folder], around)).toThrow(reason);
    }
  });

  it("takes along a step that is not recorded yet", () => {
    const read = (file: string) => (file === LOCK_FILE ? formatLock([]) : files.read(file));
    const draft = new Draft({ ...files, read });
    addPattern(draft, "try-out", project);
    expect(draft.read(LOCK_FILE)).toBe(text(LOCK_FILE));
  });

  it("comes last in the list", () => {
    const list = (of: string) => `export const patterns = [${of}] as const;`;
    expect(withElement("x.ts", list("counter, limit"), "patterns", "jobs")).toBe(list("counter, limit, jobs"));
    expect(withElement("x.ts", list(""), "patterns", "jobs")).toBe(list("jobs"));
  });

  it("needs no quotes around a name of one word", () => {
    expect(added("tryout").get("worker/index.ts")?.text).toMatch(/, tryout \}/);
  });
});

describe("the text of a history", () => {
  const known: readonly Migration[] = [
    { name: "0001-first", changes: [{ op: "create", className: "ADO", storage: "sqlite" }] },
    { name: "0002-second", changes: [{ op: "create", className: "BDO", storage: "sqlite" }] },
  ];
  const step: Migration = { name: "0003-third", changes: [{ op: "remove", className: "ADO" }] };
  const STEPS = `
  // Never the end; of it.
  .step("0001-first", (classes) => classes.create("ADO"))
  .step("0002-second", (classes) => classes.create("BDO"))`;
  const ADDED = `
  .step("0003-third", (classes) => classes.remove("ADO"))`;
  const HEAD = '// Made by history(); append to it.\nimport { history } from "x";\n';

  it.each([
    ["nothing", "export const { migrations } = history()", ";\n"],
    ["a constant", "export const { migrations } = history()", ';\n\nexport const LAST = "0002";\n'],
    ["a comment", "export const { migrations } = history()", "; // The end.\n"],
    ["a statement, without semicolons", "export const { migrations } = history()", "\nconsole.log(migrations)\n"],
    ["its own property", "export const migrations = history()", ".migrations;\nexport default migrations;\n"],
  ])("takes a step at its end, and other steps in its place, before %s", (_, begin, tail) => {
    const text = `${HEAD}${begin}${STEPS}${tail}`;
    expect(withStep(text, known, step)).toBe(`${HEAD}${begin}${STEPS}${ADDED}${tail}`);
    expect(withHistory(text, [step])).toBe(`${HEAD}${begin}\n  // Never the end; of it.${ADDED}${tail}`);
  });

  it.each([
    ["nothing", ""],
    ["a comment beside it", " // As history() says."],
    ["a block", "\n  /* What history() has.\n     .step by .step. */"],
  ])("keeps what is behind its begin, %s, and takes steps where it has none", (_, comment) => {
    const [begin, tail] = [`${HEAD}export const { migrations } = history()${comment}`, ";\n"];
    expect(withHistory(`${begin}${STEPS}${tail}`, [step])).toBe(`${begin}\n  // Never the end; of it.${ADDED}${tail}`);
    expect(withHistory(`${begin}${ADDED}${tail}`, [])).toBe(begin + tail);
    const empty = `${HEAD}export const { migrations } = history();\n`;
    expect(withHistory(empty, [step])).toBe(withStep(empty, [], step));
  });

  it.each([
    ["nowhere", "export const migrations = [];\n"],
    ["another function's", "export const { migrations } = ours().step('0001-first', f).step('0002-second', f);\n"],
    [
      "in two constants",
      `const first = history()\n  .step("0001-first", f);\nexport const { migrations } = first.step("0002-second", f);\n`,
    ],
    ["named by a constant", `export const { migrations } = history().step(FIRST, f).step("0002-second", f);\n`],
    ["other steps", `export const { migrations } = history().step("0001-other", f).step("0002-second", f);\n`],
    ["fewer steps", `export const { migrations } = history().step("0001-first", f);\n`],
  ])("takes no step where the steps are %s", (_, text) => {
    expect(() => withStep(`${HEAD}${text}`, known, step)).toThrow(UserError);
    expect(() => withStep(`${HEAD}${text}`, known, step)).toThrow(
      /^Nothing was changed: .*docs\/change-a-class\.md\.$/,
    );
  });
});

describe("a name is refused in one line", () => {
  const [first] = patterns;
  it.each([
    ["Jobs", /small letters/],
    ["try_out", /small letters/],
    ["try--out", /small letters/],
    ["2-jobs", /small letters/],
    ["", /small letters/],
    ["j".repeat(32), /longer than 31/],
    [first.folder, /the pattern .* has this name or path|a folder worker\/.*already/],
    [first.path.slice(1), /the pattern .* has this name or path/],
    ["http", /a folder worker\/http\/ already/],
    ["infra", /a folder test\/infra\/ already/],
    ["health", /the path \/health is not for patterns/],
    ["docs", /the path \/docs is not for patterns/],
    ["openapi", /the path \/openapi is not for patterns/],
    ["delete", /word of TypeScript/],
    ["eval", /word of TypeScript/],
    ["arguments", /word of TypeScript/],
    ["workflows", /a guide docs\/workflows\.md already/],
    ["patterns", /patterns means something else/],
    ["body", /body means something else/],
    ["reads", /a binding READS already/],
    ["rollout", /rollout is a setting already/],
    ["digest", /the page has a part digest/],
  ])("%s", (name, reason) => {
    const obstacle = obstacleToName(name, project, files);
    expect(obstacle).toMatch(reason);
    expect(obstacle).not.toContain("\n");
  });

  it("if the history has its class, even if the pattern is gone", () => {
    const gone: Migration = { name: "0002-x", changes: [{ op: "remove", className: "TryOutDO" }] };
    const known = { ...project, migrations: [...migrations, gone] };
    expect(obstacleToName("try-out", known, files)).toMatch(/the history knows a class TryOutDO already/);
    expect(obstacleToName("try-out", project, files)).toBeUndefined();
  });
});
