/** `/accounts/:account/workers/scripts` and `…/services`: Workers the way wrangler uploads them. */
import { Hono } from "hono";
import { addVersion, createWorker, deleteWorker, latestVersion } from "../deploy.ts";
import { ApiError } from "../errors.ts";
import { isLive } from "../lifecycle.ts";
import type { Version, Worker } from "../model.ts";
import { servingVersions, workerNamed } from "../queries.ts";
import { readForm, type WorkerSettings } from "../upload.ts";
import type { Api } from "./app.ts";
import { param } from "./body.ts";
import { script, sourceOf } from "./deployments.ts";
import { ok } from "./envelope.ts";

export const scripts = ({ account }: Api) => {
  const serving = (worker: Worker) =>
    servingVersions(account.state, worker.id)[0]?.version ?? latestVersion(account.state, worker.id);
  return new Hono()
    .get("/scripts", (c) =>
      ok(
        c,
        [...account.state.workers.values()].map((worker) => shown(worker, serving(worker))),
      ),
    )
    .put("/scripts/:script", async (c) => {
      const name = param(c, "script");
      const upload = await readForm(c.req.raw, {
        strictInherit: c.req.query("bindings_inherit") === "strict",
        source: sourceOf(c.req.header("user-agent")),
      });
      const inspection = await account.inspect(upload);
      const { version } = await account.change((draft) => {
        const worker = workerNamed(draft.state, name) ?? createWorker(draft, name);
        draft.put("workers", { ...worker, ...settingsOf(upload.settings) });
        return addVersion(draft, worker.id, upload, inspection, { deploy: true, plan: account.plan });
      });
      return ok(c, {
        ...shown(script(account.state, name), version),
        entry_point: version.mainModule,
        startup_time_ms: version.startupTimeMs,
        deployment_id: version.id.replaceAll("-", ""),
        ...(version.report === null ? {} : { exports_reconciliation: version.report }),
      });
    })
    .delete("/scripts/:script", async (c) => {
      const force = c.req.query("force") === "true";
      await account.change((draft) => deleteWorker(draft, script(draft.state, param(c, "script")), force));
      return ok(c, null);
    })
    .get("/services/:script", (c) => {
      const name = param(c, "script");
      const worker = workerNamed(account.state, name);
      if (worker === undefined) throw new ApiError(404, 10090, `This Worker does not exist on your account: ${name}`);
      return ok(c, {
        id: worker.name,
        created_on: worker.createdOn,
        modified_on: worker.updatedOn,
        default_environment: {
          environment: "production",
          created_on: worker.createdOn,
          modified_on: worker.updatedOn,
          script: shown(worker, serving(worker)),
        },
        environments: [{ environment: "production", created_on: worker.createdOn, modified_on: worker.updatedOn }],
      });
    });
};

/** Settings of the Worker that came with an upload. */
export function settingsOf({ logpush, tags, tail_consumers, observability }: WorkerSettings): Partial<Worker> {
  return {
    ...(logpush == null ? {} : { logpush }),
    ...(tags == null ? {} : { tags }),
    ...(tail_consumers == null ? {} : { tailConsumers: tail_consumers }),
    ...(observability == null ? {} : { observability: { ...observability, enabled: observability.enabled ?? false } }),
  };
}

/** A Worker and the version that serves, in the form of the scripts API. */
function shown(worker: Worker, version: Version | undefined) {
  return {
    id: worker.name,
    tag: worker.id,
    tags: worker.tags,
    created_on: worker.createdOn,
    modified_on: worker.updatedOn,
    logpush: worker.logpush,
    observability: worker.observability,
    tail_consumers: worker.tailConsumers,
    usage_model: "standard",
    has_assets: false,
    has_modules: true,
    ...(worker.migrationTag === null ? {} : { migration_tag: worker.migrationTag }),
    ...(version === undefined ? {} : shownVersion(version)),
  };
}

function shownVersion(version: Version) {
  return {
    etag: version.id.replaceAll("-", ""),
    handlers: version.code.handlers,
    named_handlers: Object.keys(version.code.named).map((name) => ({ name, handlers: ["class"] })),
    compatibility_date: version.compatibilityDate,
    compatibility_flags: version.compatibilityFlags,
    last_deployed_from: version.source,
    ...(version.exports === null
      ? {}
      : { exports: Object.fromEntries(Object.entries(version.exports).filter(([, entry]) => isLive(entry))) }),
  };
}
