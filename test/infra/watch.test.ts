/** The watch of `npm run dev` goes on whatever a folder does; what cannot be watched is said with what helps. */
import fs, { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { watchFiles } from "../../infra/dev/watch.ts";

/** Makes a function of `node:fs` fail for this path. */
function failing(name: "watch" | "readdirSync", path: string, code: string): void {
  const kept = fs[name];
  const error = Object.assign(new Error(`${code}: as the system says it`), { code });
  const spy = vi.spyOn(fs, name).mockImplementation((...args: unknown[]) => {
    if (args[0] === path) throw error;
    return Reflect.apply(kept, fs, args);
  });
  syncBuiltinESMExports();
  onTestFinished(() => {
    spy.mockRestore();
    syncBuiltinESMExports();
  });
}

/** A watch of a new folder, and what it tells. `wanted`: of the paths, by default all. */
function watched(wanted: (path: string) => boolean = () => true) {
  const root = mkdtempSync(join(tmpdir(), "watch-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const [changes, said]: [string[], string[]] = [[], []];
  const watch = watchFiles(root, {
    wanted,
    changed: (path) => changes.push(path),
    say: (line) => said.push(line),
  });
  onTestFinished(watch.stop);
  const heardOf = (path: string) => vi.waitFor(() => expect(changes).toContain(path), { timeout: 60_000 });
  return { root, said, heardOf, look: watch.look };
}

it.each(["watch", "readdirSync"] as const)("goes on where a folder is gone again before its %s", async (name) => {
  const { root, said, heardOf } = watched();
  failing(name, join(root, "gone"), "ENOENT");
  mkdirSync(join(root, "gone"));
  await heardOf("gone");
  writeFileSync(join(root, "file"), "");
  await heardOf("file");
  expect(said).toEqual([]);
});

it.each([
  ["ENOSPC", "Allow more (on Linux by sysctl fs.inotify.max_user_watches)"],
  ["EMFILE", "Allow more (on Linux by sysctl fs.inotify.max_user_instances)"],
  ["EACCES", "Correct that"],
])("says once that folders cannot be watched (%s), and goes on", async (code, fix) => {
  const { root, said, heardOf } = watched();
  for (const folder of ["one", "two"]) {
    failing("watch", join(root, folder), code);
    mkdirSync(join(root, folder));
    await heardOf(folder);
  }
  expect(said).toEqual([
    `No change in ${join(root, "one")}, and perhaps in others, is seen: ${code}: as the system says it. ${fix}, and start this again.`,
  ]);
});

it("watches a folder that went, and was made again, while nobody wanted it", async () => {
  const wants = new Set(["a", "a/file", "end"]);
  const { root, heardOf, look } = watched((path) => wants.has(path));
  const folder = join(root, "a");
  mkdirSync(folder);
  await heardOf("a");
  look(["a"]);
  wants.delete("a");
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  writeFileSync(join(root, "end"), "");
  await heardOf("end");
  wants.add("a");
  look(["a"]);
  writeFileSync(join(folder, "file"), "");
  await heardOf("a/file");
});
