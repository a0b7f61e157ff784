/**
 * Reads an uploaded version, in either form: wrangler's multipart body (a part `metadata` and one per module) or the
 * JSON of the versions API (modules in base64). Both become the same `Upload`.
 */
import * as v from "valibot";
import { annotationsOf } from "./annotations.ts";
import { AssetsBody, type AssetsUpload, toConfig } from "./assets/config.ts";
import { parseBindings } from "./bindings.ts";
import { now } from "./clock.ts";
import { ApiError, invalid, messageOf } from "./errors.ts";
import { checkSize } from "./limits.ts";
import type { Binding, ExportEntry, MigrationStep, Migrations } from "./model.ts";
import { formIn, isBase64, parse } from "./parse.ts";

/** A version as uploaded, before its modules were started. */
export interface Upload {
  readonly modules: readonly UploadedModule[];
  /** Null if there are only assets and no script. */
  readonly mainModule: string | null;
  /** Null if the upload has none. */
  readonly assets: AssetsUpload | null;
  /** Whether to keep the newest version's assets if the upload has none. */
  readonly keepAssets: boolean;
  readonly bindings: readonly Binding[];
  /** Types whose bindings are kept from the previous version even if the upload does not name them. */
  readonly keepBindings: readonly string[];
  readonly strictInherit: boolean;
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  readonly exports: Readonly<Record<string, ExportEntry>> | null;
  readonly migrations: Migrations | null;
  readonly annotations: Readonly<Record<string, string>>;
  readonly extras: Readonly<Record<string, unknown>>;
  /** Settings of the Worker, not of the version, which the multipart form has too. */
  readonly settings: WorkerSettings;
  readonly source: string;
}

interface UploadedModule {
  readonly name: string;
  readonly contentType: string;
  readonly contents: Uint8Array;
}

const text = v.string();
const texts = v.array(text);

/** Settings that belong to the Worker and apply at once, to any version. */
export const Settings = v.object({
  logpush: v.optional(v.nullable(v.boolean())),
  tags: v.optional(v.nullable(texts)),
  tail_consumers: v.optional(v.nullable(v.array(v.looseObject({ name: v.optional(text), service: v.optional(text) })))),
  observability: v.optional(v.nullable(v.looseObject({ enabled: v.optional(v.boolean()) }))),
});

export type WorkerSettings = v.InferOutput<typeof Settings>;

const Step = v.object({
  new_classes: v.optional(texts, []),
  new_sqlite_classes: v.optional(texts, []),
  deleted_classes: v.optional(texts, []),
  renamed_classes: v.optional(v.array(v.object({ from: text, to: text })), []),
  transferred_classes: v.optional(v.array(v.object({ from: text, from_script: text, to: text })), []),
});

const MigrationsBody = v.object({
  old_tag: v.optional(v.nullable(text)),
  new_tag: v.optional(v.nullable(text)),
  tag: v.optional(text),
  steps: v.optional(v.array(Step)),
  ...Step.entries,
});

/** Cloudflare's highest limit of CPU time, in milliseconds ("Limits", CPU time). */
const MOST_CPU_MS = 300_000;

/** A date from which on a Worker has the runtime's changes. */
export const CompatibilityDate = v.pipe(
  text,
  v.isoDate("must be a date as YYYY-MM-DD"),
  v.check((date) => date <= now().slice(0, "YYYY-MM-DD".length), "must not be after today (UTC)"),
);

/** Those of EXTRAS that have rules. */
export const CheckedExtras = v.object({
  limits: v.optional(
    v.nullable(
      v.looseObject({
        cpu_ms: v.optional(
          v.nullable(
            v.pipe(
              v.number(),
              v.integer(),
              v.minValue(1, "must be at least 1"),
              v.maxValue(MOST_CPU_MS, `must be at most ${MOST_CPU_MS}`),
            ),
          ),
        ),
      }),
    ),
  ),
  placement: v.optional(v.nullable(v.looseObject({ mode: v.optional(v.picklist(["smart", "targeted"])) }))),
});

const Common = v.looseObject({
  main_module: v.optional(v.pipe(text, v.nonEmpty())),
  bindings: v.optional(v.array(v.unknown()), []),
  compatibility_date: v.optional(CompatibilityDate),
  compatibility_flags: v.optional(texts, []),
  exports: v.optional(v.nullable(v.record(text, v.looseObject({ type: text })))),
  migrations: v.optional(v.nullable(MigrationsBody)),
  annotations: v.optional(v.nullable(v.record(text, v.union([text, v.undefined(), v.null()])))),
  keep_bindings: v.optional(v.nullable(texts)),
  keep_assets: v.optional(v.nullable(v.boolean())),
  assets: v.optional(v.nullable(AssetsBody)),
  ...CheckedExtras.entries,
  ...Settings.entries,
});

const JsonModule = v.object({
  name: v.pipe(text, v.nonEmpty()),
  content_type: v.pipe(text, v.nonEmpty()),
  content_base64: v.pipe(text, v.check(isBase64, "must be base64")),
});

/** Cloudflare's default for an upload without a compatibility date: the day when these dates began. */
const DEFAULT_COMPATIBILITY_DATE = "2021-11-02";

/**
 * Members of the metadata that a version keeps and shows, without effect on one machine. Cloudflare takes
 * `package_dependencies` too, for its own statistics, and shows them nowhere.
 */
const EXTRAS = ["limits", "placement", "usage_model", "cache_options"] as const;

/** The members of a change of settings that a version keeps, over those of the version before; null takes one away. */
export function changedExtras(
  before: Readonly<Record<string, unknown>>,
  sent: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const changed = EXTRAS.filter((member) => sent[member] !== undefined).map((member) => [member, sent[member]]);
  return Object.fromEntries(
    Object.entries({ ...before, ...Object.fromEntries(changed) }).filter(([, value]) => value !== null),
  );
}

/** Members that the account cannot serve, and that would change what the Worker does. */
const REFUSED = ["containers", "streaming_tail_consumers"] as const;

/** Refuses what the account does not serve (501), in an upload or in settings. */
export function refuseUnserved(sent: Readonly<Record<string, unknown>>): void {
  for (const member of REFUSED) {
    const value = sent[member];
    if (value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0))
      throw new ApiError(501, 10021, `${member}: the local account does not serve ${member}.`);
  }
}

/** The content types of modules that workerd can load, with workerd's names for them. */
export const MODULE_TYPES: ReadonlyMap<string, "esm" | "cjs" | "wasm" | "text" | "data" | "json"> = new Map([
  ["application/javascript+module", "esm"],
  ["text/javascript+module", "esm"],
  ["application/javascript", "cjs"],
  ["text/javascript", "cjs"],
  ["application/wasm", "wasm"],
  ["text/plain", "text"],
  ["application/octet-stream", "data"],
  ["application/json", "json"],
]);

/** Stored and returned, but not part of the program. */
export const SOURCE_MAP = "application/source-map";

/** Reads the multipart form of `PUT …/scripts/:name` and `POST …/scripts/:name/versions`. */
export async function readForm(request: Request, options: { strictInherit: boolean; source: string }): Promise<Upload> {
  const type = request.headers.get("content-type") ?? "";
  if (MODULE_TYPES.get(bareType(type)) === "cjs") throw serviceWorker(`a body of type ${type}`);
  const form = await formIn(request);
  const metadata = parseMetadata(await partText(form, "metadata"));
  if (metadata.body_part !== undefined) throw serviceWorker("metadata.body_part");
  const parts = [...form].flatMap(([name, part]) =>
    name === "metadata" || typeof part === "string" ? [] : [{ name, part }],
  );
  // The SDK names each part `files`; the modules' names are those of the files, as at Cloudflare.
  const isByPart = parts.some(({ name }) => name === metadata.main_module);
  const modules = parts.map(async ({ name, part }) => ({
    name: isByPart ? name : part.name,
    contentType: part.type,
    contents: new Uint8Array(await part.arrayBuffer()),
  }));
  return toUpload(metadata, await Promise.all(modules), options);
}

const serviceWorker = (what: string) =>
  new ApiError(
    501,
    10021,
    `${what}: the local account runs module Workers only. Export handlers from an ES module, and send it in a form (multipart/form-data) with its name as \`main_module\`.`,
  );

/** Reads the JSON form of `POST …/workers/:id/versions`. */
export function readJson(body: unknown): Upload {
  const metadata = parse(v.intersect([Common, v.looseObject({ modules: v.optional(v.array(JsonModule), []) })]), body);
  const modules = metadata.modules.map((module) => ({
    name: module.name,
    contentType: module.content_type,
    contents: new Uint8Array(Buffer.from(module.content_base64, "base64")),
  }));
  return toUpload(metadata, modules, { strictInherit: true, source: "api" });
}

async function partText(form: FormData, name: string): Promise<string> {
  const part = form.get(name);
  if (part === null) throw invalid(`there is no part named '${name}'.`);
  return typeof part === "string" ? part : await part.text();
}

function parseMetadata(json: string): v.InferOutput<typeof Common> {
  let body: unknown;
  try {
    body = JSON.parse(json);
  } catch (cause) {
    throw invalid(`metadata is not JSON: ${messageOf(cause)}`);
  }
  return parse(Common, body);
}

function toUpload(
  metadata: v.InferOutput<typeof Common>,
  modules: readonly UploadedModule[],
  options: { strictInherit: boolean; source: string },
): Upload {
  const mainModule = metadata.main_module ?? null;
  const assets = assetsOf(metadata.assets ?? null, modules, mainModule !== null);
  checkModules(mainModule, modules);
  checkSize(modules.filter(({ contentType }) => bareType(contentType) !== SOURCE_MAP));
  refuseUnserved(metadata);
  const exports = metadata.exports ?? null;
  const migrations = metadata.migrations ?? null;
  if (exports !== null && migrations !== null)
    throw invalid("`exports` and `migrations` exclude each other; send only one of them.");
  return {
    modules,
    mainModule,
    assets,
    keepAssets: metadata.keep_assets ?? false,
    bindings: parseBindings(metadata.bindings),
    keepBindings: metadata.keep_bindings ?? [],
    strictInherit: options.strictInherit,
    compatibilityDate: metadata.compatibility_date ?? DEFAULT_COMPATIBILITY_DATE,
    compatibilityFlags: metadata.compatibility_flags,
    exports,
    migrations: migrations === null ? null : toMigrations(migrations),
    annotations: annotationsOf(metadata.annotations),
    extras: changedExtras({}, metadata),
    settings: v.parse(Settings, metadata),
    source: options.source,
  };
}

/** The settings of the assets. In the JSON form, `_headers` and `_redirects` are modules with these names. */
function assetsOf(
  sent: v.InferOutput<typeof AssetsBody> | null,
  modules: readonly UploadedModule[],
  hasScript: boolean,
): AssetsUpload | null {
  if (sent === null) return null;
  const textOf = (name: string) => {
    const module = modules.find((candidate) => candidate.name === name);
    if (module === undefined) return undefined;
    if (bareType(module.contentType) !== "text/plain")
      throw invalid(`module with name '${name}' must have content type 'text/plain'`);
    return new TextDecoder().decode(module.contents);
  };
  const files = { headers: textOf("_headers"), redirects: textOf("_redirects") };
  return { jwt: sent.jwt ?? null, config: toConfig(sent.config ?? {}, files, hasScript) };
}

function checkModules(mainModule: string | null, modules: readonly UploadedModule[]): void {
  const seen = new Set<string>();
  for (const { name, contentType } of modules) {
    if (seen.has(name)) throw invalid(`modules: there are two modules named '${name}'.`);
    seen.add(name);
    const type = bareType(contentType);
    if (type.startsWith("text/x-python"))
      throw new ApiError(501, 10021, `module ${name}: the local account runs no Python.`);
    if (!MODULE_TYPES.has(type) && type !== SOURCE_MAP)
      throw invalid(
        `module ${name}: content type '${contentType}' is not served. Served are ${[...MODULE_TYPES.keys()].join(", ")}.`,
      );
  }
  if (mainModule === null) return;
  const main = modules.find(({ name }) => name === mainModule);
  if (main === undefined)
    throw invalid(
      `main_module: there is no module named '${mainModule}'; there are ${[...seen].join(", ") || "none"}.`,
    );
  if (MODULE_TYPES.get(bareType(main.contentType)) !== "esm")
    throw invalid(`main_module: '${mainModule}' is '${main.contentType}'; it must be application/javascript+module.`);
}

/** A content type without its parameters. */
export const bareType = (contentType: string) => (contentType.split(";")[0] ?? "").trim().toLowerCase();

function toMigrations(body: v.InferOutput<typeof MigrationsBody>): Migrations {
  const { old_tag, new_tag, tag, steps, ...single } = body;
  return {
    oldTag: old_tag ?? null,
    newTag: new_tag ?? tag ?? null,
    steps: (steps ?? [single]).map(toStep),
  };
}

const toStep = (step: v.InferOutput<typeof Step>): MigrationStep => ({
  deletedClasses: step.deleted_classes,
  renamedClasses: step.renamed_classes,
  newClasses: step.new_classes,
  newSqliteClasses: step.new_sqlite_classes,
  transferredClasses: step.transferred_classes.map(({ from, from_script, to }) => ({
    from,
    fromScript: from_script,
    to,
  })),
});
