/**
 * R2's S3 endpoint: `http://127.0.0.1:<apiPort>/cdn-cgi/local/r2/s3/<bucket>/<key>`. Miniflare serves it and checks the
 * signatures (SigV4). The path is part of what a client signs, so it cannot be a nicer one.
 *
 * It has no router in front: Hono makes a GET of every HEAD, and a GET's answer is not that of HeadObject.
 */
import { type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import type { Account } from "../account.ts";
import { corsHeaders } from "../bucket-rules.ts";
import { ApiError } from "../errors.ts";
import { isAccounts } from "../hops.ts";
import type { Bucket } from "../model.ts";
import { bucketDirectory } from "../runtime/names.ts";

/** Where S3 clients find the buckets. */
const S3_PATH = "/cdn-cgi/local/r2/s3";

/** Answers a request. It never throws: an exception in a listener would end the account. */
export type S3 = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

/** Whether a request is for the S3 endpoint. */
export const isForS3 = ({ url }: Pick<IncomingMessage, "url">): boolean => `${pathOf(url)}/`.startsWith(`${S3_PATH}/`);

/** Passes requests on to workerd as they are, and follows the CORS rules of the buckets. */
export const s3 =
  (account: Account): S3 =>
  (incoming, outgoing) =>
    void answer(account, incoming, outgoing).catch((error: unknown) => {
      if (error instanceof ApiError) {
        const code = error.status === 503 ? "ServiceUnavailable" : "InternalError";
        if (!outgoing.destroyed) refuse(outgoing, error.status, code, error.message);
        return;
      }
      console.error(`${incoming.method} ${incoming.url} failed; this is a bug:`, error);
      outgoing.destroy();
    });

async function answer(account: Account, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const { promise: answered, resolve } = Promise.withResolvers<void>();
  outgoing.on("close", resolve);
  const bucket = bucketOf(account, incoming);
  const cors = bucket && corsOf(bucket, incoming);
  if (incoming.method === "OPTIONS") {
    if (cors === undefined) refuse(outgoing, 403, "Unauthorized", "CORS not configured for this bucket");
    else outgoing.writeHead(204, cors).end();
    return;
  }
  await account.reachStorage();
  const { runtime } = account;
  if (bucket !== undefined && incoming.method !== "GET" && incoming.method !== "HEAD")
    void answered.then(await runtime.buckets.begin(bucket.id));
  // Without a signature, workerd refuses these all the same.
  if (isSigned(incoming) && isAboutBuckets(incoming)) {
    const instead = "The local account lists, creates and deletes buckets by the REST API only: wrangler r2 bucket";
    refuse(outgoing, 501, "NotImplemented", `${instead}.`);
    return;
  }
  const there = await runtime.gate.enter(answered, () => bucketOf(account, incoming));
  if (outgoing.destroyed) return;
  // workerd may still have a bucket that was deleted.
  if (isSigned(incoming) && there === undefined) {
    refuse(outgoing, 404, "NoSuchBucket", "The specified bucket does not exist.");
    return;
  }
  passOn(runtime.s3, incoming, outgoing, cors);
}

/** Sends the request to workerd, and its answer to the client. */
function passOn(
  to: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  cors: Record<string, string> | undefined,
): void {
  const upstream = request(to, {
    method: incoming.method,
    path: incoming.url,
    headers: { ...without(isNotPassedOn, incoming.headers), "mf-original-hostname": incoming.headers.host ?? "" },
  });
  upstream.on("response", (response) => {
    try {
      outgoing.writeHead(response.statusCode ?? 502, { ...without(isOfCors, response.headers), ...cors });
    } catch (error) {
      console.error(`The answer to ${incoming.method} ${incoming.url} cannot be passed on:`, error);
      response.destroy();
      outgoing.destroy();
      return;
    }
    pipeline(response, outgoing, () => {});
  });
  upstream.on("error", () => {
    if (outgoing.headersSent) outgoing.destroy();
    else outgoing.writeHead(503, { "retry-after": "1" }).end();
  });
  pipeline(incoming, upstream, () => {});
}

/** Not the origin either: Miniflare lets pages of this machine only, and the bucket's rules may let others. */
const isNotPassedOn = (name: string) => isAccounts(name) || name === "origin";

/** Miniflare lets every page read every bucket; the bucket's rules decide that here. */
const isOfCors = (name: string) => name.startsWith("access-control-");

const without = (isLeftOut: (name: string) => boolean, headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !isLeftOut(name)));

/** In the form of S3's errors. */
function refuse(outgoing: ServerResponse, status: number, code: string, message: string): void {
  outgoing
    .writeHead(status, { "content-type": "application/xml" })
    .end(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`);
}

/** Without `.` and `..`, which workerd resolves too. */
const pathOf = (url = "/") => URL.parse(url, "http://localhost")?.pathname ?? "/";

const isSigned = ({ headers, url = "" }: IncomingMessage) =>
  headers.authorization !== undefined || /[?&]x-amz-signature=/i.test(url);

/** Whether a request lists all buckets, or creates or deletes one: what Miniflare's endpoint does not have. */
function isAboutBuckets({ method, url }: IncomingMessage): boolean {
  const [, key] = /^\/[^/]+\/(.+)$/.exec(pathOf(url).slice(S3_PATH.length)) ?? [];
  if (bucketNameOf({ url }) === "") return true;
  // With a query such as `?cors` it is about a setting of the bucket, which Miniflare refuses by its name.
  const asks = URL.parse(url ?? "/", "http://localhost")?.searchParams ?? new URLSearchParams();
  const setting = [...asks.keys()].some((name) => name !== "x-id" && !name.toLowerCase().startsWith("x-amz-"));
  return key === undefined && !setting && (method === "PUT" || method === "DELETE");
}

/** Empty if the request is about all buckets. */
const bucketNameOf = ({ url }: Pick<IncomingMessage, "url">): string =>
  pathOf(url)
    .slice(S3_PATH.length + 1)
    .split("/", 1)
    .join();

function bucketOf(account: Account, incoming: IncomingMessage): Bucket | undefined {
  const name = bucketNameOf(incoming);
  return [...account.state.buckets.values()].find(({ id }) => bucketDirectory(id) === name);
}

/** The CORS headers of an answer; undefined if the request does not come from another page, or is not allowed. */
function corsOf(bucket: Bucket, { method = "GET", headers }: IncomingMessage): Record<string, string> | undefined {
  const { origin } = headers;
  if (origin === undefined) return undefined;
  const asked = headers["access-control-request-headers"] ?? "";
  return corsHeaders(bucket, {
    origin,
    method: headers["access-control-request-method"] ?? method,
    headers: asked.split(",").flatMap((header) => header.trim() || []),
  });
}
