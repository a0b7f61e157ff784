/** `/accounts/:account/workers/workers/:worker/versions`: immutable versions, modules in JSON. */
import { Hono } from "hono";
import * as v from "valibot";
import type { Account } from "../account.ts";
import { annotationsOf } from "../annotations.ts";
import { shownConfig } from "../assets/config.ts";
import { inherit, parseBindings, shownBinding } from "../bindings.ts";
import { ApiError } from "../errors.ts";
import { liveExports } from "../lifecycle.ts";
import type { Binding, State, Version, Worker } from "../model.ts";
import { ownsClasses, servingVersions, versionsOf } from "../queries.ts";
import { readJson } from "../upload.ts";
import { addVersion, deriveVersion } from "../versions.ts";
import { body, json, param } from "./body.ts";
import type { Api } from "./context.ts";
import { sourceOf } from "./deployments.ts";
import { ok, paged } from "./envelope.ts";
import { resourceAt } from "./lookups.ts";

export const versions = ({ account, addressOf }: Api) => {
  const version = (workerId: string, id: string, state = account.state): Version => {
    const match = versionsOf(state, workerId).find((candidate) => candidate.id === id);
    if (match === undefined) throw new ApiError(404, 10222, `This Worker has no version '${id}'.`);
    return match;
  };
  const show = (item: Version) => shown(item, resourceAt(account.state, item.workerId), addressOf);
  return (
    new Hono()
      .get("/", (c) => paged(c, versionsOf(account.state, resourceAt(account.state, param(c, "worker")).id), show))
      .post("/", async (c) => {
        const worker = resourceAt(account.state, param(c, "worker"));
        const upload = readJson(await json(c));
        const inspection = await account.inspect(upload, worker.id);
        const options = { deploy: c.req.query("deploy") === "true", plan: account.plan };
        // It may be deleted while its modules start.
        const version = await account.change((draft) =>
          addVersion(draft, resourceAt(draft.state, worker.id).id, { upload, inspection }, options),
        );
        return ok(c, show(version));
      })
      // A merge patch of the newest version, for `wrangler versions secret`. Makes a version, and does not deploy it.
      .patch("/latest", async (c) => {
        const { env, annotations } = await body(c, Patch);
        const version = await account.change((draft) =>
          deriveVersion(
            draft,
            resourceAt(draft.state, param(c, "worker")).id,
            (latest) => ({ bindings: patched(draft.state, latest, env) }),
            {
              deploy: false,
              plan: account.plan,
              source: sourceOf(c),
              annotations: { ...annotationsOf(annotations), "workers/triggered_by": "secret" },
            },
          ),
        );
        return ok(c, show(version));
      })
      .get("/:version", (c) => {
        const match = version(resourceAt(account.state, param(c, "worker")).id, param(c, "version"));
        return ok(
          c,
          c.req.query("include") === "modules" ? { ...show(match), modules: modules(account, match) } : show(match),
        );
      })
      .delete("/:version", async (c) => {
        await account.change((draft) => {
          const worker = resourceAt(draft.state, param(c, "worker"));
          const { id } = version(worker.id, param(c, "version"), draft.state);
          if (servingVersions(draft.state, worker.id).some((serving) => serving.version.id === id))
            throw new ApiError(400, 10021, `Version ${id} serves traffic. Deploy another one before it is deleted.`);
          draft.delete("versions", id);
        });
        return ok(c, null);
      })
  );
};

/** Bindings by name; null removes one. */
const Patch = v.object({
  env: v.optional(v.record(v.string(), v.nullable(v.looseObject({ type: v.string() }))), {}),
  annotations: v.optional(v.nullable(v.record(v.string(), v.nullish(v.string())))),
});

function patched(state: State, latest: Version, env: v.InferOutput<typeof Patch>["env"]): Binding[] {
  const sent = Object.entries(env).flatMap(([name, binding]) => (binding === null ? [] : [{ ...binding, name }]));
  const options = { state, workerId: latest.workerId, keep: [], strict: true };
  return [...latest.bindings.filter(({ name }) => !(name in env)), ...inherit(parseBindings(sent), options)];
}

/** What this family of calls shows. An alias (`workers/alias`) belongs to the API of scripts. */
const ANNOTATIONS: ReadonlySet<string> = new Set(["workers/message", "workers/tag", "workers/triggered_by"]);

/** A version as the provider reads it: the upload's members, and those that the server adds. */
function shown(version: Version, worker: Worker, addressOf: Api["addressOf"]) {
  return {
    id: version.id,
    number: version.number,
    created_on: version.createdOn,
    source: version.source,
    urls:
      ownsClasses(version) || !worker.subdomain.previews_enabled
        ? []
        : [addressOf(`${version.id.slice(0, 8)}-${worker.name}`)],
    annotations: Object.fromEntries(Object.entries(version.annotations).filter(([name]) => ANNOTATIONS.has(name))),
    bindings: version.bindings.map(shownBinding),
    compatibility_date: version.compatibilityDate,
    compatibility_flags: version.compatibilityFlags,
    ...(version.mainModule !== null && { main_module: version.mainModule }),
    ...(version.assets !== undefined && { assets: { config: shownConfig(version.assets.config) } }),
    usage_model: "standard",
    startup_time_ms: version.startupTimeMs,
    ...version.extras,
    ...(version.exports !== null && { exports: liveExports(version.exports) }),
    ...(version.report !== null && { exports_reconciliation: version.report }),
    ...(version.migrationTag !== null && { migration_tag: version.migrationTag }),
  };
}

const modules = (account: Account, version: Version) =>
  version.modules.map(({ name, contentType, sha256 }) => ({
    name,
    content_type: contentType,
    content_base64: Buffer.from(account.blob(sha256)).toString("base64"),
  }));
