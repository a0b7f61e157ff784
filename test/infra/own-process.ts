/** Commands, and what commands do, in processes of their own. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "../../infra/release/root.ts";

/** A module of the project, as a script that lies elsewhere imports it. */
export const module = (file: string): string => JSON.stringify(pathToFileURL(join(ROOT, file)).href);

/** A script that does what a command does, with the modules that it names. */
export const script = (dir: string, name: string, text: string): readonly string[] => {
  const file = join(dir, name);
  writeFileSync(
    file,
    text.replaceAll(/from "(infra\/[^"]+)"/g, (_, path: string) => `from ${module(path)}`),
  );
  return [process.execPath, file];
};

/** Runs a command whose work is `work`. */
export function runWork(dir: string, work: string) {
  const [program = "", ...args] = script(
    dir,
    "command.mjs",
    `import { orFail } from "infra/commands/command.ts";
     import { UserError } from "infra/common/user-error.ts";
     await orFail(async () => { ${work} });`,
  );
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  return { status, stderr };
}
