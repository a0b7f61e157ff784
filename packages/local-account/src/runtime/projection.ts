/**
 * Translates a state of the account into Miniflare's options. Pure.
 *
 * A namespace keeps its data because its objects are stored under the namespace's id, whatever Worker and class name
 * they have: versions, renames and transfers change the code in front of the same directory.
 */
import { readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import path from "node:path";
import type { MiniflareOptions } from "miniflare";
import * as v from "valibot";
import { bucketKey } from "../bindings.ts";
import type { Assets, Binding, Hyperdrive, Module, Namespace, State, Version, Worker } from "../model.ts";
import { namespacesOf, queueNamed, servingVersions, workerNamed, workflowNamed } from "../queries.ts";
import { consumersOf } from "../tail-consumers.ts";
import { type Serving, split } from "../traffic.ts";
import { bareType, MODULE_TYPES } from "../upload.ts";
import { type Queues, queueEntry, queueSettings } from "./queues.ts";
import { knownDate } from "./workerd.ts";
import { isRunnable, type WorkflowEngine, workflowEngines } from "./workflows.ts";

type WorkerOptions = MiniflareOptions["workers"][number];
type Config = Extract<WorkerOptions, { config: unknown }>["config"];
type Env = NonNullable<Config["env"]>;

/** A Worker to run, with its contents by hash. Services with the same JSON run the same. */
export interface Service {
  /** The name in the runtime: the Worker's while one version serves, else the Worker's and the version's. */
  readonly name: string;
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  readonly mainModule: string;
  readonly modules: readonly ServiceModule[];
  readonly env: Env;
  readonly exports: NonNullable<Config["exports"]>;
  /** Static assets in front of the script, if there is a script. */
  readonly assets?: Pick<Assets, "manifest" | "config"> & { readonly hasScript: boolean };
  /** The services that get its events. */
  readonly consumers?: readonly string[];
}

/** What runs in addition to the state. */
export interface Extra {
  /** Versions that run beside the serving ones. */
  readonly previews: ReadonlySet<string>;
  /** Versions that do not start, and why. Requests to them get the reason. */
  readonly broken: ReadonlyMap<string, string>;
}

/** What the account brings to the runtime itself (parts.ts). */
export interface Parts {
  readonly queues: Queues;
  readonly workflows: readonly WorkflowEngine[];
}

/** The account's own Worker in workerd. No client can give a Worker this name. */
export const INTERNAL = "account:internal";

/** An address of a Worker's own in workerd, at any free port. */
export const DIRECT_SOCKET = { host: "127.0.0.1", port: 0 };

/** A module of an upload, or one with text from here. */
type ServiceModule = Pick<Module, "name" | "contentType" | "sha256"> | { readonly name: string; readonly text: string };

/** The script of a Worker without a script. No request reaches it: the assets answer all of them. */
const NO_SCRIPT = { name: "none.js", text: "export default {};" } as const;

const OBJECTS_CODE = readFileSync(path.join(import.meta.dirname, "workers/objects.js"), "utf8");

/** The name of the service that runs requests to a version. */
export const serviceName = (state: State, worker: Worker, version: Version): string => {
  const serving = servingVersions(state, worker.id);
  return serving.length === 1 && serving[0]?.version.id === version.id ? worker.name : `${worker.name}@${version.id}`;
};

/** The name of the service that runs the Worker's objects. */
const objectsName = (state: State, worker: Worker): string =>
  servingVersions(state, worker.id).length > 1 ? `${worker.name}@objects` : worker.name;

/** All services of the state, in a stable order. */
export function project(state: State, { previews, broken }: Extra): Service[] {
  return [...state.workers.values()].flatMap((worker) => {
    const serving = split(state, worker.id);
    const previewed = [...state.versions.values()].filter(
      ({ id, workerId }) =>
        workerId === worker.id && previews.has(id) && serving.every(({ version }) => version.id !== id),
    );
    const stateless = [...serving.map(({ version }) => version), ...previewed].map((version) => {
      const reason = broken.get(version.id);
      const service = requestService(state, worker, version);
      return reason === undefined ? service : brokenService(service, reason);
    });
    const all = [...stateless, ...(serving.length > 1 ? splitObjects(state, worker, serving, broken) : [])];
    const consumers = consumingServices(state, worker);
    return all.map((service) => ({
      ...service,
      ...(consumers.length > 0 && { consumers }),
    }));
  });
}

/** The services for the objects of a Worker whose traffic is split, if it has classes. */
function splitObjects(state: State, worker: Worker, serving: readonly Serving[], broken: Extra["broken"]): Service[] {
  if (namespacesOf(state, worker.id).length === 0) return [];
  const objects = objectsService(state, worker, serving);
  // One isolate has both sides, so one that does not start takes the other along.
  const [reason] = serving.flatMap(({ version }) => broken.get(version.id) ?? []);
  return [
    ...serving.flatMap(({ version }) => assetsService(worker, version)),
    reason === undefined ? objects : brokenService(objects, reason),
  ];
}

/** The services of the tail consumers. One that was deleted, never deployed, or has no handler gets nothing. */
const consumingServices = (state: State, worker: Worker): string[] =>
  consumersOf(worker).flatMap((name) => {
    const consumer = name === worker.name ? undefined : workerNamed(state, name);
    const version = consumer && servingVersions(state, consumer.id)[0]?.version;
    return consumer && version?.code.handlers.includes("tail") ? [serviceName(state, consumer, version)] : [];
  });

/** The queues and workflows of the state, with the bindings of these services to them. */
export function partsOf(state: State, services: readonly Service[]): Parts {
  const entries = services.flatMap(({ env }) =>
    Object.values(env).flatMap((bound) => (bound.type === "queue" && bound.name !== undefined ? [bound.name] : [])),
  );
  const serviceOf = (workerId: string) => {
    const worker = state.workers.get(workerId);
    const [main] = servingVersions(state, workerId);
    return worker && main && serviceName(state, worker, main.version);
  };
  return {
    queues: { settings: queueSettings(state, serviceOf), entries: [...new Set(entries)] },
    workflows: workflowEngines(state, serviceOf),
  };
}

/** The service for requests to the version, and for its objects unless they are split. */
function requestService(state: State, worker: Worker, version: Version): Service {
  const name = serviceName(state, worker, version);
  return {
    name,
    compatibilityDate: version.compatibilityDate,
    compatibilityFlags: version.compatibilityFlags,
    mainModule: version.mainModule ?? NO_SCRIPT.name,
    modules: version.mainModule === null ? [NO_SCRIPT] : programOf(version),
    env: environment(state, version, { prefix: "", assets: { type: "assets" } }),
    exports: name === objectsName(state, worker) ? objectClasses(state, worker, version) : {},
    ...assetsOf(version, version.mainModule !== null),
  };
}

const assetsOf = ({ assets }: Version, hasScript: boolean): Pick<Service, "assets"> =>
  assets === undefined ? {} : { assets: { manifest: assets.manifest, config: assets.config, hasScript } };

/** The name of the service with only a version's assets. */
const assetsName = (worker: Worker, version: Version): string => `${worker.name}@${version.id}:assets`;

/** A service for the assets of each side of a split: the isolate of the objects could have only one set itself. */
function assetsService(worker: Worker, version: Version): Service[] {
  if (version.assets === undefined || !version.bindings.some(({ type }) => type === "assets")) return [];
  return [
    {
      name: assetsName(worker, version),
      compatibilityDate: version.compatibilityDate,
      compatibilityFlags: version.compatibilityFlags,
      mainModule: NO_SCRIPT.name,
      modules: [NO_SCRIPT],
      env: {},
      exports: {},
      ...assetsOf(version, false),
    },
  ];
}

/** Replaces a version that does not start. It keeps the classes, for bindings to them; they throw the reason. */
function brokenService(service: Service, reason: string): Service {
  const refusal = `throw new Error(${JSON.stringify(`this version does not start: ${reason}`)});`;
  const classes = Object.keys(service.exports).map((name) => `export class ${name} { constructor() { ${refusal} } }`);
  return {
    ...service,
    mainModule: "broken.js",
    modules: [{ name: "broken.js", text: [...classes, `export default { fetch() { ${refusal} } };`].join("\n") }],
  };
}

/** The service for the objects of both versions of a split: see workers/objects.js. */
function objectsService(state: State, worker: Worker, serving: readonly Serving[]): Service {
  const sides = serving.toReversed().map(({ version, percentage }, index) => ({
    version,
    percentage,
    folder: `v${version.number}`,
    // The newest version's bindings keep their names, so that `import { env }` finds them too.
    prefix: index === 0 ? "" : `${version.number}:`,
  }));
  const newest = sides[0]?.version;
  if (newest === undefined) throw new Error(`'${worker.name}' has no version in its split`);
  const exports = objectClasses(state, worker, newest);
  const code = [
    ...sides.map(
      ({ folder, version }) => `import * as ${folder} from ${JSON.stringify(`./${folder}/${version.mainModule}`)};`,
    ),
    `const SPLIT = [${sides.map(({ folder, percentage, prefix }) => `{ bundle: ${folder}, percentage: ${percentage}, prefix: ${JSON.stringify(prefix)} }`).join(", ")}];`,
    OBJECTS_CODE,
    ...Object.keys(exports).map(
      (className) => `export const ${className} = objectClass(${JSON.stringify(className)});`,
    ),
    "export default {};",
  ].join("\n");
  return {
    name: objectsName(state, worker),
    compatibilityDate: newest.compatibilityDate,
    compatibilityFlags: splitFlags(sides.map(({ version }) => version.compatibilityFlags)),
    mainModule: "objects.js",
    modules: [
      { name: "objects.js", text: code },
      ...sides.flatMap(({ version, folder }) =>
        programOf(version).map((module) => ({ ...module, name: `${folder}/${module.name}` })),
      ),
    ],
    env: Object.assign(
      {},
      ...sides.map(({ version, prefix }) =>
        environment(state, version, { prefix, assets: { type: "worker", worker: assetsName(worker, version) } }),
      ),
    ),
    exports,
  };
}

/** Flags that bring Node's modules and change nothing else that a Worker without them sees. */
const NODE_FLAGS: ReadonlySet<string> = new Set(["nodejs_compat", "nodejs_compat_v2", "nodejs_als"]);

/**
 * The flags of both sides of a split, newest first. One isolate cannot have opposite flags, so the newest version's
 * hold. Without Node's modules an older version that imports them would not start, so it brings them along.
 */
function splitFlags([newest = [], ...others]: readonly (readonly string[])[]): readonly string[] {
  const brought = others.flat().filter((flag) => NODE_FLAGS.has(flag) && !newest.includes(`no_${flag}`));
  return [...new Set([...newest, ...brought])];
}

const programOf = ({ modules }: Version) =>
  modules.filter(({ contentType }) => MODULE_TYPES.has(bareType(contentType)));

const objectClasses = (state: State, worker: Worker, { code }: Version): Service["exports"] =>
  Object.fromEntries(
    namespacesOf(state, worker.id)
      .filter(({ className }) => className in code.named)
      .map(({ className, storage, id }) => [
        className,
        { type: "durable-object" as const, storage, unsafeUniqueKey: id },
      ]),
  );

/** The version's bindings, with the prefix before their names. `assets`: the value of its assets binding. */
const environment = (
  state: State,
  version: Version,
  { prefix, assets }: { readonly prefix: string; readonly assets: Env[string] },
): Env =>
  Object.fromEntries(
    version.bindings.flatMap((binding) => {
      const bound = binding.type === "assets" ? assets : bind(state, version, binding);
      return bound === undefined ? [] : [[`${prefix}${binding.name}`, bound] as const];
    }),
  );

/** A binding's value at run time; undefined, and so missing, if its target was deleted with force. */
function bind(state: State, version: Version, binding: Binding): Env[string] | undefined {
  switch (binding.type) {
    case "plain_text":
    case "secret_text":
      return { type: "text", value: String(binding.text) };
    case "json":
      return { type: "json", value: jsonValue(binding.json) };
    case "version_metadata":
      return {
        type: "json",
        value: {
          id: version.id,
          tag: version.annotations["workers/tag"] ?? "",
          timestamp: version.createdOn,
        },
      };
    // Without what it refers to, a binding to storage is missing: Miniflare would make an empty one.
    case "kv_namespace":
      return state.kvNamespaces.has(String(binding.namespace_id))
        ? { type: "kv", id: String(binding.namespace_id) }
        : undefined;
    case "r2_bucket":
      return bucketBinding(state, bucketKey(String(binding.bucket_name), binding.jurisdiction));
    case "d1":
      return state.databases.has(String(binding.id)) ? { type: "d1", id: String(binding.id) } : undefined;
    case "analytics_engine":
      return { type: "analytics-engine-dataset", name: String(binding.dataset) };
    case "hyperdrive":
      return hyperdriveBinding(state.hyperdrives.get(String(binding.id)));
    case "queue":
      return queueBinding(state, binding);
    case "send_email":
      return email(binding);
    case "worker_loader":
      return { type: "worker-loader" };
    case "images":
      return { type: "images" };
    case "workflow":
      return workflowBinding(state, binding);
    case "ratelimit":
      return rateLimit(binding);
    case "service":
      return serviceBinding(state, binding);
    case "durable_object_namespace":
      return objectBinding(state, state.namespaces.get(String(binding.namespace_id)));
    default:
      return undefined;
  }
}

const Addresses = v.object({
  destination_address: v.optional(v.string()),
  allowed_destination_addresses: v.optional(v.array(v.string())),
  allowed_sender_addresses: v.optional(v.array(v.string())),
});

function email(binding: Binding): Env[string] {
  const {
    destination_address: destinationAddress,
    allowed_destination_addresses: allowedDestinationAddresses,
    allowed_sender_addresses: allowedSenderAddresses,
  } = v.parse(Addresses, binding);
  return {
    type: "send-email",
    ...(destinationAddress !== undefined && { destinationAddress }),
    ...(allowedDestinationAddresses !== undefined && { allowedDestinationAddresses }),
    ...(allowedSenderAddresses !== undefined && { allowedSenderAddresses }),
  };
}

const bucketBinding = ({ buckets }: State, key: string): Env[string] | undefined =>
  buckets.has(key) ? { type: "r2", name: bucketDirectory(key) } : undefined;

/** The hosts of a database on this machine, which speaks no TLS. */
const THIS_MACHINE = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/;

function hyperdriveBinding(config: Hyperdrive | undefined): Env[string] | undefined {
  if (config === undefined) return undefined;
  const { scheme, host, port, database, user, password } = config.origin;
  const [name, secret] = [user, password].map(encodeURIComponent);
  const tls = THIS_MACHINE.test(host) ? "?sslmode=disable" : "";
  const address = isIPv6(host) ? `[${host}]` : host;
  const connectionString = `${scheme}://${name}:${secret}@${address}:${port}/${encodeURIComponent(database)}${tls}`;
  return { type: "hyperdrive", id: config.id, dev: { connectionString } };
}

function queueBinding(state: State, binding: Binding): Env[string] | undefined {
  const queue = queueNamed(state, String(binding.queue_name));
  return queue && { type: "queue", name: queueEntry(queue.id, binding.delivery_delay) };
}

function workflowBinding(state: State, binding: Binding): Env[string] | undefined {
  const workflow = workflowNamed(state, String(binding.workflow_name));
  const owner = workflow && state.workers.get(workflow.workerId);
  const [main] = owner === undefined ? [] : servingVersions(state, owner.id);
  // Until its Worker's first deployment is complete, a workflow is not there.
  if (workflow === undefined || owner === undefined || main === undefined || !isRunnable(state, workflow))
    return undefined;
  const worker = serviceName(state, owner, main.version);
  return { type: "workflow", name: workflow.name, worker, exportName: workflow.className };
}

const Limit = v.object({ limit: v.number(), period: v.picklist([10, 60]) });

const rateLimit = ({ namespace_id, simple }: Binding): Env[string] => ({
  type: "rate-limit",
  namespace: String(namespace_id),
  simple: v.parse(Limit, simple),
});

function serviceBinding(state: State, binding: Binding): Env[string] | undefined {
  const target = workerNamed(state, String(binding.service));
  if (target === undefined) return undefined;
  const entrypoint = binding.entrypoint;
  const [main] = servingVersions(state, target.id);
  if (main === undefined) return undefined;
  // The target may have lost the entrypoint since. Then the binding is missing, and nothing else stops.
  const { named } = main.version.code;
  if (typeof entrypoint === "string" && entrypoint !== "default" && !(entrypoint in named)) return undefined;
  return {
    type: "worker",
    // A service binding has no client to choose a version for, so it reaches the one with the most traffic.
    worker: serviceName(state, target, main.version),
    ...(typeof entrypoint === "string" && { exportName: entrypoint }),
    ...(typeof binding.props === "object" && { props: { ...binding.props } }),
  };
}

function objectBinding(state: State, namespace: Namespace | undefined): Env[string] | undefined {
  if (namespace === undefined) return undefined;
  const owner = state.workers.get(namespace.workerId);
  const code = owner && servingVersions(state, owner.id)[0]?.version.code;
  if (owner === undefined || code === undefined || !(namespace.className in code.named)) return undefined;
  return { type: "durable-object", worker: objectsName(state, owner), exportName: namespace.className };
}

/** The name under which Miniflare keeps a bucket's objects. No bucket has a name with a dot, so no two share it. */
export const bucketDirectory = (key: string) => key.replace(":", ".");

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** A JSON value, with the type of one. */
const jsonValue = (value: unknown): Json => JSON.parse(JSON.stringify(value ?? null));

/** Whether it has all of its Worker's traffic: no preview, no side of a split. */
export const servesAlone = ({ name }: Service): boolean => !name.includes("@");

interface Surroundings {
  /** The bytes of a module. */
  readonly contents: (sha256: string) => Uint8Array;
  /** The folder of a service's assets. */
  readonly folderOf: (service: string) => string;
  /** Whether the service has an address of its own. Then the account is not told of its events. */
  readonly isDirect: boolean;
}

/** Miniflare's options for a service. */
export function optionsFor(service: Service, { contents, folderOf, isDirect }: Surroundings): WorkerOptions {
  const consumers = (service.consumers ?? []).map((worker) => ({ worker, streaming: false }));
  const toAccount = { worker: INTERNAL, props: { service: service.name }, streaming: false };
  return {
    ...(isDirect && { dev: { unsafeDirectSockets: [DIRECT_SOCKET] } }),
    config: {
      name: service.name,
      compatibilityDate: knownDate(service.compatibilityDate),
      compatibilityFlags: [...service.compatibilityFlags],
      manifest: {
        mainModule: service.mainModule,
        modules: Object.fromEntries(
          service.modules.map((module) => [
            module.name,
            "text" in module
              ? { type: "esm" as const, contents: module.text }
              : moduleOf(module.contentType, contents(module.sha256)),
          ]),
        ),
      },
      env: service.env,
      exports: service.exports,
      ...(service.assets !== undefined && { assets: servedAssets(folderOf(service.name), service.assets) }),
      tailConsumers: isDirect ? consumers : [toAccount, ...consumers],
    },
  };
}

function servedAssets(
  directory: string,
  {
    config: { runWorkerFirst, headers: _headers, redirects: _redirects, ...config },
    hasScript,
  }: NonNullable<Service["assets"]>,
): NonNullable<Config["assets"]> {
  return {
    directory,
    hasUserWorker: hasScript,
    ...config,
    ...(runWorkerFirst === undefined || !hasScript
      ? {}
      : { runWorkerFirst: typeof runWorkerFirst === "boolean" ? runWorkerFirst : [...runWorkerFirst] }),
  };
}

function moduleOf(contentType: string, contents: Uint8Array) {
  const type = MODULE_TYPES.get(bareType(contentType)) ?? "data";
  if (type === "wasm" || type === "data") return { type, contents: new Uint8Array(contents) };
  return { type, contents: new TextDecoder().decode(contents) };
}
