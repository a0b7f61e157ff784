/**
 * The account's page, on the API's port: Workers, classes, stored data, changes and calls. It is read-only. The page is
 * a document, a style sheet and a few scripts (client/), which ask for the data as JSON.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { type Context, Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { secureHeaders } from "hono/secure-headers";
import { loopbackOnly } from "../api/guards.ts";
import { TooLarge } from "../runtime/sqlite-bytes.ts";
import { Explorer, NotThere } from "./explorer.ts";
import { overview, type ViewOptions } from "./overview.ts";

const CLIENT = path.join(import.meta.dirname, "client");

/** The files for the browser, by path. */
const FILES = new Map([
  ["/", file("text/html", import.meta.dirname, "view.html")],
  ["/view.css", file("text/css", import.meta.dirname, "view.css")],
  ...readdirSync(CLIENT)
    .filter((name) => name.endsWith(".js"))
    .map((name) => [`/view/${name}`, file("text/javascript", CLIENT, name)] as const),
]);

const POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  connectSrc: ["'self'"],
  imgSrc: ["data:"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
  requireTrustedTypesFor: ["'script'"],
};

/**
 * The page and its data. Needs no token, so every user of this machine can read it (SECURITY.md): it shows no secrets, and
 * answers no pages of other sites.
 */
export function view(options: ViewOptions): Hono {
  const explorer = new Explorer(options.account);
  const app = new Hono();
  app.use(loopbackOnly, secureHeaders({ contentSecurityPolicy: POLICY, xFrameOptions: "DENY" }));
  for (const [at, { type, text }] of FILES)
    app.get(at, (c) => c.body(text, 200, { "content-type": `${type}; charset=utf-8`, "cache-control": "no-cache" }));
  return app.route("/data", data(options, explorer));
}

function data(options: ViewOptions, explorer: Explorer): Hono {
  const app = new Hono();
  app.onError((error, c) => {
    if (error instanceof NotThere || error instanceof TooLarge) return c.json({ error: error.message }, 404);
    console.error(`${c.req.path} failed:`, error);
    return c.json({ error: `The account could not read this: ${error.message}` }, 500);
  });
  return app
    .use(samePage)
    .get("/overview", async (c) => fresh(c, await overview(options, new URL("/client/v4", c.req.url).href)))
    .get("/objects/:namespace", async (c) => fresh(c, await explorer.objects(c.req.param("namespace"), pageOf(c))))
    .get("/objects/:namespace/find", async (c) =>
      fresh(c, await explorer.find(c.req.param("namespace"), c.req.query("name") ?? "")),
    )
    .get("/objects/:namespace/:object", async (c) =>
      fresh(c, await explorer.object(c.req.param("namespace"), c.req.param("object"), c.req.query("table"), pageOf(c))),
    )
    .get("/databases/:id", async (c) =>
      fresh(c, await explorer.database(c.req.param("id"), c.req.query("table"), pageOf(c))),
    )
    .get("/kv/:id", async (c) => fresh(c, await explorer.keys(c.req.param("id"), c.req.query("after"))))
    .get("/kv/:id/value", async (c) => fresh(c, await explorer.value(c.req.param("id"), c.req.query("key") ?? "")))
    .get("/buckets/:key", async (c) => fresh(c, await explorer.bucket(c.req.param("key"), c.req.query("after"))));
}

/** Refuses other sites' pages. A browser says where a request comes from. */
const samePage = createMiddleware(async (c, next) => {
  const site = c.req.header("sec-fetch-site") ?? "same-origin";
  const origin = c.req.header("origin");
  const isOwn =
    (site === "same-origin" || site === "none") && (origin === undefined || origin === new URL(c.req.url).origin);
  return isOwn ? next() : c.json({ error: "Only the account's own page may read this." }, 403);
});

/** The answer, or 304 if the page has it already. */
function fresh(c: Context, body: object): Response {
  const text = JSON.stringify(body);
  const etag = `"${createHash("sha256").update(text).digest("hex").slice(0, 32)}"`;
  const headers = { etag, "cache-control": "no-cache" };
  return c.req.header("if-none-match") === etag
    ? c.body(null, 304, headers)
    : c.body(text, 200, { ...headers, "content-type": "application/json" });
}

/** The page number of the request; the first page if it is not a number. */
function pageOf(c: Context): number {
  const page = Number(c.req.query("page") ?? 1);
  return Number.isSafeInteger(page) ? page : 1;
}

function file(type: string, ...at: string[]): { readonly type: string; readonly text: string } {
  return { type, text: readFileSync(path.join(...at), "utf8") };
}
