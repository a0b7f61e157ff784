/** The history: its builder's types, its lint, its lock file. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { migrations } from "../../../infra/migrations.ts";
import { ROOT } from "../../../infra/release/root.ts";
import { isError } from "../src/findings.ts";
import { history, type Migration } from "../src/history.ts";
import { lint } from "../src/lint.ts";
import { checkLock, formatLock, LOCK_FILE } from "../src/lock.ts";
import { replay } from "../src/replay.ts";

const codes = (findings: readonly { code: string; subject: string }[]) =>
  findings.map(({ code, subject }) => [code, subject]);

describe("the builder", () => {
  it("ends with the classes that its steps leave", () => {
    const { migrations } = history()
      .step("0001-create", (classes) => classes.create("A").create("B").create("C"))
      .step("0002-change", (classes) => classes.rename("A", "D").remove("B"));
    expect([...replay(migrations).keys()].sort()).toEqual(["C", "D"]);
    expect([...replay(migrations, 1).keys()].sort()).toEqual(["A", "B", "C"]);
  });

  it("does not compile a change of a missing class, or a second creation", () => {
    const made = history().step("0001-create", (classes) => classes.create("A"));
    // @ts-expect-error B was never created.
    made.step("0002-rename", (classes) => classes.rename("B", "C"));
    // @ts-expect-error A is alive already.
    made.step("0002-create", (classes) => classes.create("A"));
    // @ts-expect-error A is gone after its removal.
    made.step("0002-gone", (classes) => classes.remove("A").send("A", "other"));
    expect(lint(made.migrations)).toEqual([]);
  });
});

describe("lint", () => {
  it("passes this project's history, which agrees with its lock file", () => {
    expect(lint(migrations)).toEqual([]);
    expect(checkLock(migrations, readFileSync(join(ROOT, LOCK_FILE), "utf8"))).toEqual([]);
  });

  it("names every mistake of a history at once", () => {
    const wrong: readonly Migration[] = [
      { name: "0001-create", changes: [{ op: "create", className: "A", storage: "sqlite" }] },
      {
        name: "0003-wrong",
        changes: [
          { op: "rename", from: "Nobody", to: "B" },
          { op: "remove", className: "A" },
        ],
      },
      { name: "0002-back", changes: [{ op: "create", className: "A", storage: "sqlite" }] },
      { name: "0002-back", changes: [] },
      { name: "fifth", changes: [{ op: "create", className: "not a class", storage: "sqlite" }] },
    ];
    expect(codes(lint(wrong))).toEqual([
      ["class_does_not_exist", "Nobody"],
      ["step_out_of_order", "0002-back"],
      ["class_name_reused", "A"],
      ["step_name_duplicate", "0002-back"],
      ["step_empty", "0002-back"],
      ["step_name_invalid", "fifth"],
      ["class_name_invalid", "not a class"],
    ]);
  });

  it("refuses a step that changes one class twice", () => {
    const wrong: readonly Migration[] = [
      { name: "0001-create", changes: [{ op: "create", className: "A", storage: "sqlite" }] },
      {
        name: "0002-twice",
        changes: [
          { op: "rename", from: "A", to: "B" },
          { op: "send", className: "B", toWorker: "me" },
        ],
      },
    ];
    expect(codes(lint(wrong))).toEqual([["class_changed_twice", "B"]]);
  });

  it("says that an empty history needs a first step", () => {
    expect(codes(lint([]))).toEqual([["history_empty", "infra/migrations.ts"]]);
  });

  it("only warns if a name is used again", () => {
    const { migrations } = history()
      .step("0001-create", (classes) => classes.create("A"))
      .step("0002-remove", (classes) => classes.remove("A"))
      .step("0003-again", (classes) => classes.create("A"));
    expect(codes(lint(migrations))).toEqual([["class_name_reused", "A"]]);
    expect(lint(migrations).some(isError)).toBe(false);
    expect(lint(migrations)[0]?.fix).toContain("Choose a new name");
  });

  it("does not ask for a new name of a class that is received again: the name is its sender's", () => {
    const { migrations } = history()
      .step("0001-receive", (classes) => classes.receive("A", "bank"))
      .step("0002-cancel", (classes) => classes.remove("A"))
      .step("0003-receive", (classes) => classes.receive("A", "bank"));
    expect(codes(lint(migrations))).toEqual([["class_name_reused", "A"]]);
    expect(lint(migrations)[0]?.fix).toMatch(/ends at 0002-cancel/);
    expect(lint(migrations)[0]?.fix).not.toMatch(/new name/);
  });
});

describe("the lock", () => {
  const { migrations: two } = history()
    .step("0001-create", (classes) => classes.create("A").create("B"))
    .step("0002-rename", (classes) => classes.rename("A", "C"));
  const lock = formatLock(two);

  it("matches its history, and after a step was appended names that step", () => {
    expect(checkLock(two, lock)).toEqual([]);
    const longer = [...two, { name: "0003-remove", changes: [{ op: "remove", className: "B" }] }] satisfies Migration[];
    expect(codes(checkLock(longer, lock))).toEqual([["lock_behind", "0003-remove"]]);
  });

  it("is the same with the line ends of a Windows checkout", () => {
    expect(checkLock(two, lock.replaceAll("\n", "\r\n"))).toEqual([]);
  });

  it.each<[string, readonly Migration[], string]>([
    [
      "an edited step",
      [{ name: "0001-create", changes: [{ op: "create", className: "A", storage: "sqlite" }] }, ...two.slice(1)],
      "0001-create",
    ],
    ["swapped steps", [...two].reverse(), "0001-create"],
    ["a removed step", two.slice(0, 1), "0002-rename"],
    ["a renamed step", [...two.slice(0, 1), { name: "0002-renamed", changes: two[1]?.changes ?? [] }], "0002-rename"],
  ])("finds %s, with the line to restore", (_, changed, step) => {
    const [finding, ...rest] = checkLock(changed, lock);
    expect(rest).toEqual([]);
    expect(finding).toMatchObject({ code: "lock_past_changed", subject: step });
    expect(finding?.fix).toContain(step);
  });

  it("with the marks of a conflict of git is no changed past: main's lock is to be taken", () => {
    const [head = "", first = "", mine = ""] = lock.split("\n");
    const merged = [head, first, "<<<<<<< HEAD", mine, "=======", "0002-other abc", ">>>>>>> main", ""].join("\n");
    const [finding, ...rest] = checkLock(two, merged);
    expect(rest).toEqual([]);
    expect(finding).toMatchObject({ code: "lock_conflict", subject: LOCK_FILE });
    expect(finding?.fix).toMatch(/git checkout main -- infra\/migrations\.lock[\s\S]*npm run migrations -- lock/);
  });

  it("is reported if it is missing", () => {
    expect(codes(checkLock(two, null))).toEqual([["lock_missing", LOCK_FILE]]);
    expect(existsSync(join(ROOT, LOCK_FILE))).toBe(true);
  });
});
