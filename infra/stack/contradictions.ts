/** Settings that are right each by itself, but not together. */
import * as v from "valibot";
import { idProblems } from "./ids.ts";

/** As much of the config as the contradictions are about, whatever else is wrong with it. */
const Related = v.object({
  homeRegion: v.fallback(v.optional(v.string()), undefined),
  regions: v.fallback(v.array(v.object({ id: v.fallback(v.string(), ""), prefix: v.fallback(v.string(), "") })), []),
  protect: v.fallback(v.optional(v.boolean()), undefined),
  access: v.optional(v.unknown()),
  demoLogin: v.optional(v.unknown()),
  zoneId: v.optional(v.unknown()),
  hostname: v.optional(v.unknown()),
  routes: v.fallback(v.array(v.unknown()), []),
  promotesFrom: v.optional(v.unknown()),
});

/** The ids of the regions that have one. */
export const regionIds = (given: Readonly<Record<string, unknown>>): readonly string[] =>
  v.parse(Related, given).regions.flatMap(({ id }) => (id === "" ? [] : id));

/** Settings of `stack` that are right each by itself but not together: the key and what is wrong. */
export function contradictions(
  stack: string,
  given: Readonly<Record<string, unknown>>,
): readonly (readonly [key: string, message: string])[] {
  const { homeRegion, regions, zoneId, hostname, routes, ...related } = v.parse(Related, given);
  const found: (readonly [string, string])[] = [];
  if (related.protect !== false) {
    if (related.access === "open") found.push(["access", "is open, which only a stack with protect: false may be"]);
    if (related.demoLogin === true) found.push(["demoLogin", "is on, which only a stack with protect: false may have"]);
  }
  if (related.promotesFrom === stack) {
    found.push([
      "promotesFrom",
      "must be another stack than this one, which would take nothing but what it serves already",
    ]);
  }
  const ids = regions.map(({ id }) => id);
  if (homeRegion !== undefined && ids.length && !ids.includes(homeRegion)) {
    found.push(["homeRegion", `must be the id of one of the regions, ${ids.join(", ")} (it is "${homeRegion}")`]);
  }
  if (homeRegion !== undefined) found.push(...idProblems(given, homeRegion, ids));
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice !== undefined) found.push(["regions", `have the id "${twice}" twice`]);
  const prefixes = regions.map(({ prefix }) => prefix).filter((prefix) => prefix !== "");
  const clash = ambiguous(prefixes);
  if (clash)
    found.push([
      "regions",
      `have the prefixes "${clash.join('" and "')}": one begins with the other, so that names made of them can be mistaken for each other`,
    ]);
  if (zoneId === undefined && (hostname !== undefined || routes.length)) {
    found.push(["zoneId", "is needed, because the stack has a hostname or routes"]);
  }
  return found;
}

/** Two of `prefixes` of which one begins with the other, or undefined. */
function ambiguous(prefixes: readonly string[]): readonly [string, string] | undefined {
  for (const [i, one] of prefixes.entries()) {
    const other = prefixes.find((candidate, j) => i !== j && candidate.startsWith(one));
    if (other !== undefined) return [one, other];
  }
  return undefined;
}
