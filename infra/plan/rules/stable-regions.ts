/** Whether a version that serves in the release's place, or beside it, names the objects that there are. Pure. */
import type { PublicSettings } from "../../stack/config.ts";
import { unpinLine } from "../../stack/traffic-lines.ts";
import type { Finding } from "./codes.ts";
import { type RegionTable, regionFindings, sharedRegionFindings } from "./regions.ts";

interface Beside {
  /** Per cent of the traffic that the release gets, and its table. */
  readonly share: number;
  readonly table: RegionTable;
  /** The version that serves in its place, or beside it, and that one's table. */
  readonly stable: { readonly number: number } | undefined;
  readonly stableTable: RegionTable | undefined;
  readonly settings: Pick<PublicSettings, "stack" | "pin" | "allowRegionLoss">;
  /** The tables of the versions that serve. */
  readonly live: readonly RegionTable[];
  readonly holdsData: boolean;
}

/** What stands against the region table of a version that is to serve: in the release's place, or beside it. */
export function stableRegionFindings({
  live,
  share,
  stable,
  stableTable,
  table,
  holdsData,
  settings: { stack, pin, allowRegionLoss },
}: Beside): readonly Finding[] {
  if (!stable || !stableTable) return [];
  if (share > 0) {
    return sharedRegionFindings(share, table, { number: stable.number, table: stableTable });
  }
  const nothing = { sources: [], neighbours: [] };
  // The table of a version that is there cannot be changed.
  return regionFindings({ live, next: stableTable, holdsData, allowRegionLoss, ...nothing }).map((finding) => ({
    ...finding,
    fix: `${finding.code === "region_prefix_ambiguous" ? "" : `when objects with this prefix may be lost from sight, set allowRegionLoss: [${finding.subject}]; else `}leave the traffic where it is: ${
      pin > 0
        ? `set no pin, or end it with \`${unpinLine(stack)}\``
        : "set rollout to 100, with the release and the settings that are to serve"
    }.`,
  }));
}
