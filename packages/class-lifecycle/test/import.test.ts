/** A first history from live classes or a wrangler file: it lints clean, has the same classes, and is formatted. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../../infra/release/root.ts";
import { historyOfFile } from "../../../infra/release/wrangler-file.ts";
import { isError } from "../src/findings.ts";
import type { Migration } from "../src/history.ts";
import { historyOfClasses, stepsSource } from "../src/import.ts";
import { lint } from "../src/lint.ts";
import { replay } from "../src/replay.ts";

let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "import-"));
  // Load wrangler before the tests, because that takes seconds on a busy machine.
  await import("wrangler");
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** The history of a wrangler file with these contents. */
function imported(name: string, contents: string, env?: string): Promise<readonly Migration[]> {
  const file = join(dir, name);
  writeFileSync(file, contents);
  return historyOfFile(file, env);
}
const json = (more: object) => JSON.stringify({ name: "old", main: "x.js", compatibility_date: "2026-11-01", ...more });
const classes = (migrations: readonly Migration[], steps?: number) =>
  Object.fromEntries([...replay(migrations, steps)].map(([name, { storage }]) => [name, storage]));
const clean = (migrations: readonly Migration[]) => expect(lint(migrations).filter(isError)).toEqual([]);

describe("migrations of a wrangler file", () => {
  it("become a step each, in wrangler's order, and end with the same classes as in wrangler", async () => {
    const history = await imported(
      "wrangler.toml",
      `name = "old"
main = "x.js"
compatibility_date = "2026-11-01"
[[migrations]]
tag = "v1"
new_classes = ["Legacy"]
new_sqlite_classes = ["Room", "Gone"]
[[migrations]]
tag = "v2 Rename Room"
renamed_classes = [{ from = "Room", to = "Lobby" }]
deleted_classes = ["Gone"]
[[migrations]]
tag = "v3"
transferred_classes = [{ from = "Theirs", from_script = "other", to = "Ours" }]
`,
    );
    clean(history);
    expect(history.map(({ name }) => name)).toEqual(["0001-v1", "0002-v2-rename-room", "0003-v3", "0004-v3"]);
    expect(classes(history)).toEqual({ Legacy: "legacy-kv", Lobby: "sqlite", Ours: "sqlite" });
  });

  it("that use a name twice in one become two steps", async () => {
    const history = await imported(
      "wrangler.json",
      json({
        migrations: [
          { tag: "v1", new_sqlite_classes: ["A"] },
          { tag: "v2", renamed_classes: [{ from: "A", to: "B" }], new_sqlite_classes: ["A"] },
        ],
      }),
    );
    clean(history);
    expect(history.map(({ name }) => name)).toEqual(["0001-v1", "0002-v2", "0003-v2"]);
    expect(classes(history)).toEqual({ A: "sqlite", B: "sqlite" });
  });
});

describe("exports of a wrangler file", () => {
  it("become the classes before their tombstones, and a step that applies these", async () => {
    const entry = (more: object) => ({ type: "durable-object", ...more });
    const history = await imported(
      "exports.jsonc",
      `// with a comment\n${json({
        exports: {
          Room: entry({ state: "renamed", renamed_to: "Lobby" }),
          Lobby: entry({ storage: "sqlite" }),
          Gone: entry({ state: "deleted" }),
          Moved: entry({ state: "transferred", transferred_to: "other" }),
          Kept: entry({ storage: "legacy-kv" }),
        },
      })}`,
    );
    clean(history);
    expect(classes(history, 1)).toEqual({ Room: "sqlite", Gone: "sqlite", Moved: "sqlite", Kept: "legacy-kv" });
    expect(classes(history)).toEqual({ Lobby: "sqlite", Kept: "legacy-kv" });
  });

  it("are refused if there are none, and so is a missing file", async () => {
    await expect(imported("empty.json", json({}))).rejects.toThrow(/neither `migrations` nor `exports`/);
    await expect(historyOfFile(join(dir, "nope.toml"))).rejects.toThrow(/There is no file/);
  });
});

describe("environments of a wrangler file", () => {
  const step = (tag: string, name: string) => ({ tag, new_sqlite_classes: [name] });
  const bound = { durable_objects: { bindings: [] } };

  it("have a history of their own, or else the file's", async () => {
    const file = json({
      migrations: [step("v1", "Room")],
      env: { staging: { ...bound, migrations: [step("s1", "Hall")] }, production: bound },
    });
    expect(classes(await imported("both.json", file))).toEqual({ Room: "sqlite" });
    expect(classes(await imported("both.json", file, "staging"))).toEqual({ Hall: "sqlite" });
    expect(classes(await imported("both.json", file, "production"))).toEqual({ Room: "sqlite" });
    await expect(imported("both.json", file, "nope")).rejects.toThrow(/no environment nope.*staging, production/);
  });

  it("are named if only they have a history", async () => {
    const live = { Hall: { type: "durable-object", storage: "sqlite" } };
    const file = json({
      env: { staging: { exports: live }, production: { migrations: [step("p1", "Hall")] }, dev: {} },
    });
    await expect(imported("inside.json", file)).rejects.toThrow(
      /outside its environments. It has some in: staging, production. Say which with --env/,
    );
    await expect(imported("inside.json", file, "dev")).rejects.toThrow(
      /for the environment dev. It has some in: staging, production/,
    );
    expect(classes(await imported("inside.json", file, "production"))).toEqual({ Hall: "sqlite" });
    await expect(imported("none.json", json({ env: { dev: {} } }))).rejects.toThrow(/in no environment either/);
  });
});

it("live classes become one step, and the file has the project's format", () => {
  const live = new Map(
    ["Room", "Lobby", "Account", "Session", "RateLimiterOfTheOldOne"].map((name, i) => [
      name,
      { storage: i ? ("sqlite" as const) : ("legacy-kv" as const) },
    ]),
  );
  const history = historyOfClasses(live);
  clean(history);
  expect(replay(history)).toEqual(new Map([...live].sort()));

  const rename = { name: "0002-rename", changes: [{ op: "rename" as const, from: "Room", to: "Hall" }] };
  const many = {
    name: "0003-many",
    changes: [..."ABCDEFGHIJKL"].map((c) => ({
      op: "create" as const,
      className: `Class${c}`,
      storage: "sqlite" as const,
    })),
  };
  for (const migrations of [history, [...history, rename], [...history, rename, many]]) {
    // Without the comment, which infra/migrations.ts has too, a single step would stand on the first line.
    const source = `export const { migrations } = history()\n  // The steps.${stepsSource(migrations)};\n`;
    const biome = join(ROOT, "node_modules/@biomejs/biome/bin/biome");
    const formatted = spawnSync(process.execPath, [biome, "format", "--stdin-file-path=infra/migrations.ts"], {
      cwd: ROOT,
      input: source,
      encoding: "utf8",
    });
    expect(formatted.stdout).toBe(source);
  }
});
