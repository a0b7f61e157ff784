/** The order of a list, as a query asks for it. */
import type { Context } from "hono";
import { invalid } from "../errors.ts";

/** A parameter of the query with fixed values; undefined if it is not there. @throws ApiError 10021 for another. */
export function choice<const Name extends string>(
  c: Context,
  parameter: string,
  names: readonly Name[],
): Name | undefined {
  const sent = c.req.query(parameter);
  if (sent === undefined || sent === "") return undefined;
  const found = names.find((name) => name === sent);
  if (found === undefined) throw invalid(`${parameter}: '${sent}' must be one of ${names.join(", ")}.`);
  return found;
}

export const DIRECTIONS = ["asc", "desc"] as const;

/** The items in the order of their keys. */
export function ordered<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
  direction: (typeof DIRECTIONS)[number] = "asc",
): Item[] {
  const sorted = items.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0));
  return direction === "asc" ? sorted : sorted.reverse();
}
