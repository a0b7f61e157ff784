/** The folders of infra/plan are in an order: what a folder needs stands in those before it. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../../infra/release/root.ts";

/** From what needs nothing of the others to what needs all; those on one line do not need each other. */
const ORDER = [
  ["rules"],
  ["account", "state"],
  ["live"],
  ["storage", "traffic"],
  ["claims"],
  ["addresses"],
  ["preview"],
  // What is asked of the plan: the files beside the folders.
  ["."],
];

const placeOf = (folder: string): number => ORDER.findIndex((folders) => folders.includes(folder));

/** Whether a file of `folder` may import one of `other`. */
const mayUse = (folder: string, other: string): boolean => folder === other || placeOf(other) < placeOf(folder);

const plan = join(ROOT, "infra/plan");
const files = readdirSync(plan, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));

/** The files of infra/plan that one of them imports, as types or as code. */
function importsOf(file: string): readonly string[] {
  const specifiers = [...readFileSync(join(plan, file), "utf8").matchAll(/\b(?:from|import)[ (]"(\.[^"]+)"/g)];
  return specifiers
    .map(([, specifier = ""]) => normalize(join(dirname(file), specifier)))
    .filter((other) => !other.startsWith(".."));
}

it("every folder has its place in it", () => {
  const found = new Set(files.map((file) => dirname(file)));
  expect([...found].sort()).toEqual(ORDER.flat().sort());
});

it("no folder reaches up, or beside", () => {
  const imports = files.flatMap((file) => importsOf(file).map((other) => ({ file, other })));
  expect(imports.length).toBeGreaterThan(100);
  const wrong = imports.filter(({ file, other }) => !mayUse(dirname(file), dirname(other)));
  expect(wrong.map(({ file, other }) => `${file} imports ${other}`)).toEqual([]);
});
