/** The name of the Worker that the program declares in the stack local. */
import { ROOT } from "../release/root.ts";
import { fullKey, LOCAL, readProject } from "./project.ts";
import { defaultWorkerName } from "./worker-name.ts";

/**
 * Its `workerName`, else the one that follows from the project's name; `over`: the settings beside its account, which go
 * over the project's own.
 * @throws UserError naming the file that cannot be read
 */
export function localWorker(over?: string): string {
  const { name, config } = readProject(ROOT, LOCAL, over);
  return config[fullKey(name, "workerName")] || defaultWorkerName(name, LOCAL);
}
