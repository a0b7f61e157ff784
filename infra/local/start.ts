/** The main job: builds the release, starts the local account, applies the program to it, says where it answers. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { buildRelease } from "../release/build.ts";
import { shortDigest } from "../release/manifest.ts";
import type { Step } from "./apply/steps.ts";
import { type ApplyResult, applyProgram } from "./apply.ts";
import { type RunningAccount, startAccount } from "./index.ts";
import type { Options } from "./options.ts";

/** In the account's folder: the token for deposits and resets of the Workers that `npm start` deploys. */
const ADMIN_TOKEN_FILE = "admin-token";
const Outputs = v.object({ urls: v.object({ api: v.string(), page: v.string(), openapi: v.string() }) });

/**
 * Resolves once the five patterns answer.
 * @throws Error when the release does not build, a port is in use, or the apply was refused; what was deployed before stays.
 */
export async function start(options: Options, signal: AbortSignal): Promise<RunningAccount> {
  const say = options.json ? () => {} : (line: string) => console.log(line);
  const began = performance.now();
  const seconds = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;

  const account = startAccount(options);
  const built = buildRelease().then((release) => {
    const { digest, size, migration } = release.manifest;
    say(`release   ${shortDigest(digest)}, ${(size / 1024).toFixed(0)} KiB, step ${migration.step}`);
  });
  // Whichever fails first is the one to tell; the other is not left unhandled.
  const ready = Promise.all([account, built]).then(([running]) => {
    say(`account   ${running.apiUrl}`);
    return running;
  });
  try {
    const adminToken = adminTokenOf(options.dir);
    const result = await applyProgram({
      dir: options.dir,
      account: ready,
      config: { "durable-stack:adminToken": adminToken },
      secretKeys: ["durable-stack:adminToken"],
      onStep: (step) => say(line(step)),
      onLine: (text) => say(`          ${text}`),
      signal,
    });
    const running = await ready;
    announce(options, running, result, adminToken, seconds());
    return running;
  } catch (error) {
    await account.then((running) => running.close()).catch(() => {});
    throw error;
  }
}

function adminTokenOf(dir: string): string {
  const file = join(dir, ADMIN_TOKEN_FILE);
  if (existsSync(file)) return readFileSync(file, "utf8").trim();
  const token = `local-${randomBytes(16).toString("hex")}`;
  mkdirSync(dir, { recursive: true });
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  return token;
}

/** `create    WorkerVersion  worker 1f3a…`. */
function line({ action, type, name, changed }: Step): string {
  const kind = type.split(":").at(-1) ?? type;
  return `${action.padEnd(9)} ${kind.padEnd(19)} ${name}${changed?.length ? ` (${changed.join(", ")})` : ""}`;
}

function announce(
  options: Options,
  running: RunningAccount,
  { outputs, steps }: ApplyResult,
  adminToken: string,
  took: string,
): void {
  const { urls } = v.parse(Outputs, outputs);
  const { apiUrl, accountId, token, port } = running;
  if (options.json) {
    console.log(JSON.stringify({ urls, apiUrl, accountId, token, adminToken, port }));
    return;
  }
  const changed = steps.filter(({ action }) => action !== "unchanged").length;
  console.log(
    `\nReady in ${took}; ${changed === 0 ? "nothing had changed" : `${changed} of ${steps.length} resources changed`}.\n`,
  );
  console.log(`  Demo page    http://127.0.0.1:${port}/`);
  console.log(`  API          ${urls.api}`);
  console.log(`  OpenAPI      http://127.0.0.1:${port}/openapi.json`);
  console.log(`  Cloudflare   ${apiUrl}`);
  console.log(`  Admin token  ${adminToken}`);
  console.log(`\n  curl -X POST http://127.0.0.1:${port}/counter/increment`);
  console.log("\nCtrl-C stops it; the data is kept.");
}
