/** Settings of the newest version (`…/settings`), and of the Worker outside its versions (`…/script-settings`). */
import { Hono } from "hono";
import * as v from "valibot";
import { annotationsOf } from "../annotations.ts";
import { inherit, parseBindings, shownBinding } from "../bindings.ts";
import { now } from "../clock.ts";
import { invalid } from "../errors.ts";
import type { Version, Worker } from "../model.ts";
import { parse } from "../parse.ts";
import { CheckedExtras, CompatibilityDate, changedExtras, refuseUnserved, Settings } from "../upload.ts";
import { deriveVersion, latestVersion } from "../versions.ts";
import { body, json, param } from "./body.ts";
import type { Api } from "./context.ts";
import { sourceOf } from "./deployments.ts";
import { ok } from "./envelope.ts";
import { formOf, isForm, jsonOf } from "./form.ts";
import { scriptAt } from "./lookups.ts";
import { asService, settingsOf } from "./scripts.ts";

const VersionSettings = v.looseObject({
  bindings: v.optional(v.array(v.unknown())),
  compatibility_date: v.optional(CompatibilityDate),
  compatibility_flags: v.optional(v.array(v.string())),
  annotations: v.optional(v.nullable(v.record(v.string(), v.nullish(v.string())))),
  ...CheckedExtras.entries,
  ...Settings.entries,
});

export const settings = ({ account }: Api) =>
  new Hono()
    .get("/:script/settings", (c) => {
      const worker = scriptAt(account.state, param(c, "script"));
      return ok(c, shown(worker, latestVersion(account.state, worker.id)));
    })
    // A new version with these settings, deployed at once. A form with a part `settings`, or JSON.
    .patch("/:script/settings", async (c) => {
      const sent = parse(VersionSettings, await settingsBody(c));
      refuseUnserved(sent);
      const name = param(c, "script");
      await inspect(account, name, sent);
      await account.change((draft) => {
        const worker = scriptAt(draft.state, name);
        draft.put("workers", { ...worker, ...settingsOf(sent), updatedOn: now() });
        deriveVersion(
          draft,
          worker.id,
          (latest) => ({
            ...(sent.bindings !== undefined && {
              bindings: inherit(parseBindings(sent.bindings), {
                state: draft.state,
                workerId: worker.id,
                keep: [],
                strict: true,
              }),
            }),
            extras: changedExtras(latest.extras, sent),
            compatibilityDate: sent.compatibility_date ?? latest.compatibilityDate,
            compatibilityFlags: sent.compatibility_flags ?? latest.compatibilityFlags,
          }),
          {
            deploy: true,
            plan: account.plan,
            source: sourceOf(c),
            annotations: annotationsOf(sent.annotations),
          },
        );
      });
      const worker = scriptAt(account.state, name);
      return ok(c, shown(worker, latestVersion(account.state, worker.id)));
    })
    .get("/:script/script-settings", (c) => ok(c, unversioned(scriptAt(account.state, param(c, "script")))))
    .patch("/:script/script-settings", async (c) => {
      const sent = await body(c, v.looseObject(Settings.entries));
      refuseUnserved(sent);
      const worker = await account.change((draft) =>
        draft.put("workers", { ...scriptAt(draft.state, param(c, "script")), ...settingsOf(sent), updatedOn: now() }),
      );
      return ok(c, unversioned(worker));
    });

async function settingsBody(c: Parameters<typeof param>[0]): Promise<unknown> {
  if (!isForm(c)) return json(c);
  const part = await (await formOf(c))("settings");
  if (part === undefined) throw invalid("there is no part named 'settings'.");
  return jsonOf(part, "settings");
}

/** Starts the newest version once with the date and the flags that were sent. @throws ApiError 10021 (prober.ts). */
async function inspect(
  account: Api["account"],
  name: string,
  { compatibility_date, compatibility_flags }: v.InferOutput<typeof VersionSettings>,
): Promise<void> {
  const latest = latestVersion(account.state, scriptAt(account.state, name).id);
  if (latest === undefined || (compatibility_date === undefined && compatibility_flags === undefined)) return;
  await account.runtime.inspect({
    mainModule: latest.mainModule,
    bindings: latest.bindings,
    modules: latest.modules.map((module) => ({ ...module, contents: account.blob(module.sha256) })),
    compatibilityDate: compatibility_date ?? latest.compatibilityDate,
    compatibilityFlags: compatibility_flags ?? latest.compatibilityFlags,
  });
}

const unversioned = ({ logpush, observability, tags, tailConsumers }: Worker) => ({
  logpush,
  observability,
  tags,
  tail_consumers: tailConsumers.map(asService),
});

const shown = (worker: Worker, version: Version | undefined) => ({
  ...unversioned(worker),
  usage_model: "standard",
  bindings: version?.bindings.map(shownBinding) ?? [],
  compatibility_date: version?.compatibilityDate ?? "",
  compatibility_flags: version?.compatibilityFlags ?? [],
  annotations: version?.annotations ?? {},
  ...version?.extras,
});
