/** A stack's file with one setting changed: whatever the file looks like, it says that one thing more, and no less. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { UserError } from "../../infra/common/user-error.ts";
import { ROOT } from "../../infra/release/root.ts";
import { fullKey } from "../../infra/stack/project.ts";
import { type SettingValue, withSetting } from "../../infra/stack/setting-text.ts";

const NAMESPACE = "durable-stack";
const change = (text: string, key: string, value?: SettingValue) =>
  withSetting(text, { key, project: NAMESPACE, file: "Pulumi.test.yaml" }, value);

/** The settings of a file by their full keys, and what else is in it. */
function contents(text: string) {
  const { config, ...rest } = parse(text) ?? {};
  const settings = Object.entries(config ?? {}).map(([key, value]) => [fullKey(NAMESPACE, key), value] as const);
  return { settings: Object.fromEntries(settings), count: settings.length, rest };
}

const LONG = Array.from({ length: 12 }, (_, i) => `${i}`.padStart(12, "a")).join(" ");
const VALUES: readonly SettingValue[] = [
  7,
  true,
  LONG,
  `1f3a2b4c5d6e soak: ${"a reason of many words, ".repeat(12)}"quoted": #1`,
  "two\nlines\n",
  "- it: begins # like something else",
  "",
  "007",
];

describe.each(["local", "staging", "production"])("the file of %s", (stack) => {
  const before = readFileSync(join(ROOT, `Pulumi.${stack}.yaml`), "utf8");

  it("gets one line for a value of any kind, and is byte for byte as before without it", () => {
    for (const value of VALUES) {
      const set = change(before, "refusedReleases", value);
      const lines = set.split("\n");
      expect(lines.filter((line) => !before.split("\n").includes(line))).toHaveLength(1);
      expect(lines).toHaveLength(before.split("\n").length + 1);
      // `pulumi config set` writes all keys with the project's name in front.
      const { settings } = contents(before);
      expect(contents(set).settings).toEqual({ ...settings, [fullKey(NAMESPACE, "refusedReleases")]: value });
      const again = change(change(set, "refusedReleases", LONG), "refusedReleases", value);
      expect(parse(again)).toEqual(parse(set));
      expect(change(again, "refusedReleases")).toBe(before);
    }
  });
});

describe.each([
  ["a flow map", "config: { pin: 1 }\n"],
  ["a flow map with the project's name", "config: { 'durable-stack:pin': 1, 'durable-stack:protect': true }\n"],
  ["a flow map over lines", "config: {\n  a: 1, # one\n  pin: 2\n}\nencryptionsalt: v1:abc\n"],
  ["a quoted config", 'encryptionsalt: v1:abc\n"config":\n  a: 1\n'],
  ["a config after something with the same name in it", "description: |\n  config:\n    b: 2\nconfig:\n  a: 1\n"],
  ["a block scalar", "config:\n  pin: |\n    1\n    2\n  protect: true\n"],
  ["a folded scalar at the end", "config:\n  protect: true\n  pin: >-\n    1\n    2\n"],
  ["a text over lines", 'config:\n  pin: "1\n    2"\n  protect: true\n'],
  ["no value", "config:\n  pin:\n  protect: true\n"],
  ["no value, and a comment", "config:\n  pin: # none\n  protect: true\n"],
  ["no value at the very end", "config:\n  protect: true\n  pin:"],
  ["a map as the value", "config:\n  pin:\n    secure: v1:abc\n  protect: true\n"],
  ["a list as the value", "config:\n  pin:\n  - 1\n  - 2\n  protect: true\n"],
  ["both ways to write it", "config:\n  pin: |\n    1\n  durable-stack:pin: {}\n  protect: true\n"],
  ["a question mark", "config:\n  ? pin\n  : 1\n  protect: true\n"],
  ["lines that end as on Windows", "config:\r\n  protect: true\r\n  pin: 1\r\n"],
  ["lines that end as on Windows, and no pin", "config:\r\n  protect: true\r\n"],
  ["numbers of many digits", "config: { accountId: 12345678901234567890123456789012 }\n"],
  ["an anchor elsewhere", "config:\n  a: &a [1]\n  b: *a\n"],
  ["two settings at the same depth as config", "config:\n    a: 1\nother:\n    pin: 3\n"],
  ["nothing but a comment", "# mine\n"],
  ["nothing", ""],
  ["a config of null", "# mine\nconfig:\n"],
  ["nothing but null", "null\n"],
])("a file with %s", (_, before) => {
  const { settings, rest } = contents(before);
  const { [`${NAMESPACE}:pin`]: pin, ...others } = settings;

  it("is given a value of any kind, and keeps the rest", () => {
    for (const value of VALUES) {
      const after = change(before, "pin", value);
      const count = Object.keys(others).length + 1;
      expect(contents(after)).toEqual({ settings: { ...others, [`${NAMESPACE}:pin`]: value }, count, rest });
      for (const comment of before.match(/# (mine|one)/g) ?? []) expect(after).toContain(comment);
    }
  });

  it("loses the setting, and keeps the rest", () => {
    const after = change(before, "pin");
    expect(contents(after)).toEqual({ settings: others, count: Object.keys(others).length, rest });
    if (pin === undefined) expect(after).toBe(before);
  });
});

it.each([
  "- config\n",
  "config\n",
  "7\n",
  "config: [1]\n",
  "config: text\n",
  "a: b: c\n",
  "a: 1\n---\nb: 2\n",
  "config:\n  a: *b\n",
])("%j is no stack's file, and is refused by its name", (text) => {
  for (const value of [1, undefined]) {
    expect(() => change(text, "pin", value)).toThrow(UserError);
    expect(() => change(text, "pin", value)).toThrow("Pulumi.test.yaml");
  }
});

it("what another setting is made of is not changed, and the error names the setting", () => {
  const text = "config:\n  pin: &p 1\n  rollout: *p\n";
  for (const value of [2, undefined]) {
    expect(() => change(text, "pin", value)).toThrow(/^Pulumi\.test\.yaml: pin cannot be .* change it by hand/);
    expect(() => change(text, "pin", value)).not.toThrow(UserError);
  }
});
