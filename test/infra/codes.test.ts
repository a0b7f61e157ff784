/** The codes of findings: whoever reads one in a plan finds it in the documentation. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../../infra/release/root.ts";

const read = (file: string) => readFileSync(join(ROOT, file), "utf8");

/** The members of a union of codes in a source. */
function codesOf(type: string, file: string): readonly string[] {
  const [, members = ""] = new RegExp(`^(?:export )?type ${type} =([^;]*);`, "m").exec(read(file)) ?? [];
  return [...members.matchAll(/^ {2}\| "(\w+)"/gm)].flatMap(([, code]) => code ?? []);
}

const ofClasses = codesOf("ClassCode", "packages/class-lifecycle/src/findings.ts");
const own = codesOf("OwnCode", "infra/plan/rules/codes.ts");
const codes = [...ofClasses, ...own];
const pages = readdirSync(join(ROOT, "docs")).filter((file) => file.endsWith(".md"));
const text = pages.map((file) => read(`docs/${file}`)).join("\n");

it("each is in some page, as code", () => {
  expect(ofClasses.length).toBeGreaterThan(40);
  expect(own.length).toBeGreaterThan(50);
  expect(codes.filter((code) => !text.includes(`\`${code}\``))).toEqual([]);
});

it("no table of codes has one that is gone", () => {
  const tables = [...text.matchAll(/^\| code \|.*\n\|[-|]+\n((?:\|.*\n)+)/gm)].map(([, rows = ""]) => rows);
  const cells = tables.flatMap((rows) => rows.split("\n").map((row) => row.split("|")[1] ?? ""));
  const named = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].flatMap(([, code]) => code ?? []));
  expect(named.length).toBeGreaterThan(50);
  expect(named.filter((code) => !codes.includes(code))).toEqual([]);
});
