/** The REST API: guards in front, one router per family of calls, and an answer for everything else. */
import { Hono } from "hono";
import { getPath } from "hono/utils/url";
import type { Faults } from "../faults.ts";
import { KeptAnHour } from "../kept-an-hour.ts";
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
import { answerTo } from "./failures.ts";
import { graphql } from "./graphql.ts";
import { type Answer, bearer, failing, loopbackOnly, observed, ownAccount, recorded } from "./guards.ts";
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
import { settings } from "./settings.ts";
import { subdomain } from "./subdomain.ts";
import { tails } from "./tails.ts";
import { telemetry } from "./telemetry.ts";
import { triggers } from "./triggers.ts";
import { user } from "./user.ts";
import { versions } from "./versions.ts";
import { workers } from "./workers.ts";
import { workflows } from "./workflows.ts";
import { wranglerQuestions } from "./wrangler-questions.ts";
import { zones } from "./zones.ts";

/** Everything under `/client/v4`. */
export function api(context: Api, faults: Faults, onAnswer?: (answer: Answer) => void): Hono {
  const app = new Hono({ getPath: routedPath }).basePath("/client/v4");
  app.onError(answerTo);
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
  // Before the check of the account's token, because these calls have a token of their own, or a random address.
  app.use(uploads, ownAccount(context.account), failing(faults));
  app.route(uploads, assetUploads(context));
  const imports = `${family}/d1/database/:database/import`;
  const files: ImportFiles = new KeptAnHour();
  app.use(`${imports}/:filename`, failing(faults));
  app.route(imports, d1Upload(files));
  const exports = `${family}/d1/database/:database/export`;
  const dumps: ExportFiles = new KeptAnHour();
  app.use(`${exports}/:filename`, failing(faults));
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
  app.route(`${family}/workers`, wranglerQuestions(context));
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
