/**
 * The settings that reach the Worker. A stack's file has the same keys with the same checks; each pattern brings its
 * own (worker/<pattern>/pattern.ts).
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
  /** Origins, besides the Worker's own, whose pages may call it. */
  corsOrigins: v.optional(v.array(origin, "must be a list of origins"), []),
  /** Whether callers need what the rules of worker/access.ts say, or the article's calls are open to anybody. */
  access: v.optional(oneOf(["rules", "open"]), "rules"),
  /** Days without use after which what guests and anonymous callers have made is deleted. */
  anonymousDays: v.optional(whole(1, 3_650), 30),
  /** The issuer whose tokens (JWT) make a caller a user, besides sessions. */
  identity: v.optional(Identity),
  ...ofPatterns,
};

/** Unknown keys are dropped and not refused: a program may be newer than the release that it deploys. */
export const Settings = v.object({
  /** The stack's name. */
  environment: slug(31),
  ...sharedSettings,
});
export type Settings = v.InferOutput<typeof Settings>;
