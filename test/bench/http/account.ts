/**
 * Our Worker on the local account, in a process of its own: the account's front door is a part of what is measured, and
 * must not share a thread with the load.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startAccount } from "@durable-stack/local-account";
import * as v from "valibot";
import { applyProgram } from "../../../infra/apply/apply.ts";
import { buildRelease } from "../../../infra/release/build.ts";
import { SETTINGS } from "./config.ts";
import { ADMIN_TOKEN } from "./routes.ts";

const Serving = v.object({ url: v.string() });

/** By what address a Worker is called: through the account's front door, or at its own (`--direct`). */
export type Way = "door" | "direct";

export interface AccountProcess {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts an account with our Worker. What the Worker logs is not shown. */
export async function startAccountProcess(way: Way): Promise<AccountProcess> {
  const child = fork(import.meta.filename, [way], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const close = async () => {
    if (child.exitCode !== null) return;
    const ended = once(child, "exit");
    child.disconnect();
    await ended;
  };
  try {
    return { url: await urlOf(child), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function urlOf(child: ChildProcess): Promise<string> {
  const ended = once(child, "exit").then(([code]) => Promise.reject(new Error(`the account ended with ${code}`)));
  const [message] = await Promise.race([once(child, "message"), ended]);
  return v.parse(Serving, message).url;
}

/** The account, until the parent has gone. */
async function serve(way: Way, tell: (serving: v.InferOutput<typeof Serving>) => void): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "durable-stack-http-account-"));
  let direct: string | undefined;
  const onDirect = (addresses: ReadonlyMap<string, string>) => {
    [direct] = addresses.values();
  };
  const account = await startAccount({ dir, port: 0, apiPort: 0, direct: way === "direct", onDirect });
  try {
    const gone = once(process, "disconnect");
    await buildRelease();
    const { access, demoLogin, rateLimits } = SETTINGS;
    await applyProgram({
      dir,
      account,
      config: {
        adminToken: ADMIN_TOKEN,
        access,
        demoLogin: String(demoLogin),
        rateLimits: JSON.stringify(rateLimits),
      },
      secretKeys: ["adminToken"],
    });
    tell({ url: `${direct ?? `http://127.0.0.1:${account.port}`}/` });
    await gone;
  } finally {
    await account.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename && process.send) {
  await serve(process.argv[2] === "direct" ? "direct" : "door", (serving) => process.send?.(serving));
}
