/** Finds the measures of this project's patterns: each test/<pattern>/bench.ts. */
import { toolOf } from "../../infra/pattern/tools.ts";
import { patterns } from "../../worker/patterns.ts";
import type { PatternBench } from "./measure.ts";

/** The measures by folder, in the patterns' order. Patterns without a bench are left out. */
export async function benches(): Promise<ReadonlyMap<string, PatternBench>> {
  const tools = await Promise.all(
    patterns.map(async ({ folder }) => [folder, await toolOf<{ bench: PatternBench }>(folder, "bench")] as const),
  );
  return new Map(tools.flatMap(([folder, tool]) => (tool ? [[folder, tool.bench] as const] : [])));
}
