/**
 * Settings under the name of another project: this one was renamed (`name:` in Pulumi.yaml), and its stack's file was not.
 * Pure.
 *
 * Namespaces are of providers and libraries too, and some of their keys are called as ours are (`newrelic:accountId`). So
 * one is another project's for certain where it has a key that nobody else has, or one that is missing here.
 */

import { OF_PULUMI } from "./project.ts";

/** Keys that others may have too, besides those of one word that the Worker gets (`session`). */
const USUAL: ReadonlySet<string> = new Set([
  "accountId",
  "adminToken",
  "hostname",
  "protect",
  "regions",
  "release",
  "routes",
  "vars",
  "zoneId",
]);

interface OtherNames {
  readonly project: string;
  /** Of the config: namespace and name. */
  readonly keys: readonly (readonly [namespace: string, name: string])[];
  /** The names of our settings, and among them those that the Worker gets. */
  readonly ours: readonly string[];
  readonly shared: readonly string[];
  /** Of ours, those that are missing. */
  readonly missing: ReadonlySet<string>;
}

/** The names of settings by the name of the project that they are left from. */
export function leftFromOthers({
  project,
  keys,
  ours,
  shared,
  missing,
}: OtherNames): ReadonlyMap<string, readonly string[]> {
  const isUsual = (name: string) => USUAL.has(name) || (shared.includes(name) && /^[a-z]+$/.test(name));
  const foreign = keys.filter(
    ([namespace, name]) => namespace !== project && !OF_PULUMI.has(namespace) && ours.includes(name),
  );
  const others = foreign.flatMap(([namespace, name]) => (missing.has(name) || !isUsual(name) ? namespace : []));
  return new Map(
    others.map((other) => [other, foreign.flatMap(([namespace, name]) => (namespace === other ? name : []))] as const),
  );
}
