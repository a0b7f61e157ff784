/** A proxy in front of an account's API: records every request, and can make one fail before or after it arrives. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { listening } from "../packages/local-account/test/listening.ts";

export interface Seen {
  readonly method: string;
  /** The path below `/client/v4`, with its query. */
  readonly path: string;
  readonly body: string;
}

/** What to do with a request instead of answering it as the account does. */
export type Intervention =
  /** It never reaches the account, and the client gets an internal error. */
  | "refuse"
  /** The same, and the answer is that the token may not do it: nobody tries that again. */
  | "forbid"
  /** It takes effect, but the client gets no answer: the connection ends. */
  | "lose";

export interface ApiProxy {
  /** The API's base address through the proxy. */
  readonly apiUrl: string;
  readonly seen: readonly Seen[];
  /** The writes since the last call of this, as `POST /accounts/…`. */
  takeWrites(): readonly string[];
  /** Decides about every request; undefined lets it pass. May wait. */
  intervene: ((request: Seen) => Promise<Intervention | undefined> | Intervention | undefined) | undefined;
  /** Resolves once the account has finished all requests so far, even those whose client has gone. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/** Starts a proxy in front of the API at `target`. */
export async function startProxy(target: string): Promise<ApiProxy> {
  const seen: Seen[] = [];
  let taken = 0;
  const underWay = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const work = answer(request, response)
      .catch(() => void response.destroy())
      .finally(() => underWay.delete(work));
    underWay.add(work);
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const { method = "GET", url = "/", headers } = request;
    const noted = { method, path: url.replace("/client/v4", ""), body: body.toString() };
    seen.push(noted);
    const intervention = await proxy.intervene?.(noted);
    if (intervention === "refuse" || intervention === "forbid") {
      response.writeHead(intervention === "forbid" ? 403 : 500, { "content-type": "application/json" });
      response.end(JSON.stringify({ success: false, errors: [{ code: 10013, message: "spoilt by the test" }] }));
      return;
    }
    const sent = new Headers();
    for (const name of ["authorization", "content-type", "cf-r2-jurisdiction", "cf-r2-storage-class"]) {
      const value = headers[name];
      if (typeof value === "string") sent.set(name, value);
    }
    const upstream = await fetch(`${target}${noted.path}`, {
      method,
      headers: sent,
      ...(body.length > 0 && { body }),
    });
    const text = await upstream.text();
    if (intervention === "lose") return void response.destroy();
    response.writeHead(upstream.status, { "content-type": upstream.headers.get("content-type") ?? "text/plain" });
    response.end(text);
  }

  const port = await listening(server);
  const proxy: ApiProxy = {
    apiUrl: `http://127.0.0.1:${port}/client/v4`,
    seen,
    intervene: undefined,
    takeWrites() {
      const since = seen.slice(taken);
      taken = seen.length;
      return since.filter(({ method }) => method !== "GET").map(({ method, path }) => `${method} ${path}`);
    },
    idle: async () => void (await Promise.all(underWay)),
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
  return proxy;
}
