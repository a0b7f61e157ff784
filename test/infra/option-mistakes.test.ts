/** A mistake in a command's options or in the environment is told in a sentence, with what to do. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { workerUrl } from "../../infra/commands/options.ts";
import { ROOT } from "../../infra/release/root.ts";

describe("a mistake at the command line", () => {
  it.each([
    ["rollout.ts --stack staging status", /^error: unknown option '--stack'[\s\S]*Usage: [\s\S]*status \[options\]/],
    ["build.ts --nope", /^error: unknown option '--nope'[\s\S]*Usage: npm run build -- /],
    ...[
      ["-s, --stack <name>", "rollback.ts --stack staging --yes -s local"],
      ["--stack <name>", "migrations.ts plan --stack staging --stack local"],
      ["--stack <name>", "migrations.ts import --stack staging --stack=local"],
      ["--stack <name>", "pr.ts plan --stack staging --stack local"],
      ["--stack <name>", "rehearse.ts --from v1 --stack staging --stack local"],
      ["--to <stack>", "promote.ts --from staging --to production --to local"],
      ["--pull <number>", "pr.ts down --pull 1 --pull 2"],
      ["--worker <name>", "keys.ts --worker a --worker b list"],
      ["--admin-token <token>", "smoke.ts --url http://127.0.0.1:1 --admin-token not-to-print --admin-token other"],
    ].map(([flags = "", line = ""]): [string, RegExp] => [
      line,
      new RegExp(
        `^error: option '${flags}' is given twice, with two values\\. Give it once\\.(?![\\s\\S]*not-to-print)`,
      ),
    ]),
    ["keys.ts create --name a --stack local", /the stack local is taken without any option\.$/],
    [
      "keys.ts list --worker w",
      /^Connection error\.\nFix: see that the API can be reached from here, then run it again\.$/,
    ],
    ["keys.ts list --stack staging", /Keys are found by the Worker's name\. Say: --worker [\w-]+$/],
    ["keys.ts list --stack nope", /argument 'nope' is invalid\. There is no Pulumi\.nope\.yaml\./],
    [
      "promote.ts --from staging --to production --override soak=one --override soak=two",
      /argument 'soak=two' is invalid\. soak is overridden twice: say why once\.\n/,
    ],
    ["rehearse.ts --from v1 --stack nope --stack nope", /^this checkout: There is no Pulumi\.nope\.yaml\./],
    ["migrations.ts status --stack nope --stack neither", /nope: not reached[\s\S]*neither: not reached/],
    [
      "smoke.ts --url http://127.0.0.1:1 --wait=",
      /^error: option '--wait <seconds>' argument '' is invalid\. .* 0 to 600\./,
    ],
    ["rehearse.ts --from v1 --objects 1e1", /argument '1e1' is invalid\. It must be a whole number from 1 to 1000\.\n/],
    ["pr.ts down --pull 0x1", /argument '0x1' is invalid\. It must be a whole number from 1 to 1000000\.\n/],
    ["start.ts start --port 8e3", /argument '8e3' is invalid\. .* from 0 to 65535; 0 takes a free one\.\n/],
    ...["promote.ts --from staging --to production", "migrations.ts status", "pr.ts plan --stack local"].map(
      (line): [string, RegExp] => [`${line} --dir=`, /argument '' is invalid\. It must name a folder\./],
    ),
    ["pr.ts plan --stack local --release=", /argument '' is invalid\. It must name a folder\./],
    ["build.ts extra", /^error: too many arguments[\s\S]*Usage: npm run build -- /],
    ["rehearse.ts --from v1 --stack nope", /^this checkout: There is no Pulumi\.nope\.yaml\. Stacks: .*local.*\.$/],
    ["pr.ts look --base nope", /^There is no commit "nope" here .*`git fetch --unshallow`.*\.$/],
    [
      "pr.ts stale --pulls no/such --branches no/such",
      /^no\/such cannot be read: there is no such file or folder \(ENOENT.*$/,
    ],
    [
      "pr.ts post no/such --repository o/r --pull 1 --kind preview",
      /^no\/such cannot be read: there is no such file or folder \(ENOENT.*$/,
    ],
    [
      `pr.ts comment --found no/such --commit ${"a".repeat(40)} --run https://a.b --repository o/r --head-repository o/r`,
      /^no\/such cannot be read: there is no such file or folder \(ENOENT.*$/,
    ],
    [
      "pr.ts plan --stack local --out no/such/x.json",
      /^no\/such\/x\.json cannot be written: there is no such file or folder \(ENOENT.*$/,
    ],
    [
      "drift.ts --stack=",
      /^"" cannot be the name of a stack: it must be 1 to 100 .* Stacks: local, production, staging\.$/,
    ],
    [`rollback.ts --stack ${"a".repeat(600)}`, /^"a{40}…" cannot be the name of a stack: .* Stacks: local, \S+, \S+$/],
    [
      "rollback.ts --stack local --dir=",
      /^error: option '--dir <folder>' argument '' is invalid\. It must name a folder\./,
    ],
    ["pr.ts look --base HEAD --out=", /^"" cannot be written: it names no file\. Name one\.$/],
    [
      `pr.ts look --base HEAD --out ${"a".repeat(600)}`,
      /^a{60}… cannot be written: its name is too long \(ENAMETOOLONG.*\)\. Choose a shorter one\.$/,
    ],
    [
      `rollback.ts --stack local --dir ${"a".repeat(600)}`,
      /^\S+… cannot be read: its name is too long \(ENAMETOOLONG.*\)\. Choose a shorter one\.$/,
    ],
    ["drift.ts --stack --json", /^"--json" is an option, and no stack's name: name one\. Stacks: local, .*\.$/],
    ["pulumi.ts up --stack local --dir=", /^--dir must name a folder\.$/],
    ["pr.ts look --base HEAD --out test", /^test cannot be written: it is a folder\. Name a file\.$/],
    [
      "promote.ts --from staging --to production --save-plan no/such/x.json",
      /^no\/such\/x\.json cannot be written: .*$/,
    ],
    ["promote.ts --from staging --to production --save-plan README.md/x", /^README\.md\/x cannot be written: .*$/],
    [
      "drift.ts --stack staging",
      /^The API's address must be a URL .* is notaurl\. Correct CLOUDFLARE_BASE_URL, .*$/,
      "notaurl",
    ],
    [
      "drift.ts --stack staging",
      /^No request can carry the API token: it has 13 characters with spaces or line breaks among them\. Export only .*$/,
      "http://127.0.0.1:1/client/v4",
      "not-\nto-print",
    ],
  ])("is told in a sentence: %s", (line, sentence, url = "http://127.0.0.1:1/client/v4", token = "token") => {
    const [file = "", ...args] = line.split(" ");
    const { status, stderr } = spawnSync(process.execPath, [join(ROOT, "infra/commands", file), ...args], {
      cwd: ROOT,
      encoding: "utf8",
      env: {
        ...process.env,
        CLOUDFLARE_BASE_URL: url,
        CLOUDFLARE_API_TOKEN: token,
        CLOUDFLARE_ACCOUNT_ID: "0".repeat(32),
      },
    });
    expect(stderr.trimEnd()).toMatch(sentence);
    expect(status).toBe(1);
  });
});

it.each([
  ["API_TOKEN", "not-\nto-print", /Export only the token as FROM_CLOUDFLARE_API_TOKEN/],
  [
    "ACCOUNT_ID",
    "no-account",
    /which FROM_CLOUDFLARE_ACCOUNT_ID has, .* export the account's id as FROM_CLOUDFLARE_ACCOUNT_ID/,
  ],
])("promote names the source and its own variable where that is wrong: FROM_CLOUDFLARE_%s", (name, value, words) => {
  const args = [join(ROOT, "infra/commands/promote.ts"), "--from", "staging", "--to", "production"];
  const { status, stderr } = spawnSync(process.execPath, args, {
    cwd: ROOT,
    encoding: "utf8",
    env: {
      ...process.env,
      CLOUDFLARE_API_TOKEN: "token",
      CLOUDFLARE_ACCOUNT_ID: "0".repeat(32),
      [`FROM_CLOUDFLARE_${name}`]: value,
    },
  });
  expect(stderr).toMatch(/^staging, which the release comes from, cannot be read\./);
  expect(stderr).toMatch(words);
  expect(status).toBe(1);
});

it("an import of a history takes no local account for the one that is named by half", () => {
  const { CLOUDFLARE_ACCOUNT_ID: _, ...env } = process.env;
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(ROOT, "infra/commands/migrations.ts"), "import", "--worker", "app"],
    { cwd: ROOT, encoding: "utf8", env: { ...env, CLOUDFLARE_API_TOKEN: "production's" } },
  );
  expect([status, stderr]).toEqual([
    1,
    expect.stringMatching(/^CLOUDFLARE_API_TOKEN is set and CLOUDFLARE_ACCOUNT_ID is not\. /),
  ]);
});

it("an import of a history takes the local account whose folder is named, whatever is exported", () => {
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(ROOT, "infra/commands/migrations.ts"), "import", "--worker", "app", "--dir", "no-such-folder"],
    {
      cwd: ROOT,
      encoding: "utf8",
      env: { ...process.env, CLOUDFLARE_API_TOKEN: "production's", CLOUDFLARE_ACCOUNT_ID: "0".repeat(32) },
    },
  );
  expect([status, stderr]).toEqual([1, expect.stringMatching(/^no local account runs \(the folder .*no-such-folder/)]);
});

describe("where a Worker answers", () => {
  it("is an address without anything behind the host", () => {
    for (const text of ["https://my-app.example.workers.dev", "http://127.0.0.1:8787/", "HTTP://[::1]:80"]) {
      expect(workerUrl(text).href).toBe(new URL(text).href);
    }
  });

  it.each(["/foo", "/?a=b", "/#admin=token", "/foo/"])("is refused with %s", (more) => {
    expect(() => workerUrl(`http://127.0.0.1:8787${more}`)).toThrow(
      "It must be where the Worker's paths begin, without a user, a path, a query or a fragment: http://127.0.0.1:8787",
    );
  });

  it.each(["127.0.0.1:8787", "ftp://127.0.0.1", ""])("is refused where it is no address of the web: %j", (text) => {
    expect(() => workerUrl(text)).toThrow("It must be a URL that begins with http:// or https://.");
  });
});

it.each([
  // What `npm run rollback --stack production --to 3` gives it.
  ["rollback.ts production", "stack", "npm run rollback"],
  ["rehearse.ts", "from", "npm run rehearse"],
  ["start.ts start .local", "into", "npm start"],
  ["start.ts account cron", "dir", "npm run account"],
  ["start.ts account snapshot save", "dir", "npm run account"],
  ["keys.ts revoke", "worker", "npm run keys"],
])("an option that npm has taken for its own is named, with where options go: %s", (line, option, script) => {
  const [file = "", ...args] = line.split(" ");
  const { status, stderr } = spawnSync(process.execPath, [join(ROOT, "infra/commands", file), ...args], {
    cwd: ROOT,
    encoding: "utf8",
    env: { ...process.env, [`npm_config_${option}`]: "true", npm_config_yes: "" },
  });
  expect(stderr.split("\n").slice(0, 2)).toEqual([
    expect.stringMatching(/^error: /),
    `npm has taken --${option} for its own. Options of a command come after \`--\`: ${script} -- …`,
  ]);
  expect(status).toBe(1);
});

it.each([
  ["start.ts start", { fresh: "true" }, "--fresh", "npm start"],
  ["start.ts account", { crons: "" }, "--no-crons", "npm run account"],
  ["promote.ts --from staging --to production", { check: "true" }, "--check", "npm run promote"],
  ["pattern.ts remove no-such", { dry_run: "true" }, "--dry-run", "npm run pattern"],
  ["rehearse.ts --from HEAD", { stack: "staging" }, "--stack", "npm run rehearse"],
])("a command does not run without an option that npm has taken: %s", (line, taken, option, script) => {
  const [file = "", ...args] = line.split(" ");
  const variables = Object.entries(taken).map(([name, value]) => [`npm_config_${name}`, value]);
  const { status, stderr } = spawnSync(process.execPath, [join(ROOT, "infra/commands", file), ...args], {
    cwd: ROOT,
    encoding: "utf8",
    env: { ...process.env, ...Object.fromEntries(variables), npm_config_yes: "" },
  });
  expect([status, stderr.split("\n")[0]]).toEqual([
    1,
    `error: npm has taken ${option} for its own. Options of a command come after \`--\`: ${script} -- …`,
  ]);
});

/** Runs a command as npm does that has these settings, or has taken them. How it ends, and what it says. */
function underNpm(line: string, settings: Readonly<Record<string, string>>) {
  const [file = "", ...args] = line.split(" ");
  const variables = Object.entries(settings).map(([name, value]) => [`npm_config_${name}`, value]);
  const { status, stderr } = spawnSync(process.execPath, [join(ROOT, "infra/commands", file), ...args], {
    cwd: ROOT,
    encoding: "utf8",
    env: { ...process.env, npm_config_yes: "", ...Object.fromEntries(variables) },
  });
  const [told = ""] = stderr.trimEnd().split("\n\nUsage: ");
  return [status, ...told.split("\n")];
}

it.each([
  ["up --stack staging --yes", { target: "true" }, "--target", "npm run up"],
  ["up --stack local", { dir: ".other" }, "--dir", "npm run up"],
  ["up urn:pulumi:a", { stack: "true", t: "true" }, "--stack and -t", "npm run up"],
  ["preview --stack staging", { refresh: "true" }, "--refresh", "npm run preview"],
])("the Pulumi CLI does not run without an option that npm has taken: %s", (line, taken, options, script) => {
  expect(underNpm(`pulumi.ts ${line}`, taken)).toEqual([
    1,
    `npm has taken ${options} for its own. Options of a command come after \`--\`: ${script} -- …`,
  ]);
});

it.each([
  ["pattern.ts remove no-such --dry-run", { dry_run: "true" }],
  ["start.ts account cron no-such --dir no-such-folder", { dir: "no-such-folder" }],
  ["migrations.ts import --worker app --dir no-such-folder", { force: "true" }],
])(
  "a command runs where npm has a setting of that name, and the line says the same or does without: %s",
  (line, set) => {
    const [status, ...told] = underNpm(line, set);
    expect([status, told.join("\n")]).toEqual([1, expect.stringContaining("no-such")]);
    expect(told.join("\n")).not.toContain("npm has taken");
  },
);

it("a command does not run where npm has taken another value of an option than the line says", () => {
  expect(underNpm("rollback.ts --stack staging", { stack: "production" })).toEqual([
    1,
    expect.stringMatching(/^error: npm has taken --stack for its own\. /),
  ]);
});

it("all options that npm has taken are told in one line", () => {
  expect(underNpm("promote.ts --from staging --to production", { check: "true", yes: "true" })).toEqual([
    1,
    "error: npm has taken --check and --yes for its own. Options of a command come after `--`: npm run promote -- …",
  ]);
});

it.each(["cost.ts", "rehearse.ts", "promote.ts", "migrations.ts status", "rollout.ts run"])(
  "the help of %s fits into 80 columns, and names each default once",
  (line) => {
    const [file = "", ...args] = line.split(" ");
    const { stdout } = spawnSync(process.execPath, [join(ROOT, "infra/commands", file), ...args, "--help"], {
      cwd: ROOT,
      encoding: "utf8",
    });
    expect(stdout.split("\n").filter((text) => text.length > 80)).toEqual([]);
    expect(stdout).not.toMatch(/\(default: [^)]*\)\s+\(default:|default: (\{\}|\[\])/);
  },
);

it("a status that is asked for as JSON says beside it why a stack was not reached, and what to do", () => {
  const args = [join(ROOT, "infra/commands/migrations.ts"), "status", "--stack", "staging", "--json"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: ROOT,
    encoding: "utf8",
    env: {
      ...process.env,
      CLOUDFLARE_BASE_URL: "http://127.0.0.1:1/client/v4",
      CLOUDFLARE_API_TOKEN: "token",
      CLOUDFLARE_ACCOUNT_ID: "0".repeat(32),
    },
  });
  expect(JSON.parse(stdout)).toMatchObject({ stacks: [], unreachable: [{ stack: "staging" }] });
  expect(stderr).toMatch(/staging: not reached\nGET .* was not answered: .*\nFix: see that the API can be reached/);
  expect(status).toBe(1);
});
