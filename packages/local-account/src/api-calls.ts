/** The last calls of the REST API, for the account's page. Only in memory. */

export interface Call {
  readonly at: string;
  readonly method: string;
  /** Path below `/client/v4`, without the query, which may hold a secret. */
  readonly path: string;
  readonly status: number;
  readonly milliseconds: number;
}

const KEPT = 200;

export class ApiCalls {
  readonly #calls: Call[] = [];
  readonly #listener: ((call: Call) => void) | undefined;

  constructor(listener?: (call: Call) => void) {
    this.#listener = listener;
  }

  add(call: Call): void {
    this.#calls.push(call);
    if (this.#calls.length > KEPT) this.#calls.shift();
    this.#listener?.(call);
  }

  /** Newest first. */
  get recent(): readonly Call[] {
    return this.#calls.toReversed();
  }
}
