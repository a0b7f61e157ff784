/**
 * R2's S3 endpoint: `http://127.0.0.1:<apiPort>/cdn-cgi/local/r2/s3/<bucket>/<key>`. Miniflare serves it and checks the
 * signatures (SigV4). The path is part of what a client signs, so it cannot be a nicer one.
 */
import { request } from "node:http";
import { pipeline } from "node:stream";
import type { HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono, type HonoRequest } from "hono";
import type { Account } from "../account.ts";
import { corsHeaders } from "../bucket-rules.ts";
import { isAccounts } from "../hops.ts";
import { bucketDirectory } from "../runtime/projection.ts";

/** Where S3 clients find the buckets. */
export const S3_PATH = "/cdn-cgi/local/r2/s3";

/** Passes requests on to workerd as they are, and follows the CORS rules of the buckets. */
export const s3 = (account: Account) =>
  new Hono<{ Bindings: HttpBindings }>().all("*", async (c) => {
    const cors = corsOf(account, c.req);
    if (c.req.method === "OPTIONS")
      return cors === undefined
        ? c.body(NOT_ALLOWED, 403, { "content-type": "application/xml" })
        : c.body(null, 204, cors);
    await account.reachStorage();
    await account.runtime.gate.open();
    const { incoming, outgoing } = c.env;
    const { promise, resolve } = Promise.withResolvers<void>();
    outgoing.on("close", resolve);
    account.runtime.gate.track(promise);
    const headers = Object.fromEntries(Object.entries(incoming.headers).filter(([name]) => !isAccounts(name)));
    const upstream = request(account.runtime.s3, {
      method: incoming.method,
      path: incoming.url,
      headers: { ...headers, "mf-original-hostname": incoming.headers.host ?? "" },
    });
    upstream.on("response", (response) => {
      outgoing.writeHead(response.statusCode ?? 502, { ...response.headers, ...cors });
      pipeline(response, outgoing, () => {});
    });
    upstream.on("error", () => {
      if (outgoing.headersSent) outgoing.destroy();
      else outgoing.writeHead(503, { "retry-after": "1" }).end();
    });
    pipeline(incoming, upstream, () => {});
    return RESPONSE_ALREADY_SENT;
  });

const NOT_ALLOWED =
  '<?xml version="1.0" encoding="UTF-8"?><Error><Code>Unauthorized</Code><Message>CORS not configured for this bucket</Message></Error>';

/** The CORS headers of an answer; undefined if the request does not come from another page, or is not allowed. */
function corsOf(account: Account, request: HonoRequest): Record<string, string> | undefined {
  const origin = request.header("origin");
  const [name] = request.path.slice(S3_PATH.length + 1).split("/");
  const bucket = [...account.state.buckets.values()].find(({ id }) => bucketDirectory(id) === name);
  if (origin === undefined || bucket === undefined) return undefined;
  const asked = request.header("access-control-request-headers") ?? "";
  return corsHeaders(bucket, {
    origin,
    method: request.header("access-control-request-method") ?? request.method,
    headers: asked.split(",").flatMap((header) => header.trim() || []),
  });
}
