/** What the system tells of a process: its CPU time, its memory, its files and its clients. Only Linux tells it in files. */
import { readdirSync, readFileSync } from "node:fs";

/** The kernel counts CPU time for programs in hundredths of a second (USER_HZ). */
const TICK_MS = 10;

/** Milliseconds of CPU time that the process has used; undefined if it has ended or the system does not tell. */
export const cpuMsOf = (pid: number | undefined): number | undefined => cpuMs(pid, `/proc/${pid}/stat`);

/** The same of the process's first thread, without its helpers such as V8's compilers and garbage collectors. */
export const mainThreadCpuMsOf = (pid: number | undefined): number | undefined =>
  cpuMs(pid, `/proc/${pid}/task/${pid}/stat`);

/** The memory that the process has, in bytes; undefined if it has ended or the system does not tell. */
export function memoryOf(pid: number | undefined): number | undefined {
  const status = pid === undefined ? undefined : contents(`/proc/${pid}/status`);
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(status ?? "") ?? [];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1_024;
}

/** How many files and sockets the process has open; undefined if it has ended or the system does not tell. */
export const openFilesOf = (pid: number | undefined): number | undefined =>
  pid === undefined ? undefined : ifTold(() => readdirSync(`/proc/${pid}/fd`).length);

/**
 * How many clients are connected to these ports of this machine, by IPv4; infinite if the system does not tell. One that
 * has ended its side counts: it may wait for an answer.
 */
export function clientsOf(ports: ReadonlySet<number>): number {
  if (ports.size === 0) return 0;
  const table = contents("/proc/net/tcp");
  if (table === undefined) return Number.POSITIVE_INFINITY;
  return [...table.matchAll(/^ *\d+: \w+:(\w+) \w+:\w+ (?:01|08) /gm)].filter(([, port = ""]) =>
    ports.has(Number.parseInt(port, 16)),
  ).length;
}

function cpuMs(pid: number | undefined, file: string): number | undefined {
  const stat = pid === undefined ? undefined : contents(file);
  // The second field is the program's name in brackets, which may have spaces in it.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user, system] = [Number(fields?.[11]), Number(fields?.[12])];
  return Number.isFinite(user + system) ? (user + system) * TICK_MS : undefined;
}

const contents = (file: string): string | undefined => ifTold(() => readFileSync(file, "utf8"));

function ifTold<T>(read: () => T): T | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    return read();
  } catch {
    return undefined;
  }
}
