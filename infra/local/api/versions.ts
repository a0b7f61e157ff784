/** `/accounts/:account/workers/workers/:worker/versions`: immutable versions, modules in JSON. */
import { Hono } from "hono";
import type { Account } from "../account.ts";
import { shownBinding } from "../bindings.ts";
import { addVersion } from "../deploy.ts";
import { ApiError, noSuchWorker } from "../errors.ts";
import { isLive } from "../lifecycle.ts";
import type { Version, Worker } from "../model.ts";
import { servingVersions, versionsOf, workerAt } from "../queries.ts";
import { readJson } from "../upload.ts";
import type { Api } from "./app.ts";
import { json, param } from "./body.ts";
import { ok, paged } from "./envelope.ts";

export const versions = ({ account }: Api) => {
  const found = (id: string): Worker => {
    const worker = workerAt(account.state, id);
    if (worker === undefined) throw noSuchWorker(id);
    return worker;
  };
  const version = (workerId: string, id: string): Version => {
    const match = versionsOf(account.state, workerId).find((candidate) => candidate.id === id);
    if (match === undefined) throw new ApiError(404, 10222, `This Worker has no version '${id}'.`);
    return match;
  };
  return new Hono()
    .get("/", (c) => paged(c, versionsOf(account.state, found(param(c, "worker")).id), (item) => shown(item)))
    .post("/", async (c) => {
      const worker = found(param(c, "worker"));
      const upload = readJson(await json(c));
      const inspection = await account.inspect(upload);
      const options = { deploy: c.req.query("deploy") === "true", plan: account.plan };
      const added = await account.change((draft) => addVersion(draft, worker.id, upload, inspection, options));
      return ok(c, shown(added.version));
    })
    .get("/:version", (c) => {
      const match = version(found(param(c, "worker")).id, param(c, "version"));
      return ok(
        c,
        c.req.query("include") === "modules" ? { ...shown(match), modules: modules(account, match) } : shown(match),
      );
    })
    .delete("/:version", async (c) => {
      const worker = found(param(c, "worker"));
      const { id } = version(worker.id, param(c, "version"));
      if (servingVersions(account.state, worker.id).some((serving) => serving.version.id === id))
        throw new ApiError(400, 10021, `Version ${id} serves traffic. Deploy another one before it is deleted.`);
      await account.change((draft) => draft.delete("versions", id));
      return ok(c, null);
    });
};

/** A version as the provider reads it: what was sent, and what the server adds. */
function shown(version: Version) {
  return {
    id: version.id,
    number: version.number,
    created_on: version.createdOn,
    source: version.source,
    urls: [],
    annotations: { "workers/triggered_by": "upload", ...version.annotations },
    bindings: version.bindings.map(shownBinding),
    compatibility_date: version.compatibilityDate,
    compatibility_flags: version.compatibilityFlags,
    main_module: version.mainModule,
    usage_model: "standard",
    startup_time_ms: version.startupTimeMs,
    ...version.extras,
    ...(version.exports === null
      ? {}
      : { exports: Object.fromEntries(Object.entries(version.exports).filter(([, entry]) => isLive(entry))) }),
    ...(version.report === null ? {} : { exports_reconciliation: version.report }),
    ...(version.migrationTag === null ? {} : { migration_tag: version.migrationTag }),
  };
}

const modules = (account: Account, version: Version) =>
  version.modules.map(({ name, contentType, sha256 }) => ({
    name,
    content_type: contentType,
    content_base64: Buffer.from(account.blob(sha256)).toString("base64"),
  }));
