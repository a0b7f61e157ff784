/** Miniflare's options for a service. */
import type { MiniflareOptions } from "miniflare";
import { bareType, MODULE_TYPES } from "../upload.ts";
import type { Config } from "./environment.ts";
import { INTERNAL } from "./names.ts";
import type { Service } from "./projection.ts";
import { knownDate } from "./workerd.ts";

/** An address of a Worker's own in workerd, at any free port. */
export const DIRECT_SOCKET = { host: "127.0.0.1", port: 0 };

interface Surroundings {
  /** The bytes of a module. */
  readonly contents: (sha256: string) => Uint8Array;
  /** The folder of a service's assets. */
  readonly folderOf: (service: string) => string;
  /** Whether the service has an address of its own. Then the account is not told of its events. */
  readonly isDirect: boolean;
}

/** Miniflare's options for a service. */
export function optionsFor(
  service: Service,
  { contents, folderOf, isDirect }: Surroundings,
): MiniflareOptions["workers"][number] {
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
