/** Which of the versions that share a Worker's traffic serves a client or runs an object. Pure, and always the same. */
import { createHash } from "node:crypto";
import type { State, Version, Worker } from "./model.ts";
import { servingVersions } from "./queries.ts";

/** A version and its share in percent. */
export interface Serving {
  readonly version: Version;
  readonly percentage: number;
}

/** Set by a client that wants to stay with one version: equal keys get equal versions. Cloudflare's name. */
export const KEY_HEADER = "cloudflare-workers-version-key";

/** Set by a client that wants a certain version: `worker="<version id>"`, several by commas. Cloudflare's name. */
export const OVERRIDE_HEADER = "cloudflare-workers-version-overrides";

/** The versions of a split, oldest first: the order in which they share the points from 0 to 100. */
export const split = (state: State, workerId: string): Serving[] =>
  servingVersions(state, workerId).sort((a, b) => a.version.number - b.version.number);

/**
 * The version that has `point` (0 to 100). The newest one has the low points, so that a rollout that grows moves
 * clients and objects from the old version to the new one and never back.
 */
export function versionAt(serving: readonly Serving[], point: number): Version | undefined {
  let end = 0;
  for (const { version, percentage } of serving.toReversed()) {
    end += percentage;
    if (point < end) return version;
  }
  return serving[0]?.version;
}

/** The version for a request: the one it asks for if that serves, else by its key, else by `random` (0 to 1). */
export function versionFor(
  state: State,
  worker: Worker,
  headers: { readonly key: string | undefined; readonly overrides: string | undefined },
  random: () => number,
): Version | undefined {
  const serving = split(state, worker.id);
  if (serving.length < 2) return serving[0]?.version;
  const wanted = override(headers.overrides ?? "", worker.name);
  const chosen = serving.find(({ version }) => version.id === wanted)?.version;
  if (chosen !== undefined) return chosen;
  return versionAt(serving, 100 * (headers.key === undefined ? random() : fraction(headers.key)));
}

/** A number from 0 to 1 that is always the same for a text. */
const fraction = (text: string) => createHash("sha256").update(text).digest().readUInt32BE() / 2 ** 32;

/** The version that a header of overrides names for the Worker. */
function override(header: string, worker: string): string | undefined {
  for (const part of header.split(",")) {
    const [, name, version] = /^\s*([^=\s]+)\s*=\s*"([^"]*)"\s*$/.exec(part) ?? [];
    if (name === worker) return version;
  }
  return undefined;
}
