/** What counts in a rehearsal of the stack's own config, as it is in each of the two checkouts. */
import * as v from "valibot";
import { Region } from "../../contract/regions.ts";
import { compareRegions, type RegionTable, regionFindings } from "../plan/rules/regions.ts";
import { fullKey, projectName, readProject } from "../stack/project.ts";
import { DEFAULT_REGIONS } from "../stack/schema.ts";
import { defaultWorkerName } from "../stack/worker-name.ts";
import type { Side } from "./side.ts";
import { type Bound, boundHere } from "./stand-ins.ts";

/**
 * What is laid over the stack's own config: a throw-away account has no zones, no earlier versions and no other stack to
 * promote from, and here the plan may delete whatever it names, because a rehearsal shows what that costs.
 */
export function laidOver(
  side: Side,
  stack: string,
  { adminToken, allowDestroy }: { readonly adminToken: string; readonly allowDestroy: readonly string[] },
): Record<string, string> {
  return {
    adminToken,
    // It may be encrypted, in the middle of a rotation; nobody here has it.
    adminTokenPrevious: "",
    release: side.setting,
    promotesFrom: "",
    zoneId: "",
    hostname: "",
    routes: "",
    rollout: "100",
    pin: "0",
    allowDestroy: JSON.stringify(allowDestroy),
    // What is wrong with it stays, and is refused.
    ...(bindOf(side, stack) && { bind: JSON.stringify(boundHere(bindingIn(side, stack))) }),
  };
}

/** A setting of the stack's own config. */
function setting({ root }: Side, stack: string, key: string): string | undefined {
  const { name, config } = readProject(root, stack);
  return config[fullKey(name, key)] || undefined;
}

/** One that is no text; undefined where it is not set, or wrong: the program says so, when it deploys. */
function settingOf<Output>(
  side: Side,
  stack: string,
  key: string,
  schema: v.GenericSchema<unknown, Output>,
): Output | undefined {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), setting(side, stack, key));
  return parsed.success ? parsed.output : undefined;
}

const Names = v.array(v.string());

/** The name of the stack's Worker. */
export const nameOf = (side: Side, stack: string): string =>
  setting(side, stack, "workerName") ?? defaultWorkerName(projectName(side.root), stack);

/** The classes that the stack may delete, and the bindings whose storage it may. */
export const allowedIn = (side: Side, stack: string): readonly string[] =>
  settingOf(side, stack, "allowDestroy", Names) ?? [];

/** What bindings of the stack lead to in place of storage of its own; undefined: the stack does not say. */
const bindOf = (side: Side, stack: string): Readonly<Record<string, string>> | undefined =>
  settingOf(side, stack, "bind", v.record(v.string(), v.string()));

/** Whether the stack keeps storage whose binding goes. */
export const protectedIn = (side: Side, stack: string): boolean => setting(side, stack, "protect") !== "false";

const Regions = v.array(v.pick(Region, ["id", "prefix", "jurisdiction"]));

const regionsOf = (side: Side, stack: string): v.InferOutput<typeof Regions> =>
  settingOf(side, stack, "regions", Regions) ?? v.parse(Regions, DEFAULT_REGIONS);

/** A release, and what of the stack's config says where its bindings lead. */
export const bindingIn = (side: Side, stack: string): Bound => ({
  release: side.release,
  bind: bindOf(side, stack) ?? {},
  regions: regionsOf(side, stack),
});

/** The stack's region table, as its Worker is told it. */
const regionTable = (side: Side, stack: string): RegionTable => ({
  environmentPrefix: setting(side, stack, "environmentPrefix") ?? "",
  home: setting(side, stack, "homeRegion") ?? "",
  regions: regionsOf(side, stack),
});

/** The ids of the stack's regions, every one of which gets objects, and of the one of what names none. */
export function placesOf(side: Side, stack: string): { readonly regions: readonly string[]; readonly home: string } {
  const { regions, home } = regionTable(side, stack);
  return { regions: regions.map(({ id }) => id), home };
}

/** The prefixes whose objects the stack may lose sight of. */
const lossAllowedIn = (side: Side, stack: string): readonly string[] =>
  settingOf(side, stack, "allowRegionLoss", Names) ?? [];

/** The ids of the older release's regions that the newer one's config hides, and says may be lost. */
export function regionsGivenUp(from: Side, to: Side, stack: string): readonly string[] {
  const allowed = lossAllowedIn(to, stack);
  const changes = compareRegions(regionTable(from, stack), regionTable(to, stack));
  return [
    ...new Set(changes.flatMap(({ kind, id, prefix }) => (kind !== "added" && allowed.includes(prefix) ? id : []))),
  ];
}

/** Why no way back is tried, in words, where the older settings have other regions: a rollback that hides objects is refused. */
export function regionsHidden(from: Side, to: Side, stack: string): string | undefined {
  const findings = regionFindings({
    live: [regionTable(to, stack)],
    next: regionTable(from, stack),
    holdsData: true,
    sources: [],
    neighbours: [],
    allowRegionLoss: lossAllowedIn(to, stack),
  });
  if (findings.length === 0) return undefined;
  const before = placesOf(from, stack).regions;
  const added = placesOf(to, stack).regions.filter((id) => !before.includes(id));
  const how = added.length > 0 ? `has no region ${added.join(", ")}` : "names objects by other regions";
  return `${from.name} ${how}: going back hides what is there`;
}
