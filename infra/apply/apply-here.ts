/** The program applied to the local account, as `npm start` does it and every command after. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Account } from "../stack/account.ts";
import { type ApplyResult, applyProgram } from "./apply.ts";
import type { Step } from "./steps.ts";

/** In the account's folder: the token for deposits and resets of the Workers that are deployed there. */
const ADMIN_TOKEN_FILE = "admin-token";

/** Applies the program to the account of `dir`, and tells every line. @throws ApplyFailed when it was refused. */
export async function applyHere(
  dir: string,
  account: Account | Promise<Account>,
  say: (line: string) => void,
  signal?: AbortSignal,
): Promise<ApplyResult & { readonly adminToken: string }> {
  const adminToken = adminTokenOf(dir);
  const result = await applyProgram({
    dir,
    account,
    config: { adminToken },
    secretKeys: ["adminToken"],
    onStep: (step) => say(line(step)),
    onLine: (text) => say(`          ${text}`),
    // Respects NO_COLOR; a pipe has no colours at all.
    color: process.stdout.isTTY && process.stdout.hasColors(),
    ...(signal && { signal }),
  });
  return { ...result, adminToken };
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
