/**
 * `npm run pattern -- remove|add` and `npm run init -- --patterns`: after any removal, the rest works. Each removal
 * runs in a copy of its own, with the checks and the compiler; the extremes also with their tests, `npm start` and the
 * smoke test.
 */
import { once } from "node:events";
import { createInterface } from "node:readline";
import * as v from "valibot";
import { afterAll, describe, expect, it } from "vitest";
import { migrations } from "../../infra/migrations.ts";
import { nextStepName } from "../../infra/pattern/history.ts";
import { dependentsOf } from "../../infra/pattern/remove.ts";
import type { PatternFacts } from "../../worker/pattern.ts";
import { patterns } from "../../worker/patterns.ts";
import { ProjectCopy } from "../project-copy.ts";

const made: ProjectCopy[] = [];
afterAll(() => {
  for (const copy of made) copy.remove();
});

/** A committed copy, in which a command has succeeded. */
async function copyAfter(command: string): Promise<{ copy: ProjectCopy; text: string }> {
  const copy = new ProjectCopy();
  made.push(copy);
  copy.commit("before");
  return { copy, text: await succeeds(copy, command) };
}

async function succeeds(copy: ProjectCopy, command: string): Promise<string> {
  const { code, text } = await copy.run(command);
  expect(code, `${command}\n${text}`).toBe(0);
  return text;
}

const CHECKS = "npm run -s build:page && npm run -s check && npm run -s migrations -- lint";
/** With the compiler for the projects that have patterns. This takes most of the time. */
const WHOLE = `${CHECKS} && tsc -p worker && tsc -p test/worker`;
/** With the compiler for everything. */
const EVERYTHING = `${CHECKS} && npm run -s typecheck`;

const Started = v.pipe(v.string(), v.parseJson(), v.object({ port: v.number(), adminToken: v.string() }));

/** Runs the remaining tests of the Worker and the tools, then `npm start` and the smoke test. */
async function works(copy: ProjectCopy, tests = ""): Promise<string> {
  await succeeds(copy, `vitest run --project worker --project infra ${tests}`);
  const account = copy.start("exec node infra/commands/start.ts start --port 0 --api-port 0 --json");
  const ended = once(account, "close");
  try {
    for await (const line of createInterface({ input: account.stdout })) {
      const { port, adminToken } = v.parse(Started, line);
      const smoke = `npm run -s smoke -- --url http://127.0.0.1:${port}`;
      const { code, text } = await copy.run(smoke, { env: { ADMIN_TOKEN: adminToken } });
      expect(code, text).toBe(0);
      return text;
    }
    throw new Error("npm start ended without output");
  } finally {
    account.kill("SIGTERM");
    await ended;
  }
}

const all: readonly PatternFacts[] = patterns;
const folders = all.map(({ folder }) => folder);
/** A pattern that no other needs, and one that needs no other: these can be removed, or kept, alone. */
const [free = ""] = folders.filter((folder) => dependentsOf(all, folder).length === 0);
const alone = [...new Set([folders[0] ?? "", folders.at(-1) ?? ""])];
const classOf = (name: string) => all.find(({ folder }) => folder === name)?.class ?? "";

/** The files outside of a pattern's two folders that a removal may change. */
const TOUCHED = [
  "worker/index.ts",
  "worker/patterns.ts",
  "wrangler.jsonc",
  "worker-configuration.d.ts",
  "infra/migrations.ts",
  "infra/migrations.lock",
  "docs/access.md",
  /** Pages lose their links to its guide, and what they mark as the pattern's. */
  /\.md$/,
  /** If the pattern has a command of its own. */
  "package.json",
  /** If the pattern has settings. */
  /^Pulumi\..*yaml$/,
];
const isExpected = (file: string) => TOUCHED.some((one) => (typeof one === "string" ? one === file : one.test(file)));

describe.concurrent("a pattern is removed", () => {
  it.each(folders)("%s alone, or with the patterns that need it", { tags: ["nightly"] }, async (folder) => {
    const gone = [folder, ...dependentsOf(all, folder)];
    const { copy, text } = await copyAfter(`npm run -s pattern -- remove ${gone.join(" ")}`);
    for (const name of gone) expect(text).toContain(`worker/${name}/`);
    const status = await succeeds(copy, "git status --porcelain");
    const touched = status.split("\n").flatMap((line) => line.slice(3) || []);
    const outside = touched.filter(
      (file) => !gone.some((name) => new RegExp(`^(worker|test)/${name}/|^docs/${name}\\.md$`).test(file)),
    );
    expect(outside.filter((file) => !isExpected(file))).toEqual([]);
    expect(outside.filter((file) => !text.includes(`${file} `))).toEqual([]);
    await succeeds(copy, WHOLE);
    expect(await succeeds(copy, "npm run -s pattern -- list")).not.toMatch(new RegExp(`^(${gone.join("|")}) `, "m"));
  });

  it.each(alone)(
    "all but %s: its tests pass, it starts, and the smoke test passes",
    { tags: ["nightly"] },
    async (folder) => {
      const gone = folders.filter((name) => name !== folder);
      const { copy } = await copyAfter(`npm run -s pattern -- remove ${gone.join(" ")}`);
      await succeeds(copy, EVERYTHING);
      // Of the tools, those that use the list of patterns.
      const smoke = await works(copy, `test/worker test/${folder}/ test/infra/config test/infra/pattern`);
      expect(smoke).toMatch(new RegExp(`ok +${folder} `));
      for (const name of gone) expect(smoke).not.toMatch(new RegExp(`ok +${name} `));
      await succeeds(copy, "npm run -s cost -- --requests 1M && npm run -s bench -- --quick");
    },
  );

  it("by init, on the first day: a project with two patterns and its own name", async () => {
    const kept = folders.filter((folder) => !all.find((facts) => facts.folder === folder)?.needs).slice(-2);
    const { copy, text } = await copyAfter(`npm run -s init -- --name my-app --patterns ${kept.join(",")}`);
    expect(text).toMatch(/^These still speak of .*: .*docs\/change-a-class\.md/m);
    await succeeds(copy, EVERYTHING);
    const created = kept.map((folder) => `.create("${classOf(folder)}")`).join("");
    // The formatter may break the line and add a comma.
    expect(copy.read("infra/migrations.ts").replace(/,?\s+/g, "")).toContain(`(classes)=>classes${created})`);
  });
});

describe("a pattern is added", () => {
  it("and works at once: checks, its tests, npm start, the smoke test, and a rehearsal over the old release", async () => {
    const { copy, text } = await copyAfter("npm run -s pattern -- add job-queue");
    expect(text).toContain("JobQueueDO answers at /job-queue");
    await succeeds(copy, `${CHECKS} && npm run -s types -- --check`);
    const tests = "test/job-queue test/worker/access.test.ts test/infra/config.test.ts test/infra/pattern";
    expect(await works(copy, tests)).toMatch(/ok +job-queue +set once, and read/);
    expect(await succeeds(copy, "npm run -s rehearse -- --from before")).toMatch(/\+ JobQueueDO \(sqlite\)/);
  });

  it("and guides that add to the template's history are left out, by name", async () => {
    const { copy } = await copyAfter("npm run -s pattern -- add job-queue");
    const text = await succeeds(
      copy,
      `vitest run --project guides --reporter=verbose -t "history|needs|finds .* missing"`,
    );
    expect(text).toMatch(/docs\/add-a-pattern\.md: .* \(needs the template's history\)/);
    expect(text).toMatch(/docs\/change-a-class\.md: Rename \(needs the template's history\)/);
    expect(text).not.toMatch(/docs\/change-a-class\.md: Delete \(needs/);
  });
});

describe("after a release with its class", () => {
  it("a step deletes the class, and the stack must allow it", async () => {
    const copy = new ProjectCopy();
    made.push(copy);
    // A package, and a script, that are not the pattern's alone.
    const only = ["only", "there"].join("-");
    copy.replace("package.json", '"dependencies": {', `"dependencies": {\n    "${only}": "1.0.0",`);
    copy.replace(
      "package.json",
      '"scripts": {',
      `"scripts": {\n    "test:two": "vitest run test/${free}/ test/infra/",`,
    );
    copy.write(`worker/${free}/more.ts`, `import "${only}";\n`);
    copy.commit("v1.0.0");
    const className = classOf(free);
    const text = await succeeds(copy, `npm run -s pattern -- remove ${free}`);
    // What the tag is built with in a rehearsal.
    expect(text).toMatch(/uninstall them after the next tag\.\n {2}npm uninstall .*only-there/);
    expect(text).toMatch(/^These still speak of .*package\.json \(test:two\)/m);
    expect(copy.read("package.json")).toContain('"test:two"');
    expect(text).toContain(`The history has a step that deletes ${className}: git has the tag v1.0.0`);
    expect(text).toContain(`allowDestroy: [${className}]`);
    const step = nextStepName(migrations, `remove-${free}`);
    expect(copy.read("infra/migrations.ts")).toContain(`.step("${step}", (classes) => classes.remove("${className}"))`);
    await succeeds(copy, "npm run -s check && npm run -s migrations -- lint");
  });
});

describe("is refused, and nothing is changed", () => {
  it.each([
    ["a name that no pattern has", "nope", /there is no such pattern\. There are: /],
    ["all of them", folders.join(" "), /without any pattern/],
  ])("%s", async (_, names, reason) => {
    const copy = new ProjectCopy();
    made.push(copy);
    copy.commit("before");
    const { code, text } = await copy.run(`npm run -s pattern -- remove ${names}`);
    expect({ code, text }).toEqual({ code: 1, text: expect.stringMatching(reason) });
    expect(await succeeds(copy, "git status --porcelain")).toBe("");
  });

  it("init, where no git could bring back what it removes", async () => {
    const copy = new ProjectCopy();
    made.push(copy);
    const { code, text } = await copy.run("npm run -s init -- --name my-app");
    expect({ code, text }).toEqual({ code: 1, text: expect.stringContaining("git init && git add --all") });
    expect(copy.read("test/template/patterns.test.ts")).not.toBe("");
    expect(await succeeds(copy, "npm run -s init -- --name my-app --dry-run")).toContain("test/template/");
  });

  it("over changes that are not committed", async () => {
    const copy = new ProjectCopy();
    made.push(copy);
    copy.commit("before");
    copy.write("worker/mine.ts", "export {};\n");
    const { code, text } = await copy.run(`npm run -s pattern -- remove ${free}`);
    expect(code).toBe(1);
    expect(text).toMatch(/not committed[\s\S]*worker\/mine\.ts/);
  });

  it("where no git could bring it back, but it says what it would do", async () => {
    const copy = new ProjectCopy();
    made.push(copy);
    const { code, text } = await copy.run(`npm run -s pattern -- remove ${free}`);
    expect({ code, text }).toEqual({ code: 1, text: expect.stringContaining("git init && git add --all") });
    expect(copy.read(`worker/${free}/routes.ts`)).not.toBe("");
    const tried = await succeeds(copy, `npm run -s pattern -- remove ${free} --dry-run`);
    expect(tried).toContain(`worker/${free}/`);
  });
});
