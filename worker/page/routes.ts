/**
 * The demo page: three compressed files in the bundle (`npm run build:page`), and one for each panel that loads more when
 * it is used; each with an ETag.
 */
import type { Context } from "hono";
import { wantedOf } from "../http/accept.ts";
import type { App } from "../http/context.ts";
import { Hono } from "../http/hono.ts";
import { describe, sends } from "../http/openapi.ts";
import { refusal } from "../http/problem.ts";
import { type Asset, page as assets, later } from "./assets.gen.js";

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HTML = "text/html; charset=utf-8";
const CSS = "text/css; charset=utf-8";
const JAVASCRIPT = "text/javascript; charset=utf-8";

const fileOf = (what: string, type: string) =>
  describe(what, { 200: sends(what, type), 304: "The caller has this file already (If-None-Match)" });

export const page = new Hono()
  .get("/", fileOf("The demo page", HTML), (c) =>
    asset(c, assets.html, HTML, { "Content-Security-Policy": CONTENT_SECURITY_POLICY }),
  )
  .get("/page.css", fileOf("The page's style", CSS), (c) => asset(c, assets.css, CSS))
  .get("/page.js", fileOf("The page's script", JAVASCRIPT), (c) => asset(c, assets.js, JAVASCRIPT))
  .get("/later/:file", fileOf("What a panel loads when it is used", JAVASCRIPT), (c) => {
    const file = laterFiles.get(c.req.param("file"));
    if (!file) throw refusal("not-found", "No panel loads this file");
    return asset(c, file, JAVASCRIPT);
  });

const laterFiles = new Map(Object.entries(later).map(([folder, file]) => [`${folder}.js`, file]));

function asset(c: Context<App>, { gzip, etag }: Asset, type: string, more: Record<string, string> = {}): Response {
  // Browsers keep the files but ask each time: a new release shows at once, and an unchanged file costs no bytes. The tag
  // is a weak one, because the file has it compressed and not (RFC 9110, 8.8.1).
  const headers = { ...more, ETag: `W/${etag}`, "Cache-Control": "no-cache", Vary: "Accept-Encoding" };
  const known = c.req
    .header("If-None-Match")
    ?.split(",")
    .map((tag) => tag.trim().replace(/^W\//, ""));
  if (known?.includes(etag)) return c.body(null, 304, headers);
  const bytes = Uint8Array.fromBase64(gzip);
  if (wantedOf(acceptedEncodings(c.req.raw), ["identity", "gzip"]) === "gzip") {
    return new Response(bytes, {
      headers: { ...headers, "Content-Type": type, "Content-Encoding": "gzip" },
      encodeBody: "manual",
    });
  }
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(plain, { headers: { ...headers, "Content-Type": type } });
}

/** The client's own `Accept-Encoding`. Cloudflare replaces the header by its own, and keeps the client's in `cf`. */
function acceptedEncodings(request: Request): string {
  const own = request.cf?.clientAcceptEncoding;
  return typeof own === "string" ? own : (request.headers.get("Accept-Encoding") ?? "");
}
