/** The files of Pulumi, as commands read them. */
import { rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parsePublicSettings } from "../../infra/stack/config.ts";
import { readProject } from "../../infra/stack/project.ts";
import { scratch } from "../scratch.ts";

const root = scratch();

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

/** The settings of a stack whose file this is; `way`: for an update that only sends traffic back. */
function settingsOf(stack: string, way?: "pin") {
  expect(mistake("name: shop\n", stack)).toBe("");
  const { config, unread } = readProject(root, "staging");
  const env = { CLOUDFLARE_ACCOUNT_ID: "0".repeat(32) };
  const given = { environmentPrefix: "stg-", homeRegion: "eu", ...config };
  return parsePublicSettings({ project: "shop", stack: "staging" }, given, env, { unread, way });
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
  it("is refused where it is a setting, with its line and what to do", () => {
    expect(() => settingsOf("config:\n  rollout: 10\nrolloutSteps: [1]\nshop:pin: 1\n")).toThrow(
      /^Pulumi\.staging\.yaml has 2 mistakes:\n {2}Pulumi\.staging\.yaml:3: rolloutSteps stands beside `config:`, .* Fix: move it under `config:`, .*\n {2}Pulumi\.staging\.yaml:4: shop:pin stands /,
    );
    expect(() => settingsOf("Config:\n  rollout: 10\n")).toThrow(
      /:1: Config is no key that Pulumi reads\. Fix: move what is below it to `config`\./,
    );
  });

  it("keeps no traffic from going back", () => {
    expect(settingsOf("config: {}\nrolloutSteps: [1]\n", "pin").wrong).toMatchObject([
      { message: expect.stringContaining("rolloutSteps") },
    ]);
  });

  it("may be all that Pulumi knows, and what only YAML needs", () => {
    const known = "secretsprovider: passphrase\nencryptedkey: a\nencryptionsalt: v1:a\nenvironment: [dev]\n";
    expect(settingsOf(`${known}shared: &minutes 7\nconfig:\n  soakMinutes: *minutes\n`).wrong).toEqual([]);
  });

  it("is named with the file over the stack's own", () => {
    const over = join(root, "over.yaml");
    writeFileSync(over, "# Mine.\npin: 1\n");
    expect(readProject(root, "staging", over).unread.at(-1)).toEqual({ file: "over.yaml", line: 2, key: "pin" });
  });
});

describe("what the Pulumi CLI hands on otherwise than it stands in the file", () => {
  const refused = (value: string, kind: string) =>
    expect(() => settingsOf(`config:\n  vars:\n    SINCE: ${value}\n`), value).toThrow(
      `Pulumi.staging.yaml:3: vars.SINCE is ${kind}`,
    );

  it("is the order of keys, at every depth, and a setting of nothing", () => {
    mistake("name: shop\n", "config: { vars: { b: [{ d: 1, c: <&> }], a: { 😀: 1, ﬀ: 2, 10: 3, 9: 4 } }, pin: ~ }\n");
    // As Go's JSON says it, in the order of the bytes; what is a number to JavaScript comes first there in any case.
    expect(readProject(root, "staging").config).toEqual({
      "shop:vars": '{"a":{"9":4,"10":3,"ﬀ":2,"😀":1},"b":[{"c":"<&>","d":1}]}',
      "shop:pin": "",
    });
  });

  it("has the same settings in any order, in which a version's tag is made of them", () => {
    const inFile = settingsOf("config:\n  vars: { likes: 8, eu~visits: { z: 1, b: 2 } }\n  bind: { B: x, A: y }\n");
    const given = settingsOf(
      'config:\n  vars: \'{"eu~visits":{"b":2,"z":1},"likes":8}\'\n  bind: \'{"A":"y","B":"x"}\'\n',
    );
    expect(JSON.stringify(inFile)).toBe(JSON.stringify(given));
  });

  it.each([
    ...["2024-01-01", "2024-1-1", "2024-01-01T10:00:00Z", "2024-01-01 10:00:00"].map((value) => [value, "a date"]),
    ...["010", "-017", "1_000", "0b11", "-0x10", "0X1F", "1_0.5"].map((value) => [value, "a number that is written"]),
    ...["12345678901234567890", "9007199254740993"].map((value) => [value, "a number of so many digits"]),
    ...[".inf", ".NaN", "1e999"].map((value) => [value, "no finite number"]),
    ["!!binary aGk=", "a value with its type in front"],
  ])("is refused where it stands without quotes: %s is told to be %s", (value, kind) => refused(value, kind));

  it("is told by its place, and never by what may be a secret", () => {
    expect(() => settingsOf("config:\n  bind: {}\n  vars: { LIST: [a, 2024-01-01], 1.50: x }\n")).toThrow(
      /^Pulumi\.staging\.yaml has 2 mistakes:\n {2}Pulumi\.staging\.yaml:3: vars\.LIST\.1 is a date, without quotes, and Pulumi hands on something else\. Fix: put it in quotes where it is text, or write the number in plain digits\.\n.* vars\.1\.50 is a fraction as a key, /,
    );
    expect(() => settingsOf("day: &day 2024-01-01\nconfig:\n  vars: { SINCE: *day }\n")).toThrow(
      /yaml:1: vars\.SINCE /,
    );
  });

  it.each([
    '"2024-01-01"',
    "!!str 2024-01-01",
    "2024-13-01",
    "2024-01-01 00:00:00 +0000 UTC",
    "0x10",
    "0o17",
    "089",
    "00",
    "1e3",
    "1.50",
    "+12",
    "yes",
    "1:30",
    "_1",
    "0b2",
    "0Xy",
    "v1_2",
    "~",
  ])("is not %s, which is the same to both", (value) => {
    expect(settingsOf(`config:\n  vars: { SINCE: ${value} }\n`).wrong).toEqual([]);
  });

  it("keeps no traffic from going back", () => {
    expect(settingsOf("config: { pin: 3, vars: { SINCE: 2024-01-01 } }\n", "pin").wrong).toMatchObject([
      { subject: "vars.SINCE" },
    ]);
  });

  it("is no map that is merged into another", () => {
    mistake("name: shop\n", "base: &base { B: 1, A: 2 }\nconfig:\n  vars: { <<: *base, A: 3 }\n");
    expect(readProject(root, "staging").config["shop:vars"]).toBe('{"A":3,"B":1}');
    expect(settingsOf("base: &base { B: 1 }\n<<: *base\nconfig:\n  vars: { <<: *base, A: 3 }\n").wrong).toEqual([]);
  });

  it("is told of a map that is merged into another", () => {
    expect(() => settingsOf("config:\n  vars:\n    <<: { SINCE: 2024-01-01 }\n    A: 3\n")).toThrow(
      "Pulumi.staging.yaml:3: vars.<<.SINCE is a date",
    );
  });
});
