/** Calls of the counter's routes, to check docs/access.md. */
import { unique } from "../../worker/helpers.ts";
import type { Tries } from "../../worker/tries.ts";

export const tries: Tries = {
  "POST /counter/increment": () => ({ path: `/counter/increment?id=${unique()}`, json: {} }),
  "POST /counter/decrement": () => ({ path: `/counter/decrement?id=${unique()}`, json: {} }),
  "POST /counter/reset": () => ({ path: `/counter/reset?id=${unique()}`, json: {} }),
  "DELETE /counter": () => ({ path: `/counter?id=${unique()}`, method: "DELETE" }),
  "GET /counter": () => ({ path: `/counter?id=${unique()}` }),
  "GET /counter/value": () => ({ path: `/counter/value?id=${unique()}` }),
  "GET /counter/live": () => ({ path: `/counter/live?id=${unique()}`, headers: { Upgrade: "websocket" } }),
};
