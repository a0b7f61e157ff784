/** The program applied to the local account, as `npm start` does it and every command after. */
import type { Account } from "../stack/account.ts";
import { checkLocalSettings } from "../stack/open.ts";
import { adminTokenOf } from "./admin-token.ts";
import { type ApplyResult, applyProgram } from "./apply.ts";
import type { Step } from "./steps.ts";

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
    check: checkLocalSettings,
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

/** `create    WorkerVersion  worker 1f3a…`. */
function line({ action, type, name, changed }: Step): string {
  const kind = type.split(":").at(-1) ?? type;
  return `${action.padEnd(9)} ${kind.padEnd(19)} ${name}${changed?.length ? ` (${changed.join(", ")})` : ""}`;
}
