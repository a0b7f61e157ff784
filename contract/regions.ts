/** The region table: where the objects of a stack may live, and the prefixes of their names. */
import * as v from "valibot";
import { oneOf, slug } from "./values.ts";

/** Separates region and id in the ids that callers write. */
export const REGION_SEPARATOR = "~";

/** The most characters of a region's id, and of its prefix. */
const MAX_NAME = 31;

/** Where to ask Cloudflare to place an object. Best effort, and only at the first call to an object. */
const LOCATION_HINTS = ["wnam", "enam", "sam", "weur", "eeur", "apac", "oc", "afr", "me"] as const;
export const JURISDICTIONS = ["eu", "us", "fedramp", "fedramp-high"] as const;
const CONTINENTS = ["AF", "AN", "AS", "EU", "NA", "OC", "SA"] as const;

export const RegionName = slug(MAX_NAME);

export const Region = v.object({
  /** What callers write before the `~` of an id. */
  id: RegionName,
  /** A part of the names of the region's objects. Never change it once objects exist. */
  prefix: RegionName,
  locationHint: oneOf(LOCATION_HINTS),
  /** Where the law says that the region's objects must stay. */
  jurisdiction: v.optional(oneOf(JURISDICTIONS)),
  /** Callers on these continents get new ids in this region. */
  continents: v.optional(v.array(oneOf(CONTINENTS)), []),
});
export type Region = v.InferOutput<typeof Region>;

/** Comes before every region's prefix, so that two environments never share an object's name. */
export const EnvironmentPrefix = v.pipe(
  v.string("must be text"),
  v.regex(/^[a-z][a-z0-9]{0,15}-$/, "must be up to 16 lower-case letters and digits and a hyphen, like prd-"),
);

const distinct = (regions: Region[], key: "id" | "prefix") =>
  new Set(regions.map((region) => region[key])).size === regions.length;

export const Regions = v.pipe(
  v.object({
    environmentPrefix: v.union([v.literal(""), EnvironmentPrefix]),
    /** The region of ids that name no region. */
    home: RegionName,
    regions: v.pipe(v.array(Region), v.nonEmpty()),
  }),
  v.check(({ regions }) => distinct(regions, "id"), "two regions have the same id"),
  v.check(({ regions }) => distinct(regions, "prefix"), "two regions have the same prefix"),
  v.check(({ home, regions }) => regions.some(({ id }) => id === home), "home is not the id of a region"),
);
export type Regions = v.InferOutput<typeof Regions>;

/** The binding of the bucket for data that is too large for an object. Each jurisdiction has its own bucket. */
export const blobsBinding = (jurisdiction: Region["jurisdiction"]): string =>
  jurisdiction === undefined ? "BLOBS" : `BLOBS_${jurisdiction.toUpperCase().replaceAll("-", "_")}`;

/** The jurisdictions of a region table, each once. */
export const jurisdictionsOf = (regions: readonly Pick<Region, "jurisdiction">[]) => [
  ...new Set(regions.flatMap(({ jurisdiction }) => jurisdiction ?? [])),
];

/** The prefix of the names of a region's objects: `prd-eu`. */
export const namePrefix = (
  { environmentPrefix }: Pick<Regions, "environmentPrefix">,
  { prefix }: Pick<Region, "prefix">,
): string => `${environmentPrefix}${prefix}`;
