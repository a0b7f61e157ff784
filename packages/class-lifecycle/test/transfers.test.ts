/** The planner: a class that moves between Workers. */
import { describe, expect, it } from "vitest";
import { history, type Migration } from "../src/history.ts";
import { hashes } from "../src/lock.ts";
import { forStack, plan } from "../src/plan.ts";
import { replay } from "../src/replay.ts";
import type { Situation } from "../src/situation.ts";
import { codes, holding, liveEntry, situation } from "./situations.ts";

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
      exports: { A: liveEntry() },
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
      exports: { A: liveEntry() },
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
      expect(release(received.migrations).exports).toEqual({ X: liveEntry(), A: liveEntry() });
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
        exports: { A: { state: "renamed", renamedTo: "B" }, B: liveEntry() },
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
});
