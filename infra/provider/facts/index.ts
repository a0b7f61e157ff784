/**
 * What the real provider takes and does: facts.json, a part of the facts on Terraform provider v5.22.0 that
 * test/provider/reduce-facts.ts makes, and newer.ts, what the SDK's types have besides. Inputs are judged by both
 * (rules.ts), wherever they come from: `npm start`, the stand-in of the engine tests, a test of the program.
 */
import json from "./facts.json" with { type: "json" };
import { NEWER } from "./newer.ts";
import type { Attributes, DataSource, Facts, Resource } from "./types.ts";

const facts: Facts = json;

/** How the provider's client repeats a call, and what a configured API token must match. */
export const { retry, apiToken } = facts;

const known = new Map<string, Resource>();

/** The facts on a resource type, newer ones included. @throws Error when there are none. */
export function factsOn(type: string): Resource {
  const found = known.get(type);
  if (found) return found;
  const resource = facts.resources[type];
  if (!resource) throw new Error(`${type}: there are no facts on it. Make them: test/provider/reduce-facts.ts.`);
  const merged = { ...resource, attributes: withNewer(type, resource.attributes) };
  known.set(type, merged);
  return merged;
}

/** What a data source takes, by Pulumi's name of it; undefined where the facts say nothing. */
export const factsOnSource = (name: string): DataSource | undefined =>
  facts.dataSources[name] ?? NEWER.dataSources[name];

function withNewer(type: string, attributes: Attributes): Attributes {
  const merged = { ...attributes, ...NEWER.attributes[type] };
  for (const [path, more] of Object.entries(NEWER.values[type] ?? {})) {
    const attribute = merged[path];
    if (attribute) merged[path] = { ...attribute, oneOf: [...(attribute.oneOf ?? []), ...more] };
  }
  return merged;
}
