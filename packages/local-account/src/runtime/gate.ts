/**
 * The gate before workerd. Closed, new requests wait and do not fail; those that run have some time to finish.
 */
import { timeout } from "./timeout.ts";

/** How long a request may run on after a change has begun, or since it began itself. */
const DRAIN_MS = 1_000;

export class Gate {
  /** Running requests, and when they began, by `performance.now()`. */
  readonly #inFlight = new Map<Promise<void>, number>();
  #closed: Promise<void> | undefined;

  get isOpen(): boolean {
    return this.#closed === undefined;
  }

  /** Resolves when requests may pass. */
  async open(): Promise<void> {
    while (this.#closed !== undefined) await this.#closed;
  }

  /**
   * Resolves when a request may pass, with what `prepare` has found for it. From then on a restart lets the request
   * finish, up to its limit.
   */
  async enter<T>(request: Promise<void>, prepare: () => Promise<T> | T): Promise<T> {
    for (;;) {
      await this.open();
      const ready = await prepare();
      // Of those that have waited, one may have closed it again.
      if (!this.isOpen) continue;
      this.track(request);
      return ready;
    }
  }

  /** Registers a running request, so that a restart lets it finish. */
  track(request: Promise<void>): void {
    this.#inFlight.set(request, performance.now());
    void request.finally(() => this.#inFlight.delete(request));
  }

  /**
   * Runs `work` with the gate closed, after the running requests have ended or had their time. Those that run at first
   * have it before the gate closes, so that nobody waits for a long one.
   */
  async closed<T>(work: () => Promise<T>, drainMs = DRAIN_MS): Promise<T> {
    // A workerd that has ended answers nobody: the gate closes before anything else can be sent to it.
    if (drainMs > 0) await Promise.race([Promise.all(this.#inFlight.keys()), timeout(drainMs)]);
    // No `await` may be between this and the new gate.
    while (this.#closed !== undefined) await this.#closed;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed = promise;
    try {
      const now = performance.now();
      await Promise.all(
        [...this.#inFlight].map(([request, began]) =>
          Promise.race([request, timeout(Math.max(0, began + drainMs - now))]),
        ),
      );
      return await work();
    } finally {
      this.#closed = undefined;
      resolve();
    }
  }
}
