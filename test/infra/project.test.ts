/** The files of Pulumi, as commands read them. */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { readProject } from "../../infra/stack/project.ts";

const root = mkdtempSync(join(tmpdir(), "project-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** What is said of a project whose files these are. */
function mistake(project: string, stack: string): string {
  writeFileSync(join(root, "Pulumi.yaml"), project);
  writeFileSync(join(root, "Pulumi.staging.yaml"), stack);
  try {
    readProject(root, "staging");
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

it.each(["[a]", "[]", "text", "7"])("a config that is %s is told to be no map, in either file", (config) => {
  const told = "config: must be a map, with a line `key: value` for each setting";
  expect(mistake("name: shop\n", `config: ${config}\n`)).toBe(
    `${join(root, "Pulumi.staging.yaml")} is not what Pulumi takes: ${told}`,
  );
  expect(mistake(`name: shop\nconfig: ${config}\n`, "")).toBe(
    `${join(root, "Pulumi.yaml")} is not what Pulumi takes: ${told}`,
  );
});

it("a file that is no map, no UTF-8 or winds round itself is told so, and nothing of it is repeated", () => {
  const file = join(root, "Pulumi.staging.yaml");
  expect(mistake("name: shop\n", "adminToken a-secret\n")).toBe(
    `${file} is not what Pulumi takes: (root): must be a map, with keys such as \`config:\``,
  );
  expect(mistake("name: shop\n", Buffer.from("config: {}", "utf16le").toString())).toBe(
    `${file} is not YAML: it is no UTF-8 text. Save it as UTF-8.`,
  );
  expect(mistake("name: shop\n", "config: &all { pin: *all }\n")).toBe(
    `${file} is not YAML: an alias stands within what it is an alias of. Correct it there.`,
  );
  expect(mistake("name: shop\n", "config: { one: &shared [1], two: *shared, three: [*shared, *shared] }\n")).toBe("");
  expect(mistake("main: .\n", "")).toBe(`${join(root, "Pulumi.yaml")} is not what Pulumi takes: name: is missing`);
});

it("a stack's file that cannot be read is not taken for none", () => {
  mistake("name: shop\n", "");
  const file = join(root, "Pulumi.round.yaml");
  symlinkSync(file, file);
  expect(() => readProject(root, "round")).toThrow(`${file} cannot be read`);
  rmSync(file);
});

it("a config that is empty, or not there, has no settings", () => {
  expect(mistake("name: shop\n", "config:\n")).toBe("");
  expect(mistake("name: shop\n", "config: {}\n")).toBe("");
  expect(mistake("name: shop\n", "")).toBe("");
});

it("the settings of a second file that hide those of the first are named, however they are spelled", () => {
  const over = join(root, "over.yaml");
  mistake("name: shop\n", "config:\n  rollout: 10\n  shop:pin: 1\n  same: [a]\n  only: 1\n");
  expect(readProject(root, "staging", over).overriddenKeys).toEqual([]);
  writeFileSync(over, "config:\n  shop:rollout: 0\n  pin: 2\n  same: [a]\n  other: 1\n");
  const { overriddenKeys, setOver } = readProject(root, "staging", over);
  expect(overriddenKeys).toEqual(["rollout", "shop:pin"]);
  expect([...setOver]).toEqual(["rollout", "pin", "same", "other"].map((key) => [`shop:${key}`, "over.yaml"]));
  // The same file is over nothing.
  expect(readProject(root, "staging", join(root, "Pulumi.staging.yaml")).setOver.size).toBe(0);
});
