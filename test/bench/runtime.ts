/** Runs the bench Worker in workerd, with storage on disk, like a deployment. */
import { mkdtempSync, rmSync } from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { Log, LogLevel, Miniflare, type MiniflareOptions } from "miniflare";
import { ROOT } from "../../infra/release/root.ts";
import { readWorkerConfig } from "../../infra/release/worker-config.ts";
import { patterns } from "../../worker/patterns.ts";
import type { PatternBench } from "./measure.ts";

const NAME = "bench";

/** The patterns' stack. */
export const STACK = {
  REGIONS: {
    environmentPrefix: "",
    home: "eu",
    regions: [{ id: "eu", prefix: "eu", locationHint: "weur", continents: [] }],
  },
  RELEASE: { digest: "bench", migration: "bench" },
};

export interface Bench {
  /** The Worker's address, which ends with a slash. */
  readonly url: string;
  close(): Promise<void>;
}

/** The code of a Worker with the project's patterns and the bench of each. */
function entryOf(folders: readonly string[], benches: readonly PatternBench[]): string {
  const parts = folders.map((folder, i) => {
    const file = JSON.stringify(`./${folder}/worker/bench.ts`);
    const classes = Object.values(benches[i]?.classes ?? {}).join(", ");
    return `import * as bench${i} from ${file};\nexport { ${classes} } from ${file};`;
  });
  return [
    'import { serve } from "./bench/worker/serve.ts";',
    'export * from "../worker/index.ts";',
    'export { Floor } from "./bench/worker/floor.ts";',
    ...parts,
    `export default serve({ ${folders.map((folder, i) => `${JSON.stringify(folder)}: bench${i}`).join(", ")} });`,
  ].join("\n");
}

/** Starts the bench Worker. `all`: the measures by pattern folder. */
export async function startBench(all: ReadonlyMap<string, PatternBench>): Promise<Bench> {
  const benches = [...all.values()];
  const bindings: Readonly<Record<string, string>> = Object.assign(
    { FLOOR: "Floor" },
    Object.fromEntries(patterns.map((facts) => [facts.binding, facts.class])),
    ...benches.map(({ classes }) => classes),
  );
  // Measures what a room can do, not what it allows.
  const settings = { environment: "bench", access: "open", chat: { messagesPerSecond: 10_000 } };
  const databases = benches.flatMap((bench) => bench.databases ?? []);
  return startEntry({ entry: entryOf([...all.keys()], benches), bindings, settings, databases });
}

export interface Entry {
  /** The path of a module, relative to test/. */
  readonly entry: string;
  /** The classes by binding. */
  readonly bindings: Readonly<Record<string, string>>;
  readonly settings: object;
  /** Bindings of D1 databases. */
  readonly databases?: readonly string[];
  /** A folder of packages besides the project's own. They get Node's modules. */
  readonly modules?: string;
}

/** Runs a Worker in workerd, with storage on disk that is deleted with it. */
export async function startEntry({ entry, bindings, settings, databases = [], modules }: Entry): Promise<Bench> {
  const { outputFiles } = await build({
    stdin: { contents: entry, resolveDir: join(ROOT, "test"), loader: "ts" },
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*", ...(modules === undefined ? [] : builtinModules)],
    logLevel: "silent",
    ...(modules !== undefined && { nodePaths: [modules], ignoreAnnotations: true }),
  });
  const config = readWorkerConfig();
  const dir = mkdtempSync(join(tmpdir(), "durable-stack-bench-"));
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    cf: false,
    enableDevRegistry: false,
    telemetry: { enabled: false },
    log: new Log(LogLevel.ERROR),
    resourcePersistencePath: dir,
    workers: [
      worker({
        contents: outputFiles[0]?.text ?? "",
        bindings,
        settings,
        databases,
        compatibilityDate: config.compatibility_date,
        compatibilityFlags: modules === undefined ? [] : ["nodejs_compat"],
      }),
    ],
  });
  return {
    url: (await miniflare.ready).href,
    close: async () => {
      await miniflare.dispose();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

interface Bundled extends Omit<Entry, "entry"> {
  readonly contents: string;
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
}

function worker({
  contents,
  bindings,
  settings,
  databases = [],
  compatibilityDate,
  compatibilityFlags,
}: Bundled): MiniflareOptions["workers"][number] {
  return {
    config: {
      name: NAME,
      compatibilityDate,
      compatibilityFlags: [...compatibilityFlags],
      manifest: { mainModule: "index.js", modules: { "index.js": { type: "esm", contents } } },
      env: {
        ...Object.fromEntries(
          Object.entries({ ...STACK, SETTINGS: settings }).map(([name, value]) => [
            name,
            { type: "json" as const, value },
          ]),
        ),
        ...Object.fromEntries(
          Object.entries(bindings).map(([name, className]) => [
            name,
            { type: "durable-object" as const, worker: NAME, exportName: className },
          ]),
        ),
        ...Object.fromEntries(databases.map((name) => [name, { type: "d1" as const, id: name }])),
        READS: { type: "kv" as const, id: "reads" },
        BLOBS: { type: "r2" as const, name: "blobs" },
        ADMIN_TOKEN: { type: "text" as const, value: "bench" },
      },
      exports: Object.fromEntries(
        Object.values(bindings).map((className) => [
          className,
          { type: "durable-object" as const, storage: "sqlite" as const },
        ]),
      ),
    },
  };
}
