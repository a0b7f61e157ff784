/** The release that a command judges: of this checkout, as its files are now, unless another is named. */
import { OWN_RELEASE } from "./root.ts";

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
