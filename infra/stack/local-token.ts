/** The admin token of a Worker in a local account of this checkout, by its address. */
import { join } from "node:path";
import { runningAccount } from "@durable-stack/local-account/address";
import { THIS_MACHINE } from "@durable-stack/local-account/loopback";
import { adminTokenOf } from "../apply/admin-token.ts";
import { deployedFolders } from "../apply/folders.ts";
import { ROOT } from "../release/root.ts";

/** The token, and the account's folder; undefined where `url` is not of an account that runs and was deployed to from here. */
export function localAdminToken(
  { hostname, port }: URL,
  root = ROOT,
): { readonly token: string; readonly folder: string } | undefined {
  if (!THIS_MACHINE.test(hostname)) return undefined;
  const folder = deployedFolders(root).find((name) => String(runningAccount(join(root, name))?.port) === port);
  return folder === undefined ? undefined : { token: adminTokenOf(join(root, folder)), folder };
}
