/** What the patterns of this project cost: each test/<pattern>/cost.ts. */
import { patterns } from "../../worker/patterns.ts";
import { toolOf } from "../pattern/tools.ts";
import { type Costs, type PatternCost, together } from "./operation.ts";

/** In the patterns' order; one that brings no costs is left out. */
export async function costs(): Promise<Costs> {
  const tools = await Promise.all(patterns.map(({ folder }) => toolOf<{ cost: PatternCost }>(folder, "cost")));
  return together(tools.flatMap((tool) => (tool ? [tool.cost] : [])));
}
