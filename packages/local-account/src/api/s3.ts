/**
 * R2's S3 endpoint: `http://127.0.0.1:<apiPort>/cdn-cgi/local/r2/s3/<bucket>/<key>`. Miniflare serves it and checks the
 * signatures (SigV4). The path is part of what a client signs, so it cannot be a nicer one.
 */
import { request } from "node:http";
import { pipeline } from "node:stream";
import type { HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";
import type { Account } from "../account.ts";

/** Where S3 clients find the buckets. */
export const S3_PATH = "/cdn-cgi/local/r2/s3";

/** Passes requests on to workerd as they are. */
export const s3 = (account: Account) =>
  new Hono<{ Bindings: HttpBindings }>().all("*", async (c) => {
    await account.reachStorage();
    await account.runtime.open();
    const { incoming, outgoing } = c.env;
    const { promise, resolve } = Promise.withResolvers<void>();
    outgoing.on("close", resolve);
    account.runtime.track(promise);
    const headers = Object.fromEntries(
      Object.entries(incoming.headers).filter(([name]) => !/^(mf|account)-/.test(name)),
    );
    const upstream = request(account.runtime.entry, {
      method: incoming.method,
      path: incoming.url,
      headers: { ...headers, "mf-original-hostname": incoming.headers.host ?? "" },
    });
    upstream.on("response", (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      pipeline(response, outgoing, () => {});
    });
    upstream.on("error", () => {
      if (outgoing.headersSent) outgoing.destroy();
      else outgoing.writeHead(503, { "retry-after": "1" }).end();
    });
    pipeline(incoming, upstream, () => {});
    return RESPONSE_ALREADY_SENT;
  });
