/** A router that remembers what it found: most requests are for a few paths, and a search costs as much as a log line. */
import type { Result } from "hono/router";
import { TrieRouter } from "hono/router/trie-router";

/** Longer paths are not remembered, and when there are more all are forgotten: no caller can fill the memory. */
const MAX_PATH_LENGTH = 100;
const MAX_PATHS = 500;

/** Hono's default would build a faster router first, which refuses paths with a word and a parameter in the same place. */
export class Router<T> extends TrieRouter<T> {
  /** Routes that are not in the tree yet: an app that is mounted in another is never searched itself. */
  #added: (readonly [method: string, path: string, handler: T])[] = [];
  readonly #found = new Map<string, Result<T>>();

  override add(method: string, path: string, handler: T): void {
    this.#added.push([method, path, handler]);
  }

  override match(method: string, path: string): Result<T> {
    if (this.#added.length > 0) this.#plant();
    const key = `${method} ${path}`;
    const known = this.#found.get(key);
    if (known) return known;
    const found = super.match(method, path);
    if (path.length > MAX_PATH_LENGTH) return found;
    if (this.#found.size >= MAX_PATHS) this.#found.clear();
    this.#found.set(key, found);
    return found;
  }

  #plant(): void {
    for (const route of this.#added) super.add(...route);
    this.#added = [];
    this.#found.clear();
  }
}
