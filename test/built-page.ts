/** For suites that run the Worker: its page must be built, and in a fresh clone no command may have done so yet. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../infra/release/root.ts";

/** Builds the page where there is none. `npm test` builds it anew, so that it is never older than its files. */
export async function setup(): Promise<void> {
  if (existsSync(join(ROOT, "worker/page/assets.gen.js"))) return;
  // Loaded here: mostly the page is there, and needs no bundler.
  const [{ buildPage }, { patterns }] = await Promise.all([
    import("../infra/release/page.ts"),
    import("../worker/patterns.ts"),
  ]);
  await buildPage(patterns);
}
