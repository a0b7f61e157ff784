/** A local account for a test, small Workers to deploy to it, and requests to them. */
import { mkdtempSync, rmSync } from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import Cloudflare, { APIError } from "cloudflare";
import { onTestFinished } from "vitest";
import { type RunningAccount, type StartOptions, startAccount } from "../src/index.ts";
import { mistakesOf, sdkSchemas } from "./shapes/answers.ts";

/** A directory that is deleted after the test. */
export function temporaryDirectory(): string {
  const dir = mkdtempSync(path.join(tmpdir(), "local-account-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A new account, which is closed after the test. An answer without Cloudflare's shape fails the test. */
export async function account(options: Partial<StartOptions> = {}): Promise<TestAccount> {
  const running = await startChecked({ dir: options.dir ?? temporaryDirectory(), port: 0, apiPort: 0, ...options });
  const test = new TestAccount(running);
  onTestFinished(() => test.close());
  return test;
}

/** Starts an account. Its `close` throws if an answer did not have the shape of Cloudflare's SDK. */
export async function startChecked(options: StartOptions): Promise<RunningAccount> {
  const schemas = await sdkSchemas();
  const mistakes = new Map<string, string>();
  const running = await startAccount({
    ...options,
    onAnswer: (answer) => {
      options.onAnswer?.(answer);
      for (const { where, why } of mistakesOf(answer, schemas)) mistakes.set(where, why);
    },
  });
  return {
    ...running,
    close: async () => {
      await running.close();
      const lines = [...mistakes].map(([where, why]) => `${where} ${why}`);
      if (lines.length > 0) throw new Error(`Answers without the shape of Cloudflare's SDK:\n${lines.join("\n")}`);
    },
  };
}

/** A class of a test's Worker: counts its calls, and says which code ran. */
const classCode = (name: string, tag: string) => `
export class ${name} extends DurableObject {
  async add() {
    const count = ((await this.ctx.storage.get("count")) ?? 0) + 1;
    await this.ctx.storage.put("count", count);
    return { count, class: "${name}", tag: "${tag}", env: this.env.TAG ?? null };
  }
}`;

export interface Program {
  /** The Durable Object classes that the code exports. */
  readonly classes?: readonly string[];
  /** The classes that it binds to, its own or another Worker's. The binding has the name of the class. */
  readonly bound?: readonly (string | { readonly class: string; readonly worker: string })[];
  readonly exports?: Readonly<Record<string, object>>;
  readonly migrations?: object;
  /** In every answer, so that a test sees which code ran. */
  readonly tag?: string;
  /** More bindings. */
  readonly bindings?: readonly object[];
  readonly annotations?: Readonly<Record<string, string>>;
  /** Replaces the body of the request handler `fetch(request, env)`. */
  readonly fetch?: string;
  /** Replaces all of the code. */
  readonly code?: string;
  /** More modules, as the API takes them. */
  readonly modules?: readonly object[];
}

/** `/<class>/<object>` calls an object; every other path answers with the Worker's tag. */
export const codeOf = (program: Program) => program.code ?? usualCode(program);

const usualCode = ({ classes = [], tag = "", fetch }: Program) => `
import { DurableObject } from "cloudflare:workers";
${classes.map((name) => classCode(name, tag)).join("\n")}
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    ${
      fetch ??
      `const [, name, object] = url.pathname.split("/");
    if (env[name]?.getByName) return Response.json(await env[name].getByName(object).add());
    return Response.json({ tag: "${tag}", url: request.url, ip: request.headers.get("cf-connecting-ip"), version: env.VERSION ?? null });`
    }
  },
  async scheduled(controller, env) {
    if (env.KV) await env.KV.put("cron", controller.cron);
  },
};`;

/** A live entry of `exports` for each class. */
export const live = (...classes: readonly string[]): Record<string, object> =>
  Object.fromEntries(classes.map((name) => [name, { type: "durable-object", storage: "sqlite" }]));

/** The body of `POST …/versions` for a program. */
export const versionBody = (program: Program) => ({
  main_module: "index.js",
  compatibility_date: "2026-11-01",
  modules: [
    {
      name: "index.js",
      content_type: "application/javascript+module",
      content_base64: Buffer.from(codeOf(program)).toString("base64"),
    },
    ...(program.modules ?? []),
  ],
  bindings: [
    ...(program.bound ?? []).map((bound) => ({
      type: "durable_object_namespace",
      ...(typeof bound === "string"
        ? { name: bound, class_name: bound }
        : { name: bound.class, class_name: bound.class, script_name: bound.worker }),
    })),
    ...(program.bindings ?? []),
  ],
  ...(program.exports !== undefined && { exports: program.exports }),
  ...(program.migrations !== undefined && { migrations: program.migrations }),
  ...(program.annotations !== undefined && { annotations: program.annotations }),
});

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON. Throws if it is not JSON. */
  readonly json: () => Record<string, unknown>;
}

/** A refusal of the API, for comparison in a test. */
export interface Refusal {
  readonly status: number | undefined;
  readonly code: number | undefined;
  readonly message: string;
  readonly scenarios: readonly string[];
}

export class TestAccount {
  readonly running: RunningAccount;
  readonly sdk: Cloudflare;
  #closed = false;

  constructor(running: RunningAccount) {
    this.running = running;
    this.sdk = new Cloudflare({ baseURL: running.apiUrl, apiToken: running.token, maxRetries: 0 });
  }

  get id(): string {
    return this.running.accountId;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.running.close();
  }

  /** A call to the API below the account. Returns the envelope's result. @throws the SDK's error if it is refused. */
  async call(method: "get" | "post" | "put" | "patch" | "delete", at: string, body?: unknown): Promise<unknown> {
    const answer = await this.sdk[method]<{ result: unknown }>(
      `/accounts/${this.id}${at}`,
      body === undefined ? {} : { body },
    );
    return answer.result;
  }

  /** Creates the Worker if there is none, uploads the program and deploys it at once. Returns the version. */
  async deploy(worker: string, program: Program): Promise<Version> {
    await this.ensure(worker);
    return version(await this.call("post", `/workers/workers/${worker}/versions?deploy=true`, versionBody(program)));
  }

  /** Uploads without deploying. */
  async upload(worker: string, program: Program): Promise<Version> {
    await this.ensure(worker);
    return version(await this.call("post", `/workers/workers/${worker}/versions`, versionBody(program)));
  }

  async ensure(worker: string): Promise<void> {
    const { names } = await this.workers();
    if (!names.includes(worker))
      await this.call("post", "/workers/workers", {
        name: worker,
        subdomain: { enabled: true, previews_enabled: true },
      });
  }

  async workers(): Promise<{ names: readonly string[] }> {
    const names: string[] = [];
    for await (const { name } of this.sdk.workers.beta.workers.list({ account_id: this.id })) names.push(name);
    return { names };
  }

  /** Splits the traffic of a Worker between versions by their shares. */
  split(worker: string, shares: Readonly<Record<string, number>>, query = ""): Promise<unknown> {
    return this.call("post", `/workers/scripts/${worker}/deployments${query}`, {
      strategy: "percentage",
      versions: Object.entries(shares).map(([version_id, percentage]) => ({ version_id, percentage })),
    });
  }

  /** The account's namespaces as `worker/Class`, with their ids. */
  async namespaces(): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    for await (const namespace of this.sdk.durableObjects.namespaces.list({ account_id: this.id }))
      found[`${namespace.script}/${namespace.class}`] = namespace.id ?? "";
    return found;
  }

  /** A request to a deployed Worker, on the account's subdomain. */
  ask(worker: string, at = "/", headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.visit(`${worker}.${this.running.subdomain}.localhost`, at, headers);
  }

  /** A request to the front door under any host name. */
  visit(host: string, at = "/", headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const { port } = this.running;
    return new Promise((resolve, reject) => {
      const outgoing = request(
        { host: "127.0.0.1", port, path: at, headers: { host: `${host}:${port}`, ...headers } },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            const text = Buffer.concat(chunks).toString();
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              text,
              json: () => JSON.parse(text),
            });
          });
        },
      );
      outgoing.on("error", reject);
      outgoing.end();
    });
  }
}

/** Makes calls of an account's API fail, or late (packages/local-account/README.md), from now on: no others. */
export async function setFaults(
  { apiUrl, token }: { readonly apiUrl: string; readonly token: string },
  ...faults: readonly string[]
): Promise<void> {
  const answer = await fetch(`${apiUrl}/local/faults`, {
    method: "PUT",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ faults }),
  });
  if (!answer.ok) throw new Error(await answer.text());
}

export interface Version {
  readonly id: string;
  readonly number: number;
  readonly report: Report | undefined;
}

/** The parts of `exports_reconciliation` that tests use. */
export interface Report {
  readonly created: readonly string[];
  readonly deleted: readonly string[];
  readonly renamed: readonly object[];
  readonly transferred: readonly object[];
  readonly transfer_pending: readonly object[];
  readonly info: readonly {
    readonly class: string;
    readonly scenario: string;
    readonly referencing_scripts?: readonly string[];
  }[];
  readonly removable_entries: readonly string[];
}

function version(result: unknown): Version {
  const isVersion = (value: unknown): value is { id: string; number: number; exports_reconciliation?: Report } =>
    typeof value === "object" && value !== null && "id" in value && "number" in value;
  if (!isVersion(result)) throw new TypeError("the API did not answer with a version");
  return { id: result.id, number: result.number, report: result.exports_reconciliation };
}

/** The refusal of a call. Fails the test if the call succeeds. */
export async function refusal(call: Promise<unknown>): Promise<Refusal> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof APIError)) throw new Error(`the call was not refused: ${error ?? "it succeeded"}`);
  const [first] = error.errors;
  const body: unknown = error.error;
  return {
    status: error.status,
    code: first?.code,
    message: first?.message ?? "",
    scenarios: scenariosOf(body),
  };
}

/** `Class: scenario` of every detail in an error body. */
function scenariosOf(body: unknown): string[] {
  if (typeof body !== "object" || body === null) return [];
  if ("scenario" in body && "class" in body) return [`${body.class}: ${body.scenario}`];
  return Object.values(body).flatMap(scenariosOf);
}
