/**
 * The account's own parts in workerd, as a plugin of Miniflare. Miniflare takes the first service of a name, so these
 * stand for its own: a KV namespace that takes a batch in one call (workers/kv.js).
 *
 * The options name this file, and Miniflare loads it.
 */
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** The name of the plugin. */
const PLUGIN = "local-account";

/** The binding that brings the plugin. Its Worker must be the first that has a binding of the replaced kinds. */
export const PARTS = {
  type: "unsafe:account-parts",
  dev: { plugin: { package: fileURLToPath(import.meta.url), name: PLUGIN } },
} as const;

/** The name of the binding to the objects of KV namespaces, by which internal.js reaches them. */
export const KV_OBJECTS = "KV_OBJECTS";

const MINIFLARE_WORKERS = path.join(path.dirname(createRequire(import.meta.url).resolve("miniflare")), "workers");
const miniflares = (file: string) => readFileSync(path.join(MINIFLARE_WORKERS, file), "utf8");
const ours = (file: string) => readFileSync(path.join(import.meta.dirname, "workers", file), "utf8");

/** The names of Miniflare's services for KV namespaces. */
const KV = { service: "kv:ns", storage: "kv:storage", className: "KVNamespaceObject" } as const;

interface Asked {
  readonly options: { readonly config: { readonly env?: Readonly<Record<string, { readonly type: string }>> } };
  readonly sharedOptions: { readonly resourcePersistencePath?: string };
}

const wants = ({ config }: Asked["options"]): boolean =>
  Object.values(config.env ?? {}).some(({ type }) => type === PARTS.type);

export const plugins = {
  [PLUGIN]: {
    getBindings(options: Asked["options"]) {
      if (!wants(options)) return [];
      return [{ name: KV_OBJECTS, durableObjectNamespace: { className: KV.className, serviceName: KV.service } }];
    },
    getNodeBindings: () => ({}),
    async getServices({ options, sharedOptions: { resourcePersistencePath } }: Asked) {
      if (!wants(options)) return [];
      if (resourcePersistencePath === undefined) throw new Error("the account's data must be in a directory");
      const directory = path.join(resourcePersistencePath, "kv");
      await mkdir(directory, { recursive: true });
      return [
        { name: KV.storage, disk: { path: directory, writable: true } },
        {
          name: KV.service,
          worker: {
            compatibilityDate: "2023-07-24",
            compatibilityFlags: ["nodejs_compat", "experimental"],
            modules: [
              { name: "kv.js", esModule: ours("kv.js") },
              { name: "namespace.worker.js", esModule: miniflares("kv/namespace.worker.js") },
            ],
            durableObjectNamespaces: [{ className: KV.className, uniqueKey: `miniflare-${KV.className}` }],
            durableObjectStorage: { localDisk: KV.storage },
            bindings: [
              { name: "MINIFLARE_BLOBS", service: { name: KV.storage } },
              { name: "MINIFLARE_LOOPBACK", service: { name: "loopback" } },
            ],
          },
        },
      ];
    },
  },
};
