/** The codes of findings: whoever reads one in a plan finds it in the documentation. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../../infra/release/root.ts";

const read = (file: string) => readFileSync(join(ROOT, file), "utf8");

it("each is in some page, as code", () => {
  const [, members = ""] = /export type Code =([^;]*);/.exec(read("packages/class-lifecycle/src/findings.ts")) ?? [];
  const codes = [...members.matchAll(/^ {2}\| "(\w+)"/gm)].flatMap(([, code]) => code ?? []);
  const pages = readdirSync(join(ROOT, "docs")).filter((file) => file.endsWith(".md"));
  const text = pages.map((file) => read(`docs/${file}`)).join("\n");
  expect(codes.length).toBeGreaterThan(90);
  expect(codes.filter((code) => !text.includes(`\`${code}\``))).toEqual([]);
});
