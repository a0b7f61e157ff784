/** Calls of the sessions' routes, to check docs/access.md. */
import type { Tries } from "../../worker/tries.ts";

export const tries: Tries = {
  "POST /session": () => ({ path: "/session", json: { userId: "eve" } }),
  "POST /session/create": () => ({ path: "/session/create", json: { userId: "eve" } }),
  "GET /session": () => ({ path: "/session" }),
  "GET /session/get": () => ({ path: "/session/get" }),
  "DELETE /session": () => ({ path: "/session", method: "DELETE" }),
  "POST /session/rotate": () => ({ path: "/session/rotate", method: "POST" }),
  "GET /session/user/:userId": (owner) => ({ path: `/session/user/${owner}` }),
  "DELETE /session/user/:userId": (owner) => ({ path: `/session/user/${owner}`, method: "DELETE" }),
  "DELETE /session/user/:userId/:sessionId": (owner) => ({
    path: `/session/user/${owner}/none`,
    method: "DELETE",
    missing: true,
  }),
  "DELETE /session/invalidate": () => ({ path: "/session/invalidate", method: "DELETE" }),
};
