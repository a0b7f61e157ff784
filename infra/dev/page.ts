/** The page under `npm run dev`: built anew after a change of what it is made of. */
import { buildPage } from "../release/page.ts";
import { patternsNow } from "./patterns.ts";

/** Files of the page, and those that say which panels it has. */
const OF_PAGE = /^(Pulumi\.yaml|worker[/\\](page[/\\].*|patterns\.ts|[^/\\]+[/\\](pattern\.ts|panel([/\\].*)?)))$/;

export class DevPage {
  /** What it was built of; none where it does not build: each change may be what mends it. */
  #inputs: ReadonlySet<string> | undefined;

  /** Builds it, if it may be another one now. @throws BuildError */
  async follow(changed: readonly string[]): Promise<void> {
    const inputs = this.#inputs;
    if (inputs && !changed.some((file) => OF_PAGE.test(file) || inputs.has(file.replaceAll("\\", "/")))) return;
    this.#inputs = undefined;
    const built = await buildPage(await patternsNow());
    this.#inputs = new Set(built.inputs);
  }
}
