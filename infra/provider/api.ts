/**
 * Cloudflare's REST API, for requests whose body is plain data or a form: one error, one message. Not through
 * Cloudflare's own SDK, which loads every resource that it knows (half a second) before it sends anything by its path.
 */
import ky, { HTTPError, isKyError, type KyInstance, type Options, TimeoutError } from "ky";
import { UserError } from "../common/user-error.ts";
import { SENDABLE, shapeOf } from "./token.ts";
import { isObject, object, objects, type Properties } from "./values.ts";

/** Where an account's API is, and what opens it. */
export interface Connection {
  /** Ends in `/client/v4`. */
  readonly baseUrl: string;
  readonly token: string;
}

type Query = Readonly<Record<string, string | number | boolean>>;
export type Method = "get" | "post" | "put" | "patch" | "delete";

export interface Extra {
  readonly query?: Query;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface RequestOptions extends Extra {
  readonly body?: object;
  /** How often it is sent again after a passing failure. */
  readonly maxRetries?: number;
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

/** What an error is about. */
interface Asked {
  readonly method: Method;
  readonly path: string;
}

/** What the API refused. The message says what was asked, the status, and every code with its sentence. */
export class ApiError extends UserError {
  override readonly name = "ApiError";
  /** The HTTP status; undefined when the API could not be reached. */
  readonly status: number | undefined;
  readonly headers: Headers | undefined;
  override readonly fix: string | undefined;

  constructor({ method, path }: Asked, reason: string, answer: Response | undefined, cause: unknown) {
    const answered = answer ? `was answered ${answer.status}` : "was not answered";
    super(`${method.toUpperCase()} ${path} ${answered}: ${reason}`, { cause });
    this.status = answer?.status;
    this.headers = answer?.headers;
    this.fix = method === "get" ? fixOfRead(this.status) : fixOfWrite(this.status);
  }

  /** Whether the same request may soon succeed. */
  get isPassing(): boolean {
    return this.status === undefined || PASSING.includes(this.status);
  }

  /** Whether the API has said no, and will say so again: to this token, or to what was asked. */
  get isRefusal(): boolean {
    return !this.isPassing && this.status !== undefined && this.status >= 400;
  }
}

const ACCOUNT_ID_FIX = "see that accountId is the right one, and that the token is for it.";

/** What to do about a read with this answer; undefined: there was none. */
export function fixOfRead(status: number | undefined): string {
  // What Cloudflare answers to a token that is none is a 400.
  if (refusesToken(status) || status === 400) return tokenFix("may read this account's Workers");
  return fixOfPassing(status) ?? ACCOUNT_ID_FIX;
}

/** The same of a write; undefined where the answer's own words have to do: it says what is wrong with what was sent. */
function fixOfWrite(status: number | undefined): string | undefined {
  if (refusesToken(status)) return tokenFix("may edit what the request is about");
  return status === 404 ? ACCOUNT_ID_FIX : fixOfPassing(status);
}

/** What to do where a request was not answered, or may be answered otherwise later; undefined for another status. */
export function fixOfPassing(status: number | undefined): string | undefined {
  if (status === undefined) return "see that the API can be reached from here, then run it again.";
  if (status === 408) return "run it again.";
  if (status === 429) return "wait some minutes, then run it again: the API takes only so many requests.";
  if (status < 500) return undefined;
  return "wait, and run it again when https://www.cloudflarestatus.com says that the API is well; what is live goes on serving.";
}

/** Whether a status says that the token may not do what was asked. */
export const refusesToken = (status: number | undefined): boolean => status === 401 || status === 403;

/** What to do where the token is refused; `accountId`: where the account is named. */
export const tokenFix = (may: string, accountId = "accountId"): string =>
  `give a token that is valid and ${may}, and see that ${accountId} is the account it is for.`;

interface ApiOptions extends Pick<Options, "fetch"> {
  /** Milliseconds after which a read, all its repetitions together, has failed; without a limit when not given. */
  readonly readLimit?: number;
}

/**
 * For reads that somebody waits for: a person hears within ten seconds that an API is not well, whatever it says of
 * when to ask again.
 */
export const READ_LIMIT = 9_000;

/** Milliseconds that one request may take; the API answers an upload of many megabytes well within it. */
const REQUEST_LIMIT = 60_000;

/** Requests to one account. Reads are repeated when they fail for a passing reason, writes never. */
export class Api {
  readonly #client: KyInstance;
  readonly #readLimit: number | undefined;

  /** @throws UserError where no request can be sent with this address or token. */
  constructor({ baseUrl, token }: Connection, { readLimit, ...options }: ApiOptions = {}) {
    mustBeSendable({ baseUrl, token });
    this.#readLimit = readLimit;
    this.#client = ky.create({
      ...options,
      prefix: baseUrl,
      headers: { authorization: `Bearer ${token}` },
      timeout: REQUEST_LIMIT,
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
      if (error instanceof ApiError && error.status === 404) return undefined;
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

  /**
   * One page of a list that is paged by cursor, and the cursor of the next if there is one. `inside`: the property of the
   * result that has the list, where it is not the result itself.
   */
  async page(
    path: string,
    query: Query,
    extra?: Extra,
    inside?: string,
  ): Promise<{ results: readonly Properties[]; cursor: string | undefined }> {
    const { result, result_info } = await this.send("get", path, { ...extra, query, maxRetries: 2 });
    const cursor = result_info?.cursor;
    const list = inside === undefined ? result : object(result)[inside];
    return { results: objects(list), cursor: typeof cursor === "string" && cursor !== "" ? cursor : undefined };
  }

  /**
   * The first page that has something; nothing: the list is empty. What was deleted or has expired just now leaves pages
   * that are empty while more follow. Undefined: nothing was found, and the API comes to no end; it is not known whether
   * the list is empty.
   */
  async filledPage(path: string, query: Query, extra?: Extra): Promise<readonly Properties[] | undefined> {
    for (let before: string | undefined; ; ) {
      const asked = before === undefined ? query : { ...query, cursor: before };
      const { results, cursor } = await this.page(path, asked, extra);
      if (results.length > 0 || cursor === undefined) return results;
      if (cursor === before) return undefined;
      before = cursor;
    }
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
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    }
  }

  async #result(method: Method, path: string, options: RequestOptions): Promise<Properties> {
    return object((await this.send(method, path, options)).result);
  }

  /** One request; another client may send it in another manner. */
  protected async send(method: Method, path: string, options: RequestOptions): Promise<Envelope> {
    const { query, headers, body, maxRetries: limit = 0 } = options;
    const asked = { method, path };
    try {
      return await this.#client(path, {
        method,
        retry: { limit, methods: [method], statusCodes: PASSING, afterStatusCodes: PASSING },
        parseJson: (text, { response }) => parsed(text, asked, response),
        totalTimeout: (method === "get" && this.#readLimit) || false,
        ...(query && { searchParams: { ...query } }),
        ...(headers && { headers: { ...headers } }),
        ...(body && (body instanceof FormData ? { body } : { json: body })),
      }).json<Envelope>();
    } catch (error) {
      // Without them as its cause: they hold the request, and so the token.
      if (error instanceof HTTPError) throw new ApiError(asked, reasons(error.data), error.response, undefined);
      throw isKyError(error) ? new ApiError(asked, unanswered(error), undefined, error.cause) : error;
    }
  }
}

/** @throws UserError that names the settings which give the address or the token. */
function mustBeSendable({ baseUrl, token }: Connection): void {
  if (!URL.canParse(baseUrl) || !/^https?:$/.test(new URL(baseUrl).protocol)) {
    throw new UserError(
      `The API's address must be a URL that begins with http:// or https://, and is ${baseUrl}. Correct CLOUDFLARE_BASE_URL, CLOUDFLARE_API_BASE_URL or cloudflare:baseUrl, whichever has it, or take it away.`,
    );
  }
  if (SENDABLE.test(token)) return;
  throw new UserError(
    `No request can carry the API token: it has ${shapeOf(token)}. Export only the token as CLOUDFLARE_API_TOKEN, without spaces or line breaks.`,
  );
}

/** Answers after which the same request may soon succeed: of HTTP, and of Cloudflare's edge (52x, 530). */
const PASSING = [408, 409, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 530];

/** @throws ApiError where an answer that should be JSON is not: it is from something between here and the API. */
function parsed(text: string, asked: Asked, response: Response): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // The body of a refusal may be anything; its status says enough.
    if (!response.ok) return text;
    const kind = response.headers.get("content-type") ?? "no content type";
    throw new ApiError(asked, `with ${kind} that is no JSON; a proxy may stand before the API`, response, error);
  }
}

/** Why there was no answer: what the network said, or that it took too long. */
function unanswered(error: Error): string {
  if (error instanceof TimeoutError) return "nothing usable came in time";
  const { cause } = error;
  const deeper = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return deeper instanceof Error ? deeper.message : error.message;
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
function reasons(body: unknown): string {
  const errors = objects(isObject(body) ? body.errors : undefined);
  if (errors.length === 0) return typeof body === "string" && body !== "" ? body.slice(0, 200) : "it gives no reason";
  const meta = [...errors, isObject(body) ? body : {}].map((part) => (isObject(part.meta) ? part.meta.details : []));
  const details = meta.flatMap(objects).map(({ class: name, scenario, message, suggestion }) => {
    const advice = suggestion === undefined ? "" : ` ${suggestion}`;
    return `\n  ${name}: ${scenario}: ${message}${advice}`;
  });
  return `${errors.map(({ code, message }) => `${code} ${message}`).join("; ")}${details.join("")}`;
}
