/**
 * The account's own parts in workerd, as a plugin of Miniflare. Miniflare takes the first service of a name, so these
 * stand for its own: KV namespaces that take a batch in one call (workers/kv.js), queues that are on disk
 * (workers/queues.js), and workflows that go on after a restart (workers/workflows.js). Bindings to databases are wrapped
 * (workers/hyperdrive.js), and those to assets lead through workers/assets-entry.js.
 *
 * The options name this file, and Miniflare loads it.
 */
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

import type { MiniflareOptions } from "miniflare";
import * as v from "valibot";
import type { Parts } from "./projection.ts";
import { entryParts } from "./queues.ts";

/** The name of the plugin. */
const PLUGIN = "local-account";

const TYPE = "unsafe:account-parts" as const;

/** The binding that brings the plugin. Its Worker must be before all that have a binding of the replaced kinds. */
export const partsBinding = (parts: Parts, secret: string) => ({
  type: TYPE,
  dev: { plugin: { package: fileURLToPath(import.meta.url), name: PLUGIN }, options: { ...parts, secret } },
});

/** The first Worker. It brings the parts, and no request reaches it. */
export const firstWorker = (
  parts: Parts,
  secret: string,
  compatibilityDate: string,
): MiniflareOptions["workers"][number] => ({
  config: {
    name: "account:parts",
    compatibilityDate,
    manifest: {
      mainModule: "parts.js",
      modules: { "parts.js": { type: "esm", contents: "export default {};" } },
    },
    env: { PARTS: partsBinding(parts, secret) },
  },
});

const MINIFLARE_WORKERS = path.join(path.dirname(createRequire(import.meta.url).resolve("miniflare")), "workers");
const miniflares = (file: string) => readFileSync(path.join(MINIFLARE_WORKERS, file), "utf8");
const ours = (file: string) => readFileSync(path.join(import.meta.dirname, "workers", file), "utf8");

/** Miniflare's names of the services that are replaced, and ours of their folders below the account's data. */
const KV = { service: "kv:ns", storage: "kv:storage", className: "KVNamespaceObject", folder: "kv" } as const;
const QUEUES = {
  service: "queues:queue",
  storage: "queues:storage",
  className: "QueueBrokerObject",
  folder: "queues",
} as const;

/** The name of the module that wraps bindings to databases. */
const HYPERDRIVE = "account:hyperdrive";

const WORKFLOWS = { storage: "workflows:storage", folder: "workflows" } as const;
const workflowService = (name: string) => `workflows:${name}`;

/** The key of the queues' objects, which is also the name of their folder. */
export const QUEUES_KEY = "account-queues";

/** Miniflare's names for a deployed service, and for the service that a queue's binding reaches. */
const userService = (name: string) => `core:user:${name}`;
const queueService = (entry: string) => `${QUEUES.service}:${entry}`;

interface Asked {
  readonly options: {
    readonly config: {
      readonly env?: Readonly<Record<string, { readonly type: string; readonly dev?: unknown }>>;
    };
  };
  readonly sharedOptions: { readonly resourcePersistencePath?: string };
  readonly workerBindings: Bound[];
}

/** A binding as Miniflare has made it for workerd. */
interface Bound {
  readonly name?: string;
  service?: { name?: string };
  hyperdrive?: unknown;
  wrapped?: object;
}

const text = v.string();
const Settings = v.record(text, v.looseObject({ consumer: v.optional(v.looseObject({ service: v.optional(text) })) }));
const Workflow = v.object({
  name: text,
  versionId: text,
  service: v.optional(text),
  className: text,
  steps: v.optional(v.number()),
});
const Brought = v.object({
  secret: text,
  queues: v.object({ settings: Settings, entries: v.array(text) }),
  workflows: v.array(Workflow),
});

const broughtBy = ({ config }: Asked["options"]) => {
  const binding = Object.values(config.env ?? {}).find(({ type }) => type === TYPE);
  return binding && v.parse(v.object({ options: Brought }), binding.dev).options;
};

const objects = (name: string, { className, service }: typeof KV | typeof QUEUES) => ({
  name,
  durableObjectNamespace: { className, serviceName: service },
});

export const plugins = {
  [PLUGIN]: {
    /** By these, internal.js reaches the objects. */
    getBindings(options: Asked["options"]) {
      const brought = broughtBy(options);
      if (brought === undefined) return [];
      return [
        objects("KV_OBJECTS", KV),
        objects("QUEUE_OBJECTS", QUEUES),
        ...brought.workflows.map(({ name }) => ({
          name: `workflow:${name}`,
          service: { name: workflowService(name), entrypoint: "Management" },
        })),
      ];
    },
    getNodeBindings: () => ({}),
    getExtensions: () => [{ modules: [{ name: HYPERDRIVE, esModule: ours("hyperdrive.js"), internal: true }] }],
    async getServices({ options, sharedOptions: { resourcePersistencePath }, workerBindings }: Asked) {
      for (const bound of workerBindings) wrapDatabase(bound);
      const entries = workerBindings.flatMap(leadThroughEntry);
      const brought = broughtBy(options);
      if (brought === undefined) return entries;
      if (resourcePersistencePath === undefined) throw new Error("the account's data must be in a directory");
      for (const { folder } of [KV, QUEUES, WORKFLOWS])
        await mkdir(path.join(resourcePersistencePath, folder), { recursive: true });
      const disk = ({ storage, folder }: { readonly storage: string; readonly folder: string }) => ({
        name: storage,
        disk: { path: path.join(resourcePersistencePath, folder), writable: true },
      });
      const { queues, workflows, secret } = brought;
      return [
        ...[KV, QUEUES, WORKFLOWS].map(disk),
        kvObjects(),
        queueObjects(queues.settings, secret),
        ...queues.entries.map(queueEntryService),
        ...workflows.map(workflowEngine),
      ];
    },
  },
};

/** Puts ours around a binding to a database (workers/hyperdrive.js). Miniflare lets a plugin change a binding here. */
function wrapDatabase(bound: Bound): void {
  if (bound.hyperdrive === undefined) return;
  bound.wrapped = {
    moduleName: HYPERDRIVE,
    innerBindings: [{ name: "hyperdrive", hyperdrive: bound.hyperdrive }],
  };
  delete bound.hyperdrive;
}

/** Miniflare's names for what serves a Worker's assets, and those of a side of a split; the groups are the Worker's name. */
const ASSETS_SERVICE = /^assets:(?:assets-service:(.+)|rpc-proxy:(.+:assets))$/;

/** Leads a binding to assets through a service of ours, which it returns. */
function leadThroughEntry(bound: Bound) {
  const [, own, ofSide] = ASSETS_SERVICE.exec(bound.service?.name ?? "") ?? [];
  const worker = own ?? ofSide;
  if (worker === undefined) return [];
  const name = `account:assets:${worker}`;
  bound.service = { name };
  return [
    {
      name,
      worker: {
        compatibilityDate: "2026-11-01",
        modules: [{ name: "assets-entry.js", esModule: ours("assets-entry.js") }],
        bindings: [{ name: "ASSETS", service: { name: `assets:assets-service:${worker}` } }],
      },
    },
  ];
}

const kvObjects = () => ({
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
});

const queueObjects = (settings: v.InferOutput<typeof Settings>, secret: string) => {
  const services = Object.values(settings).flatMap(({ consumer }) => consumer?.service ?? []);
  return {
    name: QUEUES.service,
    worker: {
      compatibilityDate: "2026-11-01",
      compatibilityFlags: ["experimental", "service_binding_extra_handlers"],
      modules: [{ name: "queues.js", esModule: ours("queues.js") }],
      // What a consumer works on is in memory only.
      durableObjectNamespaces: [
        { className: QUEUES.className, uniqueKey: QUEUES_KEY, enableSql: true, preventEviction: true },
      ],
      durableObjectStorage: { localDisk: QUEUES.storage },
      bindings: [
        { name: "SECRET", text: secret },
        { name: "QUEUES", json: JSON.stringify(settings) },
        { name: "OBJECTS", durableObjectNamespace: { className: QUEUES.className } },
        ...[...new Set(services)].map((name) => ({
          name: `worker:${name}`,
          service: { name: userService(name) },
        })),
      ],
    },
  };
};

const queueEntryService = (entry: string) => {
  const { queue, delay } = entryParts(entry);
  return {
    name: queueService(entry),
    worker: {
      compatibilityDate: "2026-11-01",
      modules: [{ name: "queue-entry.js", esModule: ours("queue-entry.js") }],
      bindings: [
        objects("OBJECTS", QUEUES),
        { name: "QUEUE", text: queue },
        { name: "DELAY", json: JSON.stringify(delay) },
      ],
    },
  };
};

const workflowEngine = ({ name, versionId, service, className, steps }: v.InferOutput<typeof Workflow>) => ({
  name: workflowService(name),
  worker: {
    compatibilityDate: "2026-06-01",
    compatibilityFlags: ["nodejs_compat", "experimental"],
    modules: [
      { name: "workflows.js", esModule: ours("workflows.js") },
      { name: "workflows.mjs", esModule: miniflares("workflows/binding.worker.js") },
    ],
    durableObjectNamespaces: [
      { className: "Engine", enableSql: true, uniqueKey: `miniflare-workflows-${name}`, preventEviction: true },
      { className: "Instances", enableSql: true, uniqueKey: `account-workflows-${name}` },
    ],
    durableObjectStorage: { localDisk: WORKFLOWS.storage },
    bindings: [
      { name: "ENGINE", durableObjectNamespace: { className: "Engine" } },
      { name: "INSTANCES", durableObjectNamespace: { className: "Instances" } },
      { name: "WORKFLOW", service: { name: workflowService(name), entrypoint: "WorkflowBinding" } },
      ...(service === undefined
        ? []
        : [{ name: "USER_WORKFLOW", service: { name: userService(service), entrypoint: className } }]),
      { name: "BINDING_NAME", json: JSON.stringify(name) },
      { name: "WORKFLOW_NAME", json: JSON.stringify(name) },
      { name: "WORKFLOW_STORAGE", service: { name: WORKFLOWS.storage } },
      { name: "VERSION", text: versionId },
      ...(steps === undefined ? [] : [{ name: "STEP_LIMIT", json: JSON.stringify(steps) }]),
    ],
  },
});
