/**
 * The Worker in workerd as its files are, with the bindings of wrangler.jsonc, and again after every change of a file.
 * `wrangler dev` does the same more slowly: it starts a process for the page and bundles twice.
 */
import { join } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare, type MiniflareOptions } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { patterns } from "../../worker/patterns.ts";
import { BuildError } from "../release/build-error.ts";
import { type Bundler, bundlerOf } from "../release/bundle.ts";
import { MAIN_MODULE } from "../release/manifest.ts";
import { buildPage } from "../release/page.ts";
import { ROOT } from "../release/root.ts";
import { readWorkerConfig } from "../release/worker-config.ts";
import { mustBeFree } from "../stack/ports.ts";
import { doorOf } from "./door.ts";
import { watchFiles } from "./watch.ts";

export interface DevOptions {
  readonly port: number;
  readonly inspectorPort: number;
  readonly adminToken: string;
  /** Told of what happens, line by line. */
  readonly say: (line: string) => void;
}

/** What a change may wait for others of the same save, in milliseconds. */
const TOGETHER_MS = 20;
/** What the Worker is made of. */
const WATCHED = /^(wrangler\.jsonc$|(worker|contract)([/\\]|$))/;
/** The sources of the page. The Worker's bundle has only the file that is built from them. */
const OF_PAGE = /^worker[/\\](page|[^/\\]+[/\\]panel)([/\\]|$)/;
const MADE = "assets.gen";
/** Where `wrangler dev` keeps its data, too. */
const STATE = join(ROOT, ".wrangler/state/v3");

export interface DevServer {
  readonly url: URL;
  close(): Promise<void>;
}

interface Reloading {
  /** Runs what the files are now. What breaks is said. */
  rebuild(isPage: boolean): Promise<void>;
}

/** Serves until it is closed. @throws UserError where a port is in use, or the Worker does not build at the start. */
export async function serve(options: DevOptions): Promise<DevServer> {
  await mustBeFree([
    { port: options.port, option: "--port" },
    { port: options.inspectorPort, option: "--inspector-port" },
  ]);
  const server = Promise.withResolvers<Reloading>();
  // Before anything is read: a change that comes later is applied as soon as there is what to apply it to.
  const stop = onChanges(async (isPage) => (await server.promise).rebuild(isPage), options.say);
  try {
    await buildPage(patterns);
    const bundler = await bundlerOf(ROOT, { ...readWorkerConfig(), minify: false });
    const { url, rebuild, close } = await served(bundler, options).catch(async (error: unknown) => {
      await bundler.dispose();
      throw error;
    });
    server.resolve({ rebuild });
    return {
      url,
      close() {
        stop();
        return close();
      },
    };
  } catch (error) {
    stop();
    throw error;
  }
}

async function served(bundler: Bundler, options: DevOptions): Promise<DevServer & Reloading> {
  const miniflare = new Miniflare(await built(bundler, options));
  const url = await miniflare.ready.catch(async (error: unknown) => {
    // It tells the same again, once it has ended.
    await miniflare.dispose().catch(() => {});
    throw error;
  });
  const onPort = { ...options, port: Number(url.port) };
  const rebuild = async (isPage: boolean) => {
    const begun = performance.now();
    try {
      if (isPage) await buildPage(patterns);
      await miniflare.setOptions(await built(bundler, onPort));
      options.say(`Reloaded in ${Math.round(performance.now() - begun)} ms`);
    } catch (error) {
      if (!(error instanceof BuildError)) throw error;
      options.say(`${error.message}\nWhat ran before goes on.`);
    }
  };
  // A bundler is twice as fast from its second time on, and nobody waits for this one. What broke since is told there.
  await bundler.bundle().catch(() => {});
  return {
    url,
    rebuild,
    async close() {
      await Promise.all([miniflare.dispose(), bundler.dispose()]);
    },
  };
}

/** Calls `rebuild` after each change of what the Worker is made of, never twice at once. Returns what ends that. */
function onChanges(rebuild: (isPage: boolean) => Promise<void>, say: (line: string) => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  let isPage = false;
  let running: Promise<void> = Promise.resolve();
  const changed = (file: string) => {
    if (file.includes(MADE)) return;
    isPage ||= OF_PAGE.test(file);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const withPage = isPage;
      isPage = false;
      running = running.then(() => rebuild(withPage)).catch((error: unknown) => say(String(error)));
    }, TOGETHER_MS);
  };
  const stop = watchFiles(ROOT, { wanted: (file) => WATCHED.test(file), changed, say });
  return () => {
    clearTimeout(timer);
    stop();
  };
}

/** What is to run: the code as it is now, with the bindings that wrangler would give it. @throws BuildError */
async function built(bundler: Bundler, { port, inspectorPort, adminToken }: DevOptions): Promise<MiniflareOptions> {
  // Says what is wrong in the file, and where; wrangler's reader does not.
  readWorkerConfig();
  const { main, modules } = await bundler.bundle();
  const { workerOptions, externalWorkers } = unstable_getMiniflareWorkerOptions(join(ROOT, "wrangler.jsonc"));
  const worker = {
    ...workerOptions,
    name: "dev",
    rootPath: ROOT,
    // workerd lets a debugger of any site attach; what Miniflare puts in front of it asks where it comes from.
    unsafeInspectorProxy: true,
    bindings: Object.assign({ ADMIN_TOKEN: adminToken }, workerOptions.bindings),
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
    workers: [worker, ...externalWorkers],
  });
  return { ...options, resourcePersistencePath: STATE, telemetry: { enabled: false } };
}

function kindOf(contentType: string): "CompiledWasm" | "Text" | "Data" | "ESModule" {
  if (contentType === "application/wasm") return "CompiledWasm";
  if (contentType.startsWith("text/")) return "Text";
  return contentType.includes("javascript") ? "ESModule" : "Data";
}
