/** How every text says which version has which share of the traffic: pure. */
import { shortDigest } from "../../release/manifest.ts";
import type { LiveWorker } from "../live/worker.ts";
import type { Traffic } from "./split.ts";

interface Serves {
  readonly live: Pick<LiveWorker, "serving" | "versions">;
}

interface Planned extends Serves {
  readonly release: { readonly digest: string };
  readonly traffic: Traffic;
}

/** `version 2 (1f3a…)`, or `version 2 (not ours)`. */
export const versionName = ({ number, digest }: { readonly number: number; readonly digest: string | undefined }) =>
  `version ${number} (${digest === undefined ? "not ours" : shortDigest(digest)})`;

/** `version 2 10 %, version 1 90 %`. */
export const sharesOf = (serving: readonly { readonly number: number; readonly percentage: number }[]): string =>
  serving.map(({ number, percentage }) => `version ${number} ${percentage} %`).join(", ");

/** What serves now: `version 2 (1f3a…) 100 %`. */
export const trafficBefore = ({ live }: Serves): readonly string[] =>
  live.serving.map(({ versionId, percentage }) => `${nameIn(live, versionId)} ${percentage} %`);

/** What is to serve. */
export const trafficAfter = ({ release, live, traffic }: Planned): readonly string[] => [
  ...(traffic.release > 0 ? [`release ${shortDigest(release.digest)} ${traffic.release} %`] : []),
  ...(traffic.stable ? [`${nameIn(live, traffic.stable.versionId)} ${traffic.stable.percentage} %`] : []),
];

function nameIn({ versions }: Serves["live"], id: string): string {
  const version = versions.find(({ versionId }) => versionId === id);
  if (!version) return id;
  return version.digest === undefined ? `version ${version.number}` : versionName(version);
}
