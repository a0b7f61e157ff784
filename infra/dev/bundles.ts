/** The Worker's modules as its files are now, by wrangler.jsonc as it is now. */
import { type Bundle, type Bundler, bundlerOf } from "../release/bundle.ts";
import { ROOT } from "../release/root.ts";
import { readWorkerConfig } from "../release/worker-config.ts";
import { MadeOf } from "./follow.ts";

export class Bundles {
  #bundler: Bundler | undefined;
  /** What that bundler was made for. */
  #config = "";
  /** What the Worker is made of. */
  readonly madeOf = new MadeOf();

  /** @throws BuildError that says what is wrong in a file, and where; wrangler's reader does not. */
  async next(): Promise<Bundle> {
    return this.madeOf.by(() => this.#next());
  }

  async #next(): Promise<Bundle> {
    const config = { ...readWorkerConfig(), minify: false };
    const text = JSON.stringify(config);
    if (text !== this.#config) await this.dispose();
    this.#bundler ??= await bundlerOf(ROOT, config);
    this.#config = text;
    return this.#bundler.bundle();
  }

  async dispose(): Promise<void> {
    const bundler = this.#bundler;
    this.#bundler = undefined;
    await bundler?.dispose();
  }
}
