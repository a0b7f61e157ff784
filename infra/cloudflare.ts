/**
 * The resources and data sources of Cloudflare's provider that this program uses; a new one gets its line here.
 *
 * Each is imported from its own file: from an ES module, an import of the package's index loads all of them, which
 * costs every preview and every apply a quarter of a second.
 */
export { D1Database } from "@pulumi/cloudflare/d1database.js";
export { getWorkers } from "@pulumi/cloudflare/getWorkers.js";
export { getWorkersDeployments } from "@pulumi/cloudflare/getWorkersDeployments.js";
export { getWorkerVersion } from "@pulumi/cloudflare/getWorkerVersion.js";
export { getWorkerVersions } from "@pulumi/cloudflare/getWorkerVersions.js";
export { R2Bucket } from "@pulumi/cloudflare/r2bucket.js";
export type * as types from "@pulumi/cloudflare/types/index.js";
export { Worker } from "@pulumi/cloudflare/worker.js";
export { WorkersCronTrigger } from "@pulumi/cloudflare/workersCronTrigger.js";
export { WorkersCustomDomain } from "@pulumi/cloudflare/workersCustomDomain.js";
export { WorkersDeployment } from "@pulumi/cloudflare/workersDeployment.js";
export { WorkersKvNamespace } from "@pulumi/cloudflare/workersKvNamespace.js";
export { WorkersRoute } from "@pulumi/cloudflare/workersRoute.js";
export { WorkerVersion } from "@pulumi/cloudflare/workerVersion.js";
