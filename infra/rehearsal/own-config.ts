/** What counts in a rehearsal of the stack's own config, as it is in each of the two checkouts. */
import * as v from "valibot";
import { fullKey, projectName, readProject } from "../stack/project.ts";
import { defaultWorkerName } from "../stack/worker-name.ts";
import type { Side } from "./side.ts";
import { boundHere } from "./stand-ins.ts";

/**
 * What is laid over the stack's own config: a throw-away account has no zones, no earlier versions and no other stack to
 * promote from, and here the plan may delete whatever it names, because a rehearsal shows what that costs.
 */
export function laidOver(
  side: Side,
  stack: string,
  { adminToken, allowDestroy }: { readonly adminToken: string; readonly allowDestroy: readonly string[] },
): Record<string, string> {
  const hasBind = setting(side, stack, "bind") !== undefined;
  return {
    adminToken,
    release: side.setting,
    promotesFrom: "",
    zoneId: "",
    hostname: "",
    routes: "",
    rollout: "100",
    pin: "0",
    allowDestroy: JSON.stringify(allowDestroy),
    ...(hasBind && { bind: JSON.stringify(boundHere(side.release, bindOf(side, stack))) }),
  };
}

/** A setting of the stack's own config. */
function setting({ root }: Side, stack: string, key: string): string | undefined {
  const { name, config } = readProject(root, stack);
  return config[fullKey(name, key)] || undefined;
}

/** The name of the stack's Worker. */
export const nameOf = (side: Side, stack: string): string =>
  setting(side, stack, "workerName") ?? defaultWorkerName(projectName(side.root), stack);

/** The classes that the stack may delete. */
export const allowedIn = (side: Side, stack: string): readonly string[] =>
  v.parse(v.array(v.string()), JSON.parse(setting(side, stack, "allowDestroy") ?? "[]"));

/** What bindings of the stack lead to in place of storage of its own. */
export const bindOf = (side: Side, stack: string): Readonly<Record<string, string>> =>
  v.parse(v.record(v.string(), v.string()), JSON.parse(setting(side, stack, "bind") ?? "{}"));

const Regions = v.array(v.object({ id: v.string(), prefix: v.string() }));

const regionTable = (side: Side, stack: string) =>
  v.parse(Regions, JSON.parse(setting(side, stack, "regions") ?? "[]"));

/** The ids of the stack's regions: every one of them gets objects. */
export const regionsOf = (side: Side, stack: string): readonly string[] => regionTable(side, stack).map(({ id }) => id);

/** The ids of the older release's regions that the newer one's config says may be lost. */
export function regionsGivenUp(from: Side, to: Side, stack: string): readonly string[] {
  const allowed = v.parse(v.array(v.string()), JSON.parse(setting(to, stack, "allowRegionLoss") ?? "[]"));
  const environment = setting(from, stack, "environmentPrefix") ?? "";
  return regionTable(from, stack)
    .filter(({ prefix }) => allowed.includes(`${environment}${prefix}`))
    .map(({ id }) => id);
}

/** Why no way back is tried, in words, where the older settings lack regions: a rollback that hides objects is refused. */
export function regionsHidden(from: Side, to: Side, stack: string): string | undefined {
  const before = regionsOf(from, stack);
  const added = regionsOf(to, stack).filter((id) => !before.includes(id));
  return added.length === 0
    ? undefined
    : `${from.name} has no region ${added.join(", ")}: going back hides what is there`;
}
