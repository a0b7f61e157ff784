/** The folders of infra/plan are in an order: what a folder needs stands in those before it. infra/common needs no other folder. */
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

/** What a file in `folder` imports of this project, as types or as code, seen from there. */
function allImportsOf(folder: string, file: string): readonly string[] {
  const specifiers = [...readFileSync(join(folder, file), "utf8").matchAll(/\b(?:from|import)[ (]"(\.[^"]+)"/g)];
  return specifiers.map(([, specifier = ""]) => normalize(join(dirname(file), specifier)));
}

const isOutside = (file: string): boolean => file.startsWith("..");

/** The files of infra/plan that one of them imports. */
const importsOf = (file: string): readonly string[] => allImportsOf(plan, file).filter((other) => !isOutside(other));

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

it("infra/common uses no other folder", () => {
  const common = join(ROOT, "infra/common");
  const found = readdirSync(common);
  expect(found.length).toBeGreaterThan(5);
  expect(found.flatMap((file) => allImportsOf(common, file)).filter(isOutside)).toEqual([]);
});
