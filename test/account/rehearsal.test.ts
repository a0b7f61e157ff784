/** The rehearsal, as CI runs it: releases that keep everything, that take away what they say, and that lose data. */
import { cpSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
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

/** Builds the copy as it is now, and rehearses it after `from`. */
async function rehearse(from: string) {
  expect(await project.run("npm run -s build")).toMatchObject({ code: 0 });
  const { code, text } = await project.run(`npm run -s rehearse -- --from ${from} --objects 2 --json`);
  if (!text.startsWith("{")) throw new Error(text);
  return { code, ...v.parse(Outcome, JSON.parse(text)) };
}

/** Appends a step to the copy's history. */
const addStep = (step: string) =>
  project.replace("infra/migrations.ts", '"RateLimiterDO"),\n  );', `"RateLimiterDO"),\n  )\n  .step(${step});`);

const allKept = { objects: 2, kept: 2, lost: [], ok: true };

it("passes where a class is renamed and every object keeps its data, after a release without its source", async () => {
  for (const file of ["worker/chat/room.ts", "worker/index.ts", "wrangler.jsonc"]) {
    project.replace(file, "ChatRoomDO", "RoomDO");
  }
  addStep('"0002-rename-room", (classes) => classes.rename("ChatRoomDO", "RoomDO")');
  const { code, ok, classes, plan, sockets, asked } = await rehearse("dist/older");
  expect({ code, ok }).toEqual({ code: 0, ok: true });
  expect(plan.join("\n")).toContain("ChatRoomDO -> RoomDO");
  expect(classes.map(({ className }) => className).toSorted()).toEqual([
    "AccountDO",
    "ChatRoomDO",
    "CounterDO",
    "RateLimiterDO",
    "SessionDO",
  ]);
  for (const outcome of classes) {
    expect(outcome).toMatchObject(allKept);
    expect(outcome.after).toBe(outcome.before);
  }
  expect(classes.find(({ className }) => className === "ChatRoomDO")?.fate).toEqual({ kind: "renamed", to: "RoomDO" });
  for (const held of Object.values(sockets)) expect(held).toEqual({ open: 2, dropped: 2, reconnected: 2 });
  expect(Object.keys(sockets).toSorted()).toEqual(["ChatRoomDO", "CounterDO"]);
  expect(asked.firstAnswerMs).toBeGreaterThan(0);
});

it("passes where a class is deleted by a step, and says so, and that the stack does not allow it yet", async () => {
  project.replace("worker/index.ts", 'export { CounterDO } from "./counter/counter.ts";\n', "");
  project.replace("worker/index.ts", 'import { routes as counter } from "./counter/routes.ts";\n', "");
  project.replace("worker/index.ts", "routes: { counter, chat", "routes: { chat");
  project.replace("worker/patterns.ts", 'import { counter } from "./counter/pattern.ts";\n', "");
  project.replace("worker/patterns.ts", "[counter, chat", "[chat");
  project.replace("wrangler.jsonc", '      { "name": "COUNTER", "class_name": "CounterDO" },\n', "");
  addStep('"0002-remove-counter", (classes) => classes.remove("CounterDO")');
  const { code, ok, classes, notAllowed, sockets } = await rehearse("v1");
  expect({ code, ok, notAllowed }).toEqual({ code: 0, ok: true, notAllowed: ["CounterDO"] });
  const counter = classes.find(({ className }) => className === "CounterDO");
  expect(counter).toMatchObject({ fate: { kind: "deleted" }, objects: 2, kept: 0, ok: true });
  expect(counter?.after).toBeUndefined();
  for (const outcome of classes) if (outcome !== counter) expect(outcome).toMatchObject(allKept);
  expect(sockets.CounterDO).toMatchObject({ open: 2, reconnected: 0 });
});

it("fails where the code looks for the data somewhere else, although no class changes", async () => {
  project.replace("worker/ledger/pattern.ts", 'name: "account"', 'name: "ledger"');
  project.replace("worker/rate-limit/pattern.ts", 'name: "limit"', 'name: "bucket"');
  const { code, ok, classes, plan } = await rehearse("dist/older");
  expect({ code, ok }).toEqual({ code: 1, ok: false });
  expect(plan.join("\n")).toContain("no changes to 5");
  const lost = classes.filter((outcome) => !outcome.ok).map(({ className }) => className);
  expect(lost.toSorted()).toEqual(["AccountDO", "RateLimiterDO"]);
  const [reason] = classes.find(({ className }) => className === "RateLimiterDO")?.lost ?? [];
  expect(reason?.reason).toMatch(/^100 tokens are left, where at most \d+ can be/);
});

it("passes where the config gives a region up, and loses nothing of the others", async () => {
  const line = "    - { id: us, prefix: us, locationHint: enam, continents: [NA, SA] }\n";
  project.replace("Pulumi.local.yaml", line, "");
  project.write("Pulumi.local.yaml", `${project.read("Pulumi.local.yaml")}  allowRegionLoss: [loc-us]\n`);
  const { code, ok, classes } = await rehearse("v1");
  expect({ code, ok }).toEqual({ code: 0, ok: true });
  expect(classes.find(({ className }) => className === "CounterDO")).toMatchObject({
    kept: 1,
    lost: [{ id: "us~rehearsal-1", reason: expect.stringContaining('there is no region \\"us\\"') }],
  });
});

it("fails with the words of the plan where the newer release is refused", async () => {
  project.replace("worker/index.ts", 'export { CounterDO } from "./counter/counter.ts";\n', "");
  await project.run("npm run -s build");
  const { code, text } = await project.run("npm run -s rehearse -- --from dist/older --objects 1");
  expect(code).toBe(1);
  expect(text).toContain("[config_export_not_in_code] CounterDO");
});

it("says what it cannot begin with", async () => {
  const run = (options: string) => project.run(`npm run -s rehearse -- ${options}`);
  expect(await run("")).toMatchObject({ code: 1, text: expect.stringContaining("--from <release>") });
  expect(await run("--from dist/older --objects 0")).toMatchObject({
    code: 1,
    text: expect.stringContaining("1 to 1000"),
  });
  const nothing = await run("--from v0");
  expect(nothing).toMatchObject({ code: 1, text: expect.stringContaining('"v0" is neither a folder with a release') });
  project.replace("infra/migrations.ts", "0001-create-patterns", "0001-create-all");
  const foreign = await run("--from dist/older");
  expect(foreign).toMatchObject({ code: 1, text: expect.stringContaining("which infra/migrations.ts does not have") });
});
