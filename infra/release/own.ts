/** The release that a command judges: of this checkout, as its files are now, unless another is named. */
import { relative } from "node:path";
import { RELEASE_DIR, ROOT } from "./root.ts";

/** The folder of this checkout's own release, as it is named at the command line. */
export const OWN_RELEASE = relative(ROOT, RELEASE_DIR);

/**
 * What `named` is, else this checkout's own release, which is built: what an earlier build has left there may be of other
 * files, and a judgement on it would be one on these.
 * @throws BuildError as the build does.
 */
export async function ownUnless(named: string | undefined, say: (line: string) => void): Promise<string> {
  if (named !== undefined) return named;
  say(`building ${OWN_RELEASE}`);
  // Loaded here: who names a release needs no bundler.
  const { buildRelease } = await import("./build.ts");
  await buildRelease();
  return OWN_RELEASE;
}
