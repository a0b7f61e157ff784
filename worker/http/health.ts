/** `GET /health`: what is running here. It calls no object and takes no token from the rate limiter. */

import * as v from "valibot";
import { regionOfCaller } from "../objects/names.ts";
import { stackOf } from "../stack.ts";
import { Hono } from "./hono.ts";
import { describe } from "./openapi.ts";

const Health = v.object({
  status: v.literal("ok"),
  environment: v.string(),
  /** Cloudflare's id of the Worker's version. */
  version: v.string(),
  digest: v.string(),
  migration: v.string(),
  commit: v.optional(v.string()),
  /** The region in which the caller would get new ids. */
  region: v.string(),
});

export const health = new Hono().get("/health", describe("What is running here", { 200: Health }), (c) => {
  const { settings, release } = stackOf(c.env);
  const answer: v.InferOutput<typeof Health> = {
    status: "ok",
    environment: settings.environment,
    version: c.env.VERSION.id,
    ...release,
    region: regionOfCaller(c).id,
  };
  return c.json(answer);
});
