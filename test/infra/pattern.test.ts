/** The check of the patterns names each part that is missing or there twice, with its fix; our patterns pass. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { scriptsOf } from "../../infra/init/text.ts";
import { problemsOf, type Seen } from "../../infra/pattern/check.ts";
import { packagesOnlyOf } from "../../infra/pattern/packages.ts";
import { obstaclesToRemoval } from "../../infra/pattern/remove.ts";
import { exportsOf, seenHere } from "../../infra/pattern/seen.ts";
import { withoutKeys } from "../../infra/pattern/settings.ts";
import { speaksOf, uses } from "../../infra/pattern/uses.ts";
import { objectsOf } from "../../infra/pattern/wrangler.ts";
import { ROOT } from "../../infra/release/root.ts";
import type { PatternFacts } from "../../worker/pattern.ts";
import { patterns } from "../../worker/patterns.ts";

const board: PatternFacts = {
  folder: "board",
  name: "board",
  binding: "BOARD",
  class: "BoardDO",
  path: "/board",
  actions: {},
  settings: {},
};
const files = [
  "worker/board/pattern.ts",
  "test/board/smoke.ts",
  "test/board/rehearsal.ts",
  "test/board/worker/board.test.ts",
];
const whole: Seen = {
  has: (file) => files.includes(file),
  under: (folder) => files.filter((file) => file.startsWith(`${folder}/`)),
  exported: ["BoardDO"],
  bindings: { BOARD: "BoardDO" },
  declared: ["BoardDO"],
  alive: ["BoardDO"],
  gone: [],
  readme: "",
};
const told = (list: readonly PatternFacts[], seen: Partial<Seen> = {}) =>
  problemsOf(list, { ...whole, ...seen }).map(({ where, what }) => `${where}: ${what}`);

describe("the patterns of this project", () => {
  it("have all their parts", () => {
    expect(problemsOf(patterns, seenHere())).toEqual([]);
  });

  it("are read from the files: their classes are exported, bound and alive", () => {
    const { exported, bindings, declared, alive } = seenHere();
    for (const names of [exported, Object.values(bindings), declared, alive]) {
      expect(names).toEqual(expect.arrayContaining(patterns.map((facts) => facts.class)));
    }
  });
});

describe("the rest of the house", () => {
  const seen = seenHere();
  /** Test folders that must work with any patterns. A project's own tests of several patterns belong in another. */
  const across = ["account", "bench", "engine", "faults", "guides", "infra", "local", "provider", "worker", "wrangler"];
  const tests = across.flatMap((folder) => seen.under(`test/${folder}`)).filter((file) => file.endsWith(".ts"));

  it.each(patterns)("has no test that breaks without $folder: a pattern's tests are in its own folder", (facts) => {
    expect(tests.length).toBeGreaterThan(20);
    // A file that asks whether the pattern exists works without it, and so does one that asks what a guide needs.
    const asks = [`includes("${facts.folder}")`, 'from "./lacks.ts"'];
    const using = tests.filter((file) => {
      const text = readFileSync(join(ROOT, file), "utf8");
      return uses(text, facts) && !asks.some((asked) => text.includes(asked));
    });
    expect(using).toEqual([]);
  });

  it.each(patterns)("compiles without $folder: it asks a list of strings whether the pattern exists", ({ folder }) => {
    const compared = new RegExp(`\\bfolder [!=]== "${folder}"`);
    const others = ["test", "worker", "infra"].flatMap((top) => seen.under(top));
    const code = others.filter((file) => file.endsWith(".ts") && !file.split("/").includes(folder));
    expect(code.length).toBeGreaterThan(100);
    // Without the pattern, the types of the two sides have nothing in common, and the compiler refuses that.
    expect(code.filter((file) => compared.test(readFileSync(join(ROOT, file), "utf8")))).toEqual([]);
  });
});

describe("the settings of a pattern", () => {
  const rest = "other:session:\n    secure: v1:abc\n  other:nested:session: 2\n  sessions: 3\n";

  it("go out of a stack's file with the comment above; those of another namespace stay", () => {
    const own = "# How long.\n  session:\n    days: 3\n  my-app:session:\n    days: 4\n";
    expect(withoutKeys(`config:\n  ${own}  ${rest}`, ["session"], "my-app")).toBe(`config:\n  ${rest}`);
  });
});

describe("a removal", () => {
  const list: readonly PatternFacts[] = [board, { ...board, folder: "post", needs: ["board"] }];

  it("is refused for an unknown name, for a pattern that another needs, and for all patterns", () => {
    expect(obstaclesToRemoval(["nope"], { patterns: list })).toEqual([
      "nope: there is no such pattern. There are: board, post.",
    ]);
    expect(obstaclesToRemoval(["board"], { patterns: list })).toEqual([
      "post needs board (worker/post/pattern.ts): keep board, or leave post out, too.",
    ]);
    expect(obstaclesToRemoval(["board", "post"], { patterns: list })).toEqual([
      expect.stringContaining("without any pattern"),
    ]);
    expect(obstaclesToRemoval(["post"], { patterns: list })).toEqual([]);
  });

  it.each([
    ['import { x } from "../../worker/board/board.ts";', true],
    ["await fetch(url + '/board/read?id=a');", true],
    ['expect(await call("/board")).toBe(1);', true],
    ["curl http://127.0.0.1:8787/board/read", true],
    ["a BoardDO", true],
    ["env.BOARD.getByName(id)", true],
    ["a BoardDOs, a keyboard/, on board", false],
    ['join(dir, "board")', false],
  ])("finds who uses the pattern: %s", (text, used) => {
    expect(uses(text, board)).toBe(used);
  });

  it.each([
    ["Measured by `node test/board/large.ts`.", true],
    ["[a test](../test/board/worker/board.test.ts)", true],
    ["worker/board/ has the class", true],
    ["Folders: `chat/`, `board/`.", true],
    ["The object `prd-eu:board:lobby`.", true],
    ["Set `boardRules.most: 9`.", true],
    ["~~~\n```yaml\nboardRules:\n  most: 9\n```", true],
    ["See [the guide](board.md#rules), or [this](docs/board.md).", true],
    ["Boards are drawn on a board by the board.", false],
    ["`key-board`, `board_size`, `onboard` and [more](keyboard.md)", false],
    ["It is `one` board or `two`.", false],
    ["```sh\nls\n```\nA board.\n```sh\nls\n```", false],
  ])("finds the documents that speak of it: %s", (text, speaks) => {
    const settings = { boardRules: v.string() };
    expect(speaksOf(text, { ...board, settings })).toBe(speaks);
  });

  it("names every document of this project with a file, a setting or a link of what is gone", () => {
    const docs = seenHere()
      .under("docs")
      .filter((file) => file.endsWith(".md"));
    const broken = patterns.flatMap((facts) =>
      docs.filter((file) => {
        const text = readFileSync(join(ROOT, file), "utf8");
        const isLost = [`test/${facts.folder}/`, `worker/${facts.folder}/`, `](${facts.folder}.md`].some((lost) =>
          text.includes(lost),
        );
        return isLost && !speaksOf(text, facts);
      }),
    );
    expect(docs.length).toBeGreaterThan(20);
    expect(broken).toEqual([]);
  });
});

describe("the packages of a pattern that goes", () => {
  const project: Readonly<Record<string, string>> = {
    "package.json": JSON.stringify({
      dependencies: { chess: "1.0.0", "@scope/board": "1.0.0", hono: "1.0.0", valibot: "1.0.0" },
      devDependencies: { "chess-tools": "1.0.0", dice: "1.0.0", unused: "1.0.0" },
      scripts: { start: "node x.ts" },
    }),
    "worker/board/board.ts": 'import "chess"; import "@scope/board/part"; import "hono"; import "valibot";',
    "test/board/board.test.ts": 'import "chess-tools"; import "dice";',
    "worker/app.ts": 'import "hono/base"; import "valibot";',
    "vitest.config.ts": "plugins: ['dice']",
    "README.md": 'import "chess"',
  };
  const packagesOf = (...folders: string[]) => packagesOnlyOf(folders, Object.keys(project), (path) => project[path]);

  it("are those that no other file names", () => {
    expect(packagesOf("board")).toEqual(["@scope/board", "chess", "chess-tools"]);
    expect(packagesOf("post")).toEqual([]);
  });
});

describe("a pattern's commands", () => {
  const scripts = {
    smoke: "node infra/run.mjs smoke",
    board: "node test/board/command.ts",
    "board:all": "vitest run ./test/board && node test/dice/a.ts",
    on: "node test/onboard/x.ts",
    peer: "node packages/peer/test/board/x.ts",
    "test:games": "vitest run test/board/ test/chess/",
    "check:all": "biome check && vitest run test/board/",
  };

  it("are the scripts that run files of its tests and tools, and nothing else", () => {
    expect(scriptsOf(JSON.stringify({ scripts }), ["board", "dice"]).alone).toEqual(["board", "board:all"]);
  });

  it("are not those that run something else besides", () => {
    expect(scriptsOf(JSON.stringify({ scripts }), ["board"])).toEqual({
      alone: ["board"],
      beside: ["board:all", "test:games", "check:all"],
    });
  });

  it("run files that are there", () => {
    const text = readFileSync(join(ROOT, "package.json"), "utf8");
    const files = [...text.matchAll(/"node (test\/\S+\.ts)/g)].map(([, file = ""]) => file);
    expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });
});

describe("a pattern", () => {
  it("with all its parts passes", () => {
    expect(told([board])).toEqual([]);
  });

  it("with only its line gets all missing parts at once", () => {
    const nothing = { has: () => false, under: () => [], exported: [], bindings: {}, declared: [], alive: [] };
    expect(told([board], nothing)).toEqual([
      "board: there is no worker/board/pattern.ts",
      "board: there is no test/board/smoke.ts",
      "board: there is no test/board/rehearsal.ts",
      "board: test/board/ has no test",
      "board: worker/index.ts does not export BoardDO",
      "board: wrangler.jsonc has no binding BOARD",
      "board: exports in wrangler.jsonc has no BoardDO",
      "board: infra/migrations.ts does not leave a class BoardDO",
    ]);
  });

  it("whose class the history has let go is not told to create it again", () => {
    const [found] = problemsOf([board], { ...whole, alive: [], gone: ["BoardDO"] });
    expect(found?.fix).toContain("npm run pattern -- remove");
    expect(found?.fix).not.toContain("creates it");
  });

  it("whose binding leads to another class gets the name of that class", () => {
    expect(told([board], { bindings: { BOARD: "OldDO" } })).toEqual([
      "board: the binding BOARD in wrangler.jsonc leads to OldDO",
    ]);
  });

  it("that has lost its old name leaves no row of it in the README", () => {
    const readme = "# A\nThe `OldDO` was here.\n| pattern | class |\n|---|---|\n| board | `OldDO` |\n";
    expect(told([board], { gone: ["OldDO", "OlderDO"], readme })).toEqual([
      "README.md: a row of a table has OldDO, which infra/migrations.ts leaves no more",
    ]);
    expect(told([board], { gone: ["OldDO"], readme: readme.replaceAll("OldDO` |", "BoardDO` |") })).toEqual([]);
  });

  it("has one class; another needs no pattern, but all that a class needs", () => {
    const seen = {
      exported: ["BoardDO", "WaitlistDO", "AnEntrypoint"],
      bindings: { BOARD: "BoardDO", WAIT: "WaitlistDO" },
      declared: ["BoardDO", "WaitlistDO"],
      alive: ["BoardDO", "WaitlistDO"],
    };
    expect(told([board], seen)).toEqual([]);
    expect(told([board], { ...seen, declared: ["BoardDO"], alive: ["BoardDO"] })).toEqual([
      "WaitlistDO: exports in wrangler.jsonc has no WaitlistDO",
      "WaitlistDO: infra/migrations.ts does not leave a class WaitlistDO",
    ]);
    const misspelled = problemsOf([board], { ...whole, bindings: { BOARD: "BoardDO", TOO: "BoardD0" } });
    expect(misspelled.map(({ fix }) => fix)).toEqual([expect.stringMatching(/^correct the name there/)]);
    // Where a pattern lacks its class, it may be that one under another name.
    expect(told([board], { alive: ["HallDO"] })).toEqual(["board: infra/migrations.ts does not leave a class BoardDO"]);
  });

  it("may be exported in a list, or where its class is written", () => {
    const source = 'export { A, B as C } from "./a.ts";\nexport class D extends A {}\nexport default {};\n';
    expect(exportsOf(source)).toEqual(["A", "C", "D"]);
  });

  it("may bind to a class of another Worker", () => {
    const bindings = [
      { name: "BOARD", class_name: "BoardDO" },
      { name: "HALL", class_name: "HallDO", script_name: "bank" },
    ];
    const seen = objectsOf(JSON.stringify({ durable_objects: { bindings }, exports: { BoardDO: {} } }));
    expect(told([board], seen)).toEqual([]);
  });

  it("that is not in the list is named", () => {
    expect(told([])).toEqual(["board: worker/board/pattern.ts is not in the list of worker/patterns.ts"]);
  });

  it("may share nothing with another, and need only patterns of the list", () => {
    const twin = { ...board, folder: "twin", binding: "TWIN", needs: ["session"] };
    const seen = { has: () => true, under: () => ["test/x.test.ts"], bindings: { BOARD: "BoardDO", TWIN: "BoardDO" } };
    expect(told([board, twin], seen)).toEqual([
      "twin: board has the name board too",
      "twin: board has the path /board too",
      "twin: board has the class BoardDO too",
      "twin: it needs session, which is not in the list",
    ]);
  });
});
