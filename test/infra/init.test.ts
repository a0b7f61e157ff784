/** npm run init: what it changes in a project, and when it refuses. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkLock, formatLock, history, lint, type Migration } from "@durable-stack/class-lifecycle";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { deployedFolders } from "../../infra/apply/folders.ts";
import type { Change, ProjectFiles } from "../../infra/init/draft.ts";
import { freshHistory } from "../../infra/init/history.ts";
import { firstDay, type Situation, type Wishes } from "../../infra/init/init.ts";
import type { PatternFacts } from "../../worker/pattern.ts";
import { scratch } from "../scratch.ts";

const ONE = history().step("0001-create", (classes) => classes.create("ADO").create("BDO")).migrations;
const TWO = history()
  .step("0001-create", (classes) => classes.create("ADO").create("BDO"))
  .step("0002-change", (classes) => classes.rename("ADO", "CDO").remove("BDO").create("DDO")).migrations;

const HISTORY_FILE = 'import { history } from "x";\n\nexport const { migrations } = history()\n  .step("…");\n';

/** A small template. */
const template: Readonly<Record<string, string>> = {
  "Pulumi.yaml":
    "# Top.\nname: old-name # ours\ndescription: A template\nmain: infra/\nconfig: {}\ntemplate:\n  displayName: x\n\n  config:\n    a: 1\n",
  "Pulumi.production.yaml": "config:\n  # Kept.\n  promotesFrom: staging\n",
  "Pulumi.staging.yaml": "config: {}\n",
  "package.json":
    '{\n  "name": "old-name",\n  "description": "A Pulumi template for all",\n  "scripts": {\n    "test": "a",\n    "test:budget": "b"\n  }\n}\n',
  "package-lock.json":
    '{\n  "name": "old-name",\n  "packages": {\n    "": {\n      "name": "old-name"\n    },\n    "x": { "name": "old-name" }\n  }\n}\n',
  "wrangler.jsonc": '{\n  // The Worker.\n  "name": "old-name",\n  "vars": { "name": "old-name" }\n}\n',
  "README.md": "# old-name\n<!-- <template> Why. -->\nA template.\n<!-- </template> -->\nAbout old-name.\n# old-name\n",
  "CHANGELOG.md": "# Changelog\n- The template's.\n",
  ".ci/run":
    "one\n# <template> Why.\nif two; then\n  three\nfi\n# </template>\nfour\n  # <template>\nfive\n  # </template>\nsix\n",
  "infra/migrations.ts": HISTORY_FILE,
  "infra/migrations.lock": "",
  "test/template/template.test.ts": "",
  "test/budget/budget.test.ts": "",
};

const situation: Situation = {
  project: "old-name",
  packageName: "old-name",
  stacks: ["local", "production", "staging"],
  migrations: ONE,
  releases: [],
  deployedLocally: [],
  patterns: [],
  paths: [],
};
const wishes: Wishes = { name: "my-app", keepHistory: false };

const filesOf = (texts: Readonly<Record<string, string>>): ProjectFiles => ({
  read: (file) => texts[file],
  has: (folder) => Object.keys(texts).some((file) => file.startsWith(folder)),
});

/** The files after the changes. */
function made(changes: readonly Change[], before: Readonly<Record<string, string>>): Record<string, string> {
  const after = { ...before };
  for (const { path, text } of changes) {
    if (text !== undefined) after[path] = text;
    else for (const file of Object.keys(after).filter((name) => name.startsWith(path))) delete after[file];
  }
  return after;
}

const init = (
  wished: Partial<Wishes> = {},
  found: Partial<Situation> = {},
  texts: Readonly<Record<string, string>> = template,
) => made(firstDay({ ...wishes, ...wished }, { ...situation, ...found }, filesOf(texts)).changes, texts);

const refusal = (...args: Parameters<typeof init>) => {
  try {
    init(...args);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "";
};

describe("the name", () => {
  it("is changed where a tool or the README has it, and nothing else changes", () => {
    const after = init();
    expect(after["Pulumi.yaml"]).toBe(
      "# Top.\nname: my-app # ours\ndescription: A Cloudflare Worker with Durable Objects\nmain: infra/\nconfig: {}\n",
    );
    expect(after["package-lock.json"]).toBe(
      template["package-lock.json"]
        ?.replace('"name": "old-name"', '"name": "my-app"')
        .replace('      "name": "old-name"', '      "name": "my-app"'),
    );
    expect(after["wrangler.jsonc"]).toBe(
      '{\n  // The Worker.\n  "name": "my-app",\n  "vars": { "name": "old-name" }\n}\n',
    );
    expect(after["README.md"]).toBe("# my-app\nAbout old-name.\n# old-name\n");
  });

  it("comes without another description where pulumi new has asked for one", () => {
    const own = "name: old-name\ndescription: What we make\nmain: infra/\n";
    expect(init({}, {}, { ...template, "Pulumi.yaml": own })["Pulumi.yaml"]).toContain("description: What we make\n");
  });

  it("made of digits stays a text in YAML", () => {
    expect(parse(init({ name: "42" })["Pulumi.yaml"] ?? "")).toMatchObject({ name: "42" });
  });

  it("is completed if pulumi new has changed only Pulumi.yaml", () => {
    const texts = { ...template, "Pulumi.yaml": "name: my-app\n" };
    const after = init({}, { project: "my-app" }, texts);
    expect(after["Pulumi.yaml"]).toBe("name: my-app\n");
    expect(after["package.json"]).toContain('"name": "my-app"');
    expect(after["README.md"]).toMatch(/^# my-app\n/);
  });

  it("keeps a title that the team has written", () => {
    expect(init({}, {}, { ...template, "README.md": "# Our thing\n" })["README.md"]).toBe("# Our thing\n");
  });

  it.each(["My-App", "a.b", "-a", "a-", "", "ä", "a".repeat(44)])("%j is refused with the rule", (name) => {
    expect(refusal({ name })).toMatch(
      /--name .*: must be lower-case letters, digits and hyphens between them, at most 43/,
    );
  });

  it.each(["a", "42", "app2", "a".repeat(43)])("%j is taken", (name) => {
    expect(init({ name })["package.json"]).toContain(`"name": "${name}"`);
  });

  it("is refused if the Pulumi CLI knows a stack under the old name", () => {
    for (const text of [
      "encryptionsalt: v1:abc\nconfig: {}\n",
      "config:\n  old-name:accountId: abc\n",
      "config:\n  adminToken:\n    secure: abc\n",
    ]) {
      const texts = { ...template, "Pulumi.staging.yaml": text };
      expect(refusal({}, {}, texts)).toMatch(/knows staging as of the project old-name.* Keep it: --name old-name\./);
      expect(refusal({ name: "old-name" }, {}, texts)).toBe("");
    }
  });
});

it("a stack's file that cannot be read is named", () => {
  expect(refusal({}, {}, { ...template, "Pulumi.staging.yaml": "config: {\n" })).toMatch(
    /^Pulumi\.staging\.yaml:2 is not YAML/,
  );
  expect(refusal({}, {}, { ...template, "Pulumi.staging.yaml": "config: x\n" })).toMatch(
    /^Pulumi\.staging\.yaml is not what/,
  );
});

describe("the host name", () => {
  it("is set only for production, and comments stay", () => {
    const after = init({ hostname: "api.example.com" });
    expect(after["Pulumi.production.yaml"]).toBe(
      "config:\n  hostname: api.example.com\n  # Kept.\n  promotesFrom: staging\n",
    );
    expect(after["Pulumi.staging.yaml"]).toBe(template["Pulumi.staging.yaml"]);
  });

  it("is refused if it is not valid, together with all other mistakes", () => {
    expect(refusal({ name: "A", hostname: "https://x" })).toMatch(
      /--name A: [\s\S]*--hostname https:\/\/x: must be a host/,
    );
  });
});

describe("the history", () => {
  it("of one step stays, and its lock too, which alone tells that a released step was edited", () => {
    const lock = formatLock(TWO);
    const after = init({}, {}, { ...template, "infra/migrations.lock": lock });
    expect(after["infra/migrations.ts"]).toBe(HISTORY_FILE);
    expect(after["infra/migrations.lock"]).toBe(lock);
  });

  it("does not begin anew over a lock that tells of other steps", () => {
    const texts = { ...template, "infra/migrations.lock": formatLock(ONE).replace(/\w+\n$/, "0\n") };
    expect(refusal({}, { migrations: TWO }, texts)).toMatch(/^Nothing was changed: .*\n.*0001-create.* was edited/);
  });

  it("of more steps becomes one step with the classes at its end", () => {
    const fresh = freshHistory(TWO);
    expect(lint(fresh)).toEqual([]);
    expect(fresh.map(({ changes }) => changes)).toEqual([
      [
        { op: "create", className: "CDO", storage: "sqlite" },
        { op: "create", className: "DDO", storage: "sqlite" },
      ],
    ]);
    const after = init({}, { migrations: TWO });
    expect(after["infra/migrations.ts"]).toContain('classes.create("CDO").create("DDO")');
    expect(checkLock(fresh, after["infra/migrations.lock"] ?? null)).toEqual([]);
  });

  it("that another Worker depends on is kept", () => {
    const moved: readonly Migration[] = history()
      .step("0001-create", (classes) => classes.create("ADO"))
      .step("0002-receive", (classes) => classes.receive("BDO", "theirs")).migrations;
    expect(freshHistory(moved)).toBe(moved);
  });

  it.each<[string, Partial<Situation>, Readonly<Record<string, string>>, RegExp]>([
    ["a tag", { releases: ["v1.0.0"] }, {}, /git has the tag v1\.0\.0/],
    ["a clone without tags", { tagsUnknown: "this clone is shallow" }, {}, /anew: this clone is shallow\./],
    [
      "a deployment here",
      { deployedLocally: [".local", ".local-my-app"] },
      {},
      /the local account in \.local-my-app has a deployment/,
    ],
    [
      "a stack that adopts",
      {},
      { "Pulumi.staging.yaml": "config:\n  adopt: true\n" },
      /staging takes over a live Worker/,
    ],
  ])("that may have been released (%s) is not rewritten, unless it is kept", (_, found, more, reason) => {
    const texts = { ...template, ...more };
    const message = refusal({}, { migrations: TWO, ...found }, texts);
    expect(message).toMatch(reason);
    expect(message).toMatch(/Keep them: --keep-history\./);
    const after = init({ keepHistory: true }, { migrations: TWO, ...found }, texts);
    expect(after["infra/migrations.ts"]).toBe(HISTORY_FILE);
    expect(after["package.json"]).toContain('"my-app"');
    // With one step there is nothing to rewrite, so nothing is refused.
    expect(refusal({}, found, texts)).toBe("");
  });

  it("that may have been released forgets no pattern that goes: what runs would have its class still", () => {
    const patterns = ["board", "post"].map(
      (folder): PatternFacts => ({
        ...{ folder, name: folder, binding: folder.toUpperCase(), class: `${folder}DO`, path: `/${folder}` },
        ...{ actions: {}, settings: {} },
      }),
    );
    const message = refusal({ patterns: ["board"] }, { patterns, releases: ["v1.0.0"] });
    expect(message).toMatch(/cannot begin anew: git has the tag v1\.0\.0\..* Keep them: --keep-history\.$/);
  });

  it("that only an account of this machine knows may be deleted with its data", () => {
    const local = { migrations: TWO, deployedLocally: [".local", ".local/into/abc"] };
    expect(refusal({}, local)).toMatch(
      /Or, .* only for trying, stop the account, .*\(rm -rf \.local \.local\/into\/abc\)/,
    );
    const spaced = { ...local, deployedLocally: [".local backup", ".local's"] };
    expect(refusal({}, spaced), "as a shell takes them").toContain("(rm -rf '.local backup' '.local'\\''s')");
    expect(refusal({}, { ...local, releases: ["v1.0.0"] })).not.toContain("rm -rf");
  });
});

describe("what was deployed from here", () => {
  const dir = scratch();

  it("is found in every folder of a local account, and in what was deployed to another checkout's", () => {
    for (const file of [
      ".local/account.sqlite",
      ".local/into/abc/stack.json",
      ".local-my-app/stack.json",
      ".local-older/started-from",
      ".localized",
      ".local-cli/pulumi/.pulumi/meta.yaml",
      "other/stack.json",
    ]) {
      mkdirSync(dirname(join(dir, file)), { recursive: true });
      writeFileSync(join(dir, file), "");
    }
    expect(deployedFolders(dir)).toEqual([".local-cli", ".local-my-app", ".local-older", ".local/into/abc"]);
  });
});

describe("what only the template needs", () => {
  it("is removed, with its scripts and its steps in CI", () => {
    const after = init();
    expect(Object.keys(after).filter((file) => /^test\//.test(file))).toEqual([]);
    expect(after["package.json"]).toBe(
      '{\n  "name": "my-app",\n  "description": "A Cloudflare Worker with Durable Objects",\n  "scripts": {\n    "test": "a"\n  }\n}\n',
    );
    expect(after[".ci/run"]).toBe("one\nfour\nsix\n");
    expect(after["CHANGELOG.md"]).not.toContain("template");
  });

  it("is removed once: later files of the team with these names stay", () => {
    const first = init({ hostname: "api.example.com" });
    const { changes } = firstDay(
      { ...wishes, hostname: "api.example.com" },
      { ...situation, project: "my-app", packageName: "my-app" },
      filesOf(first),
    );
    expect(changes).toEqual([]);
    const texts = { ...first, "CHANGELOG.md": "# Ours\n" };
    const renamed = init({ name: "third" }, { project: "my-app", packageName: "my-app" }, texts);
    expect(renamed["CHANGELOG.md"]).toBe("# Ours\n");
    expect(renamed["README.md"]).toMatch(/^# third\n/);
  });

  it("is removed again after an upgrade has brought it back, and the team's description and changelog stay", () => {
    const first = init();
    const described = first["package.json"]?.replace(/"description": ".*"/, '"description": "Ours"') ?? "";
    const upgraded = {
      ...first,
      ...{ "package.json": described, "CHANGELOG.md": "# Ours\n", "test/template/new.test.ts": "" },
    };
    const again = init({}, { project: "my-app", packageName: "my-app" }, upgraded);
    expect(again).toEqual({ ...first, "package.json": described, "CHANGELOG.md": "# Ours\n" });
  });

  it("is removed again where a merge has brought back marked lines alone", () => {
    const first = init();
    const upgraded = { ...first, ".ci/run": template[".ci/run"] ?? "", "CHANGELOG.md": "# Ours\n" };
    const again = init({}, { project: "my-app", packageName: "my-app" }, upgraded);
    expect(again).toEqual({ ...first, "CHANGELOG.md": "# Ours\n" });
  });

  it("is removed again from the README that an upgrade has brought back, and the team's changelog stays", () => {
    const first = init();
    const readme = `# my-app\n${template["README.md"]?.replace(/^.*\n/, "")}`;
    const upgraded = { ...first, "README.md": readme, "CHANGELOG.md": "# Ours\n", "test/template/new.test.ts": "" };
    const again = init({}, { project: "my-app", packageName: "my-app" }, upgraded);
    expect(again).toEqual({ ...first, "CHANGELOG.md": "# Ours\n" });
  });

  it("is removed with the changelog where the team has described the project before", () => {
    const text = template["package.json"]?.replace(/"description": ".*"/, '"description": "Ours"') ?? "";
    const after = init({}, {}, { ...template, "package.json": text });
    expect(after["package.json"]).toContain('"description": "Ours"');
    expect(after["CHANGELOG.md"]).not.toContain("template");
  });
});
