/** The memory of workerd, from /proc. */
import { readFileSync } from "node:fs";

/** The resident memory of this process's workerd, in MiB; undefined without /proc. */
export function workerdMemory(): number | undefined {
  try {
    const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8")
      .split(" ")
      .filter(Boolean);
    const [kib = 0] = children
      .map((pid) => /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1])
      .map(Number)
      .sort((a, b) => b - a);
    return kib > 0 ? Math.round(kib / 1_024) : undefined;
  } catch {
    return undefined;
  }
}
