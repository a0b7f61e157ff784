/** The bindings of a version at run time, as Miniflare's `env`. */
import { isIPv6 } from "node:net";
import type { MiniflareOptions } from "miniflare";
import * as v from "valibot";
import { bucketKey } from "../bindings.ts";
import type { Binding, Hyperdrive, Namespace, State, Version } from "../model.ts";
import { queueNamed, servingVersions, workerNamed, workflowNamed } from "../queries.ts";
import { bucketDirectory, objectsName, serviceName } from "./names.ts";
import { queueEntryName } from "./queues.ts";
import { isRunnable } from "./workflows.ts";

/** What Miniflare runs a Worker by. */
export type Config = Extract<MiniflareOptions["workers"][number], { config: unknown }>["config"];
export type Env = NonNullable<Config["env"]>;

/** The version's bindings, with the prefix before their names. `assets`: the value of its assets binding. */
export const environment = (
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
  return queue && { type: "queue", name: queueEntryName(queue.id, binding.delivery_delay) };
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

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** A JSON value, with the type of one. */
const jsonValue = (value: unknown): Json => JSON.parse(JSON.stringify(value ?? null));
