/** What a file has and no schema knows. */

/** The paths of members that are in `given` and not in what a schema made of it, which drops what it does not know. */
export function unknownPaths(given: unknown, parsed: unknown, path: readonly string[] = []): readonly string[] {
  if (!isObject(given) || !isObject(parsed)) return [];
  return Object.entries(given).flatMap(([name, value]) => {
    const here = [...path, name];
    return Object.hasOwn(parsed, name) ? unknownPaths(value, Reflect.get(parsed, name), here) : [here.join(".")];
  });
}

/** Lists too: their members have their numbers as names. */
export const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
