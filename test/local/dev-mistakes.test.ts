/** `npm run dev` through the mistakes of a day: it says what is wrong, and goes on once that is corrected. */
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { ROOT } from "../../infra/release/root.ts";
import { patterns } from "../../worker/patterns.ts";
import { expectAdmin } from "../admin-token.ts";
import { freePort } from "../free-port.ts";
import { ProjectCopy } from "../project-copy.ts";
import { DEV, DevServer } from "./dev-server.ts";

const ENTRY = "worker/http/problem.ts";
const NOTHING_RUNS = "Nothing runs until that is corrected.\n";
const GOES_ON = "What ran before goes on.\n";
/** A busy machine takes long; the rate limiter lets a hundred a minute through. */
const PATIENT = { timeout: 60_000, interval: 500 };
const RELOADED = /Reloaded in \d+ ms\n/;

let dev: DevServer;
/** What it had at the start. */
let entry: string;
beforeAll(async () => {
  const project = new ProjectCopy();
  // Each reload loses a fifth of what the rate limiter lets through in that time, which the Worker before held.
  project.replace("wrangler.jsonc", '"periodSeconds": 60', '"periodSeconds": 1');
  // Made here, because a new folder is itself a change that reloads.
  mkdirSync(join(project.root, "worker/linked"));
  symlinkSync(join(project.root, "../beside"), join(project.root, "worker/linked/beside"), "junction");
  project.commit("v0.0.0");
  // Where Workers that run on this machine find each other: here there are none.
  dev = new DevServer(project, `export CLOUDFLARE_DEV_REGISTRY_PATH="$PWD/.cache/registry"; ${DEV}`);
  entry = dev.project.read(ENTRY);
  await dev.ready();
});
afterAll(() => dev?.stop());

const THROWS = 'throw new Error("not today");\n';
const LOOPS = "while (true) {}\n";

it("tells why a Worker does not start, and that nothing runs; once that is corrected, it answers", async () => {
  const said = await dev.onSave(ENTRY, `${THROWS}${entry}`, NOTHING_RUNS);
  expect(said).toMatch(
    /^The Worker does not start:\n {2}Uncaught Error: not today\n {4}at worker\/http\/problem\.ts:1:7\n( {4}at .*\n)*Nothing runs/m,
  );
  await expect(dev.ask("/nowhere")).rejects.toThrow();
  // Whatever else breaks meanwhile, nothing runs.
  expect(await dev.onSave(ENTRY, "this is not TypeScript", NOTHING_RUNS)).toContain(`${ENTRY}:1: `);
  await dev.onSave(ENTRY, entry.replace('"Not found"', '"Found again"'), RELOADED);
  expect(await dev.ask("/nowhere")).toContain("Found again");
});

it("tells what fails later, too, with the file and the line of the source", async () => {
  const fails = 'export function fails(): never {\n  throw new TypeError("late");\n}\n';
  const app = dev.project.read("worker/app.ts");
  await dev.onSave(ENTRY, `${fails}${entry}`, RELOADED);
  const calling = app.replace(/\.notFound\(async \(c\) => \{/, '$&\n      if (c.req.path === "/fails") fails();');
  await dev.onSave("worker/app.ts", `import { fails } from "./http/problem.ts";\n${calling}`, RELOADED);
  await dev.ask("/fails");
  expect(await dev.says(/TypeError: late.*\n/)).toMatch(
    /TypeError: late\\n {4}at fails \(worker\/http\/problem\.ts:2:9\)\\n {4}at \S*( \()?worker\/app\.ts:\d+:/,
  );
  await dev.onSave("worker/app.ts", app, RELOADED);
  await dev.onSave(ENTRY, entry, RELOADED);
});

it("ends a Worker that computes without an end at its start, and says so; once that is corrected, it answers", async () => {
  const said = await dev.onSave(ENTRY, `${LOOPS}${entry}`, NOTHING_RUNS);
  expect(said).toMatch(/^The Worker has not started for 20 s, and was ended\./m);
  await dev.onSave(ENTRY, entry.replace('"Not found"', '"Found after all"'), RELOADED);
  expect(await dev.ask("/nowhere")).toContain("Found after all");
});

it("ends with the reason where the Worker does not start at the start", async () => {
  const fresh = new ProjectCopy();
  onTestFinished(() => fresh.remove());
  for (const [mistake, reason] of [
    [THROWS, /^The Worker does not start:\n {2}Uncaught Error: not today\n( {4}at .*\n)+$/],
    [LOOPS, /^The Worker has not started for 20 s, and was ended\..*\n$/],
  ] as const) {
    fresh.write(ENTRY, `${mistake}${entry}`);
    expect(await fresh.run(DEV)).toEqual({ code: 1, text: expect.stringMatching(reason) });
  }
});

it("follows wrangler.jsonc, also in what the Worker is bundled by", async () => {
  const config = dev.project.read("wrangler.jsonc");
  const defined = (value: string) =>
    config.replace('"observability"', `"define": { "MADE": "${value}" },\n  "observability"`);
  const shows = 'declare const MADE: string;\nconst made = typeof MADE === "string" ? MADE : "nothing";\n';
  await dev.onSave(ENTRY, `${shows}${entry.replace('"Not found"', "made")}`, RELOADED);
  expect(await dev.ask("/nowhere")).toContain('"nothing"');
  for (const made of ["once", "again"]) {
    await dev.onSave("wrangler.jsonc", defined(`'${made}'`), RELOADED);
    expect(await dev.ask("/nowhere")).toContain(`"${made}"`);
  }
  expect(await dev.onSave("wrangler.jsonc", defined("a b"), GOES_ON)).toMatch(
    /^The Worker does not build:\n {2}Invalid define value .*: a b\.$/m,
  );
  await dev.onSave("wrangler.jsonc", config, RELOADED);
  expect(await dev.ask("/nowhere")).toContain('"nothing"');
});

it("runs without the other Workers that it is bound to and tells of its requests", async () => {
  const config = dev.project.read("wrangler.jsonc");
  const leads = '"services": [{ "binding": "AUTH", "service": "auth" }], "tail_consumers": [{ "service": "logs" }],';
  await dev.onSave("wrangler.jsonc", config.replace('"observability"', `${leads} $&`), RELOADED);
  expect(await dev.ask("/nowhere")).toContain("There is nothing at /nowhere");
  await dev.onSave("wrangler.jsonc", config, RELOADED);
});

it("follows .dev.vars", async () => {
  const shows = 'import { env } from "cloudflare:workers";\nconst made = String(Reflect.get(env, "MADE"));\n';
  await dev.onSave(ENTRY, `${shows}${entry.replace('"Not found"', "made")}`, RELOADED);
  for (const made of ["once", "again"]) {
    await dev.onSave(".dev.vars", `MADE=${made}\n`, RELOADED);
    expect(await dev.ask("/nowhere")).toContain(`"${made}"`);
  }
});

it("follows what the Worker imports from elsewhere, also while that is broken", async () => {
  const near = (text: string) => `export const near = "${text}";\n`;
  const far = "../beside/far.ts";
  dev.project.write("shared/near.ts", near("near one"));
  dev.project.write(far, 'export const far = "far one";\n');
  const imports = 'import { near } from "../../shared/near.ts";\nimport { far } from "../linked/beside/far.ts";\n';
  await dev.onSave(ENTRY, `${imports}${entry.replace('"Not found"', "[near, far].join()")}`, RELOADED);
  expect(await dev.ask("/nowhere")).toContain("near one,far one");
  await dev.onSave("shared/near.ts", near("near two"), RELOADED);
  await dev.onSave(far, 'export const far = "far two";\n', RELOADED);
  expect(await dev.ask("/nowhere")).toContain("near two,far two");
  // What is broken when it is first imported, and what comes only after its import.
  dev.project.write("another/made.ts", "this is not TypeScript");
  const another = 'import "../another/made.ts";\n';
  expect(await dev.onSave("shared/near.ts", `${another}${near("near three")}`, GOES_ON)).toContain(
    "another/made.ts:1: ",
  );
  expect(await dev.onSave("another/made.ts", 'import "./later.ts";\n', GOES_ON)).toContain("another/made.ts:1: ");
  await dev.onSave("another/later.ts", "export {};\n", RELOADED);
  expect(await dev.ask("/nowhere")).toContain("near three");
  // A text module is no part of the bundle.
  dev.project.write("another/words.txt", "some words");
  await dev.onSave(far, 'import far from "./words.txt";\nexport { far };\n', GOES_ON);
  await dev.onSave(far, 'import far from "../project/another/words.txt";\nexport { far };\n', RELOADED);
  await dev.onSave("another/words.txt", "other words", RELOADED);
  expect(await dev.ask("/nowhere")).toContain("other words");
  await dev.onSave(ENTRY, entry, RELOADED);
});

const OWN = "of-this-project-alone";
const OWN_LINE = "Admin token: the ADMIN_TOKEN that this project sets (.dev.vars, .env)";

it("says which admin token the Worker takes, also once .dev.vars sets another", async () => {
  await dev.onSave(".dev.vars", "", RELOADED);
  expect(dev.terminal.text).toContain("Admin token: dev-admin-token. ");
  const said = await dev.onSave(".dev.vars", `ADMIN_TOKEN=${OWN}\n`, RELOADED);
  expect(said).toContain(`${OWN_LINE}\n`);
  expect(said).not.toContain(OWN);
  const port = Number(new URL(dev.url).port);
  await expectAdmin({ port, adminToken: OWN }, true);
  await expectAdmin({ port, adminToken: "dev-admin-token" }, false);
  // As at Cloudflare, an empty setting counts as not set.
  expect(await dev.onSave(".dev.vars", "ADMIN_TOKEN=\n", RELOADED)).toContain("Admin token: dev-admin-token\n");
  await expectAdmin({ port, adminToken: "dev-admin-token" }, true);
});

const panel = patterns
  .map(({ folder }) => `worker/${folder}/panel`)
  .find((folder) => existsSync(join(ROOT, folder, "panel.ts")));

describe.skipIf(panel === undefined)("the page", () => {
  const folder = panel ?? "";

  it("is told with its place where it does not build, and is built once that is corrected", async () => {
    const text = dev.project.read(`${folder}/panel.ts`);
    expect(await dev.onSave(`${folder}/panel.ts`, `import "./nowhere.ts";\n${text}`, GOES_ON)).toContain(
      `The page does not build:\n  ${folder}/panel.ts:1: Could not resolve "./nowhere.ts".\n`,
    );
    // It lies where nothing of the page was before.
    await dev.onSave(`${folder}/nowhere.ts`, 'document.title = "nowhere";\n', RELOADED);
    const made = () => dev.project.read("worker/page/assets.gen.js");
    dev.project.write("titles/made.ts", 'document.title = "one";\n');
    await dev.onSave(`${folder}/nowhere.ts`, 'import "../../../titles/made.ts";\n', RELOADED);
    const before = made();
    await dev.onSave("titles/made.ts", 'document.title = "two";\n', RELOADED);
    expect(made()).not.toBe(before);
  });
});

it("serves the panel of a pattern that is added, and follows it", async () => {
  await dev.project.run('git add --all && git commit -qm "As it is"');
  expect(await dev.project.run("npm run -s pattern -- add made-here")).toMatchObject({ code: 0 });
  const file = "worker/made-here/panel/panel.html";
  dev.project.replace(file, "<section ", "<section data-made-anew ");
  await vi.waitFor(async () => expect(await dev.ask("/")).toContain("data-made-anew"), PATIENT);
});

it("is refused where another runs on the same data, and starts once that one was killed", async () => {
  const configured = new ProjectCopy();
  configured.write(".env", `ADMIN_TOKEN=${OWN}\n`);
  const port = await freePort();
  const onPort = DEV.replace("--port 0", `--port ${port}`);
  const first = await new DevServer(configured, onPort).ready();
  const { project, terminal } = first;
  onTestFinished(() => first.stop());
  expect(await project.run(DEV)).toEqual({
    code: 1,
    text: `\`npm run dev\` runs on this data already (${join(project.root, ".wrangler/state/v3")}); stop that one.\n`,
  });
  expect(terminal.text).toContain(`${OWN_LINE}. `);
  await terminal.kill();
  // Its workerd must not have the data, nor the port, any longer.
  const next = await new DevServer(project, onPort).ready();
  onTestFinished(() => next.terminal.stop());
  expect(await next.ask("/")).toContain("<html");
});

it("ends with npm, also where npm alone is killed", async () => {
  const { project, terminal } = await new DevServer(
    undefined,
    "exec npm run -s dev -- --port 0 --inspector-port 0",
  ).ready();
  onTestFinished(() => project.remove());
  // It waits for all that has the output.
  await terminal.kill();
});
