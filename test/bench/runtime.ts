/** Runs the bench Worker in workerd, with storage on disk, as a deployment has it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { Log, LogLevel, Miniflare, type MiniflareOptions } from "miniflare";
import { readWorkerConfig } from "../../infra/release/worker-config.ts";

/** Bindings by the class behind them. */
const CLASSES = {
  FLOOR: "Floor",
  FLOOR_ROOM: "FloorRoom",
  ACCOUNT: "AccountDO",
  CHAT_ROOM: "ChatRoomDO",
  COUNTER: "CounterDO",
  RATE_LIMITER: "RateLimiterDO",
  SESSION: "SessionDO",
  NAIVE_ACCOUNT: "NaiveAccount",
  NAIVE_CHAT_ROOM: "NaiveChatRoom",
  NAIVE_COUNTER: "NaiveCounter",
  NAIVE_RATE_LIMITER: "NaiveRateLimiter",
  NAIVE_SESSION: "NaiveSession",
};

const NAME = "bench";

/** The stack that the patterns find themselves in. */
const STACK = {
  REGIONS: {
    environmentPrefix: "",
    home: "eu",
    regions: [{ id: "eu", prefix: "eu", locationHint: "weur", continents: [] }],
  },
  SETTINGS: {
    environment: "bench",
    corsOrigins: [],
    demoLogin: false,
    access: "open",
    session: { slidingMinutes: 30, absoluteHours: 12, maxPerUser: 10 },
    chat: { historyLimit: 100 },
    rateLimits: { default: { capacity: 100, periodSeconds: 60 } },
  },
  RELEASE: { digest: "bench", migration: "bench" },
};

export interface Bench {
  /** Ends in a slash. */
  readonly url: string;
  close(): Promise<void>;
}

export async function startBench(): Promise<Bench> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, "worker/index.ts")],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    logLevel: "silent",
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
    workers: [worker(outputFiles[0]?.text ?? "", config.compatibility_date)],
  });
  return {
    url: (await miniflare.ready).href,
    close: async () => {
      await miniflare.dispose();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function worker(contents: string, compatibilityDate: string): MiniflareOptions["workers"][number] {
  return {
    config: {
      name: NAME,
      compatibilityDate,
      manifest: { mainModule: "index.js", modules: { "index.js": { type: "esm", contents } } },
      env: {
        ...Object.fromEntries(Object.entries(STACK).map(([name, value]) => [name, { type: "json" as const, value }])),
        ...Object.fromEntries(
          Object.entries(CLASSES).map(([name, className]) => [
            name,
            { type: "durable-object" as const, worker: NAME, exportName: className },
          ]),
        ),
        READS: { type: "kv" as const, id: "reads" },
        BLOBS: { type: "r2" as const, name: "blobs" },
        ADMIN_TOKEN: { type: "text" as const, value: "bench" },
      },
      exports: Object.fromEntries(
        Object.values(CLASSES).map((className) => [
          className,
          { type: "durable-object" as const, storage: "sqlite" as const },
        ]),
      ),
    },
  };
}
