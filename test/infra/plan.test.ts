/**
 * The planner: states, catch-up over any number of steps, guards. Random histories are checked by the local account's
 * rules (packages/local-account/src/lifecycle.ts), which were written independently.
 */
import {
  forStack,
  hashes,
  history,
  type LiveClasses,
  type Migration,
  type Plan,
  plan,
  replay,
  type Situation,
} from "@durable-stack/class-lifecycle";
import type { ExportEntry, Namespace } from "@durable-stack/local-account/rules";
import { reconcile } from "@durable-stack/local-account/rules";
import { describe, expect, it } from "vitest";
import { fc } from "../properties.ts";

const steps = history()
  .step("0001-create", (classes) => classes.create("A").create("Old"))
  .step("0002-rename", (classes) => classes.rename("A", "B"))
  .step("0003-rename", (classes) => classes.rename("B", "C").create("D"))
  .step("0004-remove", (classes) => classes.remove("Old"));

/** An environment in which the first `done` steps are live, and a release with the whole history. */
function situation(
  migrations: readonly Migration[],
  done: number | undefined,
  more: Partial<Situation> = {},
): Situation {
  const end = [...replay(migrations).keys()];
  return {
    migrations,
    worker: "app-test",
    stack: "test",
    live:
      done === undefined
        ? { classes: undefined, complete: true, step: undefined }
        : {
            classes: replay(migrations, done),
            complete: true,
            step: { name: migrations[done - 1]?.name ?? "", history: hashes(migrations)[done - 1] ?? "" },
          },
    code: end,
    bound: end,
    references: [],
    others: new Map(),
    adopt: false,
    allowDestroy: [
      ...new Set(
        migrations
          .flatMap((step) => step.changes)
          .map((change) => ("className" in change ? change.className : change.from)),
      ),
    ],
    allowTransferLoss: [],
    rollout: 100,
    ...more,
  };
}

const codes = ({ errors }: Plan) => errors.map(({ code, subject }) => `${code} ${subject}`);
/** The classes that another Worker has objects of. */
const holding = (...names: readonly string[]): LiveClasses =>
  new Map(names.map((name) => [name, { storage: "sqlite" }]));
const live = (storage = "sqlite") => ({ type: "durable-object", storage });

describe("catching up", () => {
  it("creates the classes of the last step in a fresh environment, and none that were removed before", () => {
    expect(plan(situation(steps.migrations, undefined))).toMatchObject({
      state: "fresh",
      changesLifecycle: true,
      errors: [],
      exports: { C: live(), D: live() },
    });
  });

  it("makes one tombstone of a chain of renames", () => {
    const { exports, ...rest } = plan(situation(steps.migrations, 1));
    expect(rest).toMatchObject({ state: "behind", from: "0001-create", to: "0004-remove", errors: [] });
    expect(exports).toEqual({
      A: { type: "durable-object", state: "renamed", renamedTo: "C" },
      C: live(),
      D: live(),
      Old: { type: "durable-object", state: "deleted" },
    });
  });

  it("is in sync at the end, with live entries and nothing to do", () => {
    const { exports, ...rest } = plan(situation(steps.migrations, 4));
    expect(rest).toMatchObject({ state: "in sync", changesLifecycle: false, errors: [] });
    expect(exports).toEqual({ C: live(), D: live() });
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
      exports: { A: live(), B: live() },
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
      exports: { A: live("legacy-kv") },
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
    expect(adopted).toMatchObject({ errors: [], exports: { B: live("legacy-kv") } });
    const fresh = plan(situation(migrations, undefined));
    expect(fresh).toMatchObject({ errors: [], exports: { B: live() } });
    expect(fresh.moves).toEqual([{ kind: "create", className: "B", storage: "sqlite" }]);
    const classes = holding("A");
    const step = { name: "0001-import", history: hashes(migrations)[0] ?? "" };
    const behind = plan(situation(migrations, 1, { live: { classes, complete: true, step } }));
    expect(behind).toMatchObject({ state: "behind", errors: [], exports: { B: live() } });
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

  it("refuses a partial rollout of a lifecycle change, and allows it for code alone", () => {
    expect(codes(plan(situation(steps.migrations, 3, { rollout: 10 })))).toEqual([
      "lifecycle_needs_full_rollout rollout 10",
    ]);
    expect(codes(plan(situation(steps.migrations, 4, { rollout: 10 })))).toEqual([]);
  });
});

describe("moving a class between Workers", () => {
  const source = history()
    .step("0001-create", (classes) => classes.create("A").create("B"))
    .step("0002-send", (classes) => classes.send("A", "target-{stack}"));
  const target = history()
    .step("0001-create", (classes) => classes.create("X"))
    .step("0002-receive", (classes) => classes.receive("A", "source-{stack}"));

  it("expects the class first, waits until it has come, and then owns it", () => {
    const there = new Map([["source-test", holding("A", "B")]]);
    const gone = new Map([["source-test", holding("B")]]);
    const first = plan(situation(target.migrations, 1, { others: there, bound: ["X"] }));
    expect(first).toMatchObject({
      errors: [],
      exports: { A: { state: "expecting-transfer", storage: "sqlite", transferFrom: "source-test" } },
    });

    const live = {
      complete: true,
      classes: new Map([
        ["X", { storage: "sqlite" as const }],
        ["A", { storage: "sqlite" as const, fromWorker: "source-test" }],
      ]),
    };
    const step = { name: "0002-receive", history: hashes(target.migrations)[1] ?? "" };
    const waiting = situation(target.migrations, 2, {
      live: { ...live, step },
      others: there,
      bound: ["X"],
      allowDestroy: [],
    });
    expect(plan(waiting)).toMatchObject({
      changesLifecycle: false,
      errors: [],
      warnings: [{ code: "transfer_pending" }],
    });
    expect(codes(plan({ ...waiting, bound: ["X", "A"] }))).toEqual(["binding_before_transfer A"]);
    expect(plan({ ...waiting, others: gone, bound: ["X", "A"] })).toMatchObject({
      changesLifecycle: true,
      errors: [],
      exports: { A: live2() },
    });
  });

  it("sends only with allowDestroy, and only to a Worker that exists", () => {
    const refused = plan(situation(source.migrations, 1, { allowDestroy: [] }));
    expect(codes(refused)).toEqual(["destroy_not_allowed A", "transferred_target_missing A"]);
    const sent = plan(situation(source.migrations, 1, { others: new Map([["target-test", holding()]]) }));
    expect(sent).toMatchObject({ errors: [], exports: { A: { state: "transferred", transferredTo: "target-test" } } });
  });

  it("is not deleted while another Worker waits for it: the plan names that one, and how the objects get there", () => {
    const removed = history()
      .step("0001-create", (classes) => classes.create("A").create("B"))
      .step("0002-remove", (classes) => classes.remove("A"));
    const awaited = [{ className: "A", fromWorker: "app-test", worker: "bank" }];
    const planned = plan(situation(removed.migrations, 1, { awaited }));
    expect(codes(planned)).toEqual(["class_awaited_elsewhere A"]);
    expect(planned.errors[0]?.message).toContain("bank");
    expect(planned.errors[0]?.fix).toContain("sends it to bank");
    expect(
      codes(
        plan(
          situation(removed.migrations, 1, { awaited: [{ className: "B", fromWorker: "app-test", worker: "bank" }] }),
        ),
      ),
    ).toEqual([]);
  });

  it("is not renamed while another Worker waits for it by its name", () => {
    const renamed = history()
      .step("0001-create", (classes) => classes.create("A"))
      .step("0002-rename", (classes) => classes.rename("A", "B"));
    const of = (className: string) =>
      plan(situation(renamed.migrations, 1, { awaited: [{ className, fromWorker: "app-test", worker: "bank" }] }));
    expect(codes(of("A"))).toEqual(["class_awaited_elsewhere A"]);
    expect(of("A").errors[0]?.fix).toContain("the step that renames it");
    expect(codes(of("B"))).toEqual([]);
  });

  it("is sent only to a Worker that waits for it, where that is known", () => {
    const others = new Map([["target-test", holding()]]);
    const sent = (awaited: Situation["awaited"]) => plan(situation(source.migrations, 1, { others, awaited }));
    expect(codes(sent([]))).toEqual(["transferred_pending_not_found A"]);
    expect(sent([]).errors[0]?.fix).toBe("deploy target-test with a step that receives A from app-test first.");
    expect(codes(sent([{ className: "B", fromWorker: "app-test", worker: "target-test" }]))).toEqual([
      "transferred_pending_not_found A",
    ]);
    expect(codes(sent([{ className: "A", fromWorker: "app-test", worker: "target-test" }]))).toEqual([]);
    // A Worker that does not exist is one mistake, not two.
    expect(codes(plan(situation(source.migrations, 1, { awaited: [] })))).toEqual(["transferred_target_missing A"]);
  });

  it("is not taken for arrived where its objects are nowhere, and begins without them only if the stack allows it", () => {
    const live = {
      complete: true,
      classes: new Map([
        ["X", { storage: "sqlite" as const }],
        ["A", { storage: "sqlite" as const, fromWorker: "source-test" }],
      ]),
      step: { name: "0002-receive", history: hashes(target.migrations)[1] ?? "" },
    };
    const gone = new Map([["source-test", holding("B")]]);
    const release = (more: Partial<Situation>) =>
      plan(situation(target.migrations, 2, { live, others: gone, allowDestroy: [], ...more }));
    const provisioned = new Set(["X"]);
    expect(codes(release({ provisioned }))).toEqual(["transfer_lost A"]);
    expect(codes(release({ provisioned, others: new Map() }))).toEqual(["transfer_lost A"]);
    // What was allowed for handing the class over does not confirm that it is lost.
    expect(codes(release({ provisioned, allowDestroy: ["A"] }))).toEqual(["transfer_lost A"]);
    expect(release({ provisioned, allowTransferLoss: ["A"] })).toMatchObject({
      errors: [],
      warnings: [{ code: "transfer_loss_allowed", subject: "A" }],
      changesLifecycle: true,
      moves: [
        { kind: "keep", className: "X" },
        { kind: "create", className: "A", lost: { className: "A", fromWorker: "source-test" } },
      ],
      exports: { A: live2() },
    });
    expect(codes(release({ provisioned: new Set(["X", "A"]) }))).toEqual([]);
    expect(codes(release({ provisioned: undefined }))).toEqual([]);
  });

  it("that has not come is waited for no more after a step that removes it; one that has come is deleted", () => {
    const removed = target.step("0003-cancel", (classes) => classes.remove("A")).migrations;
    const live = {
      complete: true,
      classes: replay(forStack(target.migrations, "test")),
      step: { name: "0002-receive", history: hashes(removed)[1] ?? "" },
    };
    const there = new Map([["source-test", holding("A")]]);
    const release = (more: Partial<Situation>) =>
      plan(situation(removed, 2, { live, others: there, provisioned: new Set(["X"]), allowDestroy: [], ...more }));
    expect(release({})).toMatchObject({
      errors: [],
      moves: [
        { kind: "keep", className: "X" },
        { kind: "cancel", className: "A", fromWorker: "source-test" },
      ],
      changesLifecycle: true,
      exports: { X: { type: "durable-object" } },
    });
    expect(Object.keys(release({}).exports)).toEqual(["X"]);
    const come = { others: new Map([["source-test", holding()]]), provisioned: new Set(["X", "A"]) };
    expect(codes(release(come))).toEqual(["destroy_not_allowed A"]);
    expect(release({ ...come, allowDestroy: ["A"] }).exports).toMatchObject({ A: { state: "deleted" } });
    // Objects that are nowhere are no loss of this step's.
    expect(codes(release({ others: new Map() }))).toEqual([]);
    // An environment that never waited has nothing to do.
    expect(codes(plan(situation(removed, 1)))).toEqual([]);
    expect(codes(release({ bound: ["X", "A"] }))).toEqual(["binding_without_class A"]);
  });

  describe("once it is provisioned here", () => {
    const received = history()
      .step("0001-create", (classes) => classes.create("X"))
      .step("0002-receive", (classes) => classes.receive("A", "source-{stack}"));
    /** The live version is from before the arrival, and the sender has made a class of that name again. */
    const release = (migrations: readonly Migration[], more: Partial<Situation> = {}) =>
      plan(
        situation(migrations, 2, {
          live: {
            complete: true,
            classes: replay(forStack(received.migrations, "test")),
            step: { name: "0002-receive", history: hashes(migrations)[1] ?? "" },
          },
          others: new Map([["source-test", holding("A")]]),
          provisioned: new Set(["X", "A"]),
          allowDestroy: [],
          ...more,
        }),
      );

    it("has arrived, though its old Worker has a class of that name again: it is bound to, and deleted if allowed", () => {
      expect(release(received.migrations)).toMatchObject({
        errors: [],
        warnings: [],
        changesLifecycle: true,
        moves: [
          { kind: "keep", className: "X" },
          { kind: "keep", className: "A", storage: "sqlite" },
        ],
      });
      expect(release(received.migrations).exports).toEqual({ X: live2(), A: live2() });
      const removed = received.step("0003-remove", (classes) => classes.remove("A")).migrations;
      expect(codes(release(removed))).toEqual(["destroy_not_allowed A"]);
      expect(release(removed, { allowDestroy: ["A"] }).exports).toMatchObject({ A: { state: "deleted" } });
    });

    it("changes nothing while the version from before the arrival stays: no version says that it waits no more", () => {
      const deployed = { isDeployed: true, rollout: 10 };
      expect(release(received.migrations, deployed)).toMatchObject({ errors: [], changesLifecycle: false });
      expect(codes(release(received.migrations, { rollout: 10 }))).toEqual(["lifecycle_needs_full_rollout rollout 10"]);
      const renamed = received.step("0003-rename", (classes) => classes.rename("A", "B")).migrations;
      expect(codes(release(renamed, deployed))).toEqual(["lifecycle_needs_full_rollout rollout 10"]);
    });

    it("is renamed and sent at once", () => {
      const renamed = received.step("0003-rename", (classes) => classes.rename("A", "B")).migrations;
      expect(release(renamed)).toMatchObject({
        errors: [],
        exports: { A: { state: "renamed", renamedTo: "B" }, B: live2() },
      });
      const sent = received.step("0003-send", (classes) => classes.send("A", "till")).migrations;
      const awaited = [{ className: "A", fromWorker: "app-test", worker: "till" }];
      const others = new Map([["till", holding()]]);
      expect(release(sent, { others, awaited, allowDestroy: ["A"] })).toMatchObject({
        errors: [],
        exports: { A: { state: "transferred", transferredTo: "till" } },
      });
    });

    it("is not deleted and made again in one release, and is no wait that ends", () => {
      const again = received.step("0003-remove", (classes) => classes.remove("A"));
      for (const { migrations } of [
        again.step("0004-create", (classes) => classes.create("A")),
        again.step("0004-receive", (classes) => classes.receive("A", "source-{stack}")),
      ]) {
        for (const provisioned of [new Set(["X", "A"]), new Set(["X"])]) {
          const refused = release(migrations, { provisioned, allowDestroy: ["A"] });
          expect(codes(refused)).toEqual(["needs_intermediate_release A"]);
          expect(refused.errors[0]?.fix).toContain("ends at 0003-remove first");
        }
      }
    });

    it("not before: until then it is renamed only after its sender has sent it, and the plan says so", () => {
      const renamed = received.step("0003-rename", (classes) => classes.rename("A", "B")).migrations;
      const refused = release(renamed, { provisioned: new Set(["X"]) });
      expect(codes(refused)).toEqual(["needs_intermediate_release B"]);
      expect(refused.errors[0]?.fix).toBe("deploy source-test with a step that sends A here first, then this release.");
      const lost = { provisioned: new Set(["X"]), others: new Map([["source-test", holding()]]) };
      expect(codes(release(renamed, lost))).toEqual(["transfer_lost A"]);
      expect(release(renamed, { ...lost, allowTransferLoss: ["A"] })).toMatchObject({
        errors: [],
        moves: [{ className: "X" }, { kind: "create", className: "B", lost: { className: "A" } }],
      });
      // A release that sends what was lost comes after one in which it has begun.
      const sent = received.step("0003-send", (classes) => classes.send("A", "till")).migrations;
      expect(release(sent, { ...lost, allowTransferLoss: ["A"] }).errors[0]?.fix).toContain(
        "ends at 0002-receive first",
      );
    });
  });

  it("is received by one Worker: the plan of a second one names the first", () => {
    const others = new Map([["source-test", holding("A", "B")]]);
    const received = (awaited: Situation["awaited"]) =>
      plan(situation(target.migrations, 1, { others, awaited, bound: ["X"] }));
    const refused = received([{ className: "A", fromWorker: "source-test", worker: "bank" }]);
    expect(codes(refused)).toEqual(["phase_one_transfer_duplicate A"]);
    expect(refused.errors[0]?.message).toContain("bank waits for them already");
    expect(codes(received([{ className: "A", fromWorker: "another", worker: "bank" }]))).toEqual([]);
    expect(codes(received([{ className: "B", fromWorker: "source-test", worker: "bank" }]))).toEqual([]);
  });

  it("is sent to the Worker that waits for it: the plan names that one", () => {
    const others = new Map([["target-test", holding()]]);
    const awaited = [{ className: "A", fromWorker: "app-test", worker: "bank" }];
    const refused = plan(situation(source.migrations, 1, { others, awaited }));
    expect(codes(refused)).toEqual(["transferred_target_mismatch A"]);
    expect(refused.errors[0]?.message).toContain("bank waits for it");
  });

  it("keeps its storage: a step that receives it with another one is refused", () => {
    const others = new Map([["source-test", new Map([["A", { storage: "legacy-kv" as const }]])]]);
    const refused = plan(situation(target.migrations, 1, { others, bound: ["X"] }));
    expect(codes(refused)).toEqual(["storage_type_mismatch A"]);
    expect(refused.errors[0]?.fix).toContain("say legacy-kv");
  });

  it("never goes to the Worker itself", () => {
    const sent = { worker: "target-test", others: new Map([["target-test", holding("A", "B")]]) };
    expect(codes(plan(situation(source.migrations, 1, sent)))).toEqual(["transfer_to_itself A"]);
    expect(codes(plan(situation(source.migrations, 1, { worker: "target-test" })))).toEqual(["transfer_to_itself A"]);
    const received = { worker: "source-test", others: new Map([["source-test", holding("A")]]), bound: ["X"] };
    expect(codes(plan(situation(target.migrations, 1, received)))).toEqual(["transfer_to_itself A"]);
  });

  it("says which part of the source is missing", () => {
    expect(codes(plan(situation(target.migrations, 1, { bound: ["X"] })))).toEqual([
      "phase_one_transfer_source_missing A",
    ]);
    const empty = new Map([["source-test", holding()]]);
    expect(codes(plan(situation(target.migrations, 1, { bound: ["X"], others: empty })))).toEqual([
      "phase_one_transfer_source_namespace_missing A",
    ]);
  });

  const live2 = () => ({ type: "durable-object", storage: "sqlite" });
});

describe("a Worker that something else deployed", () => {
  const found = (classes: LiveClasses, more: Partial<Situation> = {}, complete = true) =>
    plan(situation(steps.migrations, 1, { live: { classes, complete, step: undefined }, adopt: true, ...more }));

  it("is taken over at the step with its classes, and goes on from there", () => {
    const end = found(replay(steps.migrations));
    expect(end).toMatchObject({
      state: "in sync",
      adopts: true,
      from: "0004-remove",
      changesLifecycle: true,
      errors: [],
      exports: { C: live(), D: live() },
    });
    const behind = found(replay(steps.migrations, 1));
    expect(behind).toMatchObject({ state: "behind", adopts: true, from: "0001-create", to: "0004-remove", errors: [] });
    expect(behind.exports.A).toMatchObject({ state: "renamed", renamedTo: "C" });
  });

  it("is taken over at the last of several matching steps, which needs the fewest changes", () => {
    const again = history()
      .step("0001-create", (classes) => classes.create("A"))
      .step("0002-remove", (classes) => classes.remove("A"))
      .step("0003-again", (classes) => classes.create("A"));
    const planned = plan(
      situation(again.migrations, 1, {
        live: { classes: replay(again.migrations), complete: true, step: undefined },
        adopt: true,
      }),
    );
    expect(planned).toMatchObject({ state: "in sync", from: "0003-again", exports: { A: live() } });
    expect(planned.moves).toEqual([{ kind: "keep", className: "A", storage: "sqlite" }]);
  });

  it("is left alone if its classes match no step, differ in storage, or cannot be read", () => {
    const { migrations } = steps;
    expect(codes(found(new Map([["Stranger", { storage: "sqlite" }]])))).toEqual(["adopt_unmatched live Worker"]);
    expect(codes(found(new Map([...replay(migrations)].map(([name]) => [name, { storage: "legacy-kv" }]))))).toEqual([
      "adopt_unmatched live Worker",
    ]);
    expect(codes(found(replay(migrations), {}, false))).toEqual(["adopt_unreadable live Worker"]);
    expect(codes(found(replay(migrations), { adopt: false }))).toEqual(["state_unmanaged live Worker"]);
  });

  it("is taken over by all traffic at once", () => {
    expect(codes(found(replay(steps.migrations), { rollout: 10 }))).toEqual([
      "lifecycle_needs_full_rollout rollout 10",
    ]);
  });

  it("is adopted once: a finding names the setting once it is no longer needed", () => {
    const { warnings, adopts } = plan(situation(steps.migrations, 4, { adopt: true, allowDestroy: [] }));
    expect(warnings).toMatchObject([{ code: "adopt_finished" }]);
    expect(adopts).toBe(false);
  });
});

describe("any history", { timeout: 60_000 }, () => {
  /** Random histories of up to eight steps. Names come from a small pool, so that they collide. */
  const histories = fc
    .array(
      fc.array(fc.tuple(fc.constantFrom("create", "rename", "remove"), fc.nat(5), fc.nat(5)), {
        minLength: 1,
        maxLength: 3,
      }),
      { minLength: 1, maxLength: 8 },
    )
    .map((drawn): readonly Migration[] => {
      const alive = new Set<string>();
      const migrations: Migration[] = [];
      for (const [i, wishes] of drawn.entries()) {
        const changes: Migration["changes"][number][] = [];
        const touched = new Set<string>();
        for (const [op, a, b] of wishes) {
          const [one, two] = [`C${a}`, `C${b}`];
          if (touched.has(one) || touched.has(two)) continue;
          if (op === "create" && !alive.has(one)) {
            changes.push({ op, className: one, storage: "sqlite" });
            alive.add(one);
            touched.add(one);
          } else if (op === "remove" && alive.has(one)) {
            changes.push({ op, className: one });
            alive.delete(one);
            touched.add(one);
          } else if (op === "rename" && alive.has(one) && !alive.has(two)) {
            changes.push({ op, from: one, to: two });
            alive.delete(one);
            alive.add(two);
            touched.add(one).add(two);
          }
        }
        migrations.push({ name: `${String(i + 1).padStart(4, "0")}-step`, changes });
      }
      return migrations;
    });

  /** The namespaces of the local account's rules. Their ids stand for their data. */
  type Provisioned = readonly Namespace[];
  let ids = 0;

  /** Deploys to a Worker by the local account's rules, which are independent of the planner. */
  function deploy(namespaces: Provisioned, { exports }: Plan, code: readonly string[]): Provisioned {
    const declared = Object.entries(exports).map(([name, { renamedTo, ...entry }]): [string, ExportEntry] => [
      name,
      { ...entry, ...(renamedTo !== undefined && { renamed_to: renamedTo }) },
    ]);
    const { actions, errors } = reconcile({
      worker: "worker",
      declared: Object.fromEntries(declared),
      code: { classes: new Set(code), durableObjects: new Set(code) },
      namespaces,
      transfers: [],
      namespacesOf: () => undefined,
      boundBy: () => [],
      plan: "paid",
    });
    expect(errors).toEqual([]);
    const after = new Map(namespaces.map((namespace) => [namespace.id, namespace]));
    for (const action of actions) {
      if (action.do === "create") {
        const { className, storage } = action;
        const id = `new ${++ids}`;
        after.set(id, { id, workerId: "worker", className, storage, transferredFrom: null });
      } else if (action.do === "delete") {
        after.delete(action.namespaceId);
      } else if (action.do === "rename") {
        const renamed = after.get(action.namespaceId);
        if (renamed) after.set(renamed.id, { ...renamed, className: action.to });
      } else {
        throw new Error(`these histories ask for no ${action.do}`);
      }
    }
    return [...after.values()];
  }

  /** Deploys a release with the steps from `done` to `end`, or returns the plan's refusal. */
  function release(
    namespaces: Provisioned,
    migrations: readonly Migration[],
    { done, end = migrations.length }: { done: number | undefined; end?: number },
    more: Partial<Situation> = {},
  ): { refused: Plan } | { namespaces: Provisioned } {
    const steps = migrations.slice(0, end);
    const planned = plan(situation(steps, done, more));
    if (planned.errors.length) return { refused: planned };
    return { namespaces: deploy(namespaces, planned, more.code ?? [...replay(steps).keys()]) };
  }

  /** The namespaces before the first step and after each one, every step in a release of its own. */
  function stepwise(migrations: readonly Migration[]): readonly Provisioned[] {
    const states: Provisioned[] = [[]];
    for (const done of migrations.keys()) {
      const after = release(states[done] ?? [], migrations, { done: done || undefined, end: done + 1 });
      if ("refused" in after) throw new Error(`one step was refused: ${codes(after.refused)}`);
      states.push(after.namespaces);
    }
    return states;
  }

  /** Which class has which data. All new namespaces count as equal. */
  const data = (namespaces: Provisioned, before: Provisioned) =>
    new Map(
      namespaces
        .map(({ className, id, storage }): [string, string] => [
          className,
          `${storage} ${before.some((one) => one.id === id) ? id : "new"}`,
        ])
        .sort(),
    );

  it("from every step, one release ends with the same classes and data as a release per step, or is refused", () => {
    let caughtUp = 0;
    fc.assert(
      fc.property(histories, (migrations) => {
        const bySteps = stepwise(migrations);
        for (const [done, before] of bySteps.slice(0, -1).entries()) {
          const result = release(before, migrations, { done: done || undefined });
          if ("refused" in result) {
            expect(new Set(result.refused.errors.map(({ code }) => code))).toEqual(
              new Set(["needs_intermediate_release"]),
            );
            continue;
          }
          caughtUp++;
          expect(data(result.namespaces, before)).toEqual(data(bySteps.at(-1) ?? [], before));
        }
      }),
      { numRuns: 3000 },
    );
    expect(caughtUp).toBeGreaterThan(3000);
  });

  it("the local account never refuses what the plan allows, and nothing is deleted without allowDestroy", () => {
    const choices = fc.record({
      missing: fc.option(fc.nat(5), { freq: 3 }),
      extra: fc.option(fc.nat(5), { freq: 3 }),
      allowed: fc.subarray([0, 1, 2, 3, 4, 5]),
    });
    let sent = 0;
    fc.assert(
      fc.property(histories, fc.nat(8), choices, (migrations, cut, { missing, extra, allowed }) => {
        const done = Math.min(cut, migrations.length);
        const before = stepwise(migrations)[done] ?? [];
        const code = [...new Set([...replay(migrations).keys(), ...(extra === null ? [] : [`C${extra}`])])].filter(
          (name) => name !== `C${missing}`,
        );
        const allowDestroy = allowed.map((name) => `C${name}`);
        const bound = [...replay(migrations).keys()];
        const result = release(before, migrations, { done: done || undefined }, { code, bound, allowDestroy });
        if ("refused" in result) return;
        sent++;
        const kept = new Set(result.namespaces.map(({ id }) => id));
        for (const { id, className } of before) {
          if (!kept.has(id)) expect(allowDestroy).toContain(className);
        }
      }),
      { numRuns: 3000 },
    );
    expect(sent).toBeGreaterThan(1000);
  });

  it("a refused catch-up names a release after which it can go on", () => {
    fc.assert(
      fc.property(histories, (migrations) => {
        let done = 1;
        for (let hops = 0; done < migrations.length; hops++) {
          expect(hops).toBeLessThan(migrations.length);
          const result = plan(situation(migrations, done));
          if (result.errors.length === 0) break;
          const named = migrations.findIndex(({ name }) => result.errors[0]?.fix.includes(name));
          expect(named).toBeGreaterThanOrEqual(done);
          const upTo = migrations.slice(0, named + 1);
          expect(plan(situation(upTo, done)).errors).toEqual([]);
          done = named + 1;
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("the plan of a plan is empty, and applying it again changes nothing", () => {
    fc.assert(
      fc.property(histories, (migrations) => {
        const planned = plan(situation(migrations, migrations.length));
        expect(planned).toMatchObject({ state: "in sync", changesLifecycle: false, errors: [] });
        const before = stepwise(migrations).at(-1) ?? [];
        expect(deploy(before, planned, [...replay(migrations).keys()])).toEqual(before);
      }),
      { numRuns: 1000 },
    );
  });
});
