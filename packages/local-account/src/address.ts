/** The address of the account that runs on a folder, read from the `account.json` that it wrote. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";

/** The file beside the state that tells other programs the account's address. */
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

/** The account that runs on `dir`; undefined if none does, even if a killed one has left its file behind. */
export function runningAccount(dir: string): Address | undefined {
  const address = v.safeParse(v.pipe(v.string(), v.parseJson(), Address), textOf(join(dir, ADDRESS_FILE)));
  return address.success && runs(address.output.pid) ? address.output : undefined;
}

/** The text of a file; undefined where there is none, but something else, or nothing. */
function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (
      error instanceof Error &&
      "code" in error &&
      /^(ENOENT|ENOTDIR|EISDIR|ENAMETOOLONG|ELOOP)$/.test(String(error.code))
    )
      return undefined;
    throw error;
  }
}

/** Whether a process is running. */
function runs(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

type Place = Pick<Address, "apiUrl" | "accountId" | "token">;

/** The variables that point wrangler (the first), the SDK and the Pulumi provider (the second) at an account. */
export const variablesOf = ({ apiUrl, accountId, token }: Place) => ({
  CLOUDFLARE_API_BASE_URL: apiUrl,
  CLOUDFLARE_BASE_URL: apiUrl,
  CLOUDFLARE_ACCOUNT_ID: accountId,
  CLOUDFLARE_API_TOKEN: token,
});

/** Shell commands that point wrangler, the SDK and the Pulumi provider at an account. */
export const environmentOf = (place: Place): string =>
  `export ${Object.entries(variablesOf(place))
    .map((pair) => pair.join("="))
    .join(" ")}`;
