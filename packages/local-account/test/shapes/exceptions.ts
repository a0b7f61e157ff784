/** Where Cloudflare's real answers are known to differ from the SDK's types, and how we know it. */
import type { Breach } from "./check.ts";

export interface Exception {
  /** Tested against `<method> <route>`. */
  readonly routes: RegExp;
  /** With `[]` for each item of a list, and `*` for each member of a map. */
  readonly fields: readonly string[];
  readonly rule: Breach["rule"];
  readonly source: string;
}

export const EXCEPTIONS: readonly Exception[] = [
  {
    routes: /\/r2\/buckets(\/:bucket)?$/,
    fields: ["result.location", "result.buckets[].location"],
    rule: "wrong",
    // Upper case.
    source: "https://github.com/cloudflare/terraform-provider-cloudflare/pull/6026",
  },
  {
    routes: /^GET .*\/r2\/buckets\/:bucket\/objects$/,
    fields: ["result_info.is_truncated", "result_info.delimited"],
    rule: "unknown",
    source:
      "https://developers.cloudflare.com/api/resources/r2/subresources/buckets/subresources/objects/methods/list/",
  },
  {
    routes: /^POST .*\/bulk\/get$/,
    fields: ["result.values.*"],
    rule: "wrong",
    // Null for a key that is not there, which the SDK's type has only for values with metadata.
    source: "https://developers.cloudflare.com/kv/api/read-key-value-pairs/",
  },
  {
    // wrangler 4.156 reads them; an answer of 2025 has them: its `resources.bindings` is a list.
    routes: /\/workers\/scripts\/:script\/versions(\/:version)?$/,
    fields: ["", ".items[]"].flatMap((at) => [`result${at}.metadata.has_preview`, `result${at}.annotations`]),
    rule: "unknown",
    source: "wrangler 4.156.2: `versions upload`, `versions list`, `versions view`",
  },
  {
    routes: /\/workers\/scripts\/:script\/versions(\/:version)?$/,
    fields: ["result.resources.bindings"],
    rule: "wrong",
    source: "wrangler 4.156.2: `versions view` goes through a list",
  },
  {
    routes: /\/durable_objects\/namespaces\/:namespace\/objects$/,
    fields: ["result_info.cursor"],
    rule: "unknown",
    source: "Cloudflare's OpenAPI document, in miniflare's local explorer: zDurableObjectsNamespaceListObjectsResponse",
  },
  {
    routes: /^POST .*\/d1\/database\/:database\/query$/,
    fields: ["result[].meta.served_by", "result[].meta.total_attempts"],
    rule: "unknown",
    source: "https://developers.cloudflare.com/d1/worker-api/return-object/",
  },
  {
    routes: /^PUT .*\/workers\/scripts\/:script$/,
    fields: ["result.deployment_id", "result.exports_reconciliation"],
    rule: "unknown",
    // The version's id without its hyphens, and what the deployment did to the classes.
    source: "wrangler 4.156.2 reads both in its `deploy`",
  },
  {
    routes: /\/queues(\/|$)/,
    fields: ["result.script", "result[].script", "result.consumers[].script", "result[].consumers[].script"],
    rule: "unknown",
    source: "wrangler 4.156.2 finds the consumer of a Worker by `script`: `queues consumer remove`, `deploy`",
  },
  {
    routes: /^GET .*\/r2\/buckets$/,
    fields: ["result_info"],
    rule: "unknown",
    source: "the SDK's own words for the parameter `cursor`: received during the last List Buckets call",
  },
  {
    routes: /^GET .*\/queues$/,
    fields: ["result_info"],
    rule: "unknown",
    source: "wrangler 4.156.2 reads the pages of this list: `deploy`",
  },
  {
    routes: /^GET .*\/workflows\/:workflow\/instances\/:instance$/,
    fields: ["result.steps[].end"],
    rule: "wrong",
    // Null while it waits for an event.
    source: "wrangler 4.156.2: `workflows instances describe`; miniflare's local explorer, executeGetInstanceDetails",
  },
  {
    routes: /^GET /,
    fields: ["count", "total_count", "total_pages"].map((name) => `result_info.${name}`),
    rule: "unknown",
    source: "https://developers.cloudflare.com/fundamentals/api/how-to/make-api-calls/#pagination",
  },
];
