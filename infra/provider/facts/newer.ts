/**
 * The one list of what the types of SDK 6.22.1 have and the facts lack, which are on v5.22.0: names and types are the
 * SDK's (a test holds this list against them), the rest is not known. What the program sets of it was taken by a real
 * provider with the same types; what a change of it does there is a guess: `replaces`.
 */
import type { Attribute, Attributes, DataSource } from "./types.ts";

const optional = (type: string): Attribute => ({ type });
const readOnly = (type: string): Attribute => ({ type, readOnly: true });
const replacing = (type: string): Attribute => ({ type, replaces: true });

interface Newer {
  /** By type and path. */
  readonly attributes: Readonly<Record<string, Attributes>>;
  /** Values more than the facts have, by type and path. */
  readonly values: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  /** By name. */
  readonly dataSources: Readonly<Record<string, DataSource>>;
  /** Data sources whose arguments nobody knows the rules of. */
  readonly unknownDataSources: readonly string[];
}

export const NEWER: Newer = {
  attributes: {
    "cloudflare:index/worker:Worker": {
      force: optional("bool"),
      "observability.issues": optional("object"),
      "observability.issues.enabled": optional("bool"),
      /** Its attributes are not looked at. */
      previewsBaseConfig: optional("anything"),
      "subdomain.url": readOnly("string"),
      "subdomain.previewUrlSuffix": readOnly("string"),
    },
    "cloudflare:index/workerVersion:WorkerVersion": {
      "assets.config.basePath": optional("string"),
      "bindings[].identity": optional("string"),
      "bindings[].stream": optional("string"),
      deploy: replacing("bool"),
      include: optional("string"),
      exports: replacing("map(object)"),
      "exports.*.type": { type: "string", required: true },
      "exports.*.state": optional("string"),
      "exports.*.storage": optional("string"),
      "exports.*.renamedTo": optional("string"),
      "exports.*.transferFrom": optional("string"),
      "exports.*.transferredTo": optional("string"),
      "exports.*.cache": optional("object"),
      "exports.*.cache.enabled": { type: "bool", required: true },
      exportsReconciliation: readOnly("object"),
    },
    "cloudflare:index/d1Database:D1Database": { fields: optional("list(string)") },
    "cloudflare:index/workersDeployment:WorkersDeployment": { force: replacing("bool") },
    "cloudflare:index/workersKvNamespace:WorkersKvNamespace": { jurisdiction: replacing("string") },
  },
  values: {
    "cloudflare:index/r2Bucket:R2Bucket": { jurisdiction: ["us"] },
    "cloudflare:index/workerVersion:WorkerVersion": {
      "bindings[].jurisdiction": ["us"],
      "bindings[].type": ["artifacts", "k2", "messaging"],
    },
  },
  dataSources: {
    getWorkersDeployments: {
      attributes: {
        accountId: { type: "string", required: true },
        scriptName: { type: "string", required: true },
        maxItems: optional("int64"),
        since: optional("string"),
        until: optional("string"),
      },
    },
  },
  unknownDataSources: ["getWorkersScripts", "getWorkersRoutes"],
};
