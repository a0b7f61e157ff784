/** The planner: states, catch-up over any number of steps, guards. */
import { describe, expect, it } from "vitest";
import { history, type Migration } from "../src/history.ts";
import { hashes } from "../src/lock.ts";
import { type Plan, plan } from "../src/plan.ts";
import { type LiveClasses, replay } from "../src/replay.ts";
import type { Situation } from "../src/situation.ts";
import { codes, holding, liveEntry, situation, steps } from "./situations.ts";

describe("catching up", () => {
  it("creates the classes of the last step in a fresh environment, and none that were removed before", () => {
    expect(plan(situation(steps.migrations, undefined))).toMatchObject({
      state: "fresh",
      changesLifecycle: true,
      errors: [],
      exports: { C: liveEntry(), D: liveEntry() },
    });
  });

  it("makes one tombstone of a chain of renames", () => {
    const { exports, ...rest } = plan(situation(steps.migrations, 1));
    expect(rest).toMatchObject({ state: "behind", from: "0001-create", to: "0004-remove", errors: [] });
    expect(exports).toEqual({
      A: { type: "durable-object", state: "renamed", renamedTo: "C" },
      C: liveEntry(),
      D: liveEntry(),
      Old: { type: "durable-object", state: "deleted" },
    });
  });

  it("is in sync at the end, with live entries and nothing to do", () => {
    const { exports, ...rest } = plan(situation(steps.migrations, 4));
    expect(rest).toMatchObject({ state: "in sync", changesLifecycle: false, errors: [] });
    expect(exports).toEqual({ C: liveEntry(), D: liveEntry() });
  });

  it("names the release to promote first if one exports map cannot make the changes", () => {
    const again = history()
      .step("0001-create", (classes) => classes.create("A"))
      .step("0002-remove", (classes) => classes.remove("A"))
      .step("0003-again", (classes) => classes.create("A"));
    const planned = plan(situation(again.migrations, 1));
    expect(codes(planned)).toContain("needs_intermediate_release A");
    expect(planned.errors[0]?.fix).toContain("0002-remove");
  });
});

describe("states that do not deploy", () => {
  const at = (name: string, past: string) => ({
    live: { classes: replay(steps.migrations, 1), complete: true, step: { name, history: past } },
  });

  it.each<[Plan["state"], string, Partial<Situation>]>([
    [
      "unmanaged",
      "state_unmanaged live Worker",
      { live: { classes: replay(steps.migrations, 1), complete: true, step: undefined } },
    ],
    ["ahead", "state_ahead 0009-future", at("0009-future", "0123456789abcdef")],
    ["diverged", "state_diverged 0001-other", at("0001-other", "0123456789abcdef")],
    ["diverged", "state_diverged 0001-create", at("0001-create", "0123456789abcdef")],
  ])("%s: %s", (state, code, more) => {
    const planned = plan(situation(steps.migrations, 1, more));
    expect(planned.state).toBe(state);
    expect(codes(planned)).toEqual([code]);
    expect(planned.changesLifecycle).toBe(false);
  });

  it("name every class that something else changed", () => {
    const step = { name: "0001-create", history: hashes(steps.migrations)[0] ?? "" };
    const classes = new Map([
      ["A", { storage: "legacy-kv" as const }],
      ["Stranger", { storage: "sqlite" as const }],
    ]);
    expect(codes(plan(situation(steps.migrations, 1, { live: { classes, complete: true, step } })))).toEqual([
      "storage_type_mismatch A",
      "orphaned_provisioned_namespace Stranger",
      "state_diverged Old",
    ]);
  });
});

describe("classes that something else changed", () => {
  const { migrations: before } = history().step("0001-create", (classes) => classes.create("A").create("Old"));
  const step = { name: "0001-create", history: hashes(before)[0] ?? "" };
  const sqlite = (...names: readonly string[]): LiveClasses => holding(...names);
  const found = (migrations: readonly Migration[], classes: LiveClasses, more: Partial<Situation> = {}) =>
    plan(situation(migrations, 1, { live: { classes, complete: true, step }, allowDestroy: [], ...more }));
  const began = history().step("0001-create", (classes) => classes.create("A").create("Old"));

  it("are told by a step that is appended: the plan goes on from there, and the class's loss needs no leave", () => {
    const { migrations } = began
      .step("0002-gone", (classes) => classes.remove("Old"))
      .step("0003-create", (classes) => classes.create("B"));
    const planned = found(migrations, sqlite("A"));
    expect(planned).toMatchObject({
      state: "behind",
      from: "0002-gone",
      errors: [],
      exports: { A: liveEntry(), B: liveEntry() },
    });
    expect(codes(found(before, sqlite("A")))).toEqual(["state_diverged Old"]);
    const renamed = began.step("0002-renamed", (classes) => classes.rename("Old", "New")).migrations;
    expect(found(renamed, sqlite("A", "New"))).toMatchObject({ state: "in sync", from: "0002-renamed", errors: [] });
  });

  it("that nobody knows are kept by a step that creates them, and deleted by one more where the stack allows it", () => {
    const kept = began.step("0002-stranger", (classes) => classes.create("Stranger"));
    const classes = sqlite("A", "Old", "Stranger");
    expect(found(kept.migrations, classes)).toMatchObject({ state: "in sync", errors: [] });
    const { migrations } = kept.step("0003-remove", (all) => all.remove("Stranger"));
    expect(codes(found(migrations, classes))).toEqual(["destroy_not_allowed Stranger"]);
    expect(found(migrations, classes, { allowDestroy: ["Stranger"] }).exports.Stranger).toMatchObject({
      state: "deleted",
    });
  });

  it("are taken over by all traffic at once: no version from before can serve again", () => {
    const { migrations } = began.step("0002-gone", (classes) => classes.remove("Old"));
    const planned = found(migrations, sqlite("A"), { rollout: 10 });
    expect(planned.changesLifecycle).toBe(true);
    expect(codes(planned)).toEqual(["lifecycle_needs_full_rollout rollout 10"]);
  });

  it("have not come from another Worker because one of that name is here", () => {
    const { migrations } = began.step("0002-receive", (classes) => classes.receive("B", "bank"));
    expect(codes(found(migrations, sqlite("A", "Old", "B")))).toEqual(["orphaned_provisioned_namespace B"]);
    const { migrations: renamed } = history()
      .step("0001-receive", (classes) => classes.receive("A", "bank"))
      .step("0002-renamed", (classes) => classes.rename("A", "C"));
    const come = { name: "0001-receive", history: hashes(renamed)[0] ?? "" };
    expect(found(renamed, sqlite("C"), { live: { classes: sqlite("C"), complete: true, step: come } })).toMatchObject({
      state: "in sync",
      errors: [],
    });
    const waiting = new Map([...sqlite("A", "Old"), ["B", { storage: "sqlite" as const, fromWorker: "bank" }]]);
    const others = new Map([["bank", holding("B")]]);
    expect(found(migrations, waiting, { others, bound: ["A", "Old"] })).toMatchObject({ state: "in sync", errors: [] });
  });

  it("with another storage are another class, which two steps say", () => {
    const classes = new Map([...sqlite("Old"), ["A", { storage: "legacy-kv" as const }]]);
    expect(codes(found(before, classes))).toEqual(["storage_type_mismatch A"]);
    const { migrations } = began
      .step("0002-gone", (all) => all.remove("A"))
      .step("0003-again", (all) => all.create("A", "legacy-kv"));
    expect(found(migrations, classes)).toMatchObject({
      state: "in sync",
      errors: [],
      exports: { A: liveEntry("legacy-kv") },
    });
  });
});

describe("a class that begins without its lost objects", () => {
  const began = history().step("0001-receive", (classes) => classes.receive("A", "gone").create("X"));
  const lost = (migrations: readonly Migration[]) =>
    plan(situation(migrations, 1, { provisioned: new Set(["X"]), allowTransferLoss: ["A"], bound: ["X"] }));

  it("and is removed by the same release is waited for no more, which is told and takes all traffic", () => {
    const { migrations } = began
      .step("0002-rename", (classes) => classes.rename("A", "B"))
      .step("0003-remove", (classes) => classes.remove("B"));
    const planned = lost(migrations);
    expect(planned.moves).toContainEqual({ kind: "cancel", className: "A", fromWorker: "gone" });
    expect(planned).toMatchObject({ errors: [], changesLifecycle: true });
  });

  it("under another name leaves its name for objects of another Worker to the next release", () => {
    const { migrations } = began
      .step("0002-rename", (classes) => classes.rename("A", "B"))
      .step("0003-receive", (classes) => classes.receive("A", "bank"));
    const refused = lost(migrations);
    expect(codes(refused)).toEqual(["needs_intermediate_release A"]);
    expect(refused.errors[0]?.fix).toContain("0002-rename");
    expect(codes(lost(migrations.slice(0, 2)))).toEqual([]);
  });
});

describe("a class whose storage is the older one", () => {
  const { migrations } = history()
    .step("0001-import", (classes) => classes.create("A", "legacy-kv"))
    .step("0002-rename", (classes) => classes.rename("A", "B"));

  it("keeps it where it has it, and has SQLite where it is made anew, for Cloudflare makes nothing else", () => {
    const adopted = plan(situation(migrations, 1));
    expect(adopted).toMatchObject({ errors: [], exports: { B: liveEntry("legacy-kv") } });
    const fresh = plan(situation(migrations, undefined));
    expect(fresh).toMatchObject({ errors: [], exports: { B: liveEntry() } });
    expect(fresh.moves).toEqual([{ kind: "create", className: "B", storage: "sqlite" }]);
    const classes = holding("A");
    const step = { name: "0001-import", history: hashes(migrations)[0] ?? "" };
    const behind = plan(situation(migrations, 1, { live: { classes, complete: true, step } }));
    expect(behind).toMatchObject({ state: "behind", errors: [], exports: { B: liveEntry() } });
  });

  it("is received with the storage that it has with its sender", () => {
    const received = history().step("0001-receive", (classes) => classes.receive("A", "bank", "legacy-kv"));
    for (const storage of ["legacy-kv", "sqlite"] as const) {
      const others = new Map([["bank", new Map([["A", { storage }]])]]);
      const planned = plan(situation(received.migrations, undefined, { others, bound: [] }));
      expect(planned).toMatchObject({ errors: [], exports: { A: { state: "expecting-transfer", storage } } });
    }
  });
});

describe("guards", () => {
  it("deletes a class only if the stack's allowDestroy names it", () => {
    const refused = plan(situation(steps.migrations, 3, { allowDestroy: [] }));
    expect(codes(refused)).toEqual(["destroy_not_allowed Old"]);
    expect(refused.errors[0]?.fix).toContain("allowDestroy: [Old]");
    expect(codes(plan(situation(steps.migrations, 3, { allowDestroy: ["Old"] })))).toEqual([]);
  });

  it("names the one list that all losses of a release need, with what is in allowDestroy for something else", () => {
    const { migrations } = history()
      .step("0001-create", (classes) => classes.create("A").create("B").create("C").create("D"))
      .step("0002-remove", (classes) => classes.remove("A").remove("B").send("C", "app-other"));
    const others = new Map([["app-other", holding()]]);
    const awaited = [{ className: "C", fromWorker: "app-test", worker: "app-other" }];
    // D stays: to keep it in the list would allow the next loss.
    const more = { others, awaited, allowDestroy: ["C", "D", "USERS"] };
    const { errors } = plan(situation(migrations, 1, more));
    expect(errors.map(({ code, fix }) => [code, fix])).toEqual(
      ["A", "B"].map(() => [
        "destroy_not_allowed",
        "if the objects of A and B are no longer needed here, set allowDestroy: [C, USERS, A, B] in this stack's config; else delete the step before it is released.",
      ]),
    );
    const told = { ...more, allowDestroy: ["C", "USERS", "A", "B"] };
    expect(plan(situation(migrations, 1, told))).toMatchObject({ errors: [], warnings: [] });
  });

  it("warns of every class that allowDestroy or allowTransferLoss names for nothing", () => {
    const unused = (done: number, more: Partial<Situation>) =>
      plan(situation(steps.migrations, done, { allowDestroy: [], ...more })).warnings.map(
        ({ code, subject, message }) => `${code} ${subject}: ${message}`,
      );
    expect(unused(3, { allowDestroy: ["Old"] })).toEqual([]);
    // A name that is no class of the history may be that of a binding.
    expect(unused(4, { allowDestroy: ["Old", "USERS"], allowTransferLoss: ["C"] })).toEqual([
      "allowance_unused Old: allowDestroy names it, but this release does not delete it or hand it to another Worker.",
      "allowance_unused C: allowTransferLoss names it, but this release does not begin it without objects that are lost.",
    ]);
  });

  it("refuses to delete a class that the bundle still exports, or that another Worker binds to", () => {
    const planned = plan(
      situation(steps.migrations, 3, {
        code: ["C", "D", "Old"],
        references: [{ className: "Old", worker: "billing" }],
      }),
    );
    expect(codes(planned)).toEqual([
      "tombstone_delete_class_still_in_code Old",
      "tombstone_delete_blocked_by_external_bindings Old",
    ]);
    expect(planned.errors[1]?.message).toContain("billing");
  });

  it("names all classes missing from the bundle at once, new ones and ones with objects", () => {
    expect(codes(plan(situation(steps.migrations, 2, { code: [], bound: [] })))).toEqual([
      "config_references_nonexistent_class C",
      "config_references_nonexistent_class D",
    ]);
    expect(codes(plan(situation(steps.migrations, 4, { code: [], bound: [] })))).toEqual([
      "config_export_not_in_code C",
      "config_export_not_in_code D",
    ]);
  });

  it("refuses a binding to a class that the history does not have, and only warns of an export without one", () => {
    const planned = plan(
      situation(steps.migrations, 4, { bound: ["C", "E"], code: ["C", "D", "E"], allowDestroy: [] }),
    );
    expect(codes(planned)).toEqual(["binding_without_class E"]);
    expect(planned.warnings.map(({ code }) => code)).toEqual(["class_not_in_history"]);
  });

  it("names the class that a binding means, where it has an older name or is misspelled", () => {
    const { migrations } = history()
      .step("0001-create", (classes) => classes.create("PostboxDO").create("Letters"))
      .step("0002-rename", (classes) => classes.rename("PostboxDO", "InboxDO"));
    const fixOf = (bound: string, code = ["InboxDO", "Letters"]) =>
      plan(situation(migrations, 2, { bound: [bound], code, allowDestroy: [] })).errors[0]?.fix;
    expect(fixOf("InboxD0")).toMatch(
      /^did you mean InboxDO\? Then bind to that in wrangler\.jsonc; else append a step/,
    );
    expect(fixOf("ItemDO", ["InboxDO", "Letters", "ItemsDO"])).toMatch(/^did you mean ItemsDO\?/);
    expect(fixOf("PostboxDO")).toBe("the history has renamed it: bind to InboxDO in wrangler.jsonc.");
    expect(fixOf("OutboxDO", ["InboxDO", "Letters", "OutboxDO"])).toMatch(/^append a step/);
    expect(fixOf("LedgerDO")).toMatch(/^append a step/);
  });

  it("refuses a partial rollout of a lifecycle change, and allows it for code alone", () => {
    expect(codes(plan(situation(steps.migrations, 3, { rollout: 10 })))).toEqual([
      "lifecycle_needs_full_rollout rollout 10",
    ]);
    expect(codes(plan(situation(steps.migrations, 4, { rollout: 10 })))).toEqual([]);
  });
});
