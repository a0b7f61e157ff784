/** All files of a release, checked: what its manifest names, and nothing else. */
import { MANIFEST, type Manifest } from "./manifest.ts";
import { checkRelease, ReleaseUnusable, readIn } from "./read.ts";
import type { Files } from "./tarball.ts";

interface CheckedFiles {
  readonly manifest: Manifest;
  readonly files: Files;
}

/** The names of a release's files. */
const namesIn = ({ modules, attached = {} }: Manifest): readonly string[] => [
  MANIFEST,
  ...modules.map(({ name }) => name),
  ...Object.keys(attached),
];

/** The files of the release in a folder; others that are there are left out. @throws ReleaseUnusable */
export function readFiles(dir: string): CheckedFiles {
  const files = new Map<string, Uint8Array>();
  const manifest = checkRelease(dir, (name) => {
    const contents = readIn(dir, name);
    if (contents) files.set(name, contents);
    return contents;
  });
  return { manifest, files };
}

/** The files of a release that came as one file. @throws ReleaseUnusable, also where one of them is not in the manifest. */
export function filesOf(where: string, files: Files): CheckedFiles {
  const manifest = checkRelease(where, (name) => files.get(name));
  const known = new Set(namesIn(manifest));
  const stranger = [...files.keys()].find((name) => !known.has(name));
  if (stranger !== undefined)
    throw new ReleaseUnusable(`${where} has a file that its manifest does not name: ${stranger}.`);
  return { manifest, files };
}
