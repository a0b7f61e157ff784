/** What workerd runs for a state, as Miniflare's options: the account's own Workers, and the deployed ones. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { Log, LogLevel, type MiniflareOptions, Response } from "miniflare";
import * as v from "valibot";
import type { State } from "../model.ts";
import { printLog } from "./logs.ts";
import { bucketDirectory, INTERNAL, servesAlone } from "./names.ts";
import { firstWorker, partsBinding } from "./parts.ts";
import { partsOf, type Service } from "./projection.ts";
import { s3Credentials } from "./s3-keys.ts";
import { DIRECT_SOCKET, optionsFor } from "./worker-options.ts";

/** The modules of the internal Worker. */
const INTERNAL_MODULES = Object.fromEntries(
  ["internal.js", "encodings.js", "bodies.js"].map((name) => [
    name,
    { type: "esm" as const, contents: readFileSync(path.join(import.meta.dirname, "workers", name), "utf8") },
  ]),
);

/** The compatibility date of the internal Worker. */
const INTERNAL_COMPATIBILITY_DATE = "2026-11-01";

/** What to run: a state, and the contents of its modules and manifests. */
export interface Workload {
  readonly state: State;
  readonly blob: (sha256: string) => Uint8Array;
}

/** The account around workerd. */
export interface Host {
  /** Where the data is. */
  readonly directory: string;
  /** What proves to the account's own Workers that the account calls, and the account that they log. */
  readonly secret: string;
  /** The Workers whose events are all told. */
  readonly tailed: () => readonly string[];
  /** Whether deployed Workers have addresses of their own. */
  readonly isDirect: boolean;
  /** The folder of a service's assets. */
  readonly folderOf: (service: string) => string;
  /** Gets an event of a Worker (internal.js, `traceOf`). */
  readonly onTrace: (trace: unknown) => void;
  /** Gets a line of the account's own Workers. */
  readonly onNews: (line: string) => void;
  /** Gets a line that a deployed Worker logs. By default it is printed. */
  readonly onLog: ((line: string) => void) | undefined;
  /** What is printed of such a line. */
  readonly shown: (line: string, state: State) => string;
}

/** What runs. States with the same digest run the same. */
export const digestOf = (services: readonly Service[], state: State): string =>
  JSON.stringify([services, partsOf(state, services)]);

/** All storage that the REST API reads and writes itself. */
export const storageOf = ({ kvNamespaces, buckets, databases }: State): ReadonlySet<string> =>
  new Set([...kvNamespaces.keys(), ...buckets.keys(), ...databases.keys()]);

/** The services with addresses of their own. */
export const directServices = (services: readonly Service[], { isDirect }: Pick<Host, "isDirect">): string[] =>
  isDirect ? services.filter(servesAlone).map(({ name }) => name) : [];

/** Miniflare's options for the services of a state. */
export function compose(services: readonly Service[], { state, blob }: Workload, host: Host): MiniflareOptions {
  const { secret, onNews, onLog, shown, folderOf } = host;
  const direct = new Set(directServices(services, host));
  return {
    host: "127.0.0.1",
    port: 0,
    cf: false,
    enableDevRegistry: false,
    telemetry: { enabled: false },
    log: new Log(LogLevel.WARN),
    handleStructuredLogs: ({ level, message }) => {
      if (message.startsWith(secret)) onNews(message);
      else if (onLog) onLog(message);
      else printLog(level, shown(message, state));
    },
    resourcePersistencePath: host.directory,
    workers: [
      firstWorker(partsOf(state, services), secret, INTERNAL_COMPATIBILITY_DATE),
      internalWorker(services, state, host),
      ...services.map((service) =>
        optionsFor(service, { contents: blob, folderOf, isDirect: direct.has(service.name) }),
      ),
    ],
  };
}

function internalWorker(
  services: readonly Service[],
  state: State,
  { secret, tailed, onTrace }: Host,
): MiniflareOptions["workers"][number] {
  const { kvNamespaces, buckets, databases } = state;
  const identity = state.identity.get("account");
  const dev = identity && { experimentalS3Credentials: s3Credentials(identity) };
  return {
    dev: { unsafeDirectSockets: [DIRECT_SOCKET] },
    config: {
      name: INTERNAL,
      compatibilityDate: INTERNAL_COMPATIBILITY_DATE,
      // For `scheduled` of a service binding.
      compatibilityFlags: ["service_binding_extra_handlers"],
      manifest: { mainModule: "internal.js", modules: INTERNAL_MODULES },
      env: {
        PARTS: partsBinding(partsOf(state, services), secret),
        SECRET: { type: "text", value: secret },
        TAILED: { type: "json", value: [...tailed()] },
        TRACES: {
          type: "fetcher",
          handler: async (request) => {
            for (const trace of v.parse(v.array(v.unknown()), await request.json())) onTrace(trace);
            return new Response();
          },
        },
        ...Object.fromEntries(
          services.map(({ name }) => [`service:${name}`, { type: "worker" as const, worker: name }]),
        ),
        ...Object.fromEntries([...kvNamespaces.keys()].map((id) => [`kv:${id}`, { type: "kv" as const, id }])),
        ...Object.fromEntries([...databases.keys()].map((id) => [`d1:${id}`, { type: "d1" as const, id }])),
        ...Object.fromEntries(
          [...buckets.keys()].map((key) => [
            `r2:${key}`,
            { type: "r2" as const, name: bucketDirectory(key), ...(dev && { dev }) },
          ]),
        ),
      },
    },
  };
}
