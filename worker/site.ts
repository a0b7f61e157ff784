/** The demo page: three files that are built into the bundle (`npm run build:page`), each with an ETag. */
import { type Context, Hono } from "hono";
import type { App } from "./app.ts";
import { describe } from "./openapi.ts";
import { page as assets } from "./page/assets.gen.ts";

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

export const page = new Hono<App>()
  .get("/", describe("The demo page", { 200: "HTML" }), (c) => {
    c.header("Content-Security-Policy", CONTENT_SECURITY_POLICY);
    return asset(c, assets.html, "text/html; charset=utf-8");
  })
  .get("/page.css", describe("The page's style", { 200: "CSS" }), (c) =>
    asset(c, assets.css, "text/css; charset=utf-8"),
  )
  .get("/page.js", describe("The page's script", { 200: "JavaScript" }), (c) =>
    asset(c, assets.js, "text/javascript; charset=utf-8"),
  );

const etags = new Map<string, string>();

async function asset(c: Context<App>, text: string, type: string): Promise<Response> {
  const etag = etags.get(text) ?? (await etagOf(text));
  etags.set(text, etag);
  // Kept by browsers, but asked for each time: a new release shows at once and an old one costs no bytes.
  const headers = { ETag: etag, "Cache-Control": "no-cache" };
  const known = c.req
    .header("If-None-Match")
    ?.split(",")
    .map((tag) => tag.trim().replace(/^W\//, ""));
  if (known?.includes(etag)) return c.body(null, 304, headers);
  return c.body(text, 200, { ...headers, "Content-Type": type });
}

async function etagOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `"${new Uint8Array(digest).toHex().slice(0, 32)}"`;
}
