/** Where the account of a folder can be reached: read back from what a running one wrote (`account.json`). */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";

/** Name of the file beside the state that tells other programs where the account is. */
export const ADDRESS_FILE = "account.json";

const Address = v.object({
  apiUrl: v.string(),
  accountId: v.string(),
  token: v.string(),
  pid: v.number(),
  /** Of the front door; undefined in a file of an older version. */
  port: v.optional(v.number()),
});
type Address = v.InferOutput<typeof Address>;

/** The account that runs on `dir`; undefined where none does, whatever a killed one has left behind. */
export function runningAccount(dir: string): Address | undefined {
  const file = join(dir, ADDRESS_FILE);
  if (!existsSync(file)) return undefined;
  const address = v.safeParse(v.pipe(v.string(), v.parseJson(), Address), readFileSync(file, "utf8"));
  return address.success && runs(address.output.pid) ? address.output : undefined;
}

/** Whether a process is there. */
function runs(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** The lines of a shell that point wrangler and the SDK at an account. */
export const environmentOf = ({ apiUrl, accountId, token }: Pick<Address, "apiUrl" | "accountId" | "token">): string =>
  `export CLOUDFLARE_API_BASE_URL=${apiUrl} CLOUDFLARE_ACCOUNT_ID=${accountId} CLOUDFLARE_API_TOKEN=${token}`;
