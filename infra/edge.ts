/** What calls the Worker: a host name of its own, routes of a zone, workers.dev where the stack has no zone; and the clock. */

import * as pulumi from "@pulumi/pulumi";
import * as cloudflare from "./cloudflare.ts";
import type { DurableWorker } from "./durable-worker.ts";
import type { Preview } from "./plan/preview/preview.ts";
import { servesAll } from "./plan/preview/worker-settings.ts";
import type { Release } from "./release/read.ts";
import type { Settings } from "./stack/config.ts";
import { LOGICAL, onWorkersDev } from "./stack/declared.ts";
import { cronsOf } from "./stack/extras.ts";

/** The addresses that a person opens. */
export interface Addresses {
  readonly api: pulumi.Output<string>;
  readonly page: pulumi.Output<string>;
  readonly openapi: pulumi.Output<string>;
}

/** Attaches the Worker to its host name and routes, and returns where it answers. */
export function addresses(
  settings: Settings,
  worker: DurableWorker,
  { claims, addresses: plan }: Pick<Preview, "claims" | "addresses">,
): Addresses {
  const { accountId, zoneId, hostname, routes } = settings;
  // Only once something is deployed: a route to a Worker without a deployment answers with an error.
  const options = { dependsOn: worker };
  if (zoneId !== undefined && hostname !== undefined) {
    // A host name exists once at Cloudflare: a replacement that is made before the old one is deleted would be gone. One
    // with another host name is made first: it may be refused, and the Worker is to answer at the old one until then.
    new cloudflare.WorkersCustomDomain(
      LOGICAL.domain,
      { accountId, zoneId, hostname, service: worker.name },
      {
        ...options,
        deleteBeforeReplace: !plan.changesHostname,
        // Filled in by Cloudflare, and found by an import.
        ignoreChanges: ["environment", "zoneName"],
        ...(claims.domain !== undefined && { import: claims.domain }),
      },
    );
  }
  if (zoneId !== undefined) {
    for (const pattern of routes) {
      const importId = claims.routes.get(pattern);
      new cloudflare.WorkersRoute(
        LOGICAL.route(pattern),
        { zoneId, pattern, script: worker.name },
        { ...options, ...(importId !== undefined && { import: importId }) },
      );
    }
  }
  const base = onWorkersDev(settings) ? worker.url : pulumi.output(`https://${hostname ?? hostOf(routes[0])}`);
  return { api: base, page: pulumi.interpolate`${base}/`, openapi: pulumi.interpolate`${base}/openapi.json` };
}

/**
 * When the Worker's `scheduled` is called. Every version hears of it, so it changes with all the traffic, and not in the
 * middle of a rollout. Once a stack had some, an empty list stays: the provider deletes none, so what is no longer declared
 * would stay at Cloudflare.
 */
export function crons({ accountId }: Settings, release: Release, worker: DurableWorker, preview: Preview): void {
  const isWhole = servesAll(preview);
  const schedules = cronsOf(release).map((cron) => ({ cron }));
  if (!preview.hadCrons && (schedules.length === 0 || !isWhole)) return;
  new cloudflare.WorkersCronTrigger(
    LOGICAL.crons,
    { accountId, scriptName: worker.name, schedules },
    { dependsOn: worker, ignoreChanges: isWhole ? [] : ["schedules"] },
  );
}

/** The host of a route pattern: `*.example.com/api/*` is asked for at example.com. */
const hostOf = (pattern = ""): string => pattern.replace(/^\*\.?/, "").split("/")[0] ?? "";
