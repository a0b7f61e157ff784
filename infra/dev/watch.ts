/**
 * Tells of changes of files. Each folder is watched by itself: many editors save a file by putting another in its
 * place, and then neither a watch of the file nor, on Linux, Node's own watch of a tree hears of the next change.
 */
import { type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import { join, sep } from "node:path";

/**
 * Calls `changed` with the path, seen from `root`, of everything under it that comes, goes or changes, if it is one of
 * the `wanted`. What is in a folder that is not wanted is not looked at. Returns what ends that.
 */
export function watchFiles(
  root: string,
  wanted: (path: string) => boolean,
  changed: (path: string) => void,
): () => void {
  const watchers = new Map<string, FSWatcher>();
  const forget = (folder: string) => {
    for (const [path, watcher] of watchers) {
      if (path !== folder && !path.startsWith(`${folder}${sep}`)) continue;
      watcher.close();
      watchers.delete(path);
    }
  };
  const begin = (folder: string) => {
    if (!statSync(join(root, folder), { throwIfNoEntry: false })?.isDirectory()) return;
    const watcher = watch(join(root, folder), (event, name) => {
      const path = name === null ? undefined : join(folder, name);
      if (path === undefined || !wanted(path)) return;
      // It came, or it went: a folder of this name is another one now.
      if (event === "rename") {
        forget(path);
        begin(path);
      }
      changed(path);
    });
    // A folder that goes away; the one around it tells of that.
    watcher.on("error", () => watcher.close());
    watchers.set(folder, watcher);
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && wanted(path)) begin(path);
    }
  };
  begin("");
  return () => {
    for (const watcher of watchers.values()) watcher.close();
  };
}
