/** The rehearsal, as CI runs it: of releases that keep everything, that delete what they say, and that lose data. */
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { formatLock, LOCK_FILE, type Migration } from "@durable-stack/class-lifecycle";
import { applyEdits, modify } from "jsonc-parser";
import * as v from "valibot";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { migrations } from "../../infra/migrations.ts";
import { nextStepName, withStep } from "../../infra/pattern/history.ts";
import { dependentsOf } from "../../infra/pattern/remove.ts";
import { fillings } from "../../infra/rehearsal/patterns.ts";
import { ROOT } from "../../infra/release/root.ts";
import type { PatternFacts } from "../../worker/pattern.ts";
import { patterns } from "../../worker/patterns.ts";
import { ProjectCopy } from "../project-copy.ts";

const Outcome = v.object({
  ok: v.boolean(),
  plan: v.array(v.string()),
  classes: v.array(
    v.object({
      className: v.string(),
      fate: v.object({ kind: v.string(), to: v.optional(v.string()) }),
      objects: v.number(),
      kept: v.number(),
      before: v.optional(v.string()),
      after: v.optional(v.string()),
      lost: v.array(v.object({ id: v.string(), reason: v.string() })),
      ok: v.boolean(),
    }),
  ),
  notAllowed: v.array(v.string()),
  storageGoing: v.array(v.string()),
  back: v.object({ kind: v.string(), because: v.optional(v.string()), faults: v.optional(v.array(v.unknown())) }),
  asked: v.object({ requests: v.number(), failed: v.number(), firstAnswerMs: v.number() }),
  sockets: v.record(v.string(), v.object({ open: v.number(), dropped: v.number(), reconnected: v.number() })),
});

let project: ProjectCopy;
beforeAll(async () => {
  project = new ProjectCopy();
  project.commit("v1");
  expect(await project.run("npm run -s build")).toMatchObject({ code: 0 });
  cpSync(join(project.root, "dist/release"), join(project.root, "dist/older"), { recursive: true });
});
afterEach(() => project.reset());
afterAll(() => project.remove());

/** Rehearses the copy as it is now, which is built by that, over `from`. */
async function rehearse(from: string) {
  const { code, text } = await project.run(`npm run -s rehearse -- --from ${from} --objects 2 --json`);
  if (!text.startsWith("{")) throw new Error(text);
  return { code, ...v.parse(Outcome, JSON.parse(text)) };
}

/** Appends a step to the copy's history. */
function addStep(words: string, change: Migration["changes"][number]): void {
  addStepTo(migrations, words, change);
}

/** Appends a step to the copy's history, which is `before`, and records it, as CI asks. */
function addStepTo(before: readonly Migration[], words: string, change: Migration["changes"][number]): void {
  const step = { name: nextStepName(before, words), changes: [change] };
  project.write("infra/migrations.ts", withStep(project.read("infra/migrations.ts"), before, step));
  project.write(LOCK_FILE, formatLock([...before, step]));
}

/** The file of a pattern's class, as worker/index.ts exports it. */
function fileOf({ class: className }: PatternFacts): string {
  const [, file] =
    new RegExp(`export \\{ ${className} \\} from "\\./(.+)";`).exec(project.read("worker/index.ts")) ?? [];
  return `worker/${file}`;
}

const all: readonly PatternFacts[] = patterns;
const [first] = patterns;
const filled = await fillings();
const bindings = (filling: { readonly binding: string }) => (facts: PatternFacts) => facts.binding === filling.binding;
/** Classes whose objects take WebSockets. */
const withSockets = filled
  .filter(({ socket }) => socket !== undefined)
  .flatMap((filling) => all.find(bindings(filling))?.class ?? []);
/** A pattern that no other needs, and the rest. */
const removable = all.find(({ folder }) => dependentsOf(all, folder).length === 0);

const classNames = all.map((facts) => facts.class).toSorted();
const allKept = { objects: 2, kept: 2, lost: [], ok: true };

it("passes if a class is renamed and every object keeps its data, over a release without its source", async () => {
  const renamed = `Renamed${first.class}`;
  for (const file of [fileOf(first), "worker/index.ts", "wrangler.jsonc"]) {
    project.replace(file, first.class, renamed);
  }
  addStep("rename-it", { op: "rename", from: first.class, to: renamed });
  const { code, ok, classes, plan, sockets, asked, back } = await rehearse("dist/older");
  expect({ code, ok }).toEqual({ code: 0, ok: true });
  expect(back).toEqual({ kind: "not-tried", because: "the newer release changes classes" });
  expect(plan.join("\n")).toContain(`${first.class} -> ${renamed}`);
  expect(classes.map(({ className }) => className).toSorted()).toEqual(classNames);
  for (const outcome of classes) {
    expect(outcome).toMatchObject(allKept);
    expect(outcome.after).toBe(outcome.before);
  }
  expect(classes.find(({ className }) => className === first.class)?.fate).toEqual({ kind: "renamed", to: renamed });
  for (const held of Object.values(sockets)) expect(held).toEqual({ open: 2, dropped: 2, reconnected: 2 });
  expect(Object.keys(sockets).toSorted()).toEqual(withSockets.toSorted());
  expect(asked.firstAnswerMs).toBeGreaterThan(0);
});

it.skipIf(all.length < 2 || !removable)(
  "passes if a step deletes a class, and says that, and that the stack does not allow it yet",
  async () => {
    const { folder, class: className } = removable ?? first;
    expect(await project.run(`npm run -s pattern -- remove ${folder}`)).toMatchObject({ code: 0 });
    // The filling stays after the pattern is gone, until no stack has the class.
    const filling = `test/${folder}/rehearsal.ts`;
    project.write(filling, readFileSync(join(ROOT, filling), "utf8"));
    const { code, ok, classes, notAllowed, sockets } = await rehearse("v1");
    expect({ code, ok, notAllowed }).toEqual({ code: 0, ok: true, notAllowed: [className] });
    const deleted = classes.find((outcome) => outcome.className === className);
    expect(deleted).toMatchObject({ fate: { kind: "deleted" }, objects: 2, kept: 0, ok: true });
    expect(deleted?.after).toBeUndefined();
    for (const outcome of classes) if (outcome !== deleted) expect(outcome).toMatchObject(allKept);
    if (withSockets.includes(className)) expect(sockets[className]).toMatchObject({ open: 2, reconnected: 0 });
  },
);

it.skipIf(all.length < 2 || !removable)(
  "passes if a class is handed to another Worker, or comes from one, and over a release that has done so",
  async () => {
    const { folder, class: className } = removable ?? first;
    const steps = [
      { name: nextStepName(migrations, "send-it"), changes: [{ op: "send", className, toWorker: "bank" }] },
      {
        name: nextStepName([...migrations, { name: nextStepName(migrations, ""), changes: [] }], "receive-more"),
        changes: [{ op: "receive", className: "Received", fromWorker: "bank", storage: "sqlite" }],
      },
    ] satisfies readonly Migration[];
    const history = project.read("infra/migrations.ts");
    expect(await project.run(`npm run -s pattern -- remove ${folder}`)).toMatchObject({ code: 0 });
    const filling = `test/${folder}/rehearsal.ts`;
    project.write(filling, readFileSync(join(ROOT, filling), "utf8"));
    const handed = steps.reduce(
      ({ text, done }, step) => ({ text: withStep(text, done, step), done: [...done, step] }),
      { text: history, done: migrations },
    );
    project.write("infra/migrations.ts", handed.text);
    project.write(
      "worker/index.ts",
      `${project.read("worker/index.ts")}import { DurableObject } from "cloudflare:workers";\nexport class Received extends DurableObject {}\n`,
    );
    expect(await project.run("rm infra/migrations.lock && npm run -s migrations -- lock")).toMatchObject({ code: 0 });
    const { code, ok, classes, plan } = await rehearse("v1");
    expect({ code, ok }).toEqual({ code: 0, ok: true });
    expect(plan.join("\n")).toMatch(/\+ Received \(sqlite\), to be taken over from bank/);
    for (const { className: name, fate, kept } of classes) {
      if (name === className) expect(fate).toEqual({ kind: "sent" });
      else expect(kept).toBe(2);
    }

    // By now it has come.
    addStepTo(handed.done, "rename-it", { op: "rename", from: "Received", to: "Come" });
    project.replace("worker/index.ts", "class Received", "class Come");
    cpSync(join(project.root, "dist/release"), join(project.root, "dist/handed"), { recursive: true });
    const after = await rehearse("dist/handed");
    expect({ code: after.code, ok: after.ok }).toEqual({ code: 0, ok: true });
    expect(after.plan.join("\n")).toContain("Received -> Come");
    for (const outcome of after.classes) expect(outcome).toMatchObject(allKept);

    // A change of the code alone has a way back there, as anywhere.
    project.write("infra/migrations.ts", handed.text);
    project.write(LOCK_FILE, formatLock(handed.done));
    project.replace("worker/index.ts", "class Come", "class Received");
    project.replace("wrangler.jsonc", '"vars": {', '"vars": { "TRIED_GREETING": "hello",');
    const codeOnly = await rehearse("dist/handed");
    expect(codeOnly).toMatchObject({ code: 0, ok: true, back: { kind: "tried", faults: [] } });
  },
);

it("has what the release needs outside of it: queues, other Workers and their classes, tail consumers", async () => {
  const before = project.read("wrangler.jsonc");
  const services = [{ binding: "AUTH", service: "auth", entrypoint: "Login" }];
  const queues = { producers: [{ binding: "MAILS", queue: "mails" }] };
  const seat = { name: "SEAT", class_name: "Seat", script_name: "auth" };
  const tail_consumers = [{ service: "watcher" }];
  const more = JSON.stringify({ services, queues, tail_consumers }).slice(1, -1);
  project.write(
    "wrangler.jsonc",
    before
      .replace('"main":', `${more}, "main":`)
      .replace(`{ "name": "${first.binding}"`, `${JSON.stringify(seat)}, $&`),
  );
  const { code, ok, classes } = await rehearse("dist/older");
  expect({ code, ok }).toEqual({ code: 0, ok: true });
  for (const outcome of classes) expect(outcome).toMatchObject(allKept);
});

it("has storage in the place of what a stack is bound to, and no pin", async () => {
  // Names that no project has of its own.
  project.replace(
    "wrangler.jsonc",
    '{ "binding": "READS" }',
    '{ "binding": "READS" }, { "binding": "TRIED_CACHE", "id": "0" }',
  );
  project.replace(
    "wrangler.jsonc",
    '{ "binding": "BLOBS" }',
    '{ "binding": "BLOBS" }, { "binding": "TRIED_FILES", "bucket_name": "files" }',
  );
  const database = { binding: "TRIED_PEOPLE", database_name: "people", database_id: "0" };
  const file = project.read("wrangler.jsonc");
  const insert = { isArrayInsertion: true };
  project.write("wrangler.jsonc", applyEdits(file, modify(file, ["d1_databases", 0], database, insert)));
  const bind = {
    TRIED_CACHE: "0123456789abcdef0123456789abcdef",
    TRIED_FILES: "files-of-old",
    TRIED_PEOPLE: "01234567-89ab-4cde-8f01-23456789abcd",
  };
  project.write("Pulumi.local.yaml", `${project.read("Pulumi.local.yaml")}  pin: 7\n  bind: ${JSON.stringify(bind)}\n`);
  const { code, ok, classes } = await rehearse("dist/older");
  expect({ code, ok }).toEqual({ code: 0, ok: true });
  for (const outcome of classes) expect(outcome).toMatchObject(allKept);
});

it("runs a commit's program with the packages of that commit, whatever they have become since", async () => {
  const name = "packages/class-lifecycle/src/index.ts";
  project.write(name, `${project.read(name)}export { history as historyOfThen } from "./history.ts";\n`);
  const history = project.read("infra/migrations.ts").replace(/\bhistory\b(?=[ (])/g, "historyOfThen");
  project.write("infra/migrations.ts", history);
  await project.run("git commit -qam then && git tag then && git reset -q --hard v1");
  const { code, ok, classes } = await rehearse("then");
  expect({ code, ok }).toEqual({ code: 0, ok: true });
  for (const outcome of classes) expect(outcome).toMatchObject(allKept);
});

it("passes if a binding goes with its storage, and says that the stack does not allow it yet", async () => {
  const yaml = "Pulumi.local.yaml";
  const [plain, settings] = [project.read("wrangler.jsonc"), project.read(yaml)];
  const law = "    - { id: law, prefix: law, locationHint: weur, jurisdiction: eu }\n";
  project.replace("wrangler.jsonc", '{ "binding": "READS" }', '{ "binding": "READS" }, { "binding": "FOO" }');
  project.replace(yaml, "  regions:\n", `  regions:\n${law}`);
  await project.run("git commit -qam stored && git tag stored && git reset -q --hard v1");
  project.write("wrangler.jsonc", plain);
  project.write(yaml, `${settings}  allowRegionLoss: [loc-law]\n`);
  const going = ["FOO", "BLOBS_EU"];
  const { code, ok, notAllowed, storageGoing, back } = await rehearse("stored");
  expect({ code, ok, notAllowed, storageGoing }).toEqual({ code: 0, ok: true, notAllowed: going, storageGoing: going });
  expect(back).toEqual({ kind: "not-tried", because: "stored is bound to storage that goes: FOO, BLOBS_EU" });
});

it("needs no secret of the stack, whether it is one of the project's own or of another name", async () => {
  const secret = "{ secure: v1:abc }";
  const secrets = `  adminToken: ${secret}\n  adminTokenPrevious: ${secret}\n  my:stripeKey: ${secret}\n`;
  const yaml = project.read("Pulumi.local.yaml");
  project.write("Pulumi.local.yaml", `${yaml.replace(/^ {2}adminToken\w*:.*\n/gm, "")}${secrets}`);
  const { code, ok, classes } = await rehearse("dist/older");
  expect({ code, ok }).toEqual({ code: 0, ok: true });
  for (const outcome of classes) expect(outcome).toMatchObject(allKept);
});

it("has a bucket in the place of one that is made by hand, and knows the regions that no setting names", async () => {
  const yaml = "Pulumi.local.yaml";
  const [table] = / {2}regions:\n( {4}- .*\n)+/.exec(project.read(yaml)) ?? [];
  const gov = "    - { id: gov, prefix: gov, locationHint: enam, jurisdiction: fedramp-high }\n";
  project.replace(yaml, table ?? "", `${table}${gov}  bind: { BLOBS_FEDRAMP_HIGH: by-hand }\n`);
  const law = await rehearse("dist/older");
  expect({ code: law.code, ok: law.ok }).toEqual({ code: 0, ok: true });
  project.replace(yaml, `${table}${gov}  bind: { BLOBS_FEDRAMP_HIGH: by-hand }\n`, "");
  const none = await rehearse("dist/older");
  expect({ code: none.code, ok: none.ok }).toEqual({ code: 0, ok: true });
  for (const outcome of [...law.classes, ...none.classes]) expect(outcome).toMatchObject(allKept);
});

it("fails if the code looks for the data in another place, although no class changes", async () => {
  // What may be lost is lost only where the config hides it, which here it does not.
  project.write(
    "Pulumi.local.yaml",
    `${project.read("Pulumi.local.yaml")}  allowRegionLoss: [loc-eu, loc-us, loc-ap]\n`,
  );
  for (const { folder, name } of all) {
    project.replace(`worker/${folder}/pattern.ts`, `name: "${name}"`, `name: "${name}-two"`);
  }
  const { code, ok, classes, plan } = await rehearse("dist/older");
  expect({ code, ok }).toEqual({ code: 1, ok: false });
  expect(plan.join("\n")).toContain(`no changes to ${all.length}`);
  const lost = classes.filter((outcome) => !outcome.ok).map(({ className }) => className);
  expect(lost.toSorted()).toEqual(classNames);
  for (const outcome of classes) for (const { reason } of outcome.lost) expect(reason).not.toBe("");
});

it("passes if the config adds a region, and says why it does not go back", async () => {
  project.replace("wrangler.jsonc", '"vars": {', '"vars": { "TRIED_GREETING": "hello",');
  project.replace(
    "Pulumi.local.yaml",
    "  regions:\n",
    "  regions:\n    - { id: added, prefix: added, locationHint: afr }\n",
  );
  const { code, ok, classes, back } = await rehearse("v1");
  expect({ code, ok }).toEqual({ code: 0, ok: true });
  expect(back).toEqual({ kind: "not-tried", because: "v1 has no region added: going back hides what is there" });
  for (const outcome of classes) expect(outcome).toMatchObject(allKept);
});

it("passes if the config drops a region, and loses nothing of the others", async () => {
  const line = "    - { id: us, prefix: us, locationHint: enam, continents: [NA, SA] }\n";
  project.replace("Pulumi.local.yaml", line, "");
  project.write("Pulumi.local.yaml", `${project.read("Pulumi.local.yaml")}  allowRegionLoss: [loc-us]\n`);
  const { code, ok, classes, back } = await rehearse("v1");
  expect({ code, ok, back }).toEqual({
    code: 0,
    ok: true,
    back: { kind: "not-tried", because: "both are the same release" },
  });
  const byId = filled.filter(({ takesId }) => takesId !== false);
  const ofRegions = byId.flatMap((filling) => all.find(bindings(filling))?.class ?? []);
  for (const outcome of classes.filter(({ className }) => ofRegions.includes(className))) {
    expect(outcome).toMatchObject({
      kept: 1,
      lost: [{ id: "us~rehearsal-1", reason: expect.stringContaining('there is no region \\"us\\"') }],
    });
  }
});

it("passes if the config gives up names of objects, and says why it does not go back", async () => {
  project.replace("wrangler.jsonc", '"vars": {', '"vars": { "TRIED_GREETING": "hello",');
  project.replace("Pulumi.local.yaml", "prefix: us,", "prefix: na,");
  project.replace("Pulumi.local.yaml", "homeRegion: eu", "homeRegion: us");
  project.write("Pulumi.local.yaml", `${project.read("Pulumi.local.yaml")}  allowRegionLoss: [loc-us, loc-eu]\n`);
  const { code, ok, back } = await rehearse("v1");
  expect({ code, ok, back }).toEqual({
    code: 0,
    ok: true,
    back: { kind: "not-tried", because: "v1 names objects by other regions: going back hides what is there" },
  });
});

it("fills every region, and names those that too few objects leave out", async () => {
  const more = ["r4", "r5"].map((id) => `    - { id: ${id}, prefix: ${id}, locationHint: afr }\n`).join("");
  project.replace("Pulumi.local.yaml", "  regions:\n", `  regions:\n${more}`);
  const few = await project.run("npm run -s rehearse -- --from dist/older --objects 4");
  expect(few).toMatchObject({ code: 0, text: expect.stringMatching(/^Region ap was not filled: /m) });
  expect(few.text.match(/^Region /gm)).toHaveLength(1);
  const all = await project.run("npm run -s rehearse -- --from dist/older");
  expect(all).toMatchObject({ code: 0, text: expect.stringMatching(/DO +5 /) });
  expect(all.text).not.toContain("was not filled");
});

it("fails with the plan's words if the newer release is refused", async () => {
  const from = fileOf(first).replace("worker/", "./");
  project.replace("worker/index.ts", `export { ${first.class} } from "${from}";\n`, "");
  const { code, text } = await project.run("npm run -s rehearse -- --from dist/older --objects 1");
  expect(code).toBe(1);
  expect(text).toContain(`[config_export_not_in_code] ${first.class}`);
  // A refusal, not a crash.
  expect(text).not.toMatch(/^ +at /m);
});

it("judges the files as they are, whatever was built before, unless a release is named", async () => {
  expect(await project.run("npm run -s build")).toMatchObject({ code: 0 });
  const from = fileOf(first).replace("worker/", "./");
  project.replace("worker/index.ts", `export { ${first.class} } from "${from}";\n`, "");
  const refused = { code: 1, text: expect.stringContaining(`[config_export_not_in_code] ${first.class}`) };
  // What was built last is the older one, though the build of the newer one replaces it.
  expect(await project.run("npm run -s rehearse -- --from dist/release --objects 1")).toMatchObject(refused);
  const looked = await project.run("npm run -s pr -- look --base v1 --objects 1");
  expect(looked).toMatchObject({
    code: 0,
    text: expect.stringContaining(`[config_export_not_in_code] ${first.class}`),
  });
  const named = await project.run("npm run -s pr -- look --base v1 --objects 1 --release dist/older");
  expect(named).toMatchObject({ code: 0, text: expect.stringContaining("Nothing that is deployed") });
});

it("says why it cannot begin", async () => {
  const run = (options: string) => project.run(`npm run -s rehearse -- ${options}`);
  expect(await run("")).toMatchObject({ code: 1, text: expect.stringContaining("--from <release>") });
  expect(await run("--from dist/older --objects 0")).toMatchObject({
    code: 1,
    text: expect.stringContaining("1 to 1000"),
  });
  const nothing = await run("--from v0");
  expect(nothing).toMatchObject({ code: 1, text: expect.stringContaining('"v0" is neither a folder with a release') });
  const name = migrations.at(-1)?.name ?? "";
  project.replace("infra/migrations.ts", name, `${name}-other`);
  await project.run("rm infra/migrations.lock && npm run -s migrations -- lock");
  const foreign = await run("--from dist/older");
  expect(foreign).toMatchObject({ code: 1, text: expect.stringContaining("which infra/migrations.ts does not have") });
});
