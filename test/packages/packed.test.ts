/** Each package, packed as it would be published, works in an empty project. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import * as v from "valibot";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { ROOT } from "../../infra/release/root.ts";
import { scratch } from "../scratch.ts";

const Action = v.object({ runs: v.object({ steps: v.tuple([v.object({ run: v.string() })]) }) });

const run = promisify(execFile);
const dir = scratch();
const project = join(dir, "project");

beforeAll(async () => {
  mkdirSync(project);
  const manifest = { name: "empty", private: true, type: "module", allowScripts: { workerd: true, esbuild: true } };
  writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
  // One after the other, because each rewrites its package.json while it packs.
  for (const name of ["class-lifecycle", "local-account"]) {
    await run("npm", ["pack", "--silent", "--pack-destination", dir], { cwd: join(ROOT, "packages", name) });
  }
  const tarballs = readdirSync(dir).filter((file) => file.endsWith(".tgz"));
  await run(
    "npm",
    ["install", "--no-audit", "--no-fund", "--prefer-offline", ...tarballs.map((file) => join(dir, file))],
    {
      cwd: project,
    },
  );
});

/** Runs a script with Node in the empty project. Returns what it prints. */
async function printed(script: string): Promise<string> {
  writeFileSync(join(project, "script.js"), script);
  const { stdout } = await run(process.execPath, ["script.js"], { cwd: project });
  return stdout.trim();
}

describe("in an empty project", () => {
  it("class-lifecycle lints and plans a history", async () => {
    const script = `
      import { history, lint, replay } from "@durable-stack/class-lifecycle";
      const { migrations } = history().step("0001-create", (classes) => classes.create("Room"));
      console.log(JSON.stringify([lint(migrations), [...replay(migrations).keys()]]));
    `;
    expect(JSON.parse(await printed(script))).toEqual([[], ["Room"]]);
  });

  it("local-account starts, answers its API, and stops", async () => {
    const script = `
      import { startAccount } from "@durable-stack/local-account";
      const account = await startAccount({ dir: "account", port: 0, apiPort: 0 });
      const answer = await fetch(account.apiUrl + "/accounts", { headers: { authorization: "Bearer " + account.token } });
      console.log((await answer.json()).success);
      await account.close();
    `;
    expect(await printed(script)).toBe("true");
  });

  it("local-account runs commands with an account of its own, as its GitHub step does", async () => {
    const action = readFileSync(join(project, "node_modules/@durable-stack/local-account/action.yml"), "utf8");
    const step = v.parse(Action, parse(action)).runs.steps[0];
    const commands = "node -e 'console.log(process.env.CLOUDFLARE_API_BASE_URL)'; exit 4";
    const env = { ...process.env, LOCAL_ACCOUNT_COMMANDS: commands, LOCAL_ACCOUNT_SNAPSHOT: "" };
    const ended = run("bash", ["-eo", "pipefail", "-c", step.run], { cwd: project, env });
    await expect(ended).rejects.toMatchObject({
      code: 4,
      stdout: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/client\/v4$/m),
    });
  });

  it("local-account starts a copy of a snapshot for a test", async () => {
    const script = `
      import { makeSnapshot, startTemporaryAccount } from "@durable-stack/local-account/testing";
      await makeSnapshot("snapshot", async () => {});
      await using account = await startTemporaryAccount({ snapshot: "snapshot" });
      console.log(account.accountId.length);
    `;
    expect(await printed(script)).toBe("32");
  });

  it("local-account has a command: it starts an account, points a shell at it, and ends cleanly", async () => {
    const bin = join(project, "node_modules/.bin/local-account");
    const options = ["--dir", "by-command", "--port", "0", "--api-port", "0", "--json"];
    const child = spawn(bin, options, { cwd: project, stdio: ["ignore", "pipe", "inherit"] });
    const exited = once(child, "exit");
    const [line] = await once(createInterface({ input: child.stdout }), "line");
    const { apiUrl, token } = JSON.parse(String(line));
    const answer = await fetch(`${apiUrl}/accounts`, { headers: { authorization: `Bearer ${token}` } });
    expect(await answer.json()).toMatchObject({ success: true });
    const env = await run(bin, ["env", "--dir", "by-command"], { cwd: project });
    expect(env.stdout).toContain(`export CLOUDFLARE_API_BASE_URL=${apiUrl} CLOUDFLARE_BASE_URL=${apiUrl} `);
    child.kill("SIGINT");
    expect(await exited).toEqual([0, null]);
    await expect(run(bin, ["env", "--dir", "by-command"], { cwd: project })).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining("No local account runs in"),
    });
    await expect(run(bin, ["--port", "many"], { cwd: project })).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining("0 to 65535"),
    });
  });

  it("local-account says which Node it needs where that one is older", async () => {
    const file = join(project, "node_modules/@durable-stack/local-account/package.json");
    const manifest = readFileSync(file, "utf8");
    writeFileSync(file, manifest.replace(/"node": ">=[^"]+"/, '"node": ">=99.1"'));
    const ended = run(join(project, "node_modules/.bin/local-account"), ["--help"], { cwd: project });
    await expect(ended.finally(() => writeFileSync(file, manifest))).rejects.toMatchObject({
      code: 1,
      stderr: `local-account needs Node 99.1 or later, and this is ${process.version}.\n`,
    });
  });
});
