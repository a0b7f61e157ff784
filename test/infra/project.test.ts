/** The files of Pulumi, as commands read them. */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parsePublicSettings } from "../../infra/stack/config.ts";
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

describe("what stands beside the config, where Pulumi does not read it,", () => {
  const parse = (stack: string, way?: "pin") => {
    expect(mistake("name: shop\n", stack)).toBe("");
    const { config, ignored } = readProject(root, "staging");
    const env = { CLOUDFLARE_ACCOUNT_ID: "0".repeat(32) };
    const given = { environmentPrefix: "stg-", homeRegion: "eu", ...config };
    return parsePublicSettings({ project: "shop", stack: "staging" }, given, env, { ignored, way });
  };

  it("is refused where it is a setting, with its line and what to do", () => {
    expect(() => parse("config:\n  rollout: 10\nrolloutSteps: [1]\nshop:pin: 1\n")).toThrow(
      /^Pulumi\.staging\.yaml has 2 mistakes:\n {2}Pulumi\.staging\.yaml:3: rolloutSteps stands beside `config:`, .* Fix: move it under `config:`, .*\n {2}Pulumi\.staging\.yaml:4: shop:pin stands /,
    );
    expect(() => parse("Config:\n  rollout: 10\n")).toThrow(
      /:1: Config is no key that Pulumi reads\. Fix: move what is below it to `config`\./,
    );
  });

  it("keeps no traffic from going back", () => {
    expect(parse("config: {}\nrolloutSteps: [1]\n", "pin").wrong).toMatchObject([
      { message: expect.stringContaining("rolloutSteps") },
    ]);
  });

  it("may be all that Pulumi knows, and what only YAML needs", () => {
    const known = "secretsprovider: passphrase\nencryptedkey: a\nencryptionsalt: v1:a\nenvironment: [dev]\n";
    expect(parse(`${known}shared: &minutes 7\nconfig:\n  soakMinutes: *minutes\n`).wrong).toEqual([]);
  });

  it("is named with the file over the stack's own", () => {
    const over = join(root, "over.yaml");
    writeFileSync(over, "# Mine.\npin: 1\n");
    expect(readProject(root, "staging", over).ignored.at(-1)).toEqual({ file: "over.yaml", line: 2, key: "pin" });
  });
});
