/**
 * A file of the project that cannot be loaded: it is no TypeScript, or imports what is not there. Somebody has just edited
 * or merged it, so they are told its line, without the stack of Node's loader.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { firstLine, UserError } from "./user-error.ts";

const PROJECT = join(import.meta.dirname, "../..");

/** What git leaves in a file that it could not merge. */
const MERGE_MARK = /^(?:<{7}|={7}|>{7})(?: |$)/;

/** `line`: 0 where it is not known. */
interface Place {
  readonly file: string;
  readonly line: number;
}

/**
 * What to tell of an error of `import(entry)`, where files of the project at `root` cannot be loaded, or where it is told
 * already; undefined for every other error, which is a bug. Nothing of the project runs for it.
 */
export function loadFault(error: unknown, entry: string, root = PROJECT): UserError | undefined {
  if (error instanceof UserError) return error;
  if (!(error instanceof Error)) return undefined;
  const [, kind, missing = "", by = ""] = /^Cannot find (\w+) '(.*)' imported from (.*)$/.exec(error.message) ?? [];
  const place = kind === undefined ? syntaxPlace(error, entry) : { file: by, line: importLine(by, missing) };
  if (!place?.file.startsWith(root + sep) || place.file.includes(`${sep}node_modules${sep}`)) return undefined;

  const lines = linesOf(place.file);
  const mark = lines.findIndex((line) => MERGE_MARK.test(line)) + 1;
  const line = mark || place.line;
  const said = firstLine(
    kind === undefined ? error.message : `Cannot find ${kind} '${missing.replace(root + sep, "")}'`,
  );
  const what = mark
    ? "git could not merge this. Keep what is right of both sides, and take its marks (<<<<<<<, =======, >>>>>>>) out."
    : `${said}. ${kind === "package" ? "Run: npm ci" : "Correct it there."}`;
  const where = [relative(root, place.file), ...(line ? [line] : [])].join(":");
  return new UserError([`${where}: ${what}`, ...(line ? [`  ${lines[line - 1]?.trim()}`] : [])].join("\n"), {
    cause: error,
  });
}

/** The module at `href`. What it exports, the caller says. @throws UserError where a file of the project cannot be loaded. */
export async function load<Module>(href: string): Promise<Module> {
  try {
    return await import(href);
  } catch (error) {
    throw loadFault(error, href) ?? error;
  }
}

/** Where a file is no TypeScript, or imports a name that a module does not export; undefined for another error. */
function syntaxPlace(error: Error, entry: string): Place | undefined {
  if (!(error instanceof SyntaxError)) return undefined;
  const stack = error.stack ?? "";
  // Node's loader puts the place before the error; V8's compiler tells it only to a process that ends with the error.
  return placeIn(stack) ?? (/^\s+at compileSourceTextModule \(node:/m.test(stack) ? placeOnLinking(entry) : undefined);
}

/** Links what `entry` imports in a process of its own. None of it runs: what is imported first throws. */
function placeOnLinking(entry: string): Place | undefined {
  const program = `import "data:text/javascript,throw 0"; import ${JSON.stringify(entry)};`;
  return placeIn(spawnSync(process.execPath, ["--input-type=module", "--eval", program], { encoding: "utf8" }).stderr);
}

function placeIn(text: string): Place | undefined {
  const [, url, line] = /^(file:\/\/\S+):(\d+)$/m.exec(text) ?? [];
  return url === undefined ? undefined : { file: fileURLToPath(url), line: Number(line) };
}

/** The line of `file` that imports a file or a package. */
const importLine = (file: string, missing: string): number =>
  linesOf(file).findIndex((line) => /\b(?:from|import)\b/.test(line) && line.includes(basename(missing))) + 1;

function linesOf(file: string): readonly string[] {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch {
    return [];
  }
}
