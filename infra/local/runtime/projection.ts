/**
 * What has to run for a state of the account: a pure translation into Miniflare's options.
 *
 * A namespace keeps its data because its objects are stored under the namespace's id, whichever Worker runs them and
 * whatever the class is called: versions, renames and transfers change the code in front of the same directory.
 */
import type { MiniflareOptions } from "miniflare";
import { bucketKey } from "../bindings.ts";
import type { Binding, Module, Namespace, State, Version, Worker } from "../model.ts";
import { namespacesOf, servingVersions, workerNamed } from "../queries.ts";
import { bareType, MODULE_TYPES } from "../upload.ts";

type WorkerOptions = MiniflareOptions["workers"][number];
type Config = Extract<WorkerOptions, { config: unknown }>["config"];
type Env = NonNullable<Config["env"]>;

/** A Worker as it has to run, contents by their address. Two of the same JSON run the same. */
export interface Service {
  /** Name in the runtime: the Worker's, for the version that serves. */
  readonly name: string;
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  readonly mainModule: string;
  readonly modules: readonly Pick<Module, "name" | "contentType" | "sha256">[];
  readonly env: Env;
  readonly exports: NonNullable<Config["exports"]>;
}

/** Every service of the state, in a stable order. */
export function project(state: State): Service[] {
  return [...state.workers.values()].flatMap((worker) => {
    const serving = servingVersions(state, worker.id)[0]?.version;
    return serving === undefined ? [] : [serviceOf(state, worker, serving, worker.name)];
  });
}

function serviceOf(state: State, worker: Worker, version: Version, name: string): Service {
  return {
    name,
    compatibilityDate: version.compatibilityDate,
    compatibilityFlags: version.compatibilityFlags,
    mainModule: version.mainModule,
    modules: version.modules.filter(({ contentType }) => MODULE_TYPES.has(bareType(contentType))),
    env: Object.fromEntries(
      version.bindings.flatMap((binding) => {
        const bound = bind(state, version, binding);
        return bound === undefined ? [] : [[binding.name, bound] as const];
      }),
    ),
    exports: Object.fromEntries(
      namespacesOf(state, worker.id)
        .filter(({ className }) => className in version.code.named)
        .map(({ className, storage, id }) => [
          className,
          { type: "durable-object" as const, storage, unsafeUniqueKey: id },
        ]),
    ),
  };
}

/** What a binding is at run time; undefined when what it refers to is gone (deleted with force): it is not there. */
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
    case "kv_namespace":
      return { type: "kv", id: String(binding.namespace_id) };
    case "r2_bucket":
      return { type: "r2", name: bucketDirectory(bucketKey(String(binding.bucket_name), binding.jurisdiction)) };
    case "service":
      return serviceBinding(state, binding);
    case "durable_object_namespace":
      return objectBinding(state, state.namespaces.get(String(binding.namespace_id)));
    default:
      return undefined;
  }
}

function serviceBinding(state: State, binding: Binding): Env[string] | undefined {
  const target = workerNamed(state, String(binding.service));
  if (target === undefined || servingVersions(state, target.id).length === 0) return undefined;
  const entrypoint = binding.entrypoint;
  return {
    type: "worker",
    worker: target.name,
    ...(typeof entrypoint === "string" ? { exportName: entrypoint } : {}),
  };
}

function objectBinding(state: State, namespace: Namespace | undefined): Env[string] | undefined {
  if (namespace === undefined) return undefined;
  const owner = state.workers.get(namespace.workerId);
  const code = owner && servingVersions(state, owner.id)[0]?.version.code;
  if (owner === undefined || code === undefined || !(namespace.className in code.named)) return undefined;
  return { type: "durable-object", worker: owner.name, exportName: namespace.className };
}

/** Name under which Miniflare keeps a bucket's objects. */
export const bucketDirectory = (key: string) => key.replace(":", "--");

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** A value that came as JSON, as a type that says so. */
const jsonValue = (value: unknown): Json => JSON.parse(JSON.stringify(value ?? null));

/** Miniflare's options for a service. */
export function optionsFor(service: Service, contents: (sha256: string) => Uint8Array): WorkerOptions {
  return {
    config: {
      name: service.name,
      compatibilityDate: service.compatibilityDate,
      compatibilityFlags: [...service.compatibilityFlags],
      manifest: {
        mainModule: service.mainModule,
        modules: Object.fromEntries(
          service.modules.map(({ name, contentType, sha256 }) => [name, moduleOf(contentType, contents(sha256))]),
        ),
      },
      env: service.env,
      exports: service.exports,
    },
  };
}

function moduleOf(contentType: string, contents: Uint8Array) {
  const type = MODULE_TYPES.get(bareType(contentType)) ?? "data";
  if (type === "wasm" || type === "data") return { type, contents: new Uint8Array(contents) };
  return { type, contents: new TextDecoder().decode(contents) };
}
