/** Real wrangler as a child process, pointed at a local account only by its documented variables. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { RunningAccount } from "@durable-stack/local-account";
import { ROOT } from "../../infra/release/root.ts";

const WRANGLER = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
/** The variables of this machine that a child process needs. */
const KEPT = ["PATH", "HOME", "TMPDIR"];

export interface Ended {
  readonly code: number | null;
  /** Both streams together, as a person sees them. */
  readonly text: string;
}

/** Runs `wrangler …args` in `cwd` with `account`. `input` is its standard input. */
export async function wrangler(
  account: RunningAccount,
  cwd: string,
  args: readonly string[],
  input = "",
): Promise<Ended> {
  const kept = Object.entries(process.env).filter(([name]) => KEPT.includes(name));
  const child = spawn(process.execPath, [WRANGLER, ...args], {
    cwd,
    env: {
      ...Object.fromEntries(kept),
      CLOUDFLARE_API_BASE_URL: account.apiUrl,
      CLOUDFLARE_ACCOUNT_ID: account.accountId,
      CLOUDFLARE_API_TOKEN: account.token,
      WRANGLER_SEND_METRICS: "false",
      CI: "1",
      NO_COLOR: "1",
    },
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      text += chunk;
    });
  }
  child.stdin.end(input);
  const [code] = await once(child, "close");
  return { code: typeof code === "number" ? code : null, text };
}
