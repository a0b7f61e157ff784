/** The guide lists what the planner says of classes: each code, once, and whether it is a warning. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../../../infra/release/root.ts";
import { CLASS_WARNINGS } from "../src/findings.ts";

const SOURCES = ["rules.ts", "plan.ts", "allowances.ts", "standing.ts"];

/** The codes that the planner's sources name, as the guide's table writes them. */
const raised = () => {
  const codes = SOURCES.flatMap((name) => {
    const text = readFileSync(join(ROOT, "packages/class-lifecycle/src", name), "utf8");
    return [...text.matchAll(/\bcode: "(\w+)"/g)].flatMap(([, code]) => (code === undefined ? [] : [code]));
  });
  return [...new Set(codes)].map((code) => `\`${code}\`${CLASS_WARNINGS.has(code) ? " (warning)" : ""}`);
};

it("docs/change-a-class.md has every code of the planner, and no other", () => {
  const guide = readFileSync(join(ROOT, "docs/change-a-class.md"), "utf8");
  const [, section = ""] = guide.split("## What the plan says of classes\n");
  // The table after it is of the history itself.
  const [, table = ""] = section.split("\n| code | when |\n");
  const cells = [...table.matchAll(/^\| (`.+?) \| .+ \|$/gm)].map(([, cell = ""]) => cell);
  const rows = cells.flatMap((cell) => {
    const warning = cell.endsWith(" (warning)") ? " (warning)" : "";
    return [...cell.matchAll(/`\w+`/g)].map(([code]) => `${code}${warning}`);
  });
  expect([...rows].sort()).toEqual([...raised()].sort());
});

it("docs/change-a-class.md names only settings that Pulumi.yaml describes", () => {
  const guide = readFileSync(join(ROOT, "docs/change-a-class.md"), "utf8");
  const described = readFileSync(join(ROOT, "Pulumi.yaml"), "utf8");
  const named = new Set([...guide.matchAll(/\ballow[A-Z]\w+/g)].map(([name]) => name));
  expect([...named].sort()).toEqual(["allowDestroy", "allowTransferLoss"]);
  for (const name of named)
    expect(described).toMatch(new RegExp(`^  ${name}:\\n(?:.*\\n)*?    description: .*Take each out`, "m"));
});
