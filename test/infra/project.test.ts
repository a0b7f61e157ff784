/** The files of Pulumi, as commands read them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
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
