/**
 * What a stack tells the Worker through its JSON bindings SETTINGS, REGIONS and RELEASE.
 *
 * These schemas are the contract with infra/, whose tests parse with them what the program produces.
 */
import * as v from "valibot";

const Name = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,30}$/, "must be lower case letters, digits and hyphens"));
const Count = (max: number) => v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(max));

export const RateLimit = v.object({
  /** Tokens in a full bucket. */
  capacity: Count(1_000_000),
  /** Seconds in which an empty bucket fills up. */
  periodSeconds: Count(86_400),
});

export const Settings = v.object({
  environment: Name,
  /** Origins, besides the Worker's own, whose pages may call it: `https://app.example.com`. */
  corsOrigins: v.array(
    v.pipe(
      v.string(),
      v.check((origin) => URL.canParse(origin) && new URL(origin).origin === origin, "must be an origin"),
    ),
  ),
  /** Whether anybody may create a guest session. For local stacks only. */
  demoLogin: v.boolean(),
  session: v.object({ slidingMinutes: Count(1_440), absoluteHours: Count(720), maxPerUser: Count(1_000) }),
  chat: v.object({
    /** Messages that a room keeps. */
    historyLimit: Count(10_000),
    /** Days after which a room deletes a message, with its attachment. For ever, up to the limit, where not set. */
    retentionDays: v.optional(Count(3_650)),
  }),
  /** Token buckets by policy; a policy that is not here uses `default`. */
  rateLimits: v.objectWithRest({ default: RateLimit }, RateLimit),
});
export type Settings = v.InferOutput<typeof Settings>;

/** Where Cloudflare is asked to place an object. Best effort; only an object's first caller decides. */
const LocationHint = v.picklist(["wnam", "enam", "sam", "weur", "eeur", "apac", "oc", "afr", "me"]);
const Jurisdiction = v.picklist(["eu", "us", "fedramp", "fedramp-high"]);
const Continent = v.picklist(["AF", "AN", "AS", "EU", "NA", "OC", "SA"]);

export const Region = v.object({
  /** What callers write before the `~` of an id. */
  id: Name,
  /** What stands in the names of the region's objects. Never change it where objects exist. */
  prefix: Name,
  locationHint: LocationHint,
  /** Where the region's objects must stay, by law rather than by preference. */
  jurisdiction: v.optional(Jurisdiction),
  /** Continents whose callers get new ids in this region. */
  continents: v.array(Continent),
});
export type Region = v.InferOutput<typeof Region>;

const distinct = (regions: Region[], key: "id" | "prefix") =>
  new Set(regions.map((region) => region[key])).size === regions.length;

export const Regions = v.pipe(
  v.object({
    /** Before every region prefix, so that two environments never share an object's name. */
    environmentPrefix: v.union([v.literal(""), v.pipe(v.string(), v.regex(/^[a-z][a-z0-9]{0,15}-$/))]),
    /** The region of ids that name none. */
    home: Name,
    regions: v.pipe(v.array(Region), v.nonEmpty()),
  }),
  v.check(({ regions }) => distinct(regions, "id"), "two regions have the same id"),
  v.check(({ regions }) => distinct(regions, "prefix"), "two regions have the same prefix"),
  v.check(({ home, regions }) => regions.some(({ id }) => id === home), "home is not the id of a region"),
);
export type Regions = v.InferOutput<typeof Regions>;

export const Release = v.object({
  /** SHA-256 of the bundle. */
  digest: v.string(),
  /** The last migration of the Durable Object classes that this release knows. */
  migration: v.string(),
  commit: v.optional(v.string()),
});
export type Release = v.InferOutput<typeof Release>;

const Stack = v.object({ SETTINGS: Settings, REGIONS: Regions, RELEASE: Release });

/** A stack as the Worker sees it. */
export interface Stack {
  settings: Settings;
  regions: Regions;
  release: Release;
}

const stacks = new WeakMap<object, Stack>();

/** The stack of this environment, parsed once. Throws, naming every bad setting, where the bindings are wrong. */
export function stackOf(env: object): Stack {
  const known = stacks.get(env);
  if (known) return known;
  const parsed = v.safeParse(Stack, env);
  if (!parsed.success) {
    const wrong = parsed.issues.map((issue) => `${v.getDotPath(issue) ?? "bindings"}: ${issue.message}`);
    throw new Error(`The Worker's bindings are wrong; correct the stack's config. ${wrong.join("; ")}`);
  }
  const { SETTINGS: settings, REGIONS: regions, RELEASE: release } = parsed.output;
  const stack = { settings, regions, release };
  stacks.set(env, stack);
  return stack;
}
