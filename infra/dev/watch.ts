/**
 * Tells of changes of files. Each folder is watched by itself: many editors save a file by putting another in its
 * place, and then neither a watch of the file nor, on Linux, Node's own watch of a tree hears of the next change.
 */
import { type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import { join, normalize, sep } from "node:path";
import { codeOf, messageOf } from "../common/errors.ts";

/** What a watch tells, and whom. */
interface Watched {
  /** Of the paths, seen from the root. What is in a folder that is not wanted is not looked at. */
  readonly wanted: (path: string) => boolean;
  /** Called with the path of everything wanted that comes, goes or changes. */
  readonly changed: (path: string) => void;
  /** Told why a folder cannot be watched, and what to do, once for each reason. */
  readonly say: (line: string) => void;
}

interface Watch {
  /** Watches these folders too, seen from the root, which are wanted by now. They may be outside of it. */
  look(folders: Iterable<string>): void;
  stop(): void;
}

/** Watches what is under `root`. */
export function watchFiles(root: string, { wanted, changed, say }: Watched): Watch {
  const watchers = new Map<string, FSWatcher>();
  const told = new Set<string>();
  const forget = (folder: string) => {
    for (const [path, watcher] of watchers) {
      if (path !== folder && !path.startsWith(`${folder}${sep}`)) continue;
      watcher.close();
      watchers.delete(path);
    }
  };
  const begin = (folder: string) => {
    try {
      watchFolder(folder);
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      // It is gone again; the folder around it tells of that.
      if (code === "ENOENT" || code === "ENOTDIR" || told.has(code)) return;
      told.add(code);
      say(
        `No change in ${join(root, folder)}, and perhaps in others, is seen: ${messageOf(error)}. ${fixOf(code)}, and start this again.`,
      );
    }
  };
  const watchFolder = (folder: string) => {
    if (!statSync(join(root, folder), { throwIfNoEntry: false })?.isDirectory()) return;
    const watcher = watch(join(root, folder), (event, name) => {
      if (name === null) return;
      const path = join(folder, name);
      // It came, or it went: a folder of this name is another one now.
      if (event === "rename") forget(path);
      if (!wanted(path)) return;
      if (event === "rename") begin(path);
      changed(path);
    });
    // A folder that goes away; the one around it tells of that.
    watcher.on("error", () => {
      watcher.close();
      watchers.delete(folder);
    });
    watchers.set(folder, watcher);
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && wanted(path)) begin(path);
    }
  };
  begin("");
  return {
    look(folders) {
      for (const folder of folders) if (!watchers.has(normalize(folder))) begin(normalize(folder));
    },
    stop() {
      for (const watcher of watchers.values()) watcher.close();
    },
  };
}

/** What helps where a folder cannot be watched. Linux tells by ENOSPC and EMFILE that inotify has no more to give. */
const fixOf = (code: string): string =>
  code === "ENOSPC" || code === "EMFILE"
    ? `Allow more (on Linux by sysctl fs.inotify.${code === "ENOSPC" ? "max_user_watches" : "max_user_instances"})`
    : "Correct that";
