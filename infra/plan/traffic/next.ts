/** What serves once a release was deployed: its version, another one in its place, or both. Pure. */
import type { Release } from "../../release/read.ts";
import { versionTag } from "../../release/tag.ts";
import type { PublicSettings } from "../../stack/config.ts";
import { LOGICAL } from "../../stack/declared.ts";
import { versionPart } from "../../stack/extras.ts";
import { shareSet } from "../../stack/rollout-steps.ts";
import { regionTable, workerSettings } from "../../stack/told.ts";
import { isCutOff, servableOf, servableTag } from "../live/changed-by-others.ts";
import { deploymentMessage, refusalNote } from "../live/messages.ts";
import { keptVersion } from "../live/ours.ts";
import { type LiveVersion, regionTableOf } from "../live/version.ts";
import { type LiveWorker, versionOf } from "../live/worker.ts";
import { takenBack } from "../rules/refused-release.ts";
import { compareRegions, isSameRegions, type RegionChange, type RegionTable } from "../rules/regions.ts";
import type { Known } from "../state/known.ts";
import { type Back, pinned } from "./pin.ts";
import { cutOff, servesAsWanted, shareOf, split, type Traffic } from "./split.ts";

/** What an update deploys. */
export interface NextDeployment {
  /** The tag of the version that the release makes in this stack. */
  readonly tag: string;
  /** Why the release becomes a version once more though one with this tag is there, in words; undefined: it does not. */
  readonly renewedBecause: string | undefined;
  readonly traffic: Traffic;
  /** The message of the deployment. */
  readonly deploymentMessage: string;
  /** Digest of the release that serves then; undefined: none of ours. */
  readonly served: string | undefined;
  /** Per cent of the traffic that it has then. */
  readonly share: number;
  /** Since when it has had all of it; undefined: it gets it only now, or not. */
  readonly servedSince: string | undefined;
  /** How the region table of what is to serve stands to those that serve. */
  readonly regions: readonly RegionChange[];
}

export interface Next {
  readonly deploy: NextDeployment;
  /** The version with the release's tag that an update finds; undefined: it makes one. */
  readonly kept: LiveVersion | undefined;
  /** Whether that version stays, and serves everybody. */
  readonly isDeployed: boolean;
  /** What the traffic goes back for, where it does. */
  readonly back: Back | undefined;
  /** Whether the traffic is so already. */
  readonly asWanted: boolean;
  /** The release's region table. */
  readonly table: RegionTable;
  /** The version that serves in the release's place, or beside it, and its table where it has one. */
  readonly stable: LiveVersion | undefined;
  readonly stableTable: RegionTable | undefined;
  /** Whether one of both tables is another than one that serves. */
  readonly hasOtherTable: boolean;
}

/** What the release's version is compared with, as far as it is known here. */
interface AtHand {
  readonly known: Known | undefined;
  readonly secrets: string | undefined;
}

export function nextOf(release: Release, settings: PublicSettings, live: LiveWorker, atHand: AtHand): Next {
  const { pin } = settings;
  const { versions } = live;
  const table = regionTable(settings);
  const tag = servableTag(tagOf(release, settings, table), versions, live.changedByOthers);
  const traffic = trafficOf(settings, live, tag);
  const asWanted = servesAsWanted(live.serving, tag, traffic);
  // It names objects by a table of its own.
  const stable = versionOf(live, traffic.stable?.versionId);
  const stableTable = stable && regionTableOf(stable);
  const served = traffic.release > 0 ? release.digest : stable?.digest;
  const share = shareOf(served, release.digest, traffic, versions);
  const serving = live.serving.map(({ digest }) => digest);
  // A release that gets traffic may be one that is tried once more, and then nothing is taken back.
  const refused = traffic.release === 0 ? takenBack(settings, release.digest, serving, served) : undefined;
  const nextTable = traffic.release > 0 ? table : stableTable;
  const kept = keptVersion(tag, versions, live.servedLast);
  const renewed = kept && renewedBecause(tag, kept, { ...atHand, share: traffic.release });
  return {
    deploy: {
      tag,
      renewedBecause: renewed,
      traffic,
      deploymentMessage: deploymentMessage(live, tag, asWanted, {
        refusal: refused && refusalNote(refused),
        pin: pin > 0 ? pin : undefined,
      }),
      served,
      share,
      servedSince: share === 100 && served === live.digest ? live.servedSince : undefined,
      regions: nextTable ? live.regions.flatMap((before) => compareRegions(before, nextTable)) : [],
    },
    kept,
    isDeployed:
      kept !== undefined &&
      renewed === undefined &&
      live.serving.every(({ versionId }) => versionId === kept.versionId),
    back: backOf(pin, traffic, live),
    asWanted,
    table,
    stable,
    stableTable,
    hasOtherTable: live.regions.some((before) =>
      [table, stableTable].some((other) => other && !isSameRegions(before, other)),
    ),
  };
}

/**
 * Why a release whose version is there becomes one again; undefined: it does not, as far as anybody can tell. `share`: per
 * cent of the traffic that it gets.
 */
function renewedBecause(
  tag: string,
  kept: LiveVersion,
  { known, secrets, share }: AtHand & { readonly share: number },
): string | undefined {
  if (known && !known.get("WorkerVersion", LOGICAL.version(tag))) return "the state does not have its version";
  // One without traffic gets its bindings when it gets some (durable-worker.ts).
  if (share === 0) return undefined;
  return secrets === undefined || secrets === kept.secrets ? undefined : "a secret of the stack has changed";
}

/** The tag by the release and by what of the settings is in its version. */
function tagOf(release: Release, settings: PublicSettings, table: RegionTable): string {
  const { allowTransferLoss } = settings;
  const extras = versionPart(release, settings);
  return versionTag(release, [
    workerSettings(settings),
    table,
    ...(extras === undefined ? [] : [extras]),
    // It makes other `exports` of the same release.
    ...(allowTransferLoss.length === 0 ? [] : [{ allowTransferLoss }]),
  ]);
}

function trafficOf(settings: PublicSettings, live: LiveWorker, tag: string): Traffic {
  const { stack, pin } = settings;
  const { serving, versions, rollbackFloor, changedByOthers } = live;
  if (pin > 0) return pinned({ stack, pin, serving, versions, rollbackFloor });
  const share = shareSet(settings);
  if (share < 100 && changedByOthers !== undefined && isCutOff(live)) return cutOff(changedByOthers, share);
  return split(servableOf(live), tag, share);
}

function backOf(pin: number, traffic: Traffic, { servedLast }: LiveWorker): Back | undefined {
  if (pin > 0) return "pinned";
  return traffic.release === 0 && servedLast.length > 1 ? "abandoned" : undefined;
}
