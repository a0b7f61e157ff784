/**
 * All of Pulumi.<stack>.yaml as one schema: every key, what it may be, and what it is if it is not set. What the Worker
 * is told too is in contract/settings.ts. Pulumi.yaml declares the same keys for `pulumi new` and `pulumi config`; a test
 * holds the two together.
 */
import * as v from "valibot";
import { EnvironmentPrefix, Region, RegionName } from "../../contract/regions.ts";
import { sharedSettings } from "../../contract/settings.ts";
import { slug, whole, yesOrNo } from "../../contract/values.ts";
import { Analysis, DEFAULT_STEPS, Steps } from "./rollout-steps.ts";
import { WorkerName } from "./worker-name.ts";

const hexId = v.pipe(v.string("must be text"), v.regex(/^[0-9a-f]{32}$/, "must be 32 lower-case hex digits"));
/** A host name of a zone. */
export const Hostname = v.pipe(
  v.string("must be text"),
  v.regex(
    /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$/,
    "must be a host name like api.example.com",
  ),
);

/** The regions of a stack whose file names none, as after `pulumi new`. */
export const DEFAULT_REGIONS: v.InferInput<typeof Region>[] = [
  { id: "eu", prefix: "eu", locationHint: "weur", continents: ["EU", "AF"] },
  { id: "us", prefix: "us", locationHint: "enam", continents: ["NA", "SA"] },
  { id: "ap", prefix: "ap", locationHint: "apac", continents: ["AS", "OC", "AN"] },
];

const MIN_LENGTH = 24;
/** Fewer than a random token has: 24 hex digits have under 8 different ones once in about 200 million. */
const MIN_DIFFERENT = 8;

/** What a caller can show as `Authorization: Bearer` (RFC 6750, 2.1), and nobody tries out. */
const adminToken = v.pipe(
  v.string("must be text"),
  v.minLength(MIN_LENGTH, `must have at least ${MIN_LENGTH} characters`),
  v.maxLength(512, "must have at most 512 characters"),
  v.regex(/^[\w.~+/-]+=*$/, "must be of A-Z a-z 0-9 - . _ ~ + / with = only at its end, or no caller can show it"),
  v.check(
    (token) => token.length < MIN_LENGTH || new Set(token).size >= MIN_DIFFERENT,
    `must have at least ${MIN_DIFFERENT} different characters: it is too easy to guess`,
  ),
);

/** Why a Worker does not take an admin token, in words; undefined: it does. The token is not among them. */
export function adminTokenProblem(token: string): string | undefined {
  const { issues } = v.safeParse(adminToken, token);
  return issues?.[0].message;
}

/** A release for which a guard is lifted, and that guard for no other. */
const oneRelease = v.pipe(
  v.string("must be text"),
  v.regex(/^[0-9a-f]{12,64}$/, "must be the first 12 digits of a release's digest, in quotes"),
);

/** The same, or all of them. */
const allowedRelease = v.pipe(
  v.string("must be text"),
  v.regex(/^(any|[0-9a-f]{12,64})$/, "must be the first 12 digits of a release's digest, in quotes, or any"),
);

/** Every key of a stack's config, without the project's name in front. */
export const Schema = v.object({
  accountId: hexId,
  workerName: WorkerName,
  adminToken,
  /** The token before, which is accepted too while callers change over (docs/rotate.md). */
  adminTokenPrevious: v.optional(adminToken),
  protect: v.optional(yesOrNo, true),
  release: v.optional(v.pipe(v.string("must be text"), v.nonEmpty("must name a folder")), "dist/release"),
  promotesFrom: v.optional(slug(100)),
  /** How long that stack must have served a release before `npm run promote` takes it. */
  soakMinutes: v.optional(whole(0, 10_080), 0),
  promotionOverride: v.optional(
    v.pipe(
      v.string("must be text"),
      v.regex(/^[0-9a-f]{12} [\x20-\x7e]{3,500}$/, "must be the first 12 digits of a release's digest, then why"),
    ),
  ),
  rollout: v.optional(whole(0, 100), 100),
  rolloutTrial: v.optional(yesOrNo, false),
  rolloutSteps: v.optional(Steps, [...DEFAULT_STEPS]),
  rolloutAnalysis: v.optional(Analysis, {}),
  refusedReleases: v.optional(
    v.pipe(
      v.string("must be text"),
      v.regex(
        /^[0-9a-f]{12}( [0-9a-f]{12})*$/,
        "must be the first 12 digits of releases' digests, with a space between them",
      ),
    ),
  ),
  pin: v.optional(whole(0, 1_000_000), 0),
  allowDestroy: v.optional(v.array(v.string("must be a class name"), "must be a list of class names"), []),
  allowTransferLoss: v.optional(v.array(v.string("must be a class name"), "must be a list of class names"), []),
  allowRegionLoss: v.optional(v.array(v.string("must be a prefix like prd-eu"), "must be a list of prefixes"), []),
  allowOlderRelease: v.optional(allowedRelease),
  allowDirtyRelease: v.optional(allowedRelease),
  allowRefusedRelease: v.optional(allowedRelease),
  /** Without `any`: that would be no promotion any more. */
  allowMissedRelease: v.optional(oneRelease),
  adopt: v.optional(yesOrNo, false),
  allowDrop: v.optional(v.array(v.string("must be a binding's name"), "must be a list of names"), []),
  /** Values of variables of wrangler.jsonc in this stack. */
  vars: v.optional(v.record(v.string(), v.unknown()), {}),
  /** What bindings of wrangler.jsonc lead to in this stack: an id of KV or D1, the name of a bucket, Worker or queue. */
  bind: v.optional(v.record(v.string(), v.pipe(v.string("must be text"), v.nonEmpty("must not be empty"))), {}),
  zoneId: v.optional(hexId),
  hostname: v.optional(Hostname),
  routes: v.optional(
    v.array(
      v.pipe(
        v.string("must be a route pattern"),
        v.regex(/^[^/\s]+\/?\S*$/, "must be a route pattern like example.com/api/*"),
      ),
    ),
    [],
  ),
  environmentPrefix: EnvironmentPrefix,
  homeRegion: RegionName,
  regions: v.pipe(v.array(Region, "must be a list of regions"), v.nonEmpty("must have at least one region")),
  ...sharedSettings,
});

/** The keys of a stack's config, as Pulumi.yaml must declare them. */
export const CONFIG_KEYS: readonly string[] = Object.keys(Schema.entries);

export type SettingKey = keyof typeof Schema.entries;

/** Keys whose values are secret: what a command cannot read, and does not need. */
export const SECRET = ["adminToken", "adminTokenPrevious"] as const;
export const SECRET_KEYS: readonly string[] = SECRET;

/** The same without what only the Pulumi CLI can decrypt: what a command can know of a stack. */
export const PublicSchema = v.omit(Schema, SECRET);

/** The same for traffic on its way back, which no version is made for: only a version needs the admin token. */
export const BackSchema = v.object({ ...Schema.entries, adminToken: v.optional(adminToken) });

/** The members of a valibot schema that say whether it takes text. */
interface Part {
  readonly type: string;
  readonly wrapped?: Part;
}

const takesText = ({ type, wrapped }: Part): boolean =>
  type === "string" || (wrapped !== undefined && takesText(wrapped));

/** Keys whose value is text even where it looks like a number: an id of digits only, say. */
export const TEXT_KEYS: ReadonlySet<string> = new Set(
  Object.entries(Schema.entries).flatMap(([key, part]) => (takesText(part) ? [key] : [])),
);
