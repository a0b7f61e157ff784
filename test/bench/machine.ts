/** The machine that figures are from. */
import { cpus } from "node:os";

/** Such as "2 cores (AMD EPYC)". */
export const machineText = (): string => `${cpus().length} cores (${cpus()[0]?.model ?? "unknown"})`;
