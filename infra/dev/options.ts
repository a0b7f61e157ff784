/** What Miniflare is told of the Worker: its modules, and the bindings that wrangler would give it. */
import { join } from "node:path";
import { convertV4MiniflareOptions, getDefaultDevRegistryPath, Log, LogLevel, type MiniflareOptions } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { messageOf } from "../common/errors.ts";
import { BuildError } from "../release/build-error.ts";
import type { Bundle } from "../release/bundle.ts";
import { MAIN_MODULE } from "../release/manifest.ts";
import { ROOT } from "../release/root.ts";
import { readWorkerConfig, type WorkerConfig } from "../release/worker-config.ts";
import { doorOf } from "./door.ts";

/** What the command line says of it. */
export interface Bound {
  readonly port: number;
  readonly inspectorPort: number;
}

/** The admin token where nothing sets one. */
const ADMIN_TOKEN = "dev-admin-token";

interface Runnable {
  readonly options: MiniflareOptions;
  /** The admin token that it takes, or where that stands: what somebody has set is not for a terminal. */
  readonly adminToken: string;
}

/** Where `wrangler dev` keeps its data, too. */
export const STATE = join(ROOT, ".wrangler/state/v3");

/** The Worker's name in the runtime, by which workerd speaks of it. */
export const WORKER = "dev";

/** How that bundle runs. @throws BuildError where wrangler refuses what the bindings are read from. */
export function runnable({ main, modules }: Bundle, { port, inspectorPort }: Bound): Runnable {
  const { workerOptions, externalWorkers } = bindings();
  // The Worker takes an empty one for none.
  const hasOwn = Object.entries(workerOptions.bindings ?? {}).some(([name, set]) => name === "ADMIN_TOKEN" && set);
  const worker = {
    ...workerOptions,
    name: WORKER,
    rootPath: ROOT,
    // workerd lets a debugger of any site attach; what Miniflare puts in front of it asks where it comes from.
    unsafeInspectorProxy: true,
    bindings: Object.assign({}, workerOptions.bindings, hasOwn ? {} : { ADMIN_TOKEN }),
    modules: [
      { type: "ESModule" as const, path: "door.js", contents: doorOf(MAIN_MODULE) },
      { type: "ESModule" as const, path: MAIN_MODULE, contents: main },
      ...modules.map(({ name, contentType, contents }) => ({ type: kindOf(contentType), path: name, contents })),
    ],
  };
  const options = convertV4MiniflareOptions({
    host: "127.0.0.1",
    port,
    inspectorPort,
    cf: false,
    log: new Log(LogLevel.WARN),
    // Where `wrangler dev` of another Worker says that it runs. One that does not run answers 503.
    ...(leadsOut(readWorkerConfig()) && { unsafeDevRegistryPath: getDefaultDevRegistryPath() }),
    workers: [worker, ...externalWorkers],
  });
  return {
    options: { ...options, resourcePersistencePath: STATE, telemetry: { enabled: false } },
    adminToken: hasOwn ? "the ADMIN_TOKEN that this project sets (.dev.vars, .env)" : ADMIN_TOKEN,
  };
}

/** Whether the Worker is bound to others, or tells them of its requests. */
function leadsOut({ services, tail_consumers, durable_objects }: WorkerConfig): boolean {
  const isAnothers = durable_objects.bindings.some(({ script_name }) => script_name !== undefined);
  return isAnothers || services.length + tail_consumers.length > 0;
}

function bindings(): ReturnType<typeof unstable_getMiniflareWorkerOptions> {
  // Wrangler would keep a log of it under the person's home, and fill the terminal where that cannot be written.
  process.env.WRANGLER_WRITE_LOGS ??= "false";
  try {
    return unstable_getMiniflareWorkerOptions(join(ROOT, "wrangler.jsonc"));
  } catch (error) {
    throw new BuildError(`The bindings of wrangler.jsonc cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

function kindOf(contentType: string): "CompiledWasm" | "Text" | "Data" | "ESModule" {
  if (contentType === "application/wasm") return "CompiledWasm";
  if (contentType.startsWith("text/")) return "Text";
  return contentType.includes("javascript") ? "ESModule" : "Data";
}
