/** The connections to workerd. Each carries one request at a time, and stays open for the next. */
import { type Dispatcher, Pool } from "undici";

/** How large the head of a request or an answer may be: https://developers.cloudflare.com/workers/platform/limits/. */
export const MOST_HEAD_BYTES = 131_072;

/** A Worker may take as long as it likes until it answers, and between two pieces of its answer. */
const NO_LIMIT = 0;

export class Upstream {
  #pool: { readonly address: string; readonly connections: Pool } | undefined;

  /** Sends a request to the workerd at an address. `handler` gets the answer, or the error. */
  send(address: string, request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#at(address).dispatch({ ...request, reset: false }, handler);
  }

  close(): void {
    void this.#pool?.connections.destroy();
  }

  #at(address: string): Pool {
    if (this.#pool?.address === address) return this.#pool.connections;
    // workerd was replaced. What still runs on the old connections ends by itself.
    void this.#pool?.connections.close();
    const connections = new Pool(address, {
      pipelining: 1,
      headersTimeout: NO_LIMIT,
      bodyTimeout: NO_LIMIT,
      maxHeaderSize: MOST_HEAD_BYTES,
    });
    this.#pool = { address, connections };
    return connections;
  }
}
