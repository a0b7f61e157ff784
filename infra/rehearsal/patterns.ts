/** What a rehearsal can fill: each test/<pattern>/rehearsal.ts. It outlives its pattern, until no stack has the class. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { patterns } from "../../worker/patterns.ts";
import { toolOf } from "../pattern/tools.ts";
import { ROOT } from "../release/root.ts";
import type { Filling } from "./filling.ts";

/** Those of removed patterns first, then in the patterns' order; those that say so come last. */
export async function fillings(): Promise<readonly Filling[]> {
  const order: readonly string[] = patterns.map(({ folder }) => folder);
  const folders = readdirSync(join(ROOT, "test")).sort((a, b) => order.indexOf(a) - order.indexOf(b));
  const tools: ({ filling: Filling } | undefined)[] = await Promise.all(
    folders.map((folder) => toolOf<{ filling: Filling }>(folder, "rehearsal")),
  );
  return tools
    .flatMap((tool) => (tool ? [tool.filling] : []))
    .sort((a, b) => Number(a.last ?? false) - Number(b.last ?? false));
}
