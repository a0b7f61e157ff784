/** The planner: a Worker that something else deployed is taken over. */
import { describe, expect, it } from "vitest";
import { history } from "../src/history.ts";
import { plan } from "../src/plan.ts";
import { type LiveClasses, replay } from "../src/replay.ts";
import type { Situation } from "../src/situation.ts";
import { codes, liveEntry, situation, steps } from "./situations.ts";

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
      exports: { C: liveEntry(), D: liveEntry() },
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
    expect(planned).toMatchObject({ state: "in sync", from: "0003-again", exports: { A: liveEntry() } });
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
