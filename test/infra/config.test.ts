/** A stack's settings: what is accepted, what is refused, and that every place that knows the keys agrees. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { Regions } from "../../contract/regions.ts";
import { Settings as WorkerSettings } from "../../contract/settings.ts";
import { ROOT } from "../../infra/release/root.ts";
import { CONFIG_KEYS, parseSettings, SettingsError } from "../../infra/stack/config.ts";
import { configKey } from "../../infra/stack/project-name.ts";
import { regionTable, workerSettings } from "../../infra/stack/told.ts";

const yaml = (file: string): unknown => parse(readFileSync(join(ROOT, file), "utf8"));
const StackFile = v.object({ config: v.record(v.string(), v.unknown()) });

/** A stack file's config as Pulumi hands it to the program: text, and JSON for the rest. */
function stackConfig(stack: string): Record<string, string> {
  const { config } = v.parse(StackFile, yaml(`Pulumi.${stack}.yaml`));
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [
      configKey(key),
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
  );
}

const secrets = { [configKey("accountId")]: "0".repeat(32), [configKey("adminToken")]: "a-token-that-is-long-enough" };
const staging = { ...stackConfig("staging"), ...secrets };

/** The problems of a config. */
function problems(config: Record<string, string>, env = {}): readonly string[] {
  try {
    parseSettings("staging", config, env);
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
}

describe("the stacks that come with the project", () => {
  it.each(["local", "staging", "production"])("%s is complete but for the account and the admin token", (stack) => {
    const { environmentPrefix, ...settings } = parseSettings(stack, { ...stackConfig(stack), ...secrets });
    expect(settings.stack).toBe(stack);
    expect(() => parseSettings(stack, stackConfig(stack))).toThrow(/accountId.*missing[\s\S]*adminToken.*missing/);
    expect(environmentPrefix).not.toBe("");
  });

  it("name their objects by prefixes of their own", () => {
    const prefixes = ["local", "staging", "production"].map(
      (stack) => stackConfig(stack)[configKey("environmentPrefix")],
    );
    expect(new Set(prefixes).size).toBe(3);
  });

  it("protect what holds data, all but the local one, and let nobody log in as a guest", () => {
    for (const stack of ["staging", "production"]) {
      expect(parseSettings(stack, { ...stackConfig(stack), ...secrets })).toMatchObject({
        protect: true,
        demoLogin: false,
      });
    }
  });

  it.each(["local", "staging", "production"])("give the Worker bindings that its own schema accepts: %s", (stack) => {
    const settings = parseSettings(stack, { ...stackConfig(stack), ...secrets });
    expect(v.safeParse(WorkerSettings, workerSettings(settings)).issues).toBeUndefined();
    expect(v.safeParse(Regions, regionTable(settings)).issues).toBeUndefined();
  });
});

describe("Pulumi.yaml", () => {
  it("declares every key that it can, each with a default, and no other", () => {
    const Declared = v.object({ config: v.record(v.string(), v.object({ default: v.unknown() })) });
    const { config } = v.parse(Declared, yaml("Pulumi.yaml"));
    // It has no type for objects, and no default for a secret.
    const undeclarable = ["adminToken", "chat", "rateLimits", "regions", "session"];
    expect([...Object.keys(config), ...undeclarable].sort()).toEqual([...CONFIG_KEYS].sort());
    expect(Object.values(config).every((entry) => "default" in entry)).toBe(true);
  });
});

it("a stack whose file names no region, as pulumi new makes it, has three", () => {
  const config = { ...secrets, [configKey("environmentPrefix")]: "dev-", [configKey("homeRegion")]: "eu" };
  expect(parseSettings("dev", config).regions.map(({ id }) => id)).toEqual(["eu", "us", "ap"]);
});

it("no TypeScript file has the placeholder that pulumi new replaces everywhere", () => {
  const placeholder = ["$", "{PROJECT}"].join("");
  const files = ["infra", "packages", "test", "worker"]
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((file) => join(folder, file)),
    )
    .filter((file) => file.endsWith(".ts"));
  expect(files.length).toBeGreaterThan(100);
  expect(files.filter((file) => readFileSync(join(ROOT, file), "utf8").includes(placeholder))).toEqual([]);
});

describe("mistakes", () => {
  it("are told all at once, each with its key and a fix", () => {
    const found = problems({
      ...staging,
      [configKey("adminToken")]: "short",
      [configKey("rollout")]: "500",
      [configKey("rolout")]: "5",
      [configKey("hostname")]: "api.example.com",
      [configKey("homeRegion")]: "xx",
      [configKey("regions")]: JSON.stringify([
        { id: "eu", prefix: "eu", locationHint: "mars" },
        { id: "eu2", prefix: "eu2", locationHint: "weur", color: "red" },
      ]),
    });
    for (const key of [
      "adminToken",
      "rollout",
      "rolout",
      "zoneId",
      "homeRegion",
      "regions.0.locationHint",
      "regions.1.color",
      "regions have the prefixes",
    ]) {
      expect(found.filter((line) => line.startsWith(configKey(key)))).toHaveLength(1);
    }
    expect(found).toHaveLength(8);
    expect(found.every((line) => line.includes("Fix: "))).toBe(true);
  });

  it("never show the admin token", () => {
    expect(problems({ ...staging, [configKey("adminToken")]: "hunter2" }).join()).not.toContain("hunter2");
  });

  it.each([
    ["workerName", "Has Capitals"],
    ["accountId", "me"],
    ["environmentPrefix", "no hyphen"],
    ["demoLogin", "yes"],
    ["corsOrigins", '["https://app.example.com/path"]'],
    ["allowDestroy", "CounterDO"],
    ["session", '{"slidingMinutes":0}'],
    ["chat", '{"historyLimit":1.5}'],
    ["chat", '{"retentionDays":0}'],
    ["rateLimits", '{"default":{"capacity":-1,"periodSeconds":60}}'],
    ["routes", '["has a space/*"]'],
    ["regions", "[]"],
    ["rollout", "-1"],
  ])("%s: %s", (key, value) => {
    const config = { ...staging, [configKey("zoneId")]: "1".repeat(32), [configKey(key)]: value };
    expect(problems(config).filter((line) => line.startsWith(configKey(key))).length).toBeGreaterThan(0);
  });

  it("are in a setting of a pattern that does not exist, and in a name that the Worker cannot have", () => {
    expect(problems({ ...staging, [configKey("chat")]: '{"historyLimit":5,"history":9}' })).toEqual([
      `${configKey("chat.history")} is not a setting. Fix: take it away, or correct its name.`,
    ]);
    expect(() => parseSettings("My_Stack", staging)).toThrow(/the stack's name must be lower-case.*"My_Stack"/);
  });

  it("are not made by what the environment knows: account and admin token", () => {
    expect(
      problems(stackConfig("staging"), {
        CLOUDFLARE_ACCOUNT_ID: "2".repeat(32),
        ADMIN_TOKEN: "a-token-that-is-long-enough",
      }),
    ).toEqual([]);
  });
});
