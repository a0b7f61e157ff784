/** What Linux tells a test of processes (`/proc`). Any of them may end between two looks: that is never an error. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { expect, vi } from "vitest";

/** The processes of workerd that this process has started, in the order in which they began. */
export const workerds = (): readonly number[] =>
  children()
    .filter((pid) => ifThere(() => readFileSync(`/proc/${pid}/comm`, "utf8").trim()) === "workerd")
    .toSorted((a, b) => startOf(a) - startOf(b));

/** Those of them that run an account's Workers. The others only start uploads. */
export const serving = (): readonly number[] =>
  workerds().filter((pid) => ifThere(() => readFileSync(`/proc/${pid}/cmdline`, "utf8"))?.includes("--socket-addr="));

/** The one that runs the Workers, once the one that it has replaced has ended. */
export const servingAlone = (): Promise<number> =>
  vi.waitFor(
    () => {
      const pids = serving();
      expect(pids).toHaveLength(1);
      return pids[0] ?? 0;
    },
    { timeout: 60_000 },
  );

/** How many SQLite files a process has open. */
export const databasesOf = (pid: number): number =>
  ifThere(() => readdirSync(`/proc/${pid}/fd`))?.filter((fd) =>
    ifThere(() => readlinkSync(`/proc/${pid}/fd/${fd}`))?.includes(".sqlite"),
  ).length ?? 0;

/**
 * Whether a process has not ended. On Linux one has ended also where its parent has not heard of it yet (a zombie); on
 * other systems that cannot be told.
 */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return statOf(pid)?.[0] !== "Z";
}

/** The children of all threads: each has a list of its own. */
const children = (): number[] =>
  (ifThere(() => readdirSync("/proc/self/task")) ?? [])
    .map((thread) => ifThere(() => readFileSync(`/proc/self/task/${thread}/children`, "utf8")) ?? "")
    .flatMap((list) => list.split(" ").filter((pid) => pid !== ""))
    .map(Number);

/** When a process began, in ticks of the system's clock. (Process ids begin anew after the highest.) */
const startOf = (pid: number): number => Number(statOf(pid)?.[19] ?? 0);

/** The fields of `/proc/<pid>/stat` from the third on, the state: the second is a name, which may have anything in it. */
const statOf = (pid: number): readonly string[] | undefined =>
  ifThere(() => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" "));

function ifThere<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
