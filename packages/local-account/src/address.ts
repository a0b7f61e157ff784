/** The address of the account that runs on a folder, read from the `account.json` that it wrote. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";

/** The file beside the state that tells other programs the account's address. */
export const ADDRESS_FILE = "account.json";

const Address = v.object({
  apiUrl: v.pipe(v.string(), v.url()),
  accountId: v.string(),
  token: v.string(),
  /** 0 and below would be groups of processes. */
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  /** Of the front door; undefined in a file of an older version. */
  port: v.optional(v.number()),
});
type Address = v.InferOutput<typeof Address>;

/** The account that runs on `dir`; undefined if none does, even if a killed one has left its file behind. */
export function runningAccount(dir: string): Address | undefined {
  const address = v.safeParse(v.pipe(v.string(), v.parseJson(), Address), textOf(join(dir, ADDRESS_FILE)));
  return address.success && runs(address.output.pid) ? address.output : undefined;
}

/** What the account's page knows of it. No token is needed, which whoever answers there would get. */
const Answer = v.object({ account: v.object({ id: v.string() }) });

/** How long an account may take to answer, in milliseconds. */
const ANSWER_MS = 5_000;

/**
 * The account that runs on `dir`, if it answers at its address. Another process may have the id of a killed account's,
 * and another account its port.
 */
export async function answeringAccount(dir: string): Promise<Address | undefined> {
  const address = runningAccount(dir);
  if (address === undefined) return undefined;
  const told = await fetch(new URL("/data/overview", address.apiUrl), { signal: AbortSignal.timeout(ANSWER_MS) })
    .then((answer) => answer.json())
    .catch(() => undefined);
  const answer = v.safeParse(Answer, told);
  return answer.success && answer.output.account.id === address.accountId ? address : undefined;
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
    .map(([name, value]) => `${name}=${quoted(value)}`)
    .join(" ")}`;

/** A text as one word of a POSIX shell, which takes nothing in it for a command. */
const quoted = (text: string): string => (/^[\w:/.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
