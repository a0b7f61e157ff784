/** SQL schemas of objects: what a step does, what a release records, and what a plan makes of it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Move } from "@durable-stack/class-lifecycle";
import { describe, expect, it } from "vitest";
import { withNamesOf } from "../../infra/plan/live/earlier-schemas.ts";
import { floorOf, type SchemaSituation, schemaPlan, schemasInUse } from "../../infra/plan/rules/schema.ts";
import { ROOT } from "../../infra/release/root.ts";
import { schemasOf, undecided } from "../../infra/release/schemas.ts";
import { adds, breaking, compatible, type SchemaSteps } from "../../worker/objects/steps.ts";
import { patterns } from "../../worker/patterns.ts";

const NOTES = "CREATE TABLE notes (text TEXT)";
const AT = "ALTER TABLE notes ADD COLUMN at INTEGER";
const RENAMED = "ALTER TABLE notes RENAME COLUMN text TO body";
const LINKS = "CREATE TABLE links (link TEXT)";

const [first] = patterns;
const className = first.class;
/** A release's record of the first pattern's class with these steps. */
const recorded = (...schema: SchemaSteps) => schemasOf([{ ...first, schema }], [className]);

describe("a step", () => {
  it.each([
    [NOTES, true],
    [AT, true],
    [`${NOTES};\n  CREATE INDEX by_text ON notes (text); -- DROP TABLE notes`, true],
    ["/* adds */ alter table notes\n add column at INTEGER", true],
    [RENAMED, false],
    ["DROP TABLE notes", false],
    ["UPDATE notes SET text = ''", false],
    ["CREATE UNIQUE INDEX one ON notes (text)", false],
    [`${AT}; DELETE FROM notes`, false],
  ])("%s: only adds, %s", (sql, only) => {
    expect(adds(sql)).toBe(only);
  });

  it("that does more must say what older code does with it", () => {
    const steps = (...schema: SchemaSteps) => undecided([{ ...first, schema }]).map(({ step }) => step);
    expect(steps(NOTES, RENAMED)).toEqual([`${className}: step 2`]);
    expect(steps(NOTES, breaking(RENAMED), compatible("UPDATE notes SET at = 0"))).toEqual([]);
    expect(undecided(patterns)).toEqual([]);
  });
});

it("every INSERT of the Worker names its columns, so that older code works with a new one", () => {
  const files = readdirSync(join(ROOT, "worker"), { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".ts"),
  );
  const nameless = files.flatMap((file) =>
    [...readFileSync(join(ROOT, "worker", file), "utf8").matchAll(/INSERT (?:OR \w+ )?INTO \w+(?!\w|\s*\()/g)].map(
      ([sql]) => `${file}: ${sql}`,
    ),
  );
  expect(nameless).toEqual([]);
  expect(files.length).toBeGreaterThan(20);
});

describe("a release's record", () => {
  it("does not depend on how the SQL is laid out, and tells every other change", () => {
    expect(recorded(NOTES, "ALTER TABLE notes\n    ADD COLUMN at INTEGER\n  ")).toEqual(recorded(NOTES, AT));
    expect(recorded(NOTES, `${AT} DEFAULT 7`)).not.toEqual(recorded(NOTES, AT));
  });

  it("has the same beginning as that of the release before", () => {
    const [before, after] = [recorded(NOTES, AT), recorded(NOTES, AT, LINKS)];
    expect(after[className]?.steps.slice(0, 2)).toEqual(before[className]?.steps);
  });

  it("says up to which step older code must be", () => {
    expect(recorded(NOTES, AT)[className]?.needs).toBe(0);
    expect(recorded(NOTES, breaking(RENAMED), LINKS)[className]?.needs).toBe(2);
  });

  it("leaves out classes that the bundle does not have", () => {
    expect(schemasOf(patterns, [])).toEqual({});
  });
});

describe("the plan", () => {
  const given: SchemaSituation = {
    release: { digest: "d".repeat(64), schemas: recorded(NOTES) },
    inUse: {},
    moves: [],
    share: 100,
    stack: "staging",
  };
  const plan = (situation: Partial<SchemaSituation>) => {
    const { raisesFloor, findings } = schemaPlan({ ...given, ...situation });
    return { raisesFloor, codes: findings.map(({ code }) => code) };
  };
  const release = (...steps: SchemaSteps) => ({ digest: "d".repeat(64), schemas: recorded(...steps) });

  it("lets a step pass that only adds", () => {
    expect(plan({ release: release(NOTES, AT), inUse: recorded(NOTES) })).toEqual({ raisesFloor: false, codes: [] });
  });

  it("raises the floor for one that breaks, where there are objects with the steps before", () => {
    const breaks = release(NOTES, breaking(RENAMED));
    expect(plan({ release: breaks, inUse: recorded(NOTES) })).toEqual({
      raisesFloor: true,
      codes: ["schema_raises_floor"],
    });
    expect(plan({ release: breaks }), "nothing is there yet").toEqual({ raisesFloor: false, codes: [] });
    expect(plan({ release: breaks, inUse: breaks.schemas }), "it is live").toEqual({ raisesFloor: false, codes: [] });
    expect(plan({ release: breaks, inUse: recorded(NOTES), share: 0 }), "no traffic").toEqual({
      raisesFloor: false,
      codes: [],
    });
  });

  it("refuses it in a rollout, where both versions meet the same objects", () => {
    const { codes } = plan({ release: release(NOTES, breaking(RENAMED)), inUse: recorded(NOTES), share: 10 });
    expect(codes).toEqual(["schema_needs_full_rollout"]);
  });

  it("refuses a release that lacks a step which its code cannot live with, and no other older one", () => {
    expect(plan({ release: release(NOTES), inUse: recorded(NOTES, breaking(RENAMED)) }).codes).toEqual([
      "schema_left_behind",
    ]);
    expect(plan({ release: release(NOTES), inUse: recorded(NOTES, compatible(RENAMED)) }).codes).toEqual([]);
    expect(plan({ release: { digest: "d".repeat(64) }, inUse: recorded(NOTES, breaking(RENAMED)) }).codes).toEqual([
      "schema_left_behind",
    ]);
  });

  it("refuses a step that was changed after objects have run it", () => {
    const changed = { release: release(NOTES, LINKS), inUse: recorded(NOTES, AT) };
    expect(plan(changed).codes).toEqual(["schema_step_changed"]);
    const file = `worker/${first.folder}/schema.ts`;
    expect(schemaPlan({ ...given, ...changed }).findings[0]?.fix).toContain(
      `put step 2 back as it was released (${file})`,
    );
  });

  it("follows a class that is renamed, and forgets one that goes", () => {
    const inUse = { Old: recorded(NOTES, breaking(RENAMED))[className] ?? { steps: [], needs: 0 } };
    const renamed: Move = { kind: "rename", from: "Old", className, storage: "sqlite" };
    expect(plan({ release: release(NOTES), inUse, moves: [renamed] }).codes).toEqual(["schema_left_behind"]);
    const deleted: Move = { kind: "delete", className: "Old" };
    expect(plan({ release: release(NOTES), inUse, moves: [deleted] }).codes).toEqual([]);
  });
});

describe("what objects have from before a class step", () => {
  const OTHER = "ALTER TABLE notes ADD COLUMN other INTEGER";
  /** A version whose class is called `name` and has this namespace. */
  const version = (
    number: number,
    steps: SchemaSteps,
    { id = "n1", name = className }: { id?: string; name?: string } = {},
  ) => ({
    versionId: `v${number}`,
    number,
    schemas: { [name]: recorded(...steps)[className] ?? { steps: [], needs: 0 } },
    bindings: [{ type: "durable_object_namespace", className: name, namespaceId: id }],
  });
  type Version = ReturnType<typeof version>;
  const inUse = (earlier: readonly Version[], now: readonly Version[]) =>
    schemasInUse(now, [{ versionId: `v${now[0]?.number}` }], withNamesOf(now, earlier));
  const codes = (steps: SchemaSteps, schemas: ReturnType<typeof schemasInUse>) =>
    schemaPlan({
      release: { digest: "d".repeat(64), schemas: recorded(...steps) },
      inUse: schemas,
      moves: [],
      share: 100,
      stack: "staging",
    }).findings.map(({ code }) => code);

  it("is not forgotten: a step that was taken back beside a class step is run by objects already", () => {
    // The second release runs the step, the third reverts it and adds a class, the fourth has another one in its place.
    const schemas = inUse([version(2, [NOTES, AT]), version(1, [NOTES])], [version(3, [NOTES])]);
    expect(schemas[className]?.steps).toHaveLength(2);
    expect(codes([NOTES, OTHER], schemas)).toEqual(["schema_step_changed"]);
    expect(codes([NOTES, AT, OTHER], schemas)).toEqual([]);
  });

  it("follows a class that was renamed", () => {
    const schemas = inUse([version(2, [NOTES, AT], { name: "Old" })], [version(3, [NOTES])]);
    expect(codes([NOTES, OTHER], schemas)).toEqual(["schema_step_changed"]);
  });

  it("is none of a class that was deleted and made anew under its name, or that took over another's", () => {
    const anew = inUse([version(2, [NOTES, AT], { id: "n0" })], [version(3, [NOTES])]);
    expect(codes([NOTES, OTHER], anew)).toEqual([]);
    const unknown = { ...version(2, [NOTES, AT]), bindings: [] };
    expect(
      codes(
        [NOTES, OTHER],
        schemasInUse([version(3, [NOTES])], [{ versionId: "v3" }], withNamesOf([version(3, [NOTES])], [unknown])),
      ),
    ).toEqual([]);
  });

  it("counts no more where what serves by now contradicts it: nothing could ever be deployed again", () => {
    const schemas = inUse([version(2, [NOTES, AT])], [version(4, [NOTES, OTHER]), version(3, [NOTES])]);
    expect(codes([NOTES, OTHER], schemas)).toEqual([]);
    expect(codes([NOTES, LINKS], schemas)).toEqual(["schema_step_changed"]);
  });
});

describe("the rollback floor", () => {
  const version = (number: number, ...steps: SchemaSteps) => ({
    versionId: `v${number}`,
    number,
    schemas: steps.length > 0 ? recorded(...steps) : undefined,
  });
  const floor = (versions: readonly ReturnType<typeof version>[], ...deployed: number[]) =>
    floorOf(
      versions,
      schemasInUse(
        versions,
        deployed.map((number) => ({ versionId: `v${number}` })),
      ),
    );
  const [old, added, broken] = [version(1, NOTES), version(2, NOTES, AT), version(3, NOTES, AT, breaking(RENAMED))];

  it("is the first version that can live with what objects may have", () => {
    expect(floor([old, added], 1, 2)).toBe(1);
    expect(floor([old, added, broken], 1, 2, 3)).toBe(3);
  });

  it("stays where it is while the breaking version was in no deployment", () => {
    expect(floor([old, added, broken], 1, 2)).toBe(1);
  });

  it("keeps a version that breaks, though only later ones are still listed", () => {
    expect(floor([old, added, broken, version(4, NOTES, AT, breaking(RENAMED), LINKS)], 4)).toBe(3);
  });

  it("excludes versions from before schemas were recorded only where something breaks", () => {
    expect(floor([version(1), added], 1, 2)).toBe(1);
    expect(floor([version(1), version(2, NOTES, breaking(RENAMED))], 2)).toBe(2);
  });
});
