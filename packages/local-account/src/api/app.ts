/** The REST API: guards in front, one router per family of calls, and an answer for everything else. */
import { setTimeout as sleep } from "node:timers/promises";
import type { HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { type Context, Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { matchedRoutes } from "hono/route";
import { getPath } from "hono/utils/url";
import type { Account } from "../account.ts";
import type { Calls } from "../calls.ts";
import { faultOfDisk, isOfFullDisk, isOfMachine } from "../disk.ts";
import { ApiError, INTERNAL_ERROR } from "../errors.ts";
import { Expiring } from "../expiring.ts";
import type { Fault, Faults } from "../faults.ts";
import { LOOPBACK } from "../loopback.ts";
import { assetSessions, assetUploads } from "./assets.ts";
import { containers } from "./containers.ts";
import type { Api } from "./context.ts";
import { d1 } from "./d1.ts";
import { d1Download, d1Export, type ExportFiles } from "./d1-export.ts";
import { d1Import, d1Upload, type ImportFiles } from "./d1-import.ts";
import { d1TimeTravel } from "./d1-time-travel.ts";
import { deployments } from "./deployments.ts";
import { domains } from "./domains.ts";
import { durableObjects } from "./durable-objects.ts";
import { failure } from "./envelope.ts";
import { extras } from "./extras.ts";
import { graphql } from "./graphql.ts";
import { hyperdrive } from "./hyperdrive.ts";
import { kv } from "./kv.ts";
import { kvValues } from "./kv-values.ts";
import { queueMessages } from "./queue-messages.ts";
import { queueConsumers, queues } from "./queues.ts";
import { r2 } from "./r2.ts";
import { r2Objects } from "./r2-objects.ts";
import { r2Rules } from "./r2-rules.ts";
import { routes } from "./routes.ts";
import { schedules } from "./schedules.ts";
import { scriptVersions } from "./script-versions.ts";
import { scripts } from "./scripts.ts";
import { secrets, secretsBulk } from "./secrets.ts";
import { services } from "./services.ts";
import { settings } from "./settings.ts";
import { subdomain } from "./subdomain.ts";
import { tails } from "./tails.ts";
import { telemetry } from "./telemetry.ts";
import { triggers } from "./triggers.ts";
import { user } from "./user.ts";
import { versions } from "./versions.ts";
import { workers } from "./workers.ts";
import { workflows } from "./workflows.ts";
import { zones } from "./zones.ts";

/** Everything under `/client/v4`. */
export function api(context: Api, faults: Faults, onAnswer?: (answer: Answer) => void): Hono {
  const app = new Hono({ getPath: routedPath }).basePath("/client/v4");
  app.onError((error, c) => {
    if (error instanceof ApiError) return failure(c, error.status, error);
    if (isOfFullDisk(error))
      return failure(c, 500, {
        code: INTERNAL_ERROR,
        message: `The local account could not write this, because the disk of its folder is full (${error.message}). Make room there, and send the call again.`,
      });
    if (isOfMachine(error))
      return failure(c, 500, {
        code: INTERNAL_ERROR,
        message: `The local account could not do this, because of the disk of its folder: ${faultOfDisk(error)}. Correct that there, and send the call again.`,
      });
    console.error(`${c.req.method} ${c.req.path} failed:`, error);
    return failure(c, 500, {
      code: INTERNAL_ERROR,
      message: `Internal error of the local account, and not a mistake of yours: ${error.message}. Please file an issue for durable-stack with this message and the stack, which the account has printed.`,
    });
  });
  app.notFound((c) =>
    failure(c, 501, {
      code: 7000,
      message: `The local account does not implement ${c.req.method} ${new URL(c.req.url).pathname}.`,
    }),
  );
  const family = "/accounts/:account";
  const uploads = `${family}/workers/assets/upload`;
  app.use(recorded(context.calls), loopbackOnly);
  if (onAnswer !== undefined) app.use(observed(onAnswer));
  // Before the check of the account's token, because this call has a token of its own.
  app.use(uploads, ownAccount(context.account), failing(faults));
  app.route(uploads, assetUploads(context));
  const imports = `${family}/d1/database/:database/import`;
  const files: ImportFiles = new Expiring();
  app.route(imports, d1Upload(files));
  const exports = `${family}/d1/database/:database/export`;
  const dumps: ExportFiles = new Expiring();
  app.route(exports, d1Download(dumps));
  app.use(bearer(context.account), failing(faults));

  app.use(`${family}/*`, ownAccount(context.account));
  app.route("/local", extras(context, faults));
  app.route("/graphql", graphql(context));
  app.route("/", user(context));
  app.route("/zones", zones(context));
  app.route("/zones/:zone/workers/routes", routes(context));
  app.route(`${family}/workers/workers`, workers(context));
  app.route(`${family}/workers/workers/:worker/versions`, versions(context));
  app.route(`${family}/workers/scripts/:script/assets-upload-session`, assetSessions(context));
  app.route(`${family}/workers/scripts/:script/deployments`, deployments(context));
  app.route(`${family}/workers/scripts/:script/versions`, scriptVersions(context));
  app.route(`${family}/workers/scripts/:script/secrets`, secrets(context));
  app.route(`${family}/workers/scripts/:script/secrets-bulk`, secretsBulk(context));
  app.route(`${family}/workers/scripts/:script/schedules`, schedules(context));
  app.route(`${family}/workers/scripts/:script/tails`, tails(context));
  app.route(`${family}/workers/scripts`, settings(context));
  app.route(`${family}/workers/scripts`, triggers(context));
  app.route(`${family}/workers`, scripts(context));
  app.route(`${family}/workers`, services(context));
  app.route(`${family}/workers`, subdomain(context));
  app.route(`${family}/workers/domains`, domains(context));
  app.route(`${family}/workers/observability/telemetry`, telemetry(context));
  app.route(`${family}/workers/durable_objects/namespaces`, durableObjects(context));
  app.route(`${family}/storage/kv/namespaces`, kv(context));
  app.route(`${family}/storage/kv/namespaces/:namespace`, kvValues(context));
  app.route(`${family}/d1/database`, d1(context));
  app.route(imports, d1Import(context, files));
  app.route(exports, d1Export(context, dumps));
  app.route(`${family}/d1/database/:database/time_travel`, d1TimeTravel(context));
  app.route(`${family}/containers`, containers());
  app.route(`${family}/hyperdrive/configs`, hyperdrive(context));
  app.route(`${family}/workflows`, workflows(context));
  app.route(`${family}/queues`, queues(context));
  app.route(`${family}/queues/:queue`, queueMessages(context));
  app.route(`${family}/queues/:queue/consumers`, queueConsumers(context));
  app.route(`${family}/r2/buckets`, r2(context));
  app.route(`${family}/r2/buckets/:bucket/objects`, r2Objects(context));
  app.route(`${family}/r2/buckets/:bucket`, r2Rules(context));
  return app;
}

/** Routes that end with the key of a value or an object, which may itself end with a slash. */
const KEYED = /\/(storage\/kv\/namespaces\/[^/]+\/(values|metadata)|r2\/buckets\/[^/]+\/objects)\/[\s\S]/;

/** The path by which a call is routed. As at Cloudflare, a slash at its end says nothing: wrangler sends some. */
function routedPath(request: Request): string {
  const path = getPath(request);
  return path.length > 1 && path.endsWith("/") && !KEYED.test(path) ? path.slice(0, -1) : path;
}

const recorded = (calls: Calls) =>
  createMiddleware(async (c, next) => {
    const started = performance.now();
    await next();
    const { pathname } = new URL(c.req.url);
    calls.add({
      at: new Date().toISOString(),
      method: c.req.method,
      path: pathname.replace(/^\/client\/v4/, ""),
      status: c.res.status,
      milliseconds: Math.round(performance.now() - started),
    });
  });

/** An answer of the REST API, for tests that hold it to Cloudflare's types. */
export interface Answer {
  readonly method: string;
  /** The route's pattern below `/client/v4`, as `/zones/:zone`; undefined if the call was answered in front of it. */
  readonly route: string | undefined;
  readonly status: number;
  /** The body's text if it is JSON. */
  readonly json: string | undefined;
}

const observed = (onAnswer: (answer: Answer) => void) =>
  createMiddleware(async (c, next) => {
    await next();
    // A fault has cut the connection.
    if (c.res.headers.has("x-hono-already-sent")) return;
    // After the call, Hono's route is the last one that ran: the handler, or a guard that answered.
    const last = matchedRoutes(c)[c.req.routeIndex];
    onAnswer({
      method: c.req.method,
      route: last?.method === c.req.method ? last.path.replace(/^\/client\/v4/, "") : undefined,
      status: c.res.status,
      json: c.res.headers.get("content-type")?.startsWith("application/json") ? await c.res.clone().text() : undefined,
    });
  });

/** A site could resolve its own name to this machine (DNS rebinding). Its pages must not reach the API. */
export const loopbackOnly = createMiddleware(async (c, next) => {
  const host = (c.req.header("host") ?? "").replace(/:\d+$/, "");
  if (!LOOPBACK.test(host))
    return failure(c, 403, {
      code: 9109,
      message: `The local account answers on loopback names only, not as '${host}'.`,
    });
  return next();
});

const bearer = (account: Account) =>
  createMiddleware(async (c, next) => {
    const header = c.req.header("authorization") ?? "";
    if (header === "")
      return failure(c, 401, {
        code: 10000,
        message: "Authentication error: send the account's token as a bearer token.",
      });
    if (header !== `Bearer ${account.identity.token}`)
      return failure(c, 401, { code: 10000, message: "Authentication error: this is not the account's token." });
    return next();
  });

const ownAccount = (account: Account) =>
  createMiddleware(async (c, next) => {
    const asked = c.req.param("account");
    if (asked !== account.identity.accountId)
      return failure(c, 404, {
        code: 7003,
        message: `Could not route to /accounts/${asked}: this account is ${account.identity.accountId}.`,
      });
    return next();
  });

/** Fails calls as the faults demand. */
const failing = (faults: Faults) =>
  createMiddleware<{ Bindings: HttpBindings }>(async (c, next) => {
    const path = new URL(c.req.url).pathname.replace(/^\/client\/v4/, "");
    const fault = path.startsWith("/local/") ? undefined : faults.hit(c.req.method, path);
    if (fault === undefined) return next();
    if (fault.kind === "slow") {
      await sleep(1_000 * fault.seconds);
      return next();
    }
    if (fault.when === "before") return failed(c, fault);
    await next();
    // Hono replaces an answer only after it was removed.
    c.res = undefined;
    c.res = failed(c, fault);
  });

function failed(c: Context<{ Bindings: HttpBindings }>, { kind, seconds }: Fault): Response {
  if (kind === "cut") {
    c.env.outgoing.destroy();
    return RESPONSE_ALREADY_SENT;
  }
  const status = Number(kind);
  const answer = failure(c, status, {
    code: status === 429 ? 971 : 10001,
    message: `This fault was set on purpose: ${status}.`,
  });
  if (status !== 500) answer.headers.set("Retry-After", String(seconds));
  return answer;
}
