/** Where Cloudflare's real answers are known to differ from the SDK's types, and how we know it. */
import type { Breach } from "./check.ts";

export interface Exception {
  /** Tested against `<method> <route>`. */
  readonly routes: RegExp;
  /** With `[]` for each item of a list. */
  readonly fields: readonly string[];
  readonly rule: Breach["rule"];
  readonly source: string;
}

export const EXCEPTIONS: readonly Exception[] = [
  {
    routes: /^GET /,
    fields: ["count", "total_count", "total_pages"].map((name) => `result_info.${name}`),
    rule: "unknown",
    source: "https://developers.cloudflare.com/fundamentals/api/how-to/make-api-calls/#pagination",
  },
];
