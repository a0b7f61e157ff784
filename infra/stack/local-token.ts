/** The admin token of a Worker in a local account of this checkout, by its address. */
import { join } from "node:path";
import { runningAccount } from "@durable-stack/local-account/address";
import { adminTokenOf } from "../apply/admin-token.ts";
import { deployedFolders } from "../apply/folders.ts";
import { ROOT } from "../release/root.ts";

const LOOPBACK = /^(127\.0\.0\.1|\[::1\]|(.+\.)?localhost)$/;

/** The token, and the account's folder; undefined where `url` is not of an account that runs and was deployed to from here. */
export function localAdminToken(
  { hostname, port }: URL,
  root = ROOT,
): { readonly token: string; readonly folder: string } | undefined {
  if (!LOOPBACK.test(hostname)) return undefined;
  const folder = deployedFolders(root).find((name) => String(runningAccount(join(root, name))?.port) === port);
  return folder === undefined ? undefined : { token: adminTokenOf(join(root, folder)), folder };
}
