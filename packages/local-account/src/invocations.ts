/**
 * The requests that went through the front door: the version that answered, the outcome, and the time it took. Only in
 * memory, for Cloudflare's metrics calls (api/graphql.ts, api/telemetry.ts).
 */
export interface Invocation {
  /** Milliseconds since the epoch, when the request came. */
  readonly at: number;
  /** The Worker's name. */
  readonly script: string;
  readonly versionId: string;
  /** Cloudflare's names. An answer with 5xx is a success, because the Worker has answered. */
  readonly status: "success" | "scriptThrewException" | "clientDisconnected" | "exceededResources" | "internalError";
  /** The status of the answer; undefined if the Worker gave none. */
  readonly httpStatus: number | undefined;
  /** The time from the request to the end of its answer. */
  readonly wallMs: number;
}

/** How many are kept: those of an hour at 100 requests a second. */
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
  /** A ring buffer: a new one overwrites the oldest. */
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

/** The wall times of invocations in milliseconds, sorted. */
export const wallTimes = (invocations: readonly Invocation[]): readonly number[] =>
  invocations.map(({ wallMs }) => wallMs).sort((a, b) => a - b);

/** The quantile `q` (0 to 1) of sorted values, by nearest rank; 0 if there are none. */
export const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
