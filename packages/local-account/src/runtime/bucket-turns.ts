/**
 * Who uses a bucket, and who deletes it: never both at once. Otherwise a bucket that was seen empty is deleted with the
 * object that somebody is putting into it. Only calls of the API count: what a Worker writes between the look and the
 * end of its binding goes with the bucket.
 */
import { ApiError } from "../errors.ts";
import { timeout } from "./timeout.ts";

/** How long a deletion waits for those who use the bucket. Meanwhile all other changes wait for it. */
const WAIT_MS = 1_000;

export class BucketTurns {
  /** The uses of each bucket that have not ended, each with its end. */
  readonly #uses = new Map<string, Set<Promise<void>>>();
  /** The buckets that are being deleted, each with the end of that. */
  readonly #closed = new Map<string, Promise<void>>();

  /** Begins a use of the bucket, once nobody deletes it. The caller must call the function that it gets, at the end. */
  async begin(key: string): Promise<() => void> {
    for (let closed = this.#closed.get(key); closed !== undefined; closed = this.#closed.get(key)) await closed;
    const uses = this.#uses.get(key) ?? new Set();
    this.#uses.set(key, uses);
    const { promise, resolve } = Promise.withResolvers<void>();
    uses.add(promise);
    return () => {
      uses.delete(promise);
      resolve();
    };
  }

  /**
   * Does `work` while nobody uses the bucket; who wants to use it waits. Only one may do so at a time.
   * @throws ApiError 10008 if somebody uses it for too long.
   */
  async alone<T>(key: string, work: () => Promise<T>): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed.set(key, promise);
    try {
      const uses = this.#uses.get(key) ?? new Set();
      await Promise.race([Promise.all(uses), timeout(WAIT_MS)]);
      if (uses.size > 0)
        throw new ApiError(
          409,
          10008,
          "The bucket you tried to delete is not empty: an object is being written. Send the call again when it is done.",
        );
      this.#uses.delete(key);
      return await work();
    } finally {
      this.#closed.delete(key);
      resolve();
    }
  }
}
