/**
 * The planner, for random histories. They are checked by the local account's rules
 * (packages/local-account/src/lifecycle.ts), which were written independently.
 */
import { type ExportEntry, type Namespace, reconcile } from "@durable-stack/local-account/rules";
import { describe, expect, it } from "vitest";
import { fc } from "../../../test/properties.ts";
import type { Migration } from "../src/history.ts";
import { type Plan, plan } from "../src/plan.ts";
import { replay } from "../src/replay.ts";
import type { Situation } from "../src/situation.ts";
import { codes, situation } from "./situations.ts";

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
