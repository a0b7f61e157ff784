/**
 * What the front door saw of each request: which version answered, how it ended, how long it took. In memory, for the
 * metrics that Cloudflare gives of them (api/graphql.ts, api/telemetry.ts).
 */
export interface Invocation {
  /** Milliseconds since the epoch, when the request came. */
  readonly at: number;
  /** The Worker's name. */
  readonly script: string;
  readonly versionId: string;
  /** Cloudflare's words. An answer with 5xx is a success: the Worker has answered. */
  readonly status: "success" | "scriptThrewException" | "clientDisconnected";
  /** The status of the answer; undefined where the Worker gave none. */
  readonly httpStatus: number | undefined;
  /** From the request to the end of its answer. */
  readonly wallMs: number;
}

/** The newest so many are kept: at 100 requests a second, an hour. */
const KEPT = 360_000;

export interface Wanted {
  readonly script?: string | undefined;
  readonly versionId?: string | undefined;
  readonly status?: string | undefined;
  /** Both included, in milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
}

export class Invocations {
  /** A ring: the oldest is written over. */
  readonly #ring: Invocation[] = [];
  #next = 0;

  add(invocation: Invocation): void {
    this.#ring[this.#next] = invocation;
    this.#next = (this.#next + 1) % KEPT;
  }

  find({ script, versionId, status, from, to }: Wanted): readonly Invocation[] {
    return this.#ring.filter(
      (one) =>
        one.at >= from &&
        one.at <= to &&
        (script === undefined || one.script === script) &&
        (versionId === undefined || one.versionId === versionId) &&
        (status === undefined || one.status === status),
    );
  }
}

/** The value that the share `q` (0 to 1) of `sorted` does not pass (nearest rank); 0 of none. */
export const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
