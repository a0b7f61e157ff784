/** `/accounts/:account/workers/scripts` and `…/services`: Workers the way wrangler uploads them. */
import { Hono } from "hono";
import type { Account } from "../account.ts";
import { liveExports } from "../lifecycle.ts";
import type { State, Version, Worker } from "../model.ts";
import { servingVersions, workerNamed } from "../queries.ts";
import { readForm, type WorkerSettings } from "../upload.ts";
import { addVersion, latestVersion } from "../versions.ts";
import { createWorker, deleteWorker } from "../workers.ts";
import { param } from "./body.ts";
import type { Api } from "./context.ts";
import { sourceOf } from "./deployments.ts";
import { ok } from "./envelope.ts";
import { scriptAt } from "./lookups.ts";

export const scripts = ({ account }: Api) => {
  return (
    new Hono()
      .get("/scripts", (c) =>
        ok(
          c,
          [...account.state.workers.values()].map((worker) => shownScript(account.state, worker)),
        ),
      )
      .put("/scripts/:script", async (c) => {
        const name = param(c, "script");
        const upload = await readForm(c.req.raw, {
          strictInherit: c.req.query("bindings_inherit") === "strict",
          source: sourceOf(c),
        });
        const inspection = await account.inspect(upload, workerNamed(account.state, name)?.id);
        const version = await account.change((draft) => {
          const worker = workerNamed(draft.state, name) ?? createWorker(draft, name);
          draft.put("workers", { ...worker, ...settingsOf(upload.settings) });
          return addVersion(draft, worker.id, { upload, inspection }, { deploy: true, plan: account.plan });
        });
        return ok(c, {
          ...shownScript(account.state, scriptAt(account.state, name)),
          ...(version.mainModule !== null && { entry_point: version.mainModule }),
          startup_time_ms: version.startupTimeMs,
          deployment_id: version.id.replaceAll("-", ""),
          ...(version.report !== null && { exports_reconciliation: version.report }),
        });
      })
      // The code as it was uploaded, one part per module.
      .get("/scripts/:script", (c) => content(account, scriptAt(account.state, param(c, "script"))))
      .get("/scripts/:script/content/v2", (c) => content(account, scriptAt(account.state, param(c, "script"))))
      .delete("/scripts/:script", async (c) => {
        const force = c.req.query("force") === "true";
        await account.change((draft) => deleteWorker(draft, scriptAt(draft.state, param(c, "script")), force));
        return ok(c, null);
      })
  );
};

/** The Worker's settings that came with an upload. */
export function settingsOf({ logpush, tags, tail_consumers, observability }: WorkerSettings): Partial<Worker> {
  return {
    ...(logpush == null ? {} : { logpush }),
    ...(tags == null ? {} : { tags }),
    ...(tail_consumers == null ? {} : { tailConsumers: tail_consumers }),
    ...(observability == null ? {} : { observability: { ...observability, enabled: observability.enabled ?? false } }),
  };
}

/** The APIs of scripts call a consumer's Worker its service, that of Workers calls it a name. */
export const asService = ({ name, service, ...rest }: Worker["tailConsumers"][number]) => ({
  ...rest,
  service: service ?? name,
});

/** A Worker and the version that serves, in the form of the scripts API. */
export function shownScript(state: State, worker: Worker): Record<string, unknown> {
  const version = servingVersions(state, worker.id)[0]?.version ?? latestVersion(state, worker.id);
  return {
    id: worker.name,
    tag: worker.id,
    tags: worker.tags,
    created_on: worker.createdOn,
    modified_on: worker.updatedOn,
    logpush: worker.logpush,
    observability: worker.observability,
    tail_consumers: worker.tailConsumers.map(asService),
    usage_model: "standard",
    has_assets: version?.assets !== undefined,
    has_modules: version?.mainModule !== null,
    ...(worker.migrationTag !== null && { migration_tag: worker.migrationTag }),
    ...(version === undefined ? {} : shownVersion(version)),
  };
}

/** A version, in the form of the scripts API. As at Cloudflare, lists that are empty are left out. */
export function shownVersion(version: Version) {
  const named = Object.keys(version.code.named).map((name) => ({ name, handlers: ["class"] }));
  return {
    etag: version.id.replaceAll("-", ""),
    ...(version.code.handlers.length > 0 && { handlers: version.code.handlers }),
    ...(named.length > 0 && { named_handlers: named }),
    compatibility_date: version.compatibilityDate,
    ...(version.compatibilityFlags.length > 0 && { compatibility_flags: version.compatibilityFlags }),
    last_deployed_from: version.source,
    ...(version.exports !== null && { exports: liveExports(version.exports) }),
  };
}

function content(account: Account, worker: Worker): Response {
  const version = servingVersions(account.state, worker.id)[0]?.version ?? latestVersion(account.state, worker.id);
  const form = new FormData();
  for (const { name, contentType, sha256 } of version?.modules ?? [])
    form.append(name, new Blob([new Uint8Array(account.blob(sha256))], { type: contentType }), name);
  return new Response(form, { headers: { "cf-entrypoint": version?.mainModule ?? "" } });
}
