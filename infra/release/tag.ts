/** The tag of a version: what tells the versions of a release and settings from all others. */
import { digestOf, type Manifest, shortDigest } from "./manifest.ts";

/** A short name for a set of values: changes when one of them does. */
const fingerprint = (value: unknown): string => digestOf(JSON.stringify(value)).slice(0, 8);

/** `<release>-<settings>`. `settings`: the values, none of them secret, that the version's bindings carry. */
export const versionTag = (release: Manifest, settings: unknown): string =>
  `${shortDigest(release.digest)}-${fingerprint(settings)}`;
