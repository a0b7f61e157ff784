/** The admin token of the Workers in a local account. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** In the account's folder: the token for deposits and resets of the Workers that are deployed there. */
const ADMIN_TOKEN_FILE = "admin-token";

/** The token that belongs to the account of `dir`, made at first use: the same for `npm start` and for the Pulumi CLI. */
export function adminTokenOf(dir: string): string {
  const file = join(dir, ADMIN_TOKEN_FILE);
  if (existsSync(file)) return readFileSync(file, "utf8").trim();
  const token = `local-${randomBytes(16).toString("hex")}`;
  mkdirSync(dir, { recursive: true });
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  return token;
}
