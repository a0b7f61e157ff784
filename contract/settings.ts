/**
 * The settings that reach the Worker. A stack's file has the same keys with the same checks; each pattern brings its
 * own (worker/<pattern>/settings.ts).
 */
import * as v from "valibot";
import { chatSettings } from "../worker/chat/settings.ts";
import { rateLimitSettings } from "../worker/rate-limit/settings.ts";
import { sessionSettings } from "../worker/session/settings.ts";
import { origin, slug } from "./values.ts";

/** By key, as in Pulumi.<stack>.yaml. */
export const sharedSettings = {
  /** Origins, besides the Worker's own, whose pages may call it. */
  corsOrigins: v.optional(v.array(origin, "must be a list of origins"), []),
  ...sessionSettings,
  ...chatSettings,
  ...rateLimitSettings,
};

/** Unknown keys are dropped and not refused: a program may be newer than the release that it deploys. */
export const Settings = v.object({
  /** The stack's name. */
  environment: slug(31),
  ...sharedSettings,
});
export type Settings = v.InferOutput<typeof Settings>;
