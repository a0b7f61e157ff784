/**
 * The lifecycle of Durable Object classes: a history as code, and the plan from the live classes to its end. What is
 * named here is the package's API, with the types that its functions take and return.
 */
export type { StartClass } from "./arrival.ts";
export type { ExportEntry } from "./exports-map.ts";
export { CLASS_WARNINGS, type ClassCode, describe, type Finding, isError } from "./findings.ts";
export {
  type Change,
  type Classes,
  everNamed,
  type History,
  history,
  type Migration,
  namesIn,
  type Storage,
  storageOf,
} from "./history.ts";
export {
  historyOfClasses,
  historyOfExports,
  historyOfMigrations,
  stepsSource,
  type WranglerExport,
  type WranglerMigration,
} from "./import.ts";
export { lint } from "./lint.ts";
export { checkLock, formatLock, hashes, LOCK_FILE } from "./lock.ts";
export { type Awaited, leaves, type Move, moves, type Obstacle, staysAlive, tombstoneOf } from "./moves.ts";
export { forStack, type Plan, plan } from "./plan.ts";
export { type LiveClass, type LiveClasses, replay } from "./replay.ts";
export type { AwaitedElsewhere, Live, Situation } from "./situation.ts";
export type { State } from "./standing.ts";
