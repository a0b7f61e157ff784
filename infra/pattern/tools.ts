/** What stands with a pattern's tests and is a tool for people: its probe, filling and costs. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { load } from "../common/load-fault.ts";
import { ROOT } from "../release/root.ts";

/**
 * The module of a pattern's tool, or undefined where it has none. What it exports, the caller says.
 * @throws UserError where its file cannot be loaded.
 */
export async function toolOf<Module>(
  folder: string,
  tool: "smoke" | "rehearsal" | "cost" | "bench" | "peers",
): Promise<Module | undefined> {
  const file = join(ROOT, "test", folder, `${tool}.ts`);
  return existsSync(file) ? load(pathToFileURL(file).href) : undefined;
}
