/** Changes of the region table that hide existing objects: found, named, and allowed only by name. */
import { describe, expect, it } from "vitest";
import { namePrefix } from "../../contract/regions.ts";
import { isError } from "../../infra/plan/rules/codes.ts";
import {
  compareRegions,
  type RegionSituation,
  type RegionTable,
  regionFindings,
  sharedRegionFindings,
} from "../../infra/plan/rules/regions.ts";
import { fc } from "../properties.ts";

const table = (more: Partial<RegionTable> = {}): RegionTable => ({
  environmentPrefix: "prd-",
  home: "eu",
  regions: [
    { id: "eu", prefix: "eu" },
    { id: "us", prefix: "us" },
  ],
  ...more,
});
const regions = (...given: readonly (readonly [id: string, prefix: string, jurisdiction?: string])[]) =>
  table({ regions: given.map(([id, prefix, jurisdiction]) => ({ id, prefix, jurisdiction })) });

/** The codes and subjects of the findings about the table `next`. */
function codes(next: RegionTable, more: Partial<RegionSituation> = {}): readonly string[] {
  const findings = regionFindings({
    live: [table()],
    next,
    holdsData: true,
    sources: [],
    neighbours: [],
    allowRegionLoss: [],
    ...more,
  });
  expect(findings.every(isError)).toBe(true);
  return findings.map(({ code, subject }) => `${code} ${subject}`);
}

describe("a Worker with objects", () => {
  it("may keep its table, and may get more regions", () => {
    expect(codes(table())).toEqual([]);
    expect(codes(regions(["eu", "eu"], ["us", "us"], ["ap", "ap"]))).toEqual([]);
  });

  it.each<[string, RegionTable, readonly string[]]>([
    ["a region removed", regions(["eu", "eu"]), ["region_prefix_removed prd-us"]],
    ["a prefix changed", regions(["eu", "eu"], ["us", "na"]), ["region_prefix_changed prd-us"]],
    [
      "two prefixes swapped",
      regions(["eu", "us"], ["us", "eu"]),
      ["region_prefix_changed prd-eu", "region_prefix_changed prd-us"],
    ],
    [
      "another environment",
      table({ environmentPrefix: "stg-" }),
      ["region_prefix_changed prd-eu", "region_prefix_changed prd-us"],
    ],
    ["a jurisdiction", regions(["eu", "eu", "eu"], ["us", "us"]), ["region_jurisdiction_changed prd-eu"]],
    ["another id", regions(["eu", "eu"], ["na", "us"]), ["region_id_changed prd-us"]],
    ["another home", table({ home: "us" }), ["region_home_changed prd-eu"]],
    [
      "a prefix that the old one begins",
      regions(["eu", "eu"], ["us", "us2"]),
      ["region_prefix_changed prd-us", "region_prefix_ambiguous prd-us2"],
    ],
  ])("refuses %s", (_, next, expected) => {
    expect(codes(next)).toEqual(expected);
  });

  it("may hide objects if they are allowed by name, but may never confuse names", () => {
    expect(codes(regions(["eu", "eu"]), { allowRegionLoss: ["prd-us"] })).toEqual([]);
    expect(codes(regions(["eu", "eu"]), { allowRegionLoss: ["prd-eu", "us"] })).toEqual([
      "region_prefix_removed prd-us",
    ]);
    expect(codes(regions(["eu", "eu"], ["us", "us2"]), { allowRegionLoss: ["prd-us"] })).toEqual([
      "region_prefix_ambiguous prd-us2",
    ]);
  });

  it("must keep the tables of both versions of a rollout", () => {
    const live = [table(), regions(["eu", "eu"], ["us", "us"], ["ap", "ap"])];
    expect(codes(table(), { live })).toEqual(["region_prefix_removed prd-ap"]);
  });
});

it("two versions share the traffic only with one table, and with one that names the same objects", () => {
  const shared = (next: RegionTable) => sharedRegionFindings(10, next, { number: 3, table: table() });
  expect(shared(table())).toEqual([]);
  expect(sharedRegionFindings(10, table(), undefined)).toEqual([]);
  for (const next of [
    table({ environmentPrefix: "new-" }),
    regions(["eu", "eu"]),
    regions(["eu", "eu"], ["us", "us"], ["ap", "ap"]),
  ]) {
    const found = shared(next);
    expect(found).toMatchObject([{ code: "lifecycle_needs_full_rollout", subject: "rollout 10" }]);
    expect(found[0]?.message).toContain("than version 3");
  }
});

it("a Worker without objects may have any table", () => {
  expect(
    codes(table({ environmentPrefix: "new-", home: "ap", regions: [{ id: "ap", prefix: "eu" }] }), {
      holdsData: false,
    }),
  ).toEqual([]);
});

describe("other Workers", () => {
  it("that send their objects here need their regions in the table", () => {
    const sources = [{ worker: "old", table: table({ environmentPrefix: "old-" }) }];
    expect(codes(table(), { sources })).toEqual(["region_prefix_removed old-eu", "region_prefix_removed old-us"]);
    expect(codes(table(), { sources, allowRegionLoss: ["old-eu", "old-us"] })).toEqual([]);
    expect(codes(table(), { sources: [{ worker: "old", table: table() }] })).toEqual([]);
    const eu = [{ worker: "old", table: regions(["eu", "eu", "eu"]) }];
    expect(codes(table(), { sources: eu })).toEqual(["region_jurisdiction_changed prd-eu"]);
  });

  it("that use its classes must not have ambiguous prefixes", () => {
    const neighbours = [{ worker: "reader", table: regions(["eu", "eu1"]) }];
    expect(codes(table(), { neighbours })).toEqual(["region_prefix_ambiguous prd-eu"]);
    expect(codes(table(), { neighbours: [{ worker: "reader", table: regions(["eu", "eu"]) }] })).toEqual([]);
  });
});

describe("any two tables", () => {
  const name = fc.constantFrom("eu", "us", "eu2", "ap");
  const tables = fc
    .record({
      environmentPrefix: fc.constantFrom("a-", "b-"),
      regions: fc
        .uniqueArray(fc.record({ id: name, prefix: name, jurisdiction: fc.constantFrom(undefined, "eu") }), {
          minLength: 1,
          maxLength: 4,
          selector: ({ id }) => id,
        })
        // No table has a prefix twice (config.ts).
        .filter((drawn) => new Set(drawn.map(({ prefix }) => prefix)).size === drawn.length),
    })
    .map((drawn): RegionTable => ({ ...drawn, home: drawn.regions[0]?.id ?? "" }));

  /** The object of an id: its name and its jurisdiction, which both identify it. */
  const target = (where: RegionTable, id: string | undefined) => {
    const region = where.regions.find((candidate) => candidate.id === (id ?? where.home));
    return region && `${namePrefix(where, region)} ${region.jurisdiction}`;
  };

  it("pass only if every id keeps its object", () => {
    fc.assert(
      fc.property(tables, tables, (live, next) => {
        const kept = [undefined, ...live.regions.map(({ id }) => id)].every(
          (id) => target(live, id) === target(next, id),
        );
        const changes = compareRegions(live, next).filter(({ kind }) => kind !== "added");
        expect(changes.length === 0).toBe(kept);
        const prefixes = live.regions.map((region) => namePrefix(live, region));
        for (const { prefix } of changes) expect(prefixes).toContain(prefix);
      }),
      { numRuns: 5000 },
    );
  });
});
