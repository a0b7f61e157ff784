/** Whose frame it is, by the path that workerd gives to a module: the current folder, and in a split the version's. */
import { expect, it } from "vitest";
import { Stacks } from "../src/source-maps.ts";

/** A version with one module, and a map that says where its first column comes from. */
const version = (number: number) => ({
  number,
  modules: [
    { name: "index.js", contentType: "application/javascript+module", sha256: "", size: 1 },
    { name: "index.js.map", contentType: "application/source-map", sha256: String(number), size: 1 },
  ],
});
const stacks = new Stacks((sha256) => {
  reads.set(sha256, (reads.get(sha256) ?? 0) + 1);
  return new TextEncoder().encode(JSON.stringify({ version: 3, mappings: "AAAA", sources: [`src/${sha256}.ts`] }));
});
/** How often each was read. */
const reads = new Map<string, number>();
const mapped = (path: string, numbers: readonly number[]) =>
  stacks.mapped(`Error: no\n    at deep (file:///${path}:1:1)`, numbers.map(version)).split("\n")[1]?.trim();

it("knows a module in whatever folder the account runs", () => {
  for (const folder of ["", "home/me/", "tmp/v5/"])
    expect(mapped(`${folder}index.js`, [1])).toBe("at deep (src/1.ts:1:1)");
});

it("knows the version of a module where two share the traffic", () => {
  expect(mapped("tmp/v5/v1/index.js", [1, 2])).toBe("at deep (src/1.ts:1:1)");
  expect(mapped("tmp/v1/v2/index.js", [1, 2])).toBe("at deep (src/2.ts:1:1)");
});

it("keeps the maps that were used last, and no others", () => {
  const used = (number: number) => {
    expect(mapped("index.js", [number])).toBe(`at deep (src/${number}.ts:1:1)`);
    return reads.get(String(number));
  };
  used(101);
  for (let number = 102; number < 200; number++) {
    used(number);
    expect(used(101)).toBe(1);
  }
  expect(used(199)).toBe(1);
  expect(used(102)).toBe(2);
});

it("leaves a frame of nobody's as it is", () => {
  expect(mapped("elsewhere/other.js", [1])).toBe("at deep (file:///elsewhere/other.js:1:1)");
});
