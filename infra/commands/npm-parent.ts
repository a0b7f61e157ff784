/**
 * Ends with npm: a signal that npm alone gets (`kill`, a supervisor, CI) never reaches the program that it started. Npm
 * runs a script in a shell, so between this process and npm there may be one more; it dies with npm or stays, depending on
 * the signal. Whose child npm itself is does not matter: `npm start &` outlives the terminal's shell.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** What the scripts of package.json run that go on until they are ended. */
const SCRIPT = /infra\/run\.mjs (start|dev)\b/;

/** How often it looks, in milliseconds. */
const EVERY = 250;

/** A process as the system describes it. */
interface Described {
  readonly parent: number;
  /** Whether it is a shell with a command to run: the one between npm and a script. */
  readonly shell: boolean;
}

/**
 * Calls `then` once when npm, which started this process for the script, has ended. It keeps no process alive, and does
 * nothing where this process was started otherwise.
 */
export function whenNpmEnds(then: () => void): void {
  if (!SCRIPT.test(process.env.npm_lifecycle_script ?? "")) return;
  const { ppid } = process;
  const npm = describe(ppid);
  const above = npm?.shell ? npm.parent : undefined;
  const timer = setInterval(() => {
    // A process whose parent ends gets another parent at once; process ids may be used again, so they alone say less.
    if (process.ppid === ppid && (above === undefined || isParent(above, ppid))) return;
    clearInterval(timer);
    then();
  }, EVERY);
  timer.unref();
}

/** Whether `child` is still the child of `parent`. */
function isParent(parent: number, child: number): boolean {
  const described = fromProc(child);
  // Without /proc: asking `ps` four times a second would cost too much.
  return described === undefined ? exists(parent) : described.parent === parent;
}

const describe = (pid: number): Described | undefined => fromProc(pid) ?? fromPs(pid);

/** From Linux's /proc: field 4 of `stat` is the parent, after a name that may have spaces and parentheses itself. */
function fromProc(pid: number): Described | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    return { parent, shell: readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[1] === "-c" };
  } catch {
    return undefined;
  }
}

/** From `ps`, for macOS and the BSDs; undefined where there is none. */
function fromPs(pid: number): Described | undefined {
  try {
    const line = execFileSync("ps", ["-o", "ppid=,args=", "-p", String(pid)], { encoding: "utf8", stdio: "pipe" });
    const [, parent, args = ""] = /^\s*(\d+)\s+(.*)/.exec(line) ?? [];
    return parent === undefined ? undefined : { parent: Number(parent), shell: /^\S+ -c /.test(args) };
  } catch {
    return undefined;
  }
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
