/** Legacy `migrations`: order of steps, the tag as a precondition, and Cloudflare's codes. */
import { describe, expect, it } from "vitest";
import { ApiError } from "../../src/errors.ts";
import { type LegacySituation, migrate } from "../../src/legacy-migrations.ts";
import type { MigrationStep, Migrations, Namespace } from "../../src/model.ts";

const step = (given: Partial<MigrationStep>): MigrationStep => ({
  deletedClasses: [],
  renamedClasses: [],
  newClasses: [],
  newSqliteClasses: [],
  transferredClasses: [],
  ...given,
});

const migrations = (oldTag: string | null, newTag: string, ...steps: Partial<MigrationStep>[]): Migrations => ({
  oldTag,
  newTag,
  steps: steps.map(step),
});

const namespace = (className: string, workerId = "app"): Namespace => ({
  id: `id of ${className}`,
  workerId,
  className,
  storage: "sqlite",
  transferredFrom: null,
});

function situation(
  given: Partial<LegacySituation> & { readonly have?: readonly string[]; readonly code?: readonly string[] },
): LegacySituation {
  const { have = [], code = [], ...rest } = given;
  return {
    workerId: "app",
    currentTag: null,
    namespaces: have.map((className) => namespace(className)),
    classes: new Set(code),
    boundClasses: new Set(),
    boundBy: () => [],
    namespacesOf: () => undefined,
    plan: "paid",
    ...rest,
  };
}

/** Code and status of the refusal. */
function refused(work: () => unknown): { code: number; status: number } {
  try {
    work();
  } catch (error) {
    if (error instanceof ApiError) return { code: error.code, status: error.status };
    throw error;
  }
  throw new Error("it was not refused");
}

const classesAfter = (outcome: ReturnType<typeof migrate>) =>
  outcome.put.map(({ className, storage }) => `${className} ${storage}`);

describe("migrations", () => {
  it("create, rename and delete in this order within a step", () => {
    const outcome = migrate(
      migrations("v1", "v2", {
        deletedClasses: ["A"],
        renamedClasses: [{ from: "B", to: "A" }],
        newSqliteClasses: ["B"],
      }),
      situation({ currentTag: "v1", have: ["A", "B"], code: ["A", "B"] }),
    );
    expect(outcome.deletedIds).toEqual(["id of A"]);
    expect(classesAfter(outcome)).toEqual(["A sqlite", "B sqlite"]);
    expect(outcome.put[0]?.id).toBe("id of B");
  });

  it("replay a history whose classes were deleted since", () => {
    const outcome = migrate(
      migrations(
        null,
        "v3",
        { newClasses: ["A"] },
        { renamedClasses: [{ from: "A", to: "B" }] },
        { deletedClasses: ["B"], newSqliteClasses: ["C"] },
      ),
      situation({ code: ["C"] }),
    );
    expect(classesAfter(outcome)).toEqual(["C sqlite"]);
    expect(outcome.deletedIds).toEqual([]);
  });

  it("move a class from another Worker with its data", () => {
    const outcome = migrate(
      migrations(null, "v1", { transferredClasses: [{ from: "A", fromScript: "source", to: "B" }] }),
      situation({ code: ["B"], namespacesOf: (name) => (name === "source" ? [namespace("A", "source")] : undefined) }),
    );
    expect(outcome.put).toEqual([{ ...namespace("A"), className: "B", transferredFrom: "source" }]);
  });

  it.each([
    [
      "an old tag that is not the current one",
      { code: 10079, status: 412 },
      migrations("v0", "v2"),
      { currentTag: "v1" },
    ],
    [
      "no old tag if there is a current one",
      { code: 10079, status: 412 },
      migrations(null, "v2"),
      { currentTag: "v1" },
    ],
    [
      "a new class that the code does not export",
      { code: 10070, status: 400 },
      migrations(null, "v1", { newSqliteClasses: ["A"] }),
      {},
    ],
    [
      "a new class that exists",
      { code: 10074, status: 400 },
      migrations(null, "v1", { newSqliteClasses: ["A"] }),
      { have: ["A"], code: ["A"] },
    ],
    [
      "a key-value class on the free plan",
      { code: 10097, status: 400 },
      migrations(null, "v1", { newClasses: ["A"] }),
      { code: ["A"], plan: "free" as const },
    ],
    [
      "a deletion with its binding",
      { code: 10061, status: 400 },
      migrations(null, "v1", { deletedClasses: ["A"] }),
      { have: ["A"], boundClasses: new Set(["A"]) },
    ],
    [
      "a deletion of a class that others bind to",
      { code: 10061, status: 400 },
      migrations(null, "v1", { deletedClasses: ["A"] }),
      { have: ["A"], boundBy: () => ["other"] },
    ],
    [
      "a rename of a missing class",
      { code: 10073, status: 400 },
      migrations(null, "v1", { renamedClasses: [{ from: "A", to: "B" }] }),
      { code: ["B"] },
    ],
    [
      "a rename to an existing class",
      { code: 10074, status: 400 },
      migrations(null, "v1", { renamedClasses: [{ from: "A", to: "B" }] }),
      { have: ["A", "B"], code: ["B"] },
    ],
    ["code without a provisioned class", { code: 10064, status: 400 }, null, { have: ["A"] }],
  ])("are refused for %s", (_, refusal, given, where) => {
    expect(refused(() => migrate(given, situation(where)))).toEqual(refusal);
  });
});
