/**
 * The bindings of a version: the types that the account can serve, the fields of each, and how the API shows them.
 * The checks are here, so that a refusal names the binding and the field.
 */
import * as v from "valibot";
import { ApiError, invalid } from "./errors.ts";
import { checkValue } from "./limits.ts";
import type { Binding, Namespace, State, Version, Worker } from "./model.ts";
import { parse } from "./parse.ts";
import { namespaceOf, queueNamed, versionsOf, workerNamed } from "./queries.ts";

const name = v.pipe(v.string(), v.nonEmpty());

/** Cloudflare's limits for the delay of a message. */
export const DELAY_SECONDS = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(86_400));

/** The required fields of each type. Further fields are kept. */
const TYPES = {
  durable_object_namespace: v.looseObject({ class_name: name, script_name: v.optional(v.string()) }),
  kv_namespace: v.looseObject({ namespace_id: name }),
  r2_bucket: v.looseObject({ bucket_name: name, jurisdiction: v.optional(v.string()) }),
  d1: v.looseObject({ id: name }),
  plain_text: v.looseObject({ text: v.string() }),
  secret_text: v.looseObject({ text: v.string() }),
  json: v.looseObject({ json: v.unknown() }),
  service: v.looseObject({
    service: name,
    entrypoint: v.optional(v.string()),
    props: v.optional(v.record(v.string(), v.unknown())),
  }),
  version_metadata: v.looseObject({}),
  assets: v.looseObject({}),
  analytics_engine: v.looseObject({ dataset: v.optional(name) }),
  queue: v.looseObject({ queue_name: name, delivery_delay: v.optional(DELAY_SECONDS) }),
  ratelimit: v.looseObject({
    namespace_id: name,
    simple: v.looseObject({
      limit: v.pipe(v.number(), v.integer(), v.minValue(1)),
      period: v.picklist([10, 60], "must be 10 or 60"),
    }),
  }),
  send_email: v.looseObject({
    destination_address: v.optional(v.string()),
    allowed_destination_addresses: v.optional(v.array(v.string())),
    allowed_sender_addresses: v.optional(v.array(v.string())),
  }),
  hyperdrive: v.looseObject({ id: name }),
  worker_loader: v.looseObject({}),
  images: v.looseObject({}),
  workflow: v.looseObject({
    workflow_name: name,
    class_name: v.optional(v.string()),
    script_name: v.optional(v.string()),
  }),
  inherit: v.looseObject({ old_name: v.optional(v.string()), version_id: v.optional(v.string()) }),
} as const;

const Named = v.looseObject({ name, type: name });

const isServed = (type: string): type is keyof typeof TYPES => Object.hasOwn(TYPES, type);

/** Types whose value the API never shows. */
const SECRET_TYPES: ReadonlySet<string> = new Set(["secret_text", "secret_key"]);

export const isSecret = ({ type }: { readonly type: string }) => SECRET_TYPES.has(type);

/** Checks the form of uploaded bindings. @throws ApiError 10021 with the binding and the field. */
export function parseBindings(bindings: readonly unknown[]): Binding[] {
  const seen = new Set<string>();
  return bindings.map((binding, index) => {
    if (!v.is(Named, binding)) throw invalid(`bindings[${index}]: \`name\` and \`type\` must be text.`);
    if (seen.has(binding.name)) throw invalid(`bindings[${index}]: there is another binding named '${binding.name}'.`);
    seen.add(binding.name);
    if (!isServed(binding.type))
      throw new ApiError(
        501,
        10021,
        `binding ${binding.name}: the local account does not serve bindings of type '${binding.type}'. It serves ${Object.keys(TYPES).join(", ")}.`,
      );
    const current = normalized(binding);
    parse(TYPES[binding.type], current, (mistake) => `binding ${binding.name} of type ${binding.type}: ${mistake}`);
    checkValue(current);
    return current;
  });
}

/**
 * A binding as the account keeps it. Cloudflare has renamed a D1 binding's `id` to `database_id`; wrangler sends the old
 * name, and answers have both. A data set that is not named has the name of its binding: wrangler sends none then.
 */
function normalized(binding: Binding): Binding {
  const { database_id, ...rest } = binding;
  if (binding.type === "d1" && database_id !== undefined) return { ...rest, id: database_id };
  if (binding.type === "analytics_engine") return { ...binding, dataset: binding.dataset ?? binding.name };
  return binding;
}

/** Options of an upload for the bindings that it takes from an earlier version. */
interface Inheritance {
  readonly state: State;
  /** The Worker of the upload, whose versions alone are inherited from; undefined if it is new. */
  readonly workerId: string | undefined;
  /** Types whose bindings are kept even if the upload does not name them. */
  readonly keep: readonly string[];
  /** Whether an `inherit` that finds nothing is an error (10057), or is dropped silently. */
  readonly strict: boolean;
}

/** Replaces `inherit` bindings by those of the version that they name, else of the latest, and adds the kept ones. */
export function inherit(bindings: readonly Binding[], options: Inheritance): Binding[] {
  const versions = options.workerId === undefined ? [] : versionsOf(options.state, options.workerId);
  const [latest] = versions;
  const result: Binding[] = [];
  for (const binding of bindings) {
    if (binding.type !== "inherit") {
      result.push(binding);
      continue;
    }
    const versionId = typeof binding.version_id === "string" ? binding.version_id : "latest";
    const source = versionId === "latest" ? latest : versions.find(({ id }) => id === versionId);
    const oldName = typeof binding.old_name === "string" ? binding.old_name : binding.name;
    const found = source?.bindings.find((candidate) => candidate.name === oldName);
    if (found !== undefined) result.push({ ...found, name: binding.name });
    else if (options.strict)
      throw new ApiError(400, 10057, `binding ${binding.name}: ${nothingToInherit(versionId, oldName, source)}.`);
  }
  const names = new Set(bindings.map((binding) => binding.name));
  for (const binding of latest?.bindings ?? []) {
    if (options.keep.includes(binding.type) && !names.has(binding.name)) result.push(binding);
  }
  return result.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function nothingToInherit(versionId: string, name: string, source: Version | undefined): string {
  if (versionId === "latest") return `the previous version has no binding '${name}' to inherit`;
  return source === undefined
    ? `this Worker has no version '${versionId}' to inherit from`
    : `version '${versionId}' has no binding '${name}' to inherit`;
}

/**
 * Resolves the bindings' references: a Durable Object binding gets its namespace's id; a missing KV namespace, bucket,
 * Worker or class is refused. `pendingExports`: classes that the version declares and no deployment has made yet.
 */
export function resolveBindings(
  state: State,
  worker: Worker,
  bindings: readonly Binding[],
  pendingExports: ReadonlySet<string>,
): Binding[] {
  return bindings.map((binding) => {
    switch (binding.type) {
      case "durable_object_namespace":
        // Once resolved, a binding follows its namespace, even if the class was renamed since.
        if (state.namespaces.has(String(binding.namespace_id))) return binding;
        return { ...binding, namespace_id: namespaceFor(state, worker, binding, pendingExports).id };
      case "kv_namespace":
        if (!state.kvNamespaces.has(String(binding.namespace_id)))
          throw new ApiError(400, 10041, `KV namespace '${binding.namespace_id}' of binding ${binding.name} not found`);
        return binding;
      case "r2_bucket":
        if (!state.buckets.has(bucketKey(String(binding.bucket_name), binding.jurisdiction)))
          throw new ApiError(400, 10085, `R2 bucket '${binding.bucket_name}' of binding ${binding.name} not found`);
        return binding;
      case "d1":
        if (!state.databases.has(String(binding.id)))
          throw new ApiError(
            400,
            10181,
            `D1 binding '${binding.name}' references database '${binding.id}' which was not found.`,
          );
        return binding;
      case "hyperdrive":
        if (!state.hyperdrives.has(String(binding.id)))
          throw invalid(
            `binding ${binding.name}: there is no Hyperdrive configuration '${binding.id}'. To create one, run: wrangler hyperdrive create`,
          );
        return binding;
      case "queue":
        if (queueNamed(state, String(binding.queue_name)) === undefined)
          throw new ApiError(
            400,
            11000,
            `Queue '${binding.queue_name}' of binding ${binding.name} not found. To create it, run: wrangler queues create ${binding.queue_name}`,
          );
        return binding;
      case "service":
        return resolveService(state, worker, binding);
      default:
        return binding;
    }
  });
}

/** A service binding to a Worker that exists, and to an entrypoint that its newest version has. */
function resolveService(state: State, worker: Worker, binding: Binding): Binding {
  const { service, entrypoint } = binding;
  if (service === worker.name) return binding;
  const refuse = (what: string) => {
    const message = `Could not resolve service binding '${binding.name}'. Target Worker '${service}' ${what}.`;
    return new ApiError(400, 10143, message);
  };
  const target = workerNamed(state, String(service));
  if (target === undefined) throw refuse("not found");
  const code = versionsOf(state, target.id)[0]?.code;
  if (code && typeof entrypoint === "string" && entrypoint !== "default" && !(entrypoint in code.named)) {
    throw refuse(`has no entrypoint '${entrypoint}'; it has ${["default", ...Object.keys(code.named)].join(", ")}`);
  }
  return binding;
}

/** Cloudflare's jurisdictions of buckets. */
export const JURISDICTIONS = ["default", "eu", "us", "fedramp", "fedramp-high"] as const;

export const isJurisdiction = (name: string): boolean => JURISDICTIONS.some((known) => known === name);

/** A bucket's key: its name, and its jurisdiction if it has one, because buckets in different ones may share a name. */
export const bucketKey = (bucket: string, jurisdiction: unknown) =>
  jurisdiction === undefined || jurisdiction === null || jurisdiction === "default" || jurisdiction === ""
    ? bucket
    : `${jurisdiction}:${bucket}`;

/** The classes of its own Worker that a version binds to. */
export const ownClasses = (worker: Pick<Worker, "name">, bindings: readonly Binding[]): ReadonlySet<string> =>
  new Set(
    bindings
      .filter(({ type }) => type === "durable_object_namespace")
      .filter(({ script_name }) => script_name === undefined || script_name === worker.name)
      .map(({ class_name }) => String(class_name)),
  );

function namespaceFor(state: State, worker: Worker, binding: Binding, pendingExports: ReadonlySet<string>): Namespace {
  const className = String(binding.class_name);
  const script = typeof binding.script_name === "string" ? binding.script_name : worker.name;
  const owner = script === worker.name ? worker : workerNamed(state, script);
  if (owner === undefined)
    throw new ApiError(
      400,
      10061,
      `Cannot create binding for class '${className}' in script '${script}' because there is no such script.`,
    );
  const namespace = namespaceOf(state, owner.id, className);
  if (namespace !== undefined) return namespace;
  if (owner.id === worker.id && pendingExports.has(className))
    throw new ApiError(
      400,
      100406,
      `Binding '${binding.name}' depends on class '${className}', which \`exports\` declares but no deployment has provisioned yet. Deploy the class first (wrangler deploy), then upload versions that bind to it.`,
    );
  throw new ApiError(
    400,
    10061,
    `Cannot create binding for class '${className}'${script === worker.name ? "" : ` in script '${script}'`} because it is not currently configured to implement Durable Objects. Declare it in \`exports\`, or apply a migration that creates it.`,
  );
}

/** The types of Cloudflare's SDK have no props in an answer. */
const withoutProps = ({ props: _, ...shown }: Binding): Binding => shown;

/** A binding in the form of the API: without secrets, and with the present name of a namespace's class. */
export function shownBinding(binding: Binding): Binding {
  if (binding.type === "d1") return { ...binding, database_id: binding.id };
  if (binding.type === "service") return withoutProps(binding);
  if (!isSecret(binding)) return binding;
  return { name: binding.name, type: binding.type };
}
