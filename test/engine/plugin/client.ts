/**
 * Uses the account's API like the provider's own client, which differs from `npm start`: it repeats every request, even
 * writes, and deleting a missing resource is an error. The waits are shorter here by a factor, so that a test need not
 * wait three minutes for the end of a lasting 409.
 */
import { setTimeout } from "node:timers/promises";
import {
  Api,
  ApiError,
  type Envelope,
  type Extra,
  type Method,
  type RequestOptions,
} from "../../../infra/provider/api.ts";
import { retry } from "../../../infra/provider/facts/index.ts";

/** The environment variable for the factor of the waits; see `FACTOR`. */
const FACTOR_VARIABLE = "STAND_IN_RETRY_FACTOR";
const FACTOR = 100;
/** The shortest wait in milliseconds, so that a killed engine is gone before anything is sent again. */
const LEAST = 50;

export class ProviderClient extends Api {
  /** Waits so many milliseconds. There is no further attempt if the engine has ended meanwhile. */
  readonly #wait: (milliseconds: number) => Promise<unknown>;

  constructor(
    connection: ConstructorParameters<typeof Api>[0],
    wait = pause,
    options?: ConstructorParameters<typeof Api>[1],
  ) {
    super(connection, options);
    this.#wait = wait;
  }

  override async remove(path: string, extra?: Extra): Promise<void> {
    await this.send("delete", path, extra ?? {});
  }

  protected override async send(method: Method, path: string, options: RequestOptions): Promise<Envelope> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await super.send(method, path, { ...options, maxRetries: 0 });
      } catch (error) {
        if (attempt >= retry.attempts || !(error instanceof ApiError) || !isRepeated(error)) throw error;
        await this.#wait(waitAfter(error, attempt));
      }
    }
  }
}

/** Whether the client repeats a request after this answer, or after none. */
function isRepeated({ status, headers }: ApiError): boolean {
  const asked = headers?.get("x-should-retry");
  if (asked === "true" || asked === "false") return asked === "true";
  return status === undefined || status === 408 || status === 409 || status === 429 || status >= 500;
}

/** Milliseconds until the next attempt: as the answer asks, else the client's own wait. */
function waitAfter({ headers }: ApiError, attempt: number): number {
  const milliseconds = Number(headers?.get("retry-after-ms") ?? Number.NaN);
  if (milliseconds > 0) return milliseconds;
  const after = headers?.get("retry-after") ?? "";
  const seconds = Number(after);
  if (seconds > 0) return seconds * 1000;
  const until = Date.parse(after) - Date.now();
  if (until > 0) return until;
  return (retry.waits[attempt - 1] ?? 0) * 1000 * (1 - retry.less * Math.random());
}

const engine = process.ppid;

async function pause(milliseconds: number): Promise<void> {
  await setTimeout(Math.max(LEAST, milliseconds / Number(process.env[FACTOR_VARIABLE] ?? FACTOR)));
  if (process.ppid !== engine) process.exit();
}
