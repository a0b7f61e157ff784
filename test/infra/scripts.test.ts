/** The scripts of package.json: what they call, and what they say before anything is installed. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../infra/release/root.ts";
import { scratch } from "../scratch.ts";

const dir = scratch();

describe("the scripts of package.json", () => {
  const text = readFileSync(join(ROOT, "package.json"), "utf8");
  const called = [...text.matchAll(/infra\/run\.mjs ([\w-]+)/g)].map(([, name = ""]) => name);

  it("call commands that are there", () => {
    expect(called.length).toBeGreaterThan(20);
    expect(called.filter((name) => !existsSync(join(ROOT, `infra/commands/${name}.ts`)))).toEqual([]);
  });

  it("keep what Node has compiled for the next one, which gets its arguments", () => {
    const cache = join(dir, "compiled");
    const cost = (...args: string[]) =>
      spawnSync(process.execPath, [join(ROOT, "infra/run.mjs"), "cost", ...args], {
        encoding: "utf8",
        env: { ...process.env, NODE_COMPILE_CACHE: cache },
      });
    expect(cost("--requests", "1M").stdout).toBe(cost("--requests", "1M").stdout);
    expect(cost("--requests", "no").stderr).toContain("--requests");
    expect(readdirSync(cache, { recursive: true }).length).toBeGreaterThan(50);
  });

  it("reach what is on this machine without the proxy of the environment", async () => {
    const asked = Promise.withResolvers<string>();
    const server = createServer((request, response) => {
      asked.resolve(request.url ?? "");
      response.end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/`;
    const dead = "http://127.0.0.1:9";
    const env = { ...process.env, NODE_USE_ENV_PROXY: "1", HTTP_PROXY: dead, NO_PROXY: "", no_proxy: "" };
    const smoke = spawn(process.execPath, [join(ROOT, "infra/run.mjs"), "smoke", "--url", url], { env });
    expect(await Promise.race([asked.promise, once(smoke, "exit").then(() => "nothing was asked")])).toMatch(/^\//);
    smoke.kill();
    server.close();
  });
});

describe("installing", () => {
  it("goes on with an older Node where the person's npm is strict about engines", () => {
    const userconfig = join(dir, "strict.npmrc");
    writeFileSync(userconfig, "engine-strict=true\n");
    const strict = (cwd: string) =>
      spawnSync("npm", ["config", "get", "engine-strict"], {
        cwd,
        encoding: "utf8",
        env: { ...process.env, npm_config_userconfig: userconfig },
      }).stdout.trim();
    expect([strict(dir), strict(ROOT)]).toEqual(["true", "false"]);
  });

  it("is npm's: pnpm and yarn are told, who would look for the workspaces' packages in the registry", () => {
    const { packageManager } = v.parse(
      v.object({ packageManager: v.string() }),
      JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")),
    );
    expect(packageManager).toMatch(/^npm@\d+\.\d+\.\d+$/);
  });
});

describe("before anything is installed", () => {
  const fresh = join(dir, "fresh");
  mkdirSync(join(fresh, "infra"), { recursive: true });
  for (const file of ["package.json", "infra/run.mjs"]) cpSync(join(ROOT, file), join(fresh, file));
  const npmRun = (script: string) => spawnSync("npm", ["run", script], { cwd: fresh, encoding: "utf8" });

  it.each(["start", "test", "build", "dev", "init"])("npm run %s says to run npm ci, and shows no stack", (script) => {
    const { status, stderr } = npmRun(script);
    expect(status).toBe(1);
    expect(stderr).toContain("Run this first: npm ci");
    expect(stderr).not.toMatch(/ERR_|\n\s+at /);
  });

  it("where npm has left the packages for development out, says how they come", () => {
    const production = join(dir, "production");
    const packages = {
      "package.json": { dependencies: { kept: "file:kept" }, devDependencies: { node: "file:node" } },
      "kept/package.json": { name: "kept", version: "1.0.0" },
      "node/package.json": { name: "node", version: "24.0.0" },
    };
    for (const folder of ["infra", "kept", "node"]) mkdirSync(join(production, folder), { recursive: true });
    cpSync(join(ROOT, "infra/run.mjs"), join(production, "infra/run.mjs"));
    for (const [file, text] of Object.entries(packages)) writeFileSync(join(production, file), JSON.stringify(text));
    const install = (...args: string[]) =>
      spawnSync("npm", ["install", "--offline", ...args], {
        cwd: production,
        encoding: "utf8",
        env: { ...process.env, NODE_ENV: "production" },
      });
    const run = () => spawnSync(process.execPath, ["infra/run.mjs"], { cwd: production, encoding: "utf8" });
    expect(install().status).toBe(0);
    expect(run()).toMatchObject({ status: 1, stderr: expect.stringContaining("Run: npm ci --include=dev\n") });
    expect(install("--include=dev").status).toBe(0);
    expect(run()).toMatchObject({ status: 0, stderr: "" });
  });

  it("a Node that cannot run TypeScript is told, where the project's own is not there", () => {
    const bare = join(dir, "bare");
    cpSync(fresh, bare, { recursive: true });
    mkdirSync(join(bare, "node_modules/node"), { recursive: true });
    writeFileSync(join(bare, "node_modules/node/package.json"), "{}");
    const check = (...args: string[]) =>
      spawnSync(process.execPath, [...args, join(bare, "infra/run.mjs")], { encoding: "utf8" });
    expect(check().status).toBe(0);
    // As on Node 20.
    const { status, stderr } = check("--no-strip-types");
    expect(status).toBe(1);
    expect(stderr).toContain("npm rebuild node --ignore-scripts=false");
  });
});
