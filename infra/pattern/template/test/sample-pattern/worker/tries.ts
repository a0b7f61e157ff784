/** How the routes of the sample pattern are tried for docs/access.md. */
import { unique } from "../../worker/helpers.ts";
import type { Tries } from "../../worker/tries.ts";

export const tries: Tries = {
  "GET /sample-pattern/:id": () => ({ path: `/sample-pattern/${unique()}` }),
  "POST /sample-pattern/:id": () => ({ path: `/sample-pattern/${unique()}`, json: { text: "hello" } }),
};
