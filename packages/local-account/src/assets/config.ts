/** Checks the settings of an upload that say how to serve a version's static assets. Pure. */
import * as v from "valibot";
import { ApiError, invalid } from "../errors.ts";
import type { AssetsConfig } from "../model.ts";
import { refuseInvalidRules } from "./rules.ts";

/** `assets` of an upload's metadata. `serve_directly` is older, and means the opposite of `run_worker_first`. */
export const AssetsBody = v.object({
  jwt: v.optional(v.nullable(v.pipe(v.string(), v.nonEmpty()))),
  config: v.optional(
    v.nullable(
      v.object({
        html_handling: v.nullish(
          v.picklist(["auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none"]),
        ),
        not_found_handling: v.nullish(v.picklist(["none", "404-page", "single-page-application"])),
        base_path: v.nullish(v.string()),
        run_worker_first: v.nullish(v.union([v.boolean(), v.array(v.string())])),
        serve_directly: v.nullish(v.boolean()),
        _headers: v.nullish(v.string()),
        _redirects: v.nullish(v.string()),
      }),
    ),
  ),
});

/** The part of an upload about its assets. */
export interface AssetsUpload {
  /** The completion token of a session. */
  readonly jwt: string | null;
  readonly config: AssetsConfig;
}

/** Limits of the runtime's own parser (workers-shared, `parseStaticRouting`). */
const MAX_RULES = 100;
const MAX_RULE_LENGTH = 100;

/**
 * The settings in the form of a version. `files`: `_headers` and `_redirects`, which the JSON form has as modules.
 * @throws ApiError 10021 for invalid settings, and 100324 for invalid rules in the two files.
 */
export function toConfig(
  sent: NonNullable<v.InferOutput<typeof AssetsBody>["config"]>,
  files: { readonly headers: string | undefined; readonly redirects: string | undefined },
  hasScript: boolean,
): AssetsConfig {
  const runWorkerFirst =
    sent.run_worker_first ?? (sent.serve_directly == null ? undefined : sent.serve_directly === false);
  if (!hasScript && (runWorkerFirst === true || Array.isArray(runWorkerFirst)))
    throw invalid("assets.config.run_worker_first: there is no script that could run first.");
  if (Array.isArray(runWorkerFirst)) checkRules(runWorkerFirst);
  const headers = sent._headers ?? files.headers;
  const redirects = sent._redirects ?? files.redirects;
  const config = {
    basePath: normalizeBasePath(sent.base_path ?? "/"),
    ...(sent.html_handling == null ? {} : { htmlHandling: sent.html_handling }),
    ...(sent.not_found_handling == null ? {} : { notFoundHandling: sent.not_found_handling }),
    ...(runWorkerFirst !== undefined && { runWorkerFirst }),
    ...(headers !== undefined && { headers }),
    ...(redirects !== undefined && { redirects }),
  };
  refuseInvalidRules(config);
  return config;
}

/** The settings in the form of the API. As at Cloudflare, the two files are not returned. */
export const shownConfig = ({ basePath, htmlHandling, notFoundHandling, runWorkerFirst }: AssetsConfig) => ({
  base_path: basePath,
  ...(htmlHandling !== undefined && { html_handling: htmlHandling }),
  ...(notFoundHandling !== undefined && { not_found_handling: notFoundHandling }),
  ...(runWorkerFirst !== undefined && { run_worker_first: runWorkerFirst }),
});

/** Refuses a split between versions with different paths, as Cloudflare does for `base_path`. */
export function refuseDifferentBasePaths(configs: readonly (AssetsConfig | undefined)[]): void {
  const paths = new Set(configs.flatMap((config) => (config === undefined ? [] : [config.basePath])));
  if (paths.size < 2) return;
  throw new ApiError(
    400,
    10021,
    `The versions of a split deployment must have the same assets.config.base_path, not ${[...paths].join(" and ")}. Deploy the new one at 100 % first.`,
  );
}

/** @throws ApiError naming every rule that the runtime would refuse. */
function checkRules(rules: readonly string[]): void {
  const mistakes = rules.flatMap((rule, index) => {
    if (!/^!?\//.test(rule)) return [`'${rule}' must begin with '/' or '!/'`];
    if (rule.length > MAX_RULE_LENGTH) return [`'${rule}' has more than ${MAX_RULE_LENGTH} characters`];
    if (rules.indexOf(rule) < index) return [`'${rule}' is there twice`];
    const wider = rules.find((other) => other !== rule && other.endsWith("*") && rule.startsWith(other.slice(0, -1)));
    return wider === undefined ? [] : [`'${rule}' is covered by '${wider}' already`];
  });
  if (rules.length > MAX_RULES) mistakes.push(`there are ${rules.length} rules; ${MAX_RULES} are allowed`);
  if (!rules.some((rule) => rule.startsWith("/"))) mistakes.push("at least one rule must not be negative");
  if (mistakes.length > 0) throw invalid(`assets.config.run_worker_first: ${mistakes.join("; ")}.`);
}

/** `/app/` for `app`, `/app` and `/app/`; `/` is the root. */
function normalizeBasePath(sent: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: this refuses them.
  if (sent === "" || /^\/\/|^[a-z][a-z\d+.-]*:|[\\?#%\u0000-\u001f\u007f]/i.test(sent))
    throw invalid(`assets.config.base_path: '${sent}' must be the path of a URL, without query and escapes.`);
  const { pathname } = new URL(sent.startsWith("/") ? sent : `/${sent}`, "http://base");
  const names = decodeURI(pathname)
    .split("/")
    .filter((name) => name !== "");
  return names.length === 0 ? "/" : `/${names.join("/")}/`;
}
