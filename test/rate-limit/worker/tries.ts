/** Calls of the limiter's own routes, to check docs/access.md. */
import type { Tries } from "../../worker/tries.ts";

export const tries: Tries = {
  "GET /limit": () => ({ path: "/limit" }),
  "POST /limit/check": () => ({ path: "/limit/check", json: {} }),
};
