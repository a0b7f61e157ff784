/**
 * Translates a state of the account into the services that workerd runs. Pure.
 *
 * A namespace keeps its data because its objects are stored under the namespace's id, whatever Worker and class name
 * they have: versions, renames and transfers change the code in front of the same directory.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { Assets, Module, State, Version, Worker } from "../model.ts";
import { namespacesOf, servingVersions, workerNamed } from "../queries.ts";
import { consumersOf } from "../tail-consumers.ts";
import { type Serving, split } from "../traffic.ts";
import { bareType, MODULE_TYPES } from "../upload.ts";
import { type Config, type Env, environment } from "./environment.ts";
import { assetsName, objectsName, serviceName } from "./names.ts";
import { type Queues, queueSettings } from "./queues.ts";
import { type WorkflowEngine, workflowEngines } from "./workflows.ts";

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

/** A module of an upload, or one with text from here. */
type ServiceModule = Pick<Module, "name" | "contentType" | "sha256"> | { readonly name: string; readonly text: string };

/** The script of a Worker without a script. No request reaches it: the assets answer all of them. */
const NO_SCRIPT = { name: "none.js", text: "export default {};" } as const;

const OBJECTS_CODE = readFileSync(path.join(import.meta.dirname, "workers/objects.js"), "utf8");

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
