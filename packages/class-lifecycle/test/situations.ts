/** What the planner's tests are made of: situations of a Worker, and what a plan says of them. */
import { history, type Migration } from "../src/history.ts";
import { hashes } from "../src/lock.ts";
import type { Plan } from "../src/plan.ts";
import { type LiveClasses, replay } from "../src/replay.ts";
import type { Situation } from "../src/situation.ts";

/** Two classes: one is renamed twice, the other removed. */
export const steps = history()
  .step("0001-create", (classes) => classes.create("A").create("Old"))
  .step("0002-rename", (classes) => classes.rename("A", "B"))
  .step("0003-rename", (classes) => classes.rename("B", "C").create("D"))
  .step("0004-remove", (classes) => classes.remove("Old"));

/** An environment in which the first `done` steps are live, and a release with the whole history. */
export function situation(
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

/** The errors of a plan, each with its subject. */
export const codes = ({ errors }: Plan) => errors.map(({ code, subject }) => `${code} ${subject}`);

/** The classes that another Worker has objects of. */
export const holding = (...names: readonly string[]): LiveClasses =>
  new Map(names.map((name) => [name, { storage: "sqlite" }]));

/** What the exports map has of a class that is alive. */
export const liveEntry = (storage = "sqlite") => ({ type: "durable-object", storage });
