/** Cloudflare's REST API through its official SDK, for requests whose body is plain data: one error, one message. */

import Cloudflare, { APIConnectionError, APIError, type ClientOptions } from "cloudflare";
import { UserError } from "../stack/user-error.ts";
import { isObject, object, objects, type Properties } from "./values.ts";

/** Where an account's API is, and what opens it. */
export interface Connection {
  /** Ends in `/client/v4`. */
  readonly baseUrl: string;
  readonly token: string;
}

type Query = Readonly<Record<string, string | number | boolean>>;
export type Method = "get" | "post" | "put" | "patch" | "delete";
export type RequestOptions = NonNullable<Parameters<Cloudflare["get"]>[1]>;

export interface Extra {
  readonly query?: Query;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Envelope {
  readonly result: unknown;
  readonly result_info?: {
    readonly total_pages?: unknown;
    readonly total_count?: unknown;
    readonly per_page?: unknown;
    readonly cursor?: unknown;
  } | null;
}

/** What the API refused. The message says what was asked, the status, and every code with its sentence. */
export class Refusal extends UserError {
  override readonly name = "Refusal";
  /** The HTTP status; undefined when the API could not be reached. */
  readonly status: number | undefined;
  readonly headers: Headers | undefined;

  constructor(request: string, error: APIError) {
    super(`${request} ${error.status ? `was answered ${error.status}` : "was not answered"}: ${reasons(error)}`, {
      cause: error.cause,
    });
    this.status = error.status;
    this.headers = error.headers;
  }
}

export interface ApiOptions extends Pick<ClientOptions, "fetch"> {
  /** Milliseconds after which a read, all its repetitions together, has failed; without a limit when not given. */
  readonly readLimit?: number;
}

/**
 * For reads that somebody waits for: a person hears within ten seconds that an API is not well, whatever it says of
 * when to ask again.
 */
export const READ_LIMIT = 9_000;

/** Requests to one account. Reads are repeated when they fail for a passing reason, writes never. */
export class Api {
  readonly #client: Cloudflare;
  readonly #readLimit: number | undefined;

  constructor({ baseUrl, token }: Connection, { readLimit, ...options }: ApiOptions = {}) {
    this.#readLimit = readLimit;
    this.#client = new Cloudflare({
      ...options,
      baseURL: baseUrl,
      apiToken: token,
      // Whatever the environment holds for another account must not travel with these requests, nor be logged.
      apiKey: null,
      apiEmail: null,
      userServiceKey: null,
      logLevel: "off",
    });
  }

  get(path: string, extra?: Extra): Promise<Properties> {
    return this.#result("get", path, { ...extra, maxRetries: 2 });
  }

  /** As `get`, but undefined where there is nothing (404). */
  async find(path: string, extra?: Extra): Promise<Properties | undefined> {
    try {
      return await this.get(path, extra);
    } catch (error) {
      if (error instanceof Refusal && error.status === 404) return undefined;
      throw error;
    }
  }

  /** All results of a list, over all its pages, or the first `limit`. */
  async list(path: string, query: Query = {}, limit = Number.POSITIVE_INFINITY): Promise<readonly Properties[]> {
    const found: Properties[] = [];
    for (let page = 1; found.length < limit; page++) {
      const options = { query: page === 1 ? query : { ...query, page }, maxRetries: 2 };
      const { result, result_info } = await this.send("get", path, options);
      found.push(...objects(result));
      if (page >= pagesOf(result_info)) break;
    }
    return found.slice(0, limit);
  }

  /** One page of a list that is paged by cursor, and the cursor of the next if there is one. */
  async page(path: string, query: Query): Promise<{ results: readonly Properties[]; cursor: string | undefined }> {
    const { result, result_info } = await this.send("get", path, { query, maxRetries: 2 });
    const cursor = result_info?.cursor;
    return { results: objects(result), cursor: typeof cursor === "string" && cursor !== "" ? cursor : undefined };
  }

  post(path: string, body: object, extra?: Extra): Promise<Properties> {
    return this.#result("post", path, { ...extra, body, maxRetries: 0 });
  }

  put(path: string, body: object, extra?: Extra): Promise<Properties> {
    return this.#result("put", path, { ...extra, body, maxRetries: 0 });
  }

  patch(path: string, extra?: Extra): Promise<Properties> {
    return this.#result("patch", path, { ...extra, maxRetries: 0 });
  }

  /** Deletes; what is gone already is deleted. */
  async remove(path: string, extra?: Extra): Promise<void> {
    try {
      await this.send("delete", path, { ...extra, maxRetries: 0 });
    } catch (error) {
      if (!(error instanceof Refusal && error.status === 404)) throw error;
    }
  }

  async #result(method: Method, path: string, options: RequestOptions): Promise<Properties> {
    return object((await this.send(method, path, options)).result);
  }

  /** One request; another client may send it in another manner. */
  protected async send(method: Method, path: string, options: RequestOptions): Promise<Envelope> {
    try {
      const request = (more: RequestOptions) => this.#client[method]<Envelope>(path, { ...options, ...more });
      return await (method === "get" && this.#readLimit !== undefined
        ? within(this.#readLimit, (signal) => request({ signal }))
        : request({}));
    } catch (error) {
      throw error instanceof APIError ? new Refusal(`${method.toUpperCase()} ${path}`, error) : error;
    }
  }
}

/** The result of `work`, which is told to stop and given up after `limit` ms. @throws APIConnectionError then. */
async function within<T>(limit: number, work: (signal: AbortSignal) => PromiseLike<T>): Promise<T> {
  const given = new AbortController();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new APIConnectionError({ message: `nothing usable within ${limit / 1_000} s` })),
    limit,
  );
  const working = Promise.resolve(work(given.signal));
  // Given up, it may still fail, and then nobody listens.
  working.catch(() => {});
  try {
    return await Promise.race([working, late]);
  } finally {
    clearTimeout(timer);
    given.abort();
  }
}

/** How many pages a list has. Some say it, some only count their items, and one that is not paged says neither. */
function pagesOf(info: Envelope["result_info"]): number {
  if (typeof info?.total_pages === "number") return info.total_pages;
  if (typeof info?.total_count === "number" && typeof info.per_page === "number" && info.per_page > 0) {
    return Math.ceil(info.total_count / info.per_page);
  }
  return 1;
}

/** A path with its parts escaped: part`/accounts/${id}`. */
export const at = (parts: TemplateStringsArray, ...values: readonly string[]): string =>
  String.raw({ raw: parts }, ...values.map(encodeURIComponent));

/** Every error of an answer: `100402 Reconciliation failed`, and the details that come with it, a line each. */
function reasons(error: APIError): string {
  const body: unknown = error.error;
  const errors = objects(isObject(body) ? body.errors : undefined);
  if (errors.length === 0) return error.message;
  const meta = [...errors, isObject(body) ? body : {}].map((part) => (isObject(part.meta) ? part.meta.details : []));
  const details = meta.flatMap(objects).map(({ class: name, scenario, message, suggestion }) => {
    const advice = suggestion === undefined ? "" : ` ${suggestion}`;
    return `\n  ${name}: ${scenario}: ${message}${advice}`;
  });
  return `${errors.map(({ code, message }) => `${code} ${message}`).join("; ")}${details.join("")}`;
}
