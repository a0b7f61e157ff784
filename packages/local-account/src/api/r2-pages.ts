/** Pages of a list of buckets. They have cursors instead of numbers. */
import type { Context } from "hono";
import { invalid } from "../errors.ts";
import type { Bucket } from "../model.ts";
import { choice, DIRECTIONS, ordered } from "./ordering.ts";

const MOST_PER_PAGE = 1_000;

interface BucketPage {
  readonly buckets: readonly Bucket[];
  readonly count: number;
  readonly per_page: number;
  /** Where the next page begins; missing after the last. */
  readonly cursor?: string;
}

/** The buckets that a query asks for, in the order of their names. @throws ApiError 10021 with a wrong parameter. */
export function pageOfBuckets(c: Context, all: readonly Bucket[]): BucketPage {
  choice(c, "order", ["name"]);
  const direction = choice(c, "direction", DIRECTIONS) ?? "asc";
  const phrase = c.req.query("name_contains") ?? "";
  const start = startOf(c);
  const isAfter = ({ name }: Bucket) => start === "" || (direction === "asc" ? name > start : name < start);
  const found = ordered(all, ({ name }) => name, direction).filter(
    (bucket) => bucket.name.includes(phrase) && isAfter(bucket),
  );
  const perPage = perPageOf(c);
  const buckets = found.slice(0, perPage);
  const last = found.length > perPage ? buckets.at(-1) : undefined;
  return {
    buckets,
    count: buckets.length,
    per_page: perPage,
    ...(last !== undefined && { cursor: Buffer.from(last.name).toString("base64url") }),
  };
}

/** The name after which the page begins. The cursor is the last name of the page before. */
function startOf(c: Context): string {
  const cursor = c.req.query("cursor") ?? "";
  if (cursor === "") return c.req.query("start_after") ?? "";
  const name = Buffer.from(cursor, "base64url").toString();
  if (!/^[a-z0-9-]+$/.test(name)) throw invalid(`cursor: '${cursor}' is not from an earlier page.`);
  return name;
}

function perPageOf(c: Context): number {
  const sent = c.req.query("per_page") || String(MOST_PER_PAGE);
  if (!/^\d{1,4}$/.test(sent) || Number(sent) < 1 || Number(sent) > MOST_PER_PAGE)
    throw invalid(`per_page: '${sent}' must be a whole number from 1 to ${MOST_PER_PAGE}.`);
  return Number(sent);
}
