/**
 * The project's history of classes (infra/migrations.ts), which a person writes: where it cannot be loaded, that is told
 * to them by whatever needs it, and the rest works.
 */
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { checkLock, type Finding, LOCK_FILE, type Migration } from "@durable-stack/class-lifecycle";
import { messageOf } from "../common/errors.ts";
import { loadFault } from "../common/load-fault.ts";
import { readIfThere } from "../common/named-file.ts";
import { UserError } from "../common/user-error.ts";
import { HISTORY_FILE, ROOT } from "./root.ts";

const loaded: { readonly migrations: readonly Migration[] } | { readonly fault: UserError } = await import(
  "../migrations.ts"
).then(
  ({ migrations }) =>
    Array.isArray(migrations)
      ? { migrations }
      : {
          fault: new UserError(
            `${HISTORY_FILE} exports no \`migrations\`. See docs/change-a-class.md for what it has to be.`,
          ),
        },
  (error: unknown) => ({ fault: unloadable(error) }),
);

/** The steps of infra/migrations.ts. @throws UserError saying where the file is wrong. */
export function ownMigrations(): readonly Migration[] {
  if ("fault" in loaded) throw loaded.fault;
  return loaded.migrations;
}

/**
 * What stands against a release because of the lock file, which is all that tells an edited step from one that was
 * released. A step that it lacks does not: that may be tried out before it is recorded, and the lint asks for it.
 */
export const lockFindings = (): readonly Finding[] =>
  checkLock(ownMigrations(), readIfThere(join(ROOT, LOCK_FILE)) ?? null).filter(({ code }) => code !== "lock_behind");

/** Why a history that a person writes cannot be loaded, with its file and line. */
export function unloadable(error: unknown, root = ROOT): UserError {
  const fault = loadFault(error, pathToFileURL(join(root, HISTORY_FILE)).href, root);
  if (fault) return fault;
  const message = messageOf(error);
  const where = placeIn(error, root) ?? HISTORY_FILE;
  const said = message.replaceAll(`${root}/`, "").split("\n")[0];
  return new UserError(`${where}: ${said}. Correct it there.`, { cause: error });
}

/** The first line of the project's own files in an error's stack: `infra/migrations.ts:12`. */
function placeIn(error: unknown, root: string): string | undefined {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  const infra = pathToFileURL(join(root, "infra")).href;
  const place = [...stack.matchAll(/(file:\/\/\S+?):(\d+)/g)].find(([, url]) => url?.startsWith(`${infra}/`));
  return place && `${relative(root, fileURLToPath(place[1] ?? ""))}:${place[2]}`;
}
