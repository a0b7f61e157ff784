/**
 * A bucket for a state, on an S3 server of this machine: gofakes3, built from its Go modules into .cache/. It keeps
 * everything in memory, and asks for no signature, so that a test can look into it.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { ROOT } from "../../infra/release/root.ts";

/** The module that pins the server's version (go.mod) and its dependencies (go.sum). */
const MODULE = join(import.meta.dirname, "s3-server");
const COMMAND = "github.com/johannesboyne/gofakes3/cmd/gofakes3";
const NAME = "state";

export class Bucket {
  readonly #port: string;
  readonly #stop: () => Promise<void>;

  private constructor(port: string, stop: () => Promise<void>) {
    this.#port = port;
    this.#stop = stop;
  }

  /** @throws Error where it cannot be built, which takes Go, or does not start. */
  static async open(): Promise<Bucket> {
    const program = join(ROOT, ".cache", "s3-server", "gofakes3");
    await promisify(execFile)("go", ["build", "-o", program, COMMAND], { cwd: MODULE });
    const child = spawn(program, ["-host", "127.0.0.1:0", "-backend", "memory", "-initialbucket", NAME], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const ended = once(child, "close");
    const lines = createInterface({ input: child.stderr });
    const said: string[] = [];
    for await (const line of lines) {
      said.push(line);
      const port = /using port: (\d+)/.exec(line)?.[1];
      if (port === undefined) continue;
      // It goes on to write a line a request: without a reader it would stop at a full pipe.
      child.stderr.resume();
      return new Bucket(port, async () => {
        child.kill("SIGKILL");
        await ended;
      });
    }
    throw new Error(`the S3 server did not start: ${said.join("\n")}`);
  }

  /** The address of a backend in it (PULUMI_BACKEND_URL), as docs/state.md writes it for a server of one's own. */
  get backend(): string {
    return `s3://${NAME}?endpoint=http://127.0.0.1:${this.#port}&use_path_style=true&region=auto`;
  }

  /** The keys of all objects that begin with `prefix`. */
  async keys(prefix = ""): Promise<readonly string[]> {
    const listed = await this.#call("GET", `?list-type=2&prefix=${encodeURIComponent(prefix)}`);
    return [...listed.matchAll(/<Key>([^<]+)<\/Key>/g)].map(([, key = ""]) => key);
  }

  read(key: string): Promise<string> {
    return this.#call("GET", `/${key}`);
  }

  async write(key: string, body: string): Promise<void> {
    await this.#call("PUT", `/${key}`, body);
  }

  /** Deletes all that is in it. */
  async empty(): Promise<void> {
    for (const key of await this.keys()) await this.#call("DELETE", `/${key}`);
  }

  close(): Promise<void> {
    return this.#stop();
  }

  async #call(method: string, path: string, body?: string): Promise<string> {
    const answer = await fetch(`http://127.0.0.1:${this.#port}/${NAME}${path}`, {
      method,
      ...(body !== undefined && { body }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} in the bucket: ${answer.status} ${text}`);
    return text;
  }
}
