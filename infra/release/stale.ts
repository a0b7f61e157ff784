/**
 * Whether this checkout's own release is still of its files. What judges the release would else tell a person of a mistake
 * that they have corrected since. The files decide, and not the commit: one that changes a guide makes no other release.
 */
import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import { readIfThere } from "../common/named-file.ts";
import { isUserError } from "../common/user-error.ts";
import { type Configured, configuredBy } from "./configured.ts";
import { SOURCE_MAP } from "./manifest.ts";
import type { Release } from "./read.ts";
import { OWN_RELEASE, ROOT } from "./root.ts";
import { readWorkerConfig } from "./worker-config.ts";

/** The files that the main module was made of, with what was in them. */
const SourceMap = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ sources: v.array(v.string()), sourcesContent: v.array(v.nullable(v.string())) }),
);

/**
 * The line that tells of it; undefined where the release is of these files, or stands in another folder, so that
 * `npm run build` would make another. It does not see changes of the page, of packages, and of modules that are no code;
 * a history that has changed is an error of the plan.
 */
export function staleLine(release: Release, root = ROOT): string | undefined {
  if (resolve(release.dir) !== join(root, OWN_RELEASE)) return undefined;
  const [first, ...more] = [
    ...changedSources(release, root),
    ...(isConfigured(release, root) ? [] : ["wrangler.jsonc"]),
  ];
  if (first === undefined) return undefined;
  const changed = more.length ? `${first} and ${more.length} more` : first;
  return `This is about the release in ${OWN_RELEASE}, which was built before ${changed} changed. To build it from the files as they are now: npm run build`;
}

/** The files of the project that are others than those that the release was built from. */
function changedSources({ dir }: Release, root: string): readonly string[] {
  const map = v.safeParse(SourceMap, readIfThere(join(dir, SOURCE_MAP)));
  if (!map.success) return [];
  const { sources, sourcesContent } = map.output;
  return sources.flatMap((source, i) => {
    const file = relative(root, join(dir, source)).replaceAll("\\", "/");
    const built = sourcesContent[i] ?? null;
    return built === null || !isWritten(file) || readIfThere(join(root, file)) === built ? [] : [file];
  });
}

/**
 * Whether a person writes the file: not a package's, not what a build makes, which a fresh checkout lacks, and no module that
 * the bundler makes up, as for Node's own. The map names such a one as if it were in the release's folder.
 */
const isWritten = (file: string): boolean =>
  !/^\.\.\/|(^|\/)node_modules\//.test(file) &&
  !file.startsWith(`${OWN_RELEASE}/`) &&
  file !== "worker/page/assets.gen.js";

/** Whether wrangler.jsonc, if it is there, says what it said to the release. One with mistakes has said something else. */
function isConfigured(release: Configured, root: string): boolean {
  const file = join(root, "wrangler.jsonc");
  if (!existsSync(file)) return true;
  try {
    const { bindings, compatibilityDate, compatibilityFlags, extras } = configuredBy(readWorkerConfig(file));
    return isDeepStrictEqual(
      [bindings, compatibilityDate, compatibilityFlags, extras],
      [release.bindings, release.compatibilityDate, release.compatibilityFlags, release.extras],
    );
  } catch (error) {
    if (isUserError(error)) return false;
    throw error;
  }
}
