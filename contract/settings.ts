/**
 * The settings that the Worker gets. A stack's file has the same keys with the same checks. Each pattern adds its own
 * (worker/<pattern>/pattern.ts).
 */
import * as v from "valibot";
import { patterns } from "../worker/patterns.ts";
import { Identity } from "./identity.ts";
import { oneOf, origin, slug, whole } from "./values.ts";

type Both<Union> = (Union extends unknown ? (each: Union) => void : never) extends (all: infer All) => void
  ? All
  : never;
/** The settings of all patterns, by key. */
type OfPatterns = Both<(typeof patterns)[number]["settings"]>;

const ofPatterns: OfPatterns = Object.assign({}, ...patterns.map(({ settings }) => settings));

/** By key, as in Pulumi.<stack>.yaml. */
export const sharedSettings = {
  /** Pages of these origins may call the Worker, besides its own page. */
  corsOrigins: v.optional(v.array(origin, "must be a list of origins"), []),
  /** `rules`: callers may do what worker/access.ts says. `open`: anybody may make the article's calls (README.md). */
  access: v.optional(oneOf(["rules", "open"]), "rules"),
  /** What only guests and anonymous callers have made is deleted after this many days without use. */
  anonymousDays: v.optional(whole(1, 3_650), 30),
  /** The issuer of tokens (JWT) by which callers are users, besides sessions. */
  identity: v.optional(Identity),
  ...ofPatterns,
};

/** Drops unknown keys instead of refusing them: the program may be newer than the release that it deploys. */
export const Settings = v.object({
  /** The stack's name. */
  environment: slug(31),
  ...sharedSettings,
});
export type Settings = v.InferOutput<typeof Settings>;
