/** The name of the Worker that the program declares in a stack. */
import { ROOT } from "../release/root.ts";
import { fullKey, LOCAL, readProject } from "./project.ts";
import { defaultWorkerName } from "./worker-name.ts";

/**
 * Its `workerName`, else the one that follows from the project's name; `over`: a file of settings that go over the
 * project's own.
 * @throws UserError naming the file that cannot be read
 */
export function workerOf(stack: string, over?: string): string {
  const { name, config } = readProject(ROOT, stack, over);
  return config[fullKey(name, "workerName")] || defaultWorkerName(name, stack);
}

/** That of the stack local; `over`: the settings beside its account. @throws UserError as `workerOf`. */
export const localWorker = (over?: string): string => workerOf(LOCAL, over);
