/** What stands with a pattern's tests and is a tool for people: its probe for the smoke test, its filling for the rehearsal. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "../release/root.ts";

export const TOOLS = ["smoke", "rehearsal"] as const;

/** Where a pattern's tool stands. */
export const toolFile = (folder: string, tool: (typeof TOOLS)[number]): string => `test/${folder}/${tool}.ts`;

/** The module of a pattern's tool, or undefined where it has none. What it exports, the caller says. */
export async function toolOf<Module>(folder: string, tool: (typeof TOOLS)[number]): Promise<Module | undefined> {
  const file = join(ROOT, toolFile(folder, tool));
  return existsSync(file) ? import(pathToFileURL(file).href) : undefined;
}
