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
import { bareEntry, bundle, OURS } from "./bundles.ts";
import { config, EMPTY } from "./config.ts";

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

/** Starts workerd with both Workers. `folders`: the patterns with a bare app. `debug`: with an inspector. */
export async function startServers(folders: readonly string[], debug = false): Promise<Servers> {
  const [ours, bare] = await Promise.all([bundle(OURS, !debug), bundle(bareEntry(folders), !debug)]);
  const { urlOf, cpuMs, close } = await startWorkerd({ ours: ours.code, bare: bare.code }, { debug });
  return {
    urls: { ours: urlOf("ours"), bare: urlOf("bare") },
    inspector: debug ? urlOf("inspector") : undefined,
    cpuMs,
    close,
  };
}

/** Runs Workers, each on a port of its own. `workers`: their code by name. */
export async function startWorkerd(
  workers: Readonly<Record<string, string>>,
  { debug = false }: { readonly debug?: boolean } = {},
) {
  const names = Object.keys(workers);
  const dir = mkdtempSync(join(tmpdir(), "durable-stack-http-"));
  for (const [name, code] of Object.entries(workers)) {
    mkdirSync(join(dir, "storage", name), { recursive: true });
    writeFileSync(join(dir, `${name}.js`), code);
  }
  writeFileSync(join(dir, "empty.js"), EMPTY);
  writeFileSync(join(dir, "config.capnp"), config(names));
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
    const ports = await portsOf(child, [...names, ...(debug ? ["inspector"] : [])]);
    return {
      urlOf: (name: string) => `http://127.0.0.1:${ports.get(name)}/`,
      cpuMs: () => cpuOf(child.pid),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
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
