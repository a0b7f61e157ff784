/** Where and when figures were measured. */
import { cpus, totalmem } from "node:os";

export interface Machine {
  readonly cores: number;
  readonly model: string;
  readonly memoryGiB: number;
}

/** The machine that this runs on. */
export const thisMachine = (): Machine => ({
  cores: cpus().length,
  model: cpus()[0]?.model ?? "unknown",
  memoryGiB: Math.round(totalmem() / 2 ** 30),
});

/** Such as "2 cores (AMD EPYC)". */
export const machineText = ({ cores, model }: Machine = thisMachine()): string => `${cores} cores (${model})`;

/** Such as "2026-11-28". */
export const today = (): string => new Date().toISOString().slice(0, 10);
