/**
 * What a changed region table does to the names of existing objects: pure. An object's name begins with the
 * environment's and its region's prefix, and its id depends on its jurisdiction. If either changes, nothing asks for
 * the old name any more. Cloudflare lists ids of objects and not names, so data in a namespace may be any region's.
 */
import { namePrefix } from "../../../contract/regions.ts";
import { goOnLine } from "../../stack/traffic-lines.ts";
import type { Finding } from "./codes.ts";

/** A region table as the Worker has it in its REGIONS binding. */
export interface RegionTable {
  readonly environmentPrefix: string;
  /** Region of ids that name none. */
  readonly home: string;
  readonly regions: readonly {
    readonly id: string;
    readonly prefix: string;
    readonly jurisdiction?: string | undefined;
  }[];
}

/** One difference between two tables. `prefix` is the one in the names of objects, the environment's in front. */
export type RegionChange = { readonly id: string; readonly prefix: string } & (
  | { readonly kind: "added" | "removed" }
  /** The region's names begin with something else now, its id is another, or ids without a region mean another one. */
  | { readonly kind: "prefix" | "id" | "home"; readonly to: string }
  | { readonly kind: "jurisdiction"; readonly from: string; readonly to: string }
);

export interface RegionSituation {
  /** Tables of the versions that serve now; none where nothing of ours does. */
  readonly live: readonly RegionTable[];
  readonly next: RegionTable;
  /** Whether any namespace of the Worker has objects; true where nobody can tell. */
  readonly holdsData: boolean;
  /** Workers whose objects this one takes over, with their tables. */
  readonly sources: readonly { readonly worker: string; readonly table: RegionTable }[];
  /** Workers that bind to this one's classes, and so name the same objects, with their tables. */
  readonly neighbours: readonly { readonly worker: string; readonly table: RegionTable }[];
  /** Prefixes, as in the names of objects, whose objects this stack may lose sight of. */
  readonly allowRegionLoss: readonly string[];
}

type Entry = RegionTable["regions"][number];

const NO_JURISDICTION = "none";
const jurisdictionOf = ({ jurisdiction = NO_JURISDICTION }: Entry) => jurisdiction;

/** What `next` changes for the ids and names that were made under `live`. */
export function compareRegions(live: RegionTable, next: RegionTable): readonly RegionChange[] {
  const changes: RegionChange[] = [];
  /** Ids in `next` of regions that were there before. */
  const known = new Set<string>();
  for (const before of live.regions) {
    const prefix = namePrefix(live, before);
    const after = next.regions.find(({ id }) => id === before.id);
    const renamed = next.regions.find(
      (region) => namePrefix(next, region) === prefix && jurisdictionOf(region) === jurisdictionOf(before),
    );
    const { id } = before;
    if (!after && !renamed) {
      changes.push({ kind: "removed", id, prefix });
      continue;
    }
    if (!after) changes.push({ kind: "id", id, prefix, to: renamed?.id ?? "" });
    else if (namePrefix(next, after) !== prefix) {
      changes.push({ kind: "prefix", id, prefix, to: namePrefix(next, after) });
    } else if (jurisdictionOf(after) !== jurisdictionOf(before)) {
      changes.push({ kind: "jurisdiction", id, prefix, from: jurisdictionOf(before), to: jurisdictionOf(after) });
    }
    const now = after ?? renamed;
    if (now) known.add(now.id);
    if (id === live.home && now && now.id !== next.home) changes.push({ kind: "home", id, prefix, to: next.home });
  }
  for (const region of next.regions) {
    if (!known.has(region.id)) changes.push({ kind: "added", id: region.id, prefix: namePrefix(next, region) });
  }
  return changes;
}

/** What stands against the region table `next`: every change by which an object that may exist is no longer found. */
export function regionFindings(situation: RegionSituation): readonly Finding[] {
  const { live, next, holdsData, sources, neighbours } = situation;
  return unique([
    ...(holdsData ? live.flatMap((table) => ownFindings(table, situation)) : []),
    ...sources.flatMap((source) => takenOverFindings(source, situation)),
    ...neighbours.flatMap(({ worker, table }) => mixedUp(next, table, `names that the Worker ${worker} uses here`)),
  ]);
}

/** About the objects that this Worker named by a table of its own. */
const ownFindings = (table: RegionTable, { next, allowRegionLoss }: RegionSituation): readonly Finding[] => [
  ...compareRegions(table, next)
    .filter(({ prefix }) => !allowRegionLoss.includes(prefix))
    .flatMap((change) => lossFinding(change) ?? []),
  ...mixedUp(next, table, "names that this Worker's objects have"),
];

/** About the objects that come from another Worker. */
const takenOverFindings = (
  { worker, table }: RegionSituation["sources"][number],
  { next, allowRegionLoss }: RegionSituation,
): readonly Finding[] =>
  table.regions.flatMap((region) => {
    const prefix = namePrefix(table, region);
    const here = next.regions.find((candidate) => namePrefix(next, candidate) === prefix);
    if ((here && jurisdictionOf(here) === jurisdictionOf(region)) || allowRegionLoss.includes(prefix)) return [];
    return {
      code: here ? "region_jurisdiction_changed" : "region_prefix_removed",
      subject: prefix,
      message: `names of objects that come from the Worker ${worker} begin with it, and this stack has no region for them${here ? " in that jurisdiction" : ""}.`,
      fix: `add ${worker}'s region to this stack's, or, when those objects may be lost from sight, set allowRegionLoss: [${prefix}].`,
    };
  });

/** Whether two tables name all objects alike. */
export const isSameRegions = (one: RegionTable, other: RegionTable): boolean =>
  compareRegions(one, other).length === 0 && compareRegions(other, one).length === 0;

/**
 * What stands against a split of the traffic between the release and a version with another region table: Cloudflare
 * sends each request to one of them, and one id would be two objects, or none.
 */
export function sharedRegionFindings(
  rollout: number,
  next: RegionTable,
  beside: { readonly number: number; readonly table: RegionTable } | undefined,
): readonly Finding[] {
  if (!beside || isSameRegions(next, beside.table)) return [];
  return [
    {
      code: "lifecycle_needs_full_rollout",
      subject: `rollout ${rollout}`,
      message: `this release has another region table than version ${beside.number}: while both serve, the same id would mean two objects, or be refused by one of them.`,
      fix: `set rollout to 100 for this release (with \`${goOnLine("<this stack>")}\` it goes out so by itself), or put the region table back.`,
    },
  ];
}

/** The finding about a change that hides objects; undefined about one that does not. */
function lossFinding(change: RegionChange): Finding | undefined {
  const { id, prefix } = change;
  const about = (code: Finding["code"], message: string, undo: string): Finding => ({
    code,
    subject: prefix,
    message,
    fix: `${undo}, or, when its objects may be lost from sight, set allowRegionLoss: [${prefix}].`,
  });
  switch (change.kind) {
    case "added":
      return undefined;
    case "removed":
      return about(
        "region_prefix_removed",
        `region ${id} is gone, and objects with this prefix become unreachable.`,
        "put the region back",
      );
    case "prefix":
      return about(
        "region_prefix_changed",
        `region ${id} would name its objects ${change.to}…, and those with this prefix become unreachable.`,
        "put the prefixes back (environmentPrefix and the region's)",
      );
    case "id":
      return about(
        "region_id_changed",
        `region ${id} is called ${change.to} now, and ids that callers hold (${id}~…) would be refused.`,
        "put its id back",
      );
    case "home":
      return about(
        "region_home_changed",
        `homeRegion was ${id} and is ${change.to}: ids without a region would mean other objects than before.`,
        "put homeRegion back",
      );
    case "jurisdiction":
      return about(
        "region_jurisdiction_changed",
        `region ${id} had the jurisdiction ${change.from} and has ${change.to}, and the same name there is another object.`,
        "put the jurisdiction back, or add a region beside it",
      );
  }
}

/** Prefixes that are new in `next` and of which one begins with one of `other`, or the other way round. */
function mixedUp(next: RegionTable, other: RegionTable, whose: string): readonly Finding[] {
  const taken = other.regions.map((region) => namePrefix(other, region));
  return next.regions
    .map((region) => namePrefix(next, region))
    .filter((prefix) => !taken.includes(prefix))
    .flatMap((prefix) =>
      taken
        .filter((name) => name.startsWith(prefix) || prefix.startsWith(name))
        .map((name) => ({
          code: "region_prefix_ambiguous" as const,
          subject: prefix,
          message: `it and ${name}, in ${whose}, begin alike, so that one can be mistaken for the other.`,
          fix: `choose a prefix that neither begins with ${name} nor is the beginning of it.`,
        })),
    );
}

const unique = (findings: readonly Finding[]): readonly Finding[] =>
  findings.filter(
    ({ code, subject, message }, i) =>
      findings.findIndex((other) => other.code === code && other.subject === subject && other.message === message) ===
      i,
  );
