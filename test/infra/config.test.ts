/** A stack's settings: which are accepted, which are refused, and that all lists of keys agree. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { Regions } from "../../contract/regions.ts";
import { Settings as WorkerSettings } from "../../contract/settings.ts";
import { wrongFindings } from "../../infra/plan/rules/settings.ts";
import { ROOT } from "../../infra/release/root.ts";
import { parsePublicSettings, parseSettings } from "../../infra/stack/config.ts";
import { SettingsError } from "../../infra/stack/mistakes.ts";
import { projectName } from "../../infra/stack/project.ts";
import { CONFIG_KEYS } from "../../infra/stack/schema.ts";
import { regionTable, workerSettings } from "../../infra/stack/told.ts";
import { unfitForProject } from "../../infra/stack/worker-name.ts";
import { patterns } from "../../worker/patterns.ts";

const yaml = (file: string): unknown => parse(readFileSync(join(ROOT, file), "utf8"));
const StackFile = v.object({ config: v.record(v.string(), v.unknown()) });

/** A key of the project without the project's name in front. */
const ownKey = (key: string) => key.replace(`${projectName()}:`, "");

/** A stack file's config as Pulumi passes it to the program: text, or else JSON. */
function stackConfig(stack: string): Record<string, string> {
  const { config } = v.parse(StackFile, yaml(`Pulumi.${stack}.yaml`));
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [
      ownKey(key),
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
  );
}

/** The same without what each project sets before its first deployment, as before that (docs/production.md). */
function asItCame(stack: string): Record<string, string> {
  const { accountId: _, adminToken: __, adminTokenPrevious: ___, ...config } = stackConfig(stack);
  return config;
}

const secrets = { accountId: "0".repeat(32), adminToken: "a-token-that-is-long-enough" };
const staging = { ...stackConfig("staging"), ...secrets };

/** The problems of a config. */
function problems(config: Record<string, string>, env = {}): readonly string[] {
  try {
    parseSettings({ project: "my-app", stack: "staging" }, config, env);
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
}

/** The settings of its file, and those to set before its first deployment. A stack with a host name needs a zone. */
const completed = (stack: string) => ({ zoneId: "d".repeat(32), ...stackConfig(stack), ...secrets });

it("a mistake is told with the file in which it stands, where a file lies over the stack's own", () => {
  const over = new Map(
    ["pin", "homeRegion", "zoneId", "oops"].map((key) => [`my-app:${key}`, ".local/Pulumi.local.yaml"]),
  );
  const config = { ...stackConfig("local"), pin: "x", homeRegion: "mars", zoneId: "1", oops: "1" };
  const parse = (more: object = {}) =>
    parsePublicSettings(
      { project: "my-app", stack: "local" },
      { ...config, ...more },
      { CLOUDFLARE_ACCOUNT_ID: "0".repeat(32) },
      { setOver: over },
    );
  expect(parse).toThrow(/^\.local\/Pulumi\.local\.yaml has 4 mistakes:\n/);
  expect(parse).toThrow('(it is "x"). Fix: correct pin in .local/Pulumi.local.yaml.');
  expect(parse).toThrow(/homeRegion .* Fix: set it in \.local\/Pulumi\.local\.yaml to the id/);
  expect(parse).toThrow(/zoneId .* Fix: correct zoneId in \.local\//);
  expect(parse).toThrow("oops is not a setting. Fix: remove it from .local/Pulumi.local.yaml, or");
  const both = () => parse({ rollout: "101" });
  expect(both).toThrow(/^(\.local\/)?Pulumi\.local\.yaml and (\.local\/)?Pulumi\.local\.yaml have 5 mistakes:\n/);
  expect(both).toThrow("Fix: correct rollout in Pulumi.local.yaml.");
});

describe("the stacks that come with the project", () => {
  it.each(["local", "staging", "production"])(
    "%s is complete except for the account, the admin token and a zone",
    (stack) => {
      const { environmentPrefix, ...settings } = parseSettings({ project: "my-app", stack }, completed(stack));
      expect(settings.stack).toBe(stack);
      expect(() => parseSettings({ project: "my-app", stack }, asItCame(stack))).toThrow(
        /accountId.*missing[\s\S]*adminToken.*missing/,
      );
      expect(environmentPrefix).not.toBe("");
    },
  );

  it("have different prefixes for their objects", () => {
    const prefixes = ["local", "staging", "production"].map((stack) => stackConfig(stack).environmentPrefix);
    expect(new Set(prefixes).size).toBe(3);
  });

  it("except the local one, protect their data, and let nobody log in as a guest", () => {
    for (const stack of ["staging", "production"]) {
      const settings = parseSettings({ project: "my-app", stack }, completed(stack));
      expect(settings).toMatchObject({ protect: true, access: "rules" });
      expect(settings).not.toMatchObject({ demoLogin: true });
    }
  });

  const wide = [
    ["access", "open", /^access is open, which only a stack with protect: false may be/],
    ["demoLogin", "true", /^demoLogin is on, which only a stack with protect: false may have/],
  ] as const;
  it.each(wide.filter(([key]) => CONFIG_KEYS.includes(key)))(
    "refuse %s: %s in one line if they are protected",
    (key, value, line) => {
      const attempt = (protect: string) => () =>
        parseSettings({ project: "my-app", stack: "staging" }, { ...completed("staging"), [key]: value, protect });
      expect(attempt("false")).not.toThrow();
      for (const protect of ["true", ""]) {
        expect(attempt(protect)).toThrow(expect.objectContaining({ problems: [expect.stringMatching(line)] }));
      }
    },
  );

  it.each(["local", "staging", "production"])("give the Worker bindings that its own schema accepts: %s", (stack) => {
    const settings = parseSettings({ project: "my-app", stack }, completed(stack));
    expect(v.safeParse(WorkerSettings, workerSettings(settings)).issues).toBeUndefined();
    expect(v.safeParse(Regions, regionTable(settings)).issues).toBeUndefined();
  });
});

describe("Pulumi.yaml", () => {
  it("declares every key that it can, each with a default, and no others", () => {
    const Declared = v.object({ config: v.record(v.string(), v.looseObject({})) });
    const { config } = v.parse(Declared, yaml("Pulumi.yaml"));
    // Pulumi.yaml has no type for objects, and a secret has no default.
    const ofPatterns = patterns.flatMap(({ settings }) => Object.entries<v.GenericSchema>(settings));
    const objects = ofPatterns.filter(([, schema]) => v.is(schema, {})).map(([key]) => key);
    const undeclarable = [
      "adminToken",
      "adminTokenPrevious",
      "bind",
      "identity",
      "regions",
      "rolloutAnalysis",
      "rolloutSteps",
      "vars",
      ...objects,
    ];
    // Keys with a namespace of their own, such as the tag that `pulumi new` leaves, are not settings.
    const own = Object.entries(config).filter(([key]) => !key.includes(":"));
    const why =
      "declare a new key in Pulumi.yaml; or, if it is an object, a list of them or a secret, name it in this test";
    expect([...own.map(([key]) => key), ...undeclarable].sort(), why).toEqual([...CONFIG_KEYS].sort());
    expect(own.every(([, entry]) => "default" in entry)).toBe(true);
  });
});

it("Pulumi.yaml has the defaults that the code has, which a stack gets where Pulumi does not run", () => {
  const Declared = v.object({ config: v.record(v.string(), v.looseObject({ default: v.optional(v.unknown()) })) });
  const { config } = v.parse(Declared, yaml("Pulumi.yaml"));
  const defaults = Object.entries(config).flatMap(([key, { default: value }]) =>
    CONFIG_KEYS.includes(key) ? [[key, typeof value === "string" ? value : JSON.stringify(value)] as const] : [],
  );
  const owner = { project: "my-app", stack: "staging" };
  const least = { ...secrets, environmentPrefix: "stg-", homeRegion: "eu" };
  expect(parseSettings(owner, { ...Object.fromEntries(defaults), ...least })).toEqual(parseSettings(owner, least));
});

it("no file has the placeholders that pulumi new replaces", () => {
  const placeholder = new RegExp(["\\$", "\\{(PROJECT|DESCRIPTION)\\}"].join(""));
  // Folders that a fresh checkout does not have: packages, builds, the local account.
  const made = new Set(["node_modules", "dist", ".git", ".local", ".cache", ".wrangler", ".vitest"]);
  const entries = (folder: string): readonly string[] =>
    readdirSync(folder, { withFileTypes: true })
      .filter(({ name }) => !made.has(name) && !name.startsWith(".local-"))
      .flatMap((entry) => {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) return entries(path);
        return entry.isFile() ? [path] : [];
      });
  const files = entries(ROOT);
  expect(files.length).toBeGreaterThan(300);
  expect(files.filter((file) => placeholder.test(readFileSync(file, "utf8")))).toEqual([]);
});

describe("the admin token", () => {
  it.each([
    ["is too short", "0123456789abcdef0123456", /24 characters/],
    ["has a space", "correct horse battery staple", /no caller can show it/],
    ["has an exclamation mark", "0123456789abcdef01234567!", /no caller can show it/],
    ["is one letter over and over", "a".repeat(24), /8 different/],
    ["is three letters over and over", "abc".repeat(20), /8 different/],
  ])("is refused if it %s, and not repeated in the message", (_, token, words) => {
    for (const key of ["adminToken", "adminTokenPrevious"]) {
      const [problem = "", ...more] = problems({ ...staging, [key]: token });
      expect(more).toEqual([]);
      expect(problem).toMatch(words);
      expect(problem).not.toContain(token);
    }
  });

  it("is accepted as openssl makes it, in hex and in base64", () => {
    const tokens = ["b7b7b7b7b7b7b7b70123456789abcdef", "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k="];
    for (const token of tokens) expect(problems({ ...staging, adminToken: token })).toEqual([]);
  });
});

describe("the issuer of identity", () => {
  const identity = {
    issuer: "https://login.example.com/",
    audience: "https://api.example.com",
    jwksUrl: "https://login.example.com/.well-known/jwks.json",
  };
  const told = (changes: object) => problems({ ...staging, identity: JSON.stringify({ ...identity, ...changes }) });

  it("is accepted over https, and on this machine over http", () => {
    expect(told({})).toEqual([]);
    expect(told({ jwksUrl: "http://127.0.0.1:8080/keys", rolesClaim: "https://example.com/roles" })).toEqual([]);
  });

  it.each([
    ["without an audience", { audience: undefined }, /identity.audience is missing/],
    ["with an empty issuer", { issuer: "" }, /identity.issuer must be the issuer's name/],
    ["with keys over plain http", { jwksUrl: "http://login.example.com/keys" }, /identity.jwksUrl must be an address/],
    ["with an invalid address", { jwksUrl: "keys" }, /identity.jwksUrl must be an address/],
    [
      "with a claim without a name",
      { rolesClaim: "" },
      /identity.rolesClaim must be the claim that has a user's roles/,
    ],
    ["with an unknown key", { scope: "x" }, /identity.scope is not a setting/],
  ])("is refused %s", (_, changes, words) => {
    expect(told(changes)).toEqual([expect.stringMatching(words)]);
  });
});

describe("mistakes", () => {
  it("are reported all at once, each with its key and a fix", () => {
    const found = problems({
      ...staging,
      adminToken: "short",
      rollout: "500",
      rolout: "5",
      hostname: "api.example.com",
      homeRegion: "xx",
      regions: JSON.stringify([
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
      expect(found.filter((line) => line.startsWith(key))).toHaveLength(1);
    }
    expect(found).toHaveLength(8);
    expect(found.every((line) => line.includes("Fix: "))).toBe(true);
  });

  it("have fixes that say what to write, and need no Pulumi CLI for the stack local", () => {
    const { environmentPrefix: _1, homeRegion: _2, ...config }: Record<string, string> = completed("local");
    const regions = JSON.stringify([
      { id: "north", prefix: "n", locationHint: "weur" },
      { id: "south", prefix: "s", locationHint: "afr" },
    ]);
    const parse = () => parseSettings({ project: "my-app", stack: "local" }, { ...config, regions });
    expect(parse).toThrow(
      "homeRegion is missing. Fix: set it in Pulumi.local.yaml to the id of one of the stack's regions: north, south.",
    );
    expect(parse).toThrow(
      "environmentPrefix is missing. Fix: set it in Pulumi.local.yaml, as in `environmentPrefix: loc-`.",
    );
  });

  it("never show the admin token, and put it into no command line, which every user of the machine can read", () => {
    const given = { ...staging, adminToken: "hunter2", adminTokenPrevious: "hunter1" };
    const said = problems(given).join("\n");
    expect(said).not.toMatch(/hunter/);
    expect(said).toMatch(
      /Fix: openssl rand -hex 32 \| pulumi config set --stack \S+ --secret adminToken; or, .*ADMIN_TOKEN/,
    );
    expect(said).not.toMatch(/--secret \w+ ["'<$]/);
  });

  it("are mended in the README without the token in a command line", () => {
    expect(readFileSync(join(ROOT, "README.md"), "utf8")).not.toMatch(/--secret \w+ ["'<$]/);
  });

  const wrong = [
    ["workerName", "Has Capitals"],
    ["accountId", "me"],
    ["environmentPrefix", "no hyphen"],
    ["demoLogin", "yes"],
    ["corsOrigins", '["https://app.example.com/path"]'],
    ["allowDestroy", "ThingDO"],
    ["session", '{"slidingMinutes":0}'],
    ["chat", '{"historyLimit":1.5}'],
    ["chat", '{"retentionDays":0}'],
    ["rateLimits", '{"default":{"capacity":-1,"periodSeconds":60}}'],
    ["routes", '["has a space/*"]'],
    ["regions", "[]"],
    ["rollout", "-1"],
    ["allowMissedRelease", "any"],
    ["promotesFrom", "staging"],
  ] as const;
  // A removed pattern has no settings.
  it.each(wrong.filter(([key]) => CONFIG_KEYS.includes(key)))("%s: %s", (key, value) => {
    const config = { ...staging, zoneId: "1".repeat(32), [key]: value };
    expect(problems(config).filter((line) => line.startsWith(key)).length).toBeGreaterThan(0);
  });

  it.runIf(CONFIG_KEYS.includes("chat"))("are in a setting of a pattern that does not exist", () => {
    expect(problems({ ...staging, chat: '{"historyLimit":5,"history":9}' })).toEqual([
      "chat.history is not a setting. Fix: remove it, or correct its name.",
    ]);
  });

  it("are in a name that the Worker cannot have", () => {
    expect(() => parseSettings({ project: "my-app", stack: "My_Stack" }, staging)).toThrow(
      /the stack's name must be lower-case.*"My_Stack"/,
    );
  });

  it("name a way without the Pulumi CLI for the zone of the stack local, which has none", () => {
    const zoneOf = (stack: string) => {
      const { zoneId: _, ...config } = completed(stack);
      return () => parseSettings({ project: "my-app", stack }, { ...config, hostname: "api.example.com" });
    };
    expect(zoneOf("staging")).toThrow(/zoneId is needed.*pulumi config set --stack staging zoneId/);
    expect(zoneOf("local")).toThrow(/zoneId is needed.*set it in Pulumi.local.yaml .*zones\?name=/);
    expect(zoneOf("local")).not.toThrow(/pulumi config/);
  });

  it("do not come from the environment's account and admin token", () => {
    expect(
      problems(asItCame("staging"), {
        CLOUDFLARE_ACCOUNT_ID: "2".repeat(32),
        ADMIN_TOKEN: "a-token-that-is-long-enough",
      }),
    ).toEqual([]);
  });

  it("are told as the environment's where that has what is wrong, and not the stack's file", () => {
    const env = { CLOUDFLARE_ACCOUNT_ID: "me", ADMIN_TOKEN: "hunter2", ADMIN_TOKEN_PREVIOUS: "hunter1" };
    const parse = () => parseSettings({ project: "my-app", stack: "staging" }, asItCame("staging"), env);
    expect(parse).toThrow(/^The environment has 3 mistakes:\n/);
    expect(problems(asItCame("staging"), env)).toEqual([
      expect.stringMatching(
        /^accountId, which CLOUDFLARE_ACCOUNT_ID has, must be 32 .* Fix: export the account's id as /,
      ),
      "adminToken, which ADMIN_TOKEN has, must have at least 24 characters. Fix: export one that `openssl rand -hex 32` makes as ADMIN_TOKEN.",
      expect.stringMatching(/^adminTokenPrevious, which ADMIN_TOKEN_PREVIOUS has, .* as ADMIN_TOKEN_PREVIOUS\.$/),
    ]);
    expect(problems({ ...asItCame("staging"), adminToken: "hunter2" }, env).join("\n")).toMatch(
      /^adminToken must .* Fix: openssl rand/m,
    );
  });

  it("leave the stack's own tokens before those of the environment", () => {
    const [given, before] = ["a-token-of-the-environment", "the-one-before-of-the-env"];
    const env = { ADMIN_TOKEN: given, ADMIN_TOKEN_PREVIOUS: before };
    const owner = { project: "my-app", stack: "staging" };
    expect(parseSettings(owner, { ...stackConfig("staging"), accountId: "1".repeat(32) }, env)).toMatchObject({
      adminToken: given,
      adminTokenPrevious: before,
    });
    const own = { ...stackConfig("staging"), ...secrets };
    expect(parseSettings(owner, own, env).adminToken).toBe(parseSettings(owner, own).adminToken);
  });

  it("are text where they must be, also of digits only", () => {
    const ids = { accountId: "1".repeat(32), zoneId: "2".repeat(32) };
    const config = { ...stackConfig("staging"), ...secrets, ...ids, hostname: "app.example.com" };
    expect(parseSettings({ project: "my-app", stack: "staging" }, config)).toMatchObject(ids);
  });

  it("name the old name of a renamed project, and every setting that still has it", () => {
    const { rateLimits = "", ...others } = { ...stackConfig("staging"), ...secrets };
    const config = Object.fromEntries([
      ...Object.entries(others).map(([key, value]) => [`old:${key}`, value]),
      ["rateLimits", rateLimits],
    ]);
    const found = problems({ ...config, "old:promotesFrom": "dev", "aws:region": "eu", "cloudflare:baseUrl": "x" });
    expect(found).toEqual([
      expect.stringMatching(
        /^old:.*old:promotesFrom.*: these belong to a project old, and this one is my-app .*remove "old:" .* Pulumi.staging.yaml/,
      ),
    ]);
    expect(found.join()).not.toMatch(/aws|cloudflare|rateLimits/);
  });

  it("are settings under an old name that nothing else has, though none is missing: a guard would be lost", () => {
    const told = (key: string, more = {}) => problems({ ...staging, [key]: "1", ...more });
    for (const key of [
      "promotesFrom",
      "soakMinutes",
      "allowDestroy",
      "rolloutSteps",
      "pin",
      "rollout",
      "corsOrigins",
    ]) {
      expect(told(`old:${key}`)).toEqual([expect.stringMatching(`^old:${key}: these belong to a project old`)]);
    }
    // With one of them it is that project's for certain, and so are the others.
    const [problem] = told("old:hostname", { "old:promotesFrom": "dev", "old:else": "1" });
    expect(problem).toMatch(/^old:hostname, old:promotesFrom: these/);
  });

  it("are not the settings of providers and libraries, whatever those are called", () => {
    const others = {
      "newrelic:accountId": "1",
      "panos:hostname": "x",
      "mylib:session": "x",
      "cloudflare:accountId": "x",
      "pulumi:tags": "{}",
      "aws:region": "eu",
    };
    expect(problems({ ...staging, ...others })).toEqual([]);
    const { accountId: _, ...without } = staging;
    expect(problems({ ...without, "cloudflare:accountId": "1".repeat(32) })).toEqual([
      expect.stringMatching(/^accountId is missing\. Fix: pulumi config set --stack staging accountId/),
    ]);
  });
});

it("a project that is called as a provider is told so, and not that the provider's settings are none", () => {
  const given = { ...staging, "cloudflare:apiToken": "t", "cloudflare:baseUrl": "https://a.b" };
  const parse = () => parseSettings({ project: "cloudflare", stack: "staging" }, given);
  expect(parse).toThrow(
    /^Pulumi\.yaml has 1 mistake:\n {2}the project is called cloudflare, .*: cloudflare:apiToken, /,
  );
  expect(parse).toThrow("Fix: give the project another name (`name:` in Pulumi.yaml).");
  expect(unfitForProject("cloudflare", ["staging"])).toContain("choose another");
  expect(unfitForProject("cloudflare-app", ["staging"])).toBeUndefined();
});

describe("settings that send the traffic back", () => {
  const needless = {
    rolloutSteps: "[1]",
    promotesFrom: "No Name",
    allowDestroy: "Thing",
    soakMinutes: "-1",
    oops: "1",
  };
  const owner = { project: "my-app", stack: "staging" };
  const keysOf = (more: Record<string, string>) =>
    parseSettings(owner, { ...staging, ...needless, ...more })
      .wrong.flatMap(({ keys }) => keys)
      .sort();

  it("pass over mistakes in what the way back does without, and keep them", () => {
    const { pin: _, ...others } = { pin: "", ...needless };
    expect(keysOf({ pin: "3" })).toEqual(Object.keys(others).sort());
    expect(keysOf({ rollout: "0" })).toEqual(Object.keys(others).sort());
    expect(keysOf({ pin: "3", rollout: "101", rolloutTrial: "x" })).toContain("rollout");
    const { rolloutSteps, promotesFrom, rollout } = parseSettings(owner, {
      ...staging,
      ...needless,
      pin: "3",
      rollout: "101",
    });
    expect(rolloutSteps).toEqual(parseSettings(owner, staging).rolloutSteps);
    expect([promotesFrom, rollout]).toEqual([undefined, 100]);
    expect(keysOf({ pin: "3", "old:promotesFrom": "dev" })).toContain("promotesFrom");
  });

  it.each([
    ["the traffic does not go back", {}, 5],
    ["the share is set beside a wrong pin", { rollout: "0", pin: "x" }, 6],
    ["the Worker needs what is wrong", { pin: "3", homeRegion: "mars" }, 6],
  ])("are refused with every mistake where %s", (_, more, count) => {
    expect(problems({ ...staging, ...needless, ...more })).toHaveLength(count);
  });

  it("pass over a setting that stands beside the config; others do not", () => {
    const unread = [{ file: "Pulumi.staging.yaml", line: 9, key: "allowDestroy" }];
    expect(() => parseSettings(owner, staging, {}, unread)).toThrow(/staging\.yaml:9: allowDestroy stands beside /);
    const { wrong } = parseSettings(owner, { ...staging, pin: "3" }, {}, unread);
    expect(wrongFindings(wrong)).toMatchObject([{ code: "setting_wrong", subject: "allowDestroy" }]);
  });

  it("become what stands against a release that would get traffic all the same", () => {
    const { wrong } = parseSettings(owner, { ...staging, rollout: "0", promotesFrom: "No Name" });
    expect(wrongFindings(wrong)).toEqual([
      {
        code: "setting_wrong",
        subject: "promotesFrom",
        message: expect.stringMatching(/^promotesFrom must be/),
        fix: "correct promotesFrom in Pulumi.staging.yaml.",
      },
    ]);
  });
});

describe("the Worker's name", () => {
  const nameIn = (project: string, stack: string, config: Record<string, string> = {}) => {
    try {
      return parseSettings({ project, stack }, { ...staging, ...config }).workerName;
    } catch (error) {
      if (error instanceof SettingsError) return error.problems.join("\n");
      throw error;
    }
  };

  it.each([
    ["my-app", "my-app-staging"],
    ["2048-game", "2048-game-staging"],
    ["2048", "2048-staging"],
    ["a".repeat(40), `${"a".repeat(40)}-staging`],
  ])("is made of the project's and the stack's: %s", (project, name) => {
    expect(nameIn(project, "staging")).toBe(name);
    expect(nameIn(project, "local")).toBe(project);
  });

  it.each(["my.app", "My-App", "my_app", "-app", "a".repeat(50)])("cannot be made of %s, which says why", (project) => {
    expect(nameIn(project, "staging")).toMatch(
      /^workerName is not set, and the project's name .*Pulumi.yaml.* lower-case letters, digits and hyphens .*Fix: set workerName in Pulumi.staging.yaml; or, .*rename the project/,
    );
    expect(nameIn(project, "staging", { workerName: "my-app" })).toBe("my-app");
  });
});

describe("a stack made from the questions of `pulumi new`", () => {
  it("has all that it needs: settings that are not asked for have defaults", () => {
    const Template = v.object({ template: v.object({ config: v.record(v.string(), v.looseObject({})) }) });
    const template = v.safeParse(Template, yaml("Pulumi.yaml"));
    // A project that `pulumi new` has made is not a template.
    if (!template.success) return;
    const { accountId, adminToken, ...asked } = template.output.template.config;
    expect([accountId, adminToken]).not.toContain(undefined);
    const answers = Object.entries(asked).map(([key, question]) => [key, String(question.default)]);
    const config = { ...Object.fromEntries(answers), ...secrets };
    const settings = parseSettings({ project: "my-app", stack: "dev" }, config);
    expect(settings.regions).toEqual(parseSettings({ project: "my-app", stack: "dev" }, staging).regions);
  });
});
