/** A program with one resource of each type. The config says in which shape. */
import { writeFileSync } from "node:fs";
import * as cloudflare from "@pulumi/cloudflare";
import * as pulumi from "@pulumi/pulumi";
import type { Shape } from "./shape.ts";

const config = new pulumi.Config();
const accountId = config.require("accountId");
const shape = config.requireObject<Shape>("shape");
const { title = "cache", code = "one", bucket: bucketName = "bucket", zone } = shape;
if (shape.pidFile) writeFileSync(shape.pidFile, String(process.pid));
if (shape.mistake === "for people") throw new pulumi.RunError("The shape is wrong.");
if (shape.mistake === "of the program") throw new TypeError("shape.sides is not iterable");

const { protect = false, retain = false } = shape;
const cache = shape.cache === false || new cloudflare.WorkersKvNamespace("cache", { accountId, title }, { protect });
const bucket = new cloudflare.R2Bucket(
  "bucket",
  { accountId, name: bucketName },
  { retainOnDelete: retain, deleteBeforeReplace: true },
);
const worker = new cloudflare.Worker("worker", { accountId, name: "shapes", subdomain: { enabled: true } });
const version = new cloudflare.WorkerVersion(
  "version",
  {
    accountId,
    workerId: worker.id,
    mainModule: "main.js",
    modules: [
      { name: "main.js", contentType: "application/javascript+module", contentFile: "code/main.js" },
      { name: "text.js", contentType: "application/javascript+module", contentFile: `code/${code}.js` },
    ],
    compatibilityDate: "2026-11-01",
    bindings: [
      { type: "secret_text", name: "SECRET", text: config.requireSecret("secret") },
      { type: "r2_bucket", name: "BUCKET", bucketName: bucket.name },
      { type: "durable_object_namespace", name: "BOX", className: "Box" },
      { type: "json", name: "LABEL", json: '{ "name": "a_box" }' },
    ],
    exports: { Box: { type: "durable-object", storage: "sqlite" } },
    deploy: shape.deploy ?? true,
    annotations: { workersMessage: shape.label ?? "a version" },
  },
  { retainOnDelete: true, ignoreChanges: ["deploy", "exports", "annotations"] },
);
const deployment = new cloudflare.WorkersDeployment("deployment", {
  accountId,
  scriptName: worker.name,
  strategy: "percentage",
  versions: [{ versionId: version.id, percentage: 100 }],
});
if (zone) {
  const { zoneId } = await cloudflare.getZone({ filter: { name: zone } });
  const after = { dependsOn: deployment };
  new cloudflare.WorkersRoute("route", { zoneId, pattern: `${zone}/*`, script: worker.name }, after);
  new cloudflare.WorkersCustomDomain(
    "domain",
    { accountId, zoneId, hostname: `x.${zone}`, service: worker.name },
    after,
  );
  new cloudflare.WorkersCronTrigger("cron", { accountId, scriptName: worker.name, schedules: [{ cron: "0 * * * *" }] });
}

export const versionId = version.id;
export const cacheId = cache === true ? undefined : cache.id;
export const secret = config.requireSecret("secret");
export const nested = { bindings: version.bindings };
