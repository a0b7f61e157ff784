/** The page under `npm run dev`: built anew after a change of what it is made of. */
import { buildPage } from "../release/page.ts";
import { MadeOf } from "./follow.ts";
import { patternsNow } from "./patterns.ts";

/** Files of the page, and those that say which panels it has. */
const OF_PAGE = /^(Pulumi\.yaml|worker[/\\](page[/\\].*|patterns\.ts|[^/\\]+[/\\](pattern\.ts|panel([/\\].*)?)))$/;

export class DevPage {
  /** What it is made of. */
  readonly madeOf = new MadeOf();

  /** Builds it, if it may be another one now. @throws BuildError */
  async follow(changed: readonly string[]): Promise<void> {
    // Where it does not build, each change may be what mends it.
    const { isMade, files } = this.madeOf;
    if (isMade && !changed.some((file) => OF_PAGE.test(file) || files.has(file.replaceAll("\\", "/")))) return;
    await this.madeOf.by(async () => buildPage(await patternsNow()));
  }
}
