/**
 * From staging to production with the real CLI: two local accounts, one state backend, in a copy of the project, by the
 * commands that a person or a CI job runs. The language host and the provider are stand-ins.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type RunningAccount, startAccount } from "@durable-stack/local-account";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ProjectCopy } from "../project-copy.ts";
import { installLanguageHost, installPlugin } from "./plugin/install.ts";
import { findPulumi } from "./pulumi-cli.ts";

const TOKENS = { staging: "a-token-of-staging-0123456789", production: "a-token-of-production-0123456789" };
const STACKS = ["staging", "production"] as const;
type Stack = (typeof STACKS)[number];

let copy: ProjectCopy;
let ground: string;
let env: Readonly<Record<string, string>>;
const accounts = new Map<Stack, RunningAccount>();

beforeAll(async () => {
  ground = mkdtempSync(join(tmpdir(), "durable-stack-promote-"));
  const folder = (name: string) => {
    mkdirSync(join(ground, name));
    return join(ground, name);
  };
  const bin = folder("bin");
  symlinkSync(await findPulumi(console.error), join(bin, "pulumi"));
  installLanguageHost(bin);
  const home = folder("home");
  installPlugin(home);
  env = {
    PATH: [bin, process.env.PATH].join(delimiter),
    PULUMI_HOME: home,
    PULUMI_BACKEND_URL: `file://${folder("state")}`,
    PULUMI_CONFIG_PASSPHRASE: "phrase",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
  };
  copy = new ProjectCopy();
  for (const stack of STACKS) {
    const account = await startAccount({ dir: folder(stack), port: 0, apiPort: 0 });
    accounts.set(stack, account);
    const file = `Pulumi.${stack}.yaml`;
    const own = [
      `  accountId: "${account.accountId}"`,
      `  cloudflare:baseUrl: ${account.apiUrl}`,
      `  cloudflare:apiToken: ${account.token}`,
      `  rolloutSteps: [{ percent: 0, smoke: true }, { percent: 100, smoke: true }]`,
    ];
    copy.write(file, `${copy.read(file).replace("soakMinutes: 30", "soakMinutes: 60")}${own.join("\n")}\n`);
  }
  copy.commit("v1");
  for (const stack of STACKS) await done(`pulumi stack init ${stack}`);
  await done("npm run -s build");
});
afterAll(async () => {
  for (const account of accounts.values()) await account.close();
  copy?.remove();
  rmSync(ground, { recursive: true, force: true });
});

function run(command: string, more: Readonly<Record<string, string>> = {}) {
  const { PATH, ...rest } = { ...env, ...more };
  return copy.run(`export PATH="${join(copy.root, "node_modules/.bin")}:${PATH}"; ${command}`, { env: rest });
}

async function done(command: string, more?: Readonly<Record<string, string>>): Promise<string> {
  const { code, text } = await run(command, more);
  expect(code, text).toBe(0);
  return text;
}

const urlOf = (stack: Stack) => `http://127.0.0.1:${accounts.get(stack)?.port}/`;
const up = (stack: Stack) =>
  done(`npm run -s up -- --stack ${stack} --yes --skip-preview`, { ADMIN_TOKEN: TOKENS[stack] });
const promote = (more = "") =>
  run(
    `npm run -s promote -- --from staging --to production --url ${urlOf("staging")} --to-url ${urlOf("production")} --yes ${more}`,
    {
      ADMIN_TOKEN: TOKENS.production,
      FROM_ADMIN_TOKEN: TOKENS.staging,
    },
  );

async function health(stack: Stack) {
  const response = await fetch(new URL("/health", urlOf(stack)));
  return response.ok ? await response.json() : response.status;
}

/** The messages of the versions of production, the newest first. */
async function messages(): Promise<string> {
  const { apiUrl, accountId, token } = accounts.get("production") ?? { apiUrl: "", accountId: "", token: "" };
  const versions = await fetch(`${apiUrl}/accounts/${accountId}/workers/scripts/durable-stack-production/versions`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return versions.text();
}

it("a release is refused with every reason, overridden by name, recorded, and rolled out", async () => {
  const nowhere = await promote();
  expect(nowhere).toMatchObject({ code: 1, text: expect.stringMatching(/staging serves no release/) });

  await up("staging");
  const early = await promote();
  expect(early.text).toMatch(/soakMinutes is 60: it may go in \d+ min.*--override soak="why"/);
  expect(early.code).toBe(1);
  expect(await health("production")).toBe(404);

  const first = await promote('--override soak="the first release"');
  expect(first.text).toContain("overridden: soak: the first release");
  expect(first.code, first.text).toBe(0);
  expect(await health("production")).toMatchObject({ environment: "production" });
  expect(await messages()).toContain("promoted over soak: the first release");
});

it("the next release goes through the steps, and only once staging serves it", async () => {
  copy.replace("worker/http/health.ts", 'status: "ok",', 'status: "ok", // another release\n    ...({ next: true }),');
  await done("git commit -qam next && npm run -s build");
  const early = await promote();
  expect(early.text).toMatch(/staging serves [0-9a-f]{12}/);
  await up("staging");
  // The CLI has written the file its own way by now.
  const settings = copy.read("Pulumi.production.yaml");
  copy.write("Pulumi.production.yaml", settings.replace(/soakMinutes: "?60"?/, "soakMinutes: 0"));
  expect((await promote("--check")).text).toMatch(/may go from staging to production/);
  const { code, text } = await promote();
  expect(text).toMatch(/0\.01 %[\s\S]*all well[\s\S]*100 %[\s\S]*all well[\s\S]*has all traffic/);
  expect(code).toBe(0);
  expect(await health("production")).toMatchObject({ next: true });
  expect(await done("npm run -s preview -- --stack production", { ADMIN_TOKEN: TOKENS.production })).toContain(
    "unchanged",
  );
});

it("a release whose digest was changed after the build is refused", async () => {
  copy.write("dist/release/index.js", `${copy.read("dist/release/index.js")}\n// more`);
  expect(await promote()).toMatchObject({ code: 1, text: expect.stringContaining("is not whole") });
});
