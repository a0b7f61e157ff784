/**
 * Accounts for tests: each in a temporary folder, on free ports, and gone when it is closed. With a snapshot, every
 * test file has a fresh copy of the same account in well under a second.
 *
 * ```ts
 * export const test = base.extend<{ account: RunningAccount }>({
 *   account: [
 *     async ({}, use) => {
 *       await using account = await startTemporaryAccount({ snapshot: "snapshots/shop" });
 *       await use(account);
 *     },
 *     { scope: "file" },
 *   ],
 * });
 * ```
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type RunningAccount, type StartOptions, startAccount } from "./index.ts";
import { checkReplaceable, loadSnapshot, replaceSnapshot } from "./snapshots.ts";

export interface TemporaryOptions extends Partial<Omit<StartOptions, "dir" | "fresh">> {
  /** The folder of a snapshot to begin with. Without one, the account is empty. */
  readonly snapshot?: string;
}

/** An account whose folder is removed when it is closed. */
export type TemporaryAccount = RunningAccount & AsyncDisposable;

/** Starts an account in a temporary folder. @throws NoSnapshot if there is no such snapshot. */
export async function startTemporaryAccount({
  snapshot,
  ...options
}: TemporaryOptions = {}): Promise<TemporaryAccount> {
  const dir = mkdtempSync(path.join(tmpdir(), "local-account-"));
  const forget = () => rmSync(dir, { recursive: true, force: true });
  try {
    if (snapshot !== undefined) await loadSnapshot(path.resolve(snapshot), dir);
    const account = await startAccount({ port: 0, apiPort: 0, ...options, dir });
    const close = async () => {
      await account.close();
      forget();
    };
    return { ...account, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    forget();
    throw error;
  }
}

/**
 * Makes a snapshot of a new account that `fill` has filled, in place of an older one. For the global set-up of tests.
 * @throws NoSnapshot if the folder has something else in it: also an account, even if it began as a snapshot.
 */
export async function makeSnapshot(folder: string, fill: (account: RunningAccount) => Promise<void>): Promise<void> {
  const to = path.resolve(folder);
  // First, so that nothing is filled in vain.
  checkReplaceable(to);
  const dir = mkdtempSync(path.join(tmpdir(), "local-account-"));
  try {
    const account = await startAccount({ dir, port: 0, apiPort: 0 });
    try {
      await fill(account);
    } finally {
      await account.close();
    }
    await replaceSnapshot(dir, to);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
