/** The ids of objects that a stack's settings name: each must have a place, and none may have two. */
import { REGION_SEPARATOR } from "../../contract/regions.ts";
import type { PatternFacts } from "../../worker/pattern.ts";
import { patterns } from "../../worker/patterns.ts";
import { isObject } from "../common/unknown.ts";

const all: readonly PatternFacts[] = patterns;

/** What is wrong with the ids: the setting's path and what is wrong there. `given` may have any other mistakes. */
export function idProblems(
  given: unknown,
  homeRegion: string,
  regions: readonly string[],
): readonly (readonly [path: string, message: string])[] {
  return all.flatMap(({ idsIn = [] }) =>
    idsIn.flatMap((path) => {
      const seen = new Map<string, string>();
      return keysAt(given, path).flatMap((written): [string, string][] => {
        const [id = "", region = homeRegion] = written.normalize("NFC").split(REGION_SEPARATOR).reverse();
        if (!regions.includes(region))
          return [[path, `names "${written}", and there is no region "${region}"; there are: ${regions.join(", ")}`]];
        const place = JSON.stringify([region, id]);
        const before = seen.get(place);
        seen.set(place, written);
        return before === undefined ? [] : [[path, `names the same object twice, as "${before}" and as "${written}"`]];
      });
    }),
  );
}

/** The keys of the object at a path like `counter.shards`; none if there is none. */
function keysAt(given: unknown, path: string): readonly string[] {
  let at: unknown = given;
  for (const name of path.split(".")) at = isObject(at) ? Reflect.get(at, name) : undefined;
  return isObject(at) ? Object.keys(at) : [];
}
