/**
 * Two Workers in one workerd, without Miniflare, whose entry Worker and logs would be in every request: ours as it is
 * released, and a bare one with the same objects and nothing in front of them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { build } from "esbuild";
import { ROOT } from "../../../infra/release/root.ts";
import { readWorkerConfig } from "../../../infra/release/worker-config.ts";
import { patterns } from "../../../worker/patterns.ts";
import { STACK } from "../runtime.ts";

/** The binary of the package `workerd`, the one that the tests and the local account run. */
const binary: string = createRequire(import.meta.url)("workerd").default;

/** Ours, and the bare Worker. */
export const WORKERS = ["ours", "bare"] as const;
export type WorkerName = (typeof WORKERS)[number];

export interface Servers {
  readonly urls: Readonly<Record<WorkerName, string>>;
  /** The address of the inspector of a Worker, if it was asked for. */
  readonly inspector: string | undefined;
  /** CPU time that workerd has used, in ms; undefined where the system does not tell. */
  cpuMs(): number | undefined;
  close(): Promise<void>;
}

/** So much that the limiter allows all. Nothing else differs from a stack of the template. */
const SETTINGS = {
  environment: "bench",
  access: "rules",
  demoLogin: true,
  rateLimits: Object.fromEntries(
    ["default", "create", "limit"].map((name) => [name, { capacity: 1_000_000, periodSeconds: 60 }]),
  ),
};

/** Starts workerd. `folders`: the patterns with a bare app. `debug`: with an inspector. */
export async function startServers(folders: readonly string[], debug = false): Promise<Servers> {
  const dir = mkdtempSync(join(tmpdir(), "durable-stack-http-"));
  for (const name of WORKERS) {
    mkdirSync(join(dir, "storage", name), { recursive: true });
    const contents =
      name === "ours"
        ? 'export * from "../worker/index.ts"; export { default } from "../worker/index.ts";'
        : bareEntry(folders);
    writeFileSync(join(dir, `${name}.js`), await bundle(contents, !debug));
  }
  writeFileSync(join(dir, "empty.js"), EMPTY);
  writeFileSync(join(dir, "config.capnp"), config());
  const flags = ["--control-fd=3", ...(debug ? ["--inspector-addr=127.0.0.1:0"] : [])];
  const child = spawn(binary, ["serve", ...flags, join(dir, "config.capnp")], {
    cwd: dir,
    stdio: ["ignore", "ignore", "inherit", "pipe"],
  });
  const close = async () => {
    await ended(child);
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const ports = await portsOf(child, [...WORKERS, ...(debug ? ["inspector"] : [])]);
    const at = (name: string) => `http://127.0.0.1:${ports.get(name)}/`;
    return {
      urls: { ours: at("ours"), bare: at("bare") },
      inspector: debug ? at("inspector") : undefined,
      cpuMs: () => cpuOf(child.pid),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const bareEntry = (folders: readonly string[]) =>
  [
    'import { bareOf } from "./bench/worker/bare.ts";',
    'export * from "../worker/index.ts";',
    ...folders.map((folder, i) => `import { bare as bare${i} } from "./${folder}/worker/bare.ts";`),
    `export default bareOf([${folders.map((_, i) => `bare${i}`).join(", ")}]);`,
  ].join("\n");

async function bundle(contents: string, minify: boolean): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: join(ROOT, "test"), loader: "ts" },
    bundle: true,
    minify,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    logLevel: "silent",
  });
  return outputFiles[0]?.text ?? "";
}

/** In the place of KV and R2: it takes what is written, and has nothing to read. */
const EMPTY = `export default { async fetch(request) {
  if (request.method !== "PUT") return new Response(null, { status: 404 });
  await request.arrayBuffer();
  const object = { name: "k", version: "v", size: "0", etag: "e", uploaded: "0", httpFields: {}, customFields: [] };
  return Response.json(object);
} };`;

/** The configuration of workerd (its workerd.capnp). */
function config(): string {
  const date = readWorkerConfig().compatibility_date;
  const text = JSON.stringify;
  const json = Object.entries({ ...STACK, SETTINGS, VERSION: { id: "bench", tag: "", timestamp: "" } }).map(
    ([name, value]) => `(name = ${text(name)}, json = ${text(text(value))})`,
  );
  const objects = patterns.map(
    ({ binding, class: name }) => `(name = ${text(binding)}, durableObjectNamespace = ${text(name)})`,
  );
  const namespaces = (worker: string) =>
    patterns.map(
      ({ class: name }) => `(className = ${text(name)}, uniqueKey = ${text(`${worker}-${name}`)}, enableSql = true)`,
    );
  const bindings = [
    ...json,
    ...objects,
    '(name = "READS", kvNamespace = "empty")',
    '(name = "BLOBS", r2Bucket = "empty")',
    '(name = "ADMIN_TOKEN", text = "bench")',
  ].join(", ");
  const services = WORKERS.map(
    (name) => `(name = "${name}", worker = (
      modules = [(name = "index.js", esModule = embed "${name}.js")],
      compatibilityDate = "${date}",
      bindings = [${bindings}],
      durableObjectNamespaces = [${namespaces(name).join(", ")}],
      durableObjectStorage = (localDisk = "${name}-storage"))),
    (name = "${name}-storage", disk = (path = "storage/${name}", writable = true))`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    ${services.join(",\n    ")},
    (name = "empty", worker = (
      modules = [(name = "index.js", esModule = embed "empty.js")],
      compatibilityDate = "${date}"))
  ],
  sockets = [${WORKERS.map((name) => `(name = "${name}", address = "127.0.0.1:0", http = (), service = "${name}")`).join(", ")}]
);
`;
}

/** The ports that workerd tells on its control pipe, by socket. */
function portsOf(child: ChildProcess, names: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const pipe = child.stdio[3];
  if (!(pipe instanceof Readable)) throw new Error("workerd has no control pipe");
  return new Promise((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`workerd ended with ${code}`)));
    child.once("error", reject);
    const ports = new Map<string, number>();
    let text = "";
    pipe.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      for (const line of text.split("\n").slice(0, -1)) {
        const { event, socket, port }: { event: string; socket?: string; port: number } = JSON.parse(line);
        ports.set(event === "listen-inspector" ? "inspector" : (socket ?? ""), port);
      }
      text = text.slice(text.lastIndexOf("\n") + 1);
      if (names.every((name) => ports.has(name))) resolve(ports);
    });
  });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once("exit", () => resolve());
    child.kill();
  });
}

/** CPU time of a process from /proc, in ms. A tick is 10 ms. */
function cpuOf(pid: number | undefined): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return undefined;
  }
}
