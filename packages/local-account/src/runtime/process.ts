/** What the system tells of a process: its CPU time and its memory. Only Linux tells it in files. */
import { readFileSync } from "node:fs";

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

function cpuMs(pid: number | undefined, file: string): number | undefined {
  const stat = pid === undefined ? undefined : contents(file);
  // The second field is the program's name in brackets, which may have spaces in it.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user, system] = [Number(fields?.[11]), Number(fields?.[12])];
  return Number.isFinite(user + system) ? (user + system) * TICK_MS : undefined;
}

function contents(file: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
