/** What commands print for others to use: options and addresses that work as they are printed. */
import { relative, resolve } from "node:path";
import { ROOT } from "../release/root.ts";

/** The folder of the local account, seen from the project, where no other is named. */
export const DEFAULT_DIR = ".local";

/** ` --dir <folder>` for the account of this folder, as a shell takes it; nothing if it is the default. */
export const dirOption = (dir: string): string =>
  resolve(ROOT, dir) === resolve(ROOT, DEFAULT_DIR) ? "" : ` --dir ${folderWord(dir)}`;

/** A folder as a shell takes it, seen from the project where it is in it. */
export function folderWord(dir: string): string {
  const absolute = resolve(ROOT, dir);
  const near = relative(ROOT, absolute);
  const shown = near.startsWith("..") ? absolute : near;
  return /^[\w./-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", "'\\''")}'`;
}

/** Where the API answers. A host name of the stack's leads to Cloudflare, and to an account on this machine by its header. */
export function apiHere(api: string, port: number | undefined): string {
  const url = URL.parse(api);
  if (url?.protocol !== "https:" || port === undefined) return api;
  return `${api}, here: curl -H 'Host: ${url.host}' http://127.0.0.1:${port}/`;
}
