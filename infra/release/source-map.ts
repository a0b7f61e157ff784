/** The source map that a build has left beside its bundle. It is not deployed: who has the folder has the map. */
import { digestOf, MAIN_MODULE, SOURCE_MAP } from "./manifest.ts";
import { readIn } from "./read.ts";
import { RELEASE_DIR } from "./root.ts";

/** The map of the bundle with this sha256; undefined where `dir` has a release of another one, or none. */
export function sourceMapOf(sha256: string, dir = RELEASE_DIR): Uint8Array | undefined {
  const bundle = readIn(dir, MAIN_MODULE);
  return bundle && digestOf(bundle) === sha256 ? readIn(dir, SOURCE_MAP) : undefined;
}
