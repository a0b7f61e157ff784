/**
 * Every key of wrangler.jsonc is in one of three lists, so that none is dropped in silence. A test holds them against
 * wrangler's own schema (node_modules/wrangler/config-schema.json): a key that a newer wrangler has fails it.
 *
 * A path is `key`, `key.inner` or `key[].inner`, and stands for all that is below it, unless a longer path is listed.
 */

/** What a release is built from, and how. */
export const DEPLOYED: Readonly<Record<string, string>> = {
  main: "the entry of the bundle",
  compatibility_date: "as it is",
  compatibility_flags: "as they are; with `nodejs_compat` Node's modules come as in wrangler",
  define: "replaced in the code",
  alias: "modules that stand for others",
  "rules[].type": "Text, Data or CompiledWasm",
  "rules[].globs": "files that become modules of their own",
  "rules[].fallthrough": "whether wrangler's rules for the type come after",
  preserve_file_names: "whether modules keep their names, in place of a hash in front",
  tsconfig: "for the bundle",
  jsx_factory: "for the bundle",
  jsx_fragment: "for the bundle",
  minify: "true here where it is not set",
  keep_names: "false here where it is not set",
  "durable_objects.bindings[].name": "the binding",
  "durable_objects.bindings[].class_name": "one of the Worker's own classes, or of script_name's",
  "durable_objects.bindings[].script_name": "the Worker that has the class; `bind` in a stack's file names another",
  vars: "text as it is, every other value as JSON; `vars` in a stack's file goes over it by name",
  "kv_namespaces[].binding": "the stack gets a namespace of its own for it; or `bind` in its file says an id",
  "r2_buckets[].binding": "the stack gets a bucket of its own for it; or `bind` in its file says a name",
  "d1_databases[].binding": "the stack gets a database of its own for it; or `bind` in its file says an id",
  "services[].binding": "the binding",
  "services[].service": "the Worker that it leads to; `bind` in a stack's file names another",
  "services[].entrypoint": "its entrypoint",
  "queues.producers[].binding": "the binding",
  "queues.producers[].queue": "the queue, which must be there; `bind` in a stack's file names another",
  ratelimits: "as they are",
  "placement.mode": "as it is; `off` is to say nothing",
  "placement.region": "as it is",
  "placement.host": "as it is",
  "placement.hostname": "as it is",
  limits: "as they are",
  "triggers.crons": "all that the Worker has: others are taken away",
  "tail_consumers[].service": "the Worker that is told",
  logpush: "as it is",
  "observability.enabled": "as it is; where `observability` is not set, true",
  "observability.head_sampling_rate": "as it is",
  "observability.issues": "as it is",
  "observability.logs": "as it is",
  "observability.traces": "as it is",
};

/** What is for work on this machine: `wrangler dev`, types and tests. */
export const MACHINE: Readonly<Record<string, string>> = {
  $schema: "for editors",
  name: "a stack's Worker has the name of its workerName",
  exports: "the classes are those of infra/migrations.ts; a test holds the two together",
  dev: "for `wrangler dev`",
  build: "for wrangler; `npm run build` builds the page itself",
  send_metrics: "for wrangler",
  dependencies_instrumentation: "for wrangler",
  "access.dev": "for `wrangler dev`",
  "kv_namespaces[].id": "a stack has its own; to take this one, say it in `bind` of the stack's file",
  "kv_namespaces[].preview_id": "for `wrangler dev`",
  "kv_namespaces[].remote": "for `wrangler dev`",
  "r2_buckets[].bucket_name": "a stack has its own; to take this one, say it in `bind` of the stack's file",
  "r2_buckets[].preview_bucket_name": "for `wrangler dev`",
  "r2_buckets[].remote": "for `wrangler dev`",
  "r2_buckets[].local_dev": "for `wrangler dev`",
  "d1_databases[].database_id": "a stack has its own; to take this one, say it in `bind` of the stack's file",
  "d1_databases[].database_name": "a stack has its own; to take this one, say it in `bind` of the stack's file",
  "d1_databases[].preview_database_id": "for `wrangler dev`",
  "d1_databases[].database_internal_env": "for wrangler",
  "d1_databases[].migrations_table": "for `wrangler d1 migrations`",
  "d1_databases[].migrations_dir": "for `wrangler d1 migrations`",
  "d1_databases[].migrations_pattern": "for `wrangler d1 migrations`",
  "d1_databases[].remote": "for `wrangler dev`",
  "services[].remote": "for `wrangler dev`",
  "queues.producers[].remote": "for `wrangler dev`",
};

const INDEX = "add the binding to `bindings` in infra/index.ts";
const WORKER = "set it in workerInputs (infra/stack/declared.ts)";
const VERSION = "set it on the WorkerVersion in infra/durable-worker.ts";
/** Not of the release: a promotion would take the files of whoever deploys, and a rollout would not see that they changed. */
const FRONTEND = "deploy the frontend as a Worker of its own, with wrangler (docs/make-it-yours.md)";
const ADDRESS = "set hostname, or zoneId and routes, in Pulumi.<stack>.yaml";
const HISTORY = "write the step into infra/migrations.ts";
const ANOTHER = "deploy what needs it as a Worker of its own, with wrangler";
const MODULES = "use an ES module Worker, and import the file";

/** What no release takes from here, and where it is to be said instead. */
export const REFUSED: Readonly<Record<string, string>> = {
  env: "a stack is an environment: say what differs in Pulumi.<stack>.yaml",
  account_id: "set accountId in Pulumi.<stack>.yaml",
  workers_dev:
    "a stack without hostname and routes is on workers.dev; to leave it, set one of them in Pulumi.<stack>.yaml",
  preview_urls: WORKER,
  routes: ADDRESS,
  route: ADDRESS,
  addresses: ANOTHER,
  migrations: HISTORY,
  "durable_objects.bindings[].environment": INDEX,
  "durable_objects.code_update_strategy": ANOTHER,
  secrets: "add each to `secrets` in infra/index.ts, with its value, and its type to worker/env.d.ts",
  analytics_engine_datasets: INDEX,
  version_metadata: INDEX,
  send_email: INDEX,
  "r2_buckets[].jurisdiction": "make the bucket by hand, and take it in infra/index.ts",
  "services[].props": "leave it out: say it in a variable",
  "queues.producers[].delivery_delay": "set it on the queue, or on each message",
  "queues.consumers": "leave it out: `npx wrangler queues consumer add` says it, once for each stack",
  "placement.hint": "leave it out: with `mode: targeted`, name a region or a host",
  "triggers.events": ANOTHER,
  "tail_consumers[].environment": "leave it out: name the Worker",
  "observability.redact_query_string": "leave it out: the provider has no such setting",
  vectorize: INDEX,
  hyperdrive: INDEX,
  browser: INDEX,
  ai: INDEX,
  ai_search_namespaces: INDEX,
  ai_search: INDEX,
  images: INDEX,
  media: INDEX,
  mtls_certificates: INDEX,
  dispatch_namespaces: INDEX,
  pipelines: INDEX,
  k2: INDEX,
  secrets_store_secrets: INDEX,
  artifacts: INDEX,
  flagship: INDEX,
  vpc_services: INDEX,
  vpc_networks: INDEX,
  workflows: ANOTHER,
  agent_memory: ANOTHER,
  analytics: ANOTHER,
  stream: ANOTHER,
  worker_loaders: ANOTHER,
  unsafe: ANOTHER,
  unsafe_hello_world: ANOTHER,
  logfwdr: ANOTHER,
  first_party_worker: ANOTHER,
  connect: ANOTHER,
  cloudchamber: ANOTHER,
  containers: ANOTHER,
  streaming_tail_consumers: ANOTHER,
  access: ANOTHER,
  previews: ANOTHER,
  compliance_region: ANOTHER,
  python_modules: ANOTHER,
  pages_build_output_dir: ANOTHER,
  cache: VERSION,
  assets: FRONTEND,
  upload_source_maps: "the map stays in the release's folder: leave the key out",
  site: MODULES,
  wasm_modules: MODULES,
  text_blobs: MODULES,
  data_blobs: MODULES,
  no_bundle: "leave it out: a release is one bundle and the files that it imports",
  find_additional_modules: "leave it out, and import each file by its name",
  base_dir: "leave it out: files are found by their imports",
  keep_vars: "leave it out: a stack's variables are those of the program",
};

/** Bindings that the program gives to every stack (infra/index.ts): here they are for `wrangler dev`. */
export const OF_THE_PROGRAM: Readonly<Record<string, readonly string[]>> = {
  vars: ["REGIONS", "SETTINGS", "RELEASE"],
  kv_namespaces: ["READS"],
  r2_buckets: ["BLOBS"],
  version_metadata: ["VERSION"],
};

type List = "deployed" | "machine" | "refused";

/** The list that a path is in, by the longest listed path that it is or is below of; undefined: in none. */
export function listOf(
  path: string,
): { readonly list: List; readonly listed: string; readonly why: string } | undefined {
  const lists: readonly (readonly [List, Readonly<Record<string, string>>])[] = [
    ["deployed", DEPLOYED],
    ["machine", MACHINE],
    ["refused", REFUSED],
  ];
  for (let listed = path; listed !== ""; listed = listed.replace(/(^|\.)[^.]*$/, "")) {
    for (const [list, entries] of lists) {
      const why = Object.hasOwn(entries, listed) ? entries[listed] : undefined;
      if (why !== undefined) return { list, listed, why };
    }
  }
  return undefined;
}

/** Whether a path is in no list, but one below it is. */
export const isAbove = (path: string): boolean =>
  [DEPLOYED, MACHINE, REFUSED]
    .flatMap((entries) => Object.keys(entries))
    .some((other) => other.startsWith(`${path}.`) || other.startsWith(`${path}[]`));

/** Whether a path is in a list and none below it is. */
export function isEnd(path: string): boolean {
  return listOf(path)?.listed === path && !isAbove(path);
}
