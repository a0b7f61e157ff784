/** Chooses one of the versions that share a Worker's traffic, for a request or an object. Pure and deterministic. */
import { createHash } from "node:crypto";
import type { State, Version, Worker } from "./model.ts";
import { servingVersions } from "./queries.ts";

/** A version, and its share in percent. */
export interface Serving {
  readonly version: Version;
  readonly percentage: number;
}

/** Cloudflare's header for a client that wants to stay with one version: equal keys get equal versions. */
export const KEY_HEADER = "cloudflare-workers-version-key";

/** Cloudflare's header for a client that wants a certain version: `worker="<version id>"`, several with commas. */
export const OVERRIDE_HEADER = "cloudflare-workers-version-overrides";

/** The versions of a split, oldest first. */
export const split = (state: State, workerId: string): Serving[] =>
  servingVersions(state, workerId).sort((a, b) => a.version.number - b.version.number);

/**
 * The version that has `point` (0 to 100). The newest version has the low points. So when its share grows, clients and
 * objects move from the old version to the new one, and never back.
 */
export function versionAt(serving: readonly Serving[], point: number): Version | undefined {
  let end = 0;
  for (const { version, percentage } of serving.toReversed()) {
    end += percentage;
    if (point < end) return version;
  }
  return serving[0]?.version;
}

/** The version for a request: the one that it asks for, if that serves; else by its key, else by `random` (0 to 1). */
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

/** A number from 0 to 1 that follows from a text. */
const fraction = (text: string) => createHash("sha256").update(text).digest().readUInt32BE() / 2 ** 32;

/** The version that a header of overrides names for the Worker. */
function override(header: string, worker: string): string | undefined {
  for (const part of header.split(",")) {
    const [, name, version] = /^\s*([^=\s]+)\s*=\s*"([^"]*)"\s*$/.exec(part) ?? [];
    if (name === worker) return version;
  }
  return undefined;
}
