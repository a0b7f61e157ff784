/** `/accounts/:account/workers/scripts/:script/versions`: versions the way wrangler uploads and lists them. */
import { Hono } from "hono";
import { shownBinding } from "../bindings.ts";
import { deployableVersions } from "../deploy.ts";
import { ApiError } from "../errors.ts";
import type { Version } from "../model.ts";
import { ownsClasses, versionsOf } from "../queries.ts";
import { readForm } from "../upload.ts";
import { addVersion, latestVersion } from "../versions.ts";
import { param } from "./body.ts";
import type { Api } from "./context.ts";
import { sourceOf } from "./deployments.ts";
import { ok, pageOf } from "./envelope.ts";
import { scriptAt } from "./lookups.ts";
import { shownVersion } from "./scripts.ts";
import { EMAIL } from "./user.ts";

export const scriptVersions = ({ account }: Api) =>
  new Hono()
    .get("/", (c) => {
      const worker = scriptAt(account.state, param(c, "script"));
      const all =
        c.req.query("deployable") === "true"
          ? deployableVersions(account.state, worker)
          : versionsOf(account.state, worker.id);
      const { items, info } = pageOf(c, all, Math.max(all.length, 1));
      return ok(c, { items: items.map(listed) }, info);
    })
    .post("/", async (c) => {
      const worker = scriptAt(account.state, param(c, "script"));
      const upload = await readForm(c.req.raw, {
        strictInherit: c.req.query("bindings_inherit") === "strict",
        source: sourceOf(c),
      });
      if (upload.migrations !== null)
        throw new ApiError(
          400,
          10211,
          "Version upload failed. You attempted to upload a version of a Worker that includes a Durable Object migration, but migrations must be fully applied via a non-versioned deployment.",
        );
      const inspection = await account.inspect(upload, worker.id);
      // It may be deleted while its modules start.
      const version = await account.change((draft) => {
        const { id } = scriptAt(draft.state, worker.name);
        return addVersion(draft, id, { upload, inspection }, { deploy: false, plan: account.plan });
      });
      return ok(c, uploaded(version));
    })
    .get("/:version", (c) => {
      const worker = scriptAt(account.state, param(c, "script"));
      const id = param(c, "version");
      const version =
        id === "latest"
          ? latestVersion(account.state, worker.id)
          : versionsOf(account.state, worker.id).find((candidate) => candidate.id === id);
      if (version === undefined) throw new ApiError(404, 100146, `'${worker.name}' has no version '${id}'.`);
      return ok(c, shown(version));
    });

/** In a list. */
const listed = (version: Version) => ({
  id: version.id,
  number: version.number,
  metadata: {
    created_on: version.createdOn,
    modified_on: version.createdOn,
    source: version.source,
    author_id: "",
    author_email: EMAIL,
    has_preview: !ownsClasses(version),
    hasPreview: !ownsClasses(version),
  },
  annotations: version.annotations,
});

function shown(version: Version) {
  const { compatibility_date, compatibility_flags, exports, ...script } = {
    compatibility_flags: undefined,
    exports: undefined,
    ...shownVersion(version),
  };
  return {
    ...listed(version),
    resources: {
      bindings: version.bindings.map(shownBinding),
      script,
      script_runtime: {
        compatibility_date,
        ...(compatibility_flags !== undefined && { compatibility_flags }),
        usage_model: "standard",
        ...(exports !== undefined && { exports }),
        ...(version.migrationTag !== null && { migration_tag: version.migrationTag }),
      },
    },
  };
}

/** After an upload. */
const uploaded = (version: Version) => ({
  ...shown(version),
  startup_time_ms: version.startupTimeMs,
  ...(version.report !== null && { exports_reconciliation: version.report }),
});
